"""Headers of safetensors files: the tensors they contain, without reading any."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, NamedTuple

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.regular_files import check_regular, read_start

LONGEST = 2**24


class SafetensorsHeader(NamedTuple):
    """Contents of a header.

    Parameters
    ----------
    shapes : dict of str to list of int
        Shape of each tensor.
    metadata : dict of str to str
        Further texts.
    """

    shapes: dict[str, list[int]]
    metadata: dict[str, Any]


def read_header(path: Path) -> SafetensorsHeader:
    """Read the header of a safetensors file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    InputError
        The file is not a safetensors file, or is incomplete.
    """
    size = check_regular(path).st_size
    start = read_start(path, 8)
    if start[:2] in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05"):
        raise InputError(
            f"{path.name} is a pickle file, which could run any code; only safetensors files are "
            "read."
        )
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
    if length > min(size - 8, LONGEST):
        raise InputError(f"{path.name} is not a complete safetensors file.")
    try:
        header = json.loads(read_start(path, 8 + length)[8:])
        metadata = header.pop("__metadata__", {})
        shapes = {name: list(tensor["shape"]) for name, tensor in header.items()}
        ends = [int(tensor["data_offsets"][1]) for tensor in header.values()]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError):
        raise InputError(f"{path.name} is not a safetensors file.") from None
    except RecursionError:
        raise InputError(f"{path.name} is not a safetensors file.") from None
    if max(ends, default=0) != size - 8 - length:
        raise InputError(f"{path.name} is incomplete; copy or download it again.")
    return SafetensorsHeader(shapes, metadata if isinstance(metadata, dict) else {})

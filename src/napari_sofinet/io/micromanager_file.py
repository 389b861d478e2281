"""Micro-Manager's image file stacks: their header, their index of images, and files of one set.

A stack begins as a TIFF file, with a header of its own after the first eight bytes; the index is
written when the recording ends. Each image also has its place as JSON text in tag 51123.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from napari_sofinet.io.regular_files import read_start

HEADER = 40
MAGIC_INDEX, MAGIC_SUMMARY, MAGIC_MAP = 54773648, 2355492, 3453623
PLACE_TAG = 51123
SUMMARY_AT_MOST = 2**24


class StackFile(NamedTuple):
    """Contents of a Micro-Manager file other than its images.

    Parameters
    ----------
    summary : dict
        Facts about the whole recording, e.g. ``Frames``.
    places : ndarray of shape (N, 5), optional
        Channel, plane, time, position, and byte at which the image's tags start; None if the
        recording was interrupted before the index was written.
    whole : bool
        False if the index should be there and is not, as in a file that was copied in part.
    """

    summary: dict[str, Any]
    places: np.ndarray | None
    whole: bool = True


def is_mmstack(path: str | os.PathLike[str]) -> bool:
    """Return whether a file begins as Micro-Manager's stacks do."""
    return _header(path) is not None


def _header(path: str | os.PathLike[str]) -> tuple[str, int, int] | None:
    """Order of bytes, byte of the index, and length of the summary."""
    start = read_start(path, HEADER)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < HEADER:
        return None
    index_magic, index, *_, summary_magic, length = struct.unpack(f"{order}8I", start[8:40])
    if index_magic != MAGIC_INDEX or summary_magic != MAGIC_SUMMARY or length > SUMMARY_AT_MOST:
        return None
    return order, index, length


def read_stack_file(path: str | os.PathLike[str]) -> StackFile | None:
    """Read the header and index of a Micro-Manager file; return None for other files."""
    header = _header(path)
    if header is None:
        return None
    order, index, length = header
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        file.seek(HEADER)
        try:
            summary = json.loads(file.read(length).decode("utf-8", "replace").strip("\0"))
        except ValueError:
            summary = {}
        summary = summary if isinstance(summary, dict) else {}
        if not index:
            return StackFile(summary, None)
        file.seek(index)
        start = file.read(8)
        magic, count = struct.unpack(f"{order}2I", start) if len(start) == 8 else (0, 0)
        if magic != MAGIC_MAP or index + 8 + 20 * count > size or not count:
            return StackFile(summary, None, whole=False)
        places = np.frombuffer(file.read(20 * count), f"{order}u4").astype(np.int64)
    return StackFile(summary, places.reshape(count, 5))


def files_of_set(path: Path) -> list[Path]:
    """Return the other Micro-Manager files in the folder whose names begin alike.

    Examples
    --------
    >>> files_of_set(Path("renamed.tif"))
    []
    """
    prefix, found, _ = path.name.partition("MMStack")
    if not found:
        return []
    alike = (
        other
        for other in path.resolve().parent.iterdir()
        if other.name.startswith(prefix + found) and other.suffix.lower() in (".tif", ".tiff")
    )
    return sorted(o for o in alike if o.name != path.name and o.is_file() and is_mmstack(o))


def place_of_text(text: Any) -> tuple[int, int, int, int] | None:
    """Return channel, plane, time and position that an image's own text names.

    Examples
    --------
    >>> place_of_text('{"FrameIndex": 7, "ChannelIndex": 1}')
    (1, 0, 7, 0)
    """
    try:
        facts = text if isinstance(text, dict) else json.loads(text)
    except (TypeError, ValueError):
        return None
    if not isinstance(facts, dict):
        return None
    found = []
    for key in ("Channel", "Slice", "Frame", "Position"):
        value = facts.get(f"{key}Index", facts.get(key, 0))
        found.append(value if isinstance(value, int) and 0 <= value < 2**31 else 0)
    channel, plane, time, position = found
    return channel, plane, time, position

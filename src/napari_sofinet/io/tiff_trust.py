"""Checks of the declarations in a TIFF file, before tifffile relies on them.

tifffile follows a chain of images that never ends, makes lists as long as a file says that it has
images, opens any file that an OME-TIFF names, and unpacks images of any size.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

from tifffile import TiffFile

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.memory import need_memory
from napari_sofinet.io.file_stamp import FileStamp, stamp
from napari_sofinet.io.regular_files import check_regular

IMAGES_BELIEVED = 1_000_000
"""Images that a file may declare without containing them, after an interrupted recording."""
TAGS_AT_MOST = 4096
UNPACKED_BELIEVED = 2**26
"""Bytes of an unpacked image for which nobody asks how large it was when it was packed."""
PACKED_AT_MOST = 300
"""Bytes of an unpacked image for each packed byte; a camera's noise packs to a half or a third."""
FORMATS = {42: ("H", 2, 12, "I"), 43: ("Q", 8, 20, "Q")}
"""By a file's version: type and size of the number of tags, size of a tag, type of offsets."""


def check_chain(path: str | Path) -> int:
    """Return the number of images in a TIFF file's list.

    Parameters
    ----------
    path : path-like
        The file. For files other than plain TIFF or BigTIFF, 0 is returned.

    Raises
    ------
    InputError
        It is not a file, or its list of images leads back to an earlier one.
    """
    check_regular(path)
    return _chain_length(stamp(path))


@lru_cache(64)
def _chain_length(one: FileStamp) -> int:
    seen: set[int] = set()
    with open(one.path, "rb") as file:
        for offset in _chain(file, one.size):
            if offset in seen:
                raise InputError(
                    f"{Path(one.path).name} is damaged: its list of images leads back to an "
                    "earlier one; copy the file again."
                )
            seen.add(offset)
    return len(seen)


def _chain(file: BinaryIO, size: int) -> Iterator[int]:
    """Yield the offsets of a file's images, until the list ends or leads out of the file."""
    start = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 8:
        return
    layout = FORMATS.get(struct.unpack(f"{order}H", start[2:4])[0])
    if layout is None or len(start) < (16 if layout[0] == "Q" else 8):
        return
    number, number_size, tag_size, kind = layout
    pointer, width = f"{order}{kind}", struct.calcsize(kind)
    (offset,) = struct.unpack(pointer, start[16 - width :] if width == 8 else start[4:8])
    while 0 < offset < size:
        yield offset
        file.seek(offset)
        count = file.read(number_size)
        if len(count) < number_size:
            return
        (tags,) = struct.unpack(f"{order}{number}", count)
        if tags > TAGS_AT_MOST:
            return
        following = file.read(tags * tag_size + width)[tags * tag_size :]
        if len(following) < width:
            return
        (offset,) = struct.unpack(pointer, following)


def check_promises(tif: TiffFile, images: int) -> None:
    """Raise `InputError` if the description of a file declares far more images than exist.

    Parameters
    ----------
    tif : TiffFile
        An open file whose series have not been read.
    images : int
        Number of images in it.
    """
    name = tif.filename
    if tif.is_ome:
        promised = _promised_by_ome(tif)
    elif tif.is_micromanager:
        promised = _promised_by_micromanager(tif)
    else:
        return
    if promised > max(IMAGES_BELIEVED, images):
        raise InputError(
            f"{name} declares {promised} images but contains {images}; copy the file again."
        )


def _promised_by_ome(tif: TiffFile) -> int:
    """Return the most images that any number in OME-XML stands for."""
    try:
        root = ElementTree.fromstring(tif.ome_metadata or "<none/>")
    except ElementTree.ParseError:
        return 0
    names = _check_files(tif, root)
    promised = 0
    page: Any = tif.pages[0]
    for pixels in root.iterfind(".//{*}Pixels"):
        images = prod(_count(pixels.get(f"Size{axis}")) for axis in "ZCT")
        # tifffile divides all pixels by those of an image.
        of_pixels = images * prod(_count(pixels.get(f"Size{axis}")) for axis in "YX")
        of_pixels //= max(page.size, 1)
        promised = max(promised, max(images, of_pixels) // (1 + len(names)))
    for data in root.iterfind(".//{*}TiffData"):
        promised = max(promised, *(_count(data.get(key)) for key in ("PlaneCount", "NumPlanes")))
    for along in root.iter():
        if isinstance(along.tag, str) and "}ModuloAlong" in along.tag:
            promised = max(promised, _steps(along))
    return promised


def _count(text: str | None) -> int:
    """Return a number of images; what is no number is reported by tifffile."""
    if text is None or not text.strip().isdecimal():
        return 1
    return int(text) if len(text) < 20 else 10**20


def _steps(along: Any) -> int:
    try:
        start, end, step = (float(along.get(key, 1)) for key in ("Start", "End", "Step"))
        return int(min(abs((end - start) / step), 1e20))
    except (ValueError, ArithmeticError):
        return 0


def _check_files(tif: TiffFile, root: Any) -> set[str]:
    """Return the names of the other files of an OME-TIFF, none of which can do harm."""
    folder = os.path.realpath(tif.filehandle.dirname)
    names = {uuid.get("FileName") for uuid in root.iterfind(".//{*}UUID")}
    others = {name for name in names if name and name.lower() != tif.filename.lower()}
    for other in sorted(others):
        place = os.path.normpath(os.path.join(folder, other))
        if not _inside(place, folder):
            raise InputError(
                f"{tif.filename} names the file {other[:120]}, which lies outside its folder; copy "
                "it there and name it so in the OME-XML."
            )
        if os.path.lexists(place):
            check_chain(place)
    return others


def _inside(place: str, folder: str) -> bool:
    try:
        return os.path.commonpath([folder, place]) == folder
    except ValueError:  # another drive
        return False


def _promised_by_micromanager(tif: TiffFile) -> int:
    found: dict[str, Any] = tif.micromanager_metadata or {}
    summary, index = found.get("Summary"), found.get("IndexMap")
    if not isinstance(summary, dict) or index is None or not len(index):
        return 0
    counts = [int(index[:, column].max()) + 1 for column in range(4)]
    for column, key in enumerate(("Channels", "Slices", "Frames", "Positions")):
        counts[column] = max(counts[column], int(summary.get(key, 1)))
    for other in Path(tif.filehandle.dirname).glob("*_MMStack*.tif"):
        check_chain(other)
    return prod(counts)


def check_unpacked(page: Any, name: str, copies: float = 1.0) -> None:
    """Raise `InputError` for an image that does not fit into memory.

    Parameters
    ----------
    page : TiffPage
        The image, of which no pixels have been read.
    name : str        Name of its file. copies : float, optional
        Bytes that are needed for each byte of the image.
    """
    size = prod(page.shape) * (page.dtype.itemsize if page.dtype is not None else 1)
    packed = sum(page.databytecounts)
    if size > UNPACKED_BELIEVED and page.compression != 1 and size > PACKED_AT_MOST * packed:
        raise InputError(
            f"{name} declares images of {size / 1e6:.0f} MB in {packed / 1e6:.2g} MB each; it is "
            "damaged or empty."
        )
    if page.compression == 1 and size > page.parent.filehandle.size:
        raise InputError(f"{name} is truncated; copy the file again.")
    need_memory(copies * size, f"an image of {name}")

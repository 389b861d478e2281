"""Checking that a TIFF file holds all the images it declares.

tifffile shows what is left of a truncated file, often without an error: fewer frames, or zeros.
"""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tifffile import TiffFile, TiffPageSeries

from napari_sofinet.base.errors import InputError


def check_complete(tif: TiffFile, series: TiffPageSeries, name: str) -> None:
    """Raise `InputError` unless every frame of a series is there with all its bytes."""
    cut = f"{name} is truncated; copy the file again."
    if series.dataoffset is None:
        _check_pages(tif, series, name, cut)
    elif series.dataoffset + prod(series.shape) * series.dtype.itemsize > tif.filehandle.size:
        raise InputError(cut)
    frames = prod(series.shape[:-2])
    # Where the format says how many frames there are, tifffile's series has that many.
    counted = series.kind not in ("uniform", "generic") and frames > 1
    if not counted and _chain_is_cut(tif):
        raise InputError(cut)
    if len(tif.pages) == 1 and frames < images_promised(tif):
        raise InputError(cut)


def _check_pages(tif: TiffFile, series: TiffPageSeries, name: str, cut: str) -> None:
    pages = prod(series.shape) // prod(series.keyframe.shape)
    if series.kind != "ome" and not series.is_multifile and len(tif.pages) < pages:
        raise InputError(cut)
    held = [page for page in series if page is not None]
    missing = len(series) - len(held)
    if missing:
        absent = _absent_file(tif)
        if absent:
            raise InputError(
                f"{name} needs the file {absent} beside it, which is missing; copy it there."
            )
        raise InputError(
            f"{missing} of the {pages} images that {name} promises are missing; copy the file "
            "again, or save the movie anew if its recording was broken off."
        )
    for page in held:
        size = page.parent.filehandle.size
        ends = (o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True))
        if max(ends, default=0) > size:
            raise InputError(cut)


def _chain_is_cut(tif: TiffFile) -> bool:
    """Whether the last page that was found names a following one."""
    file, layout = tif.filehandle, tif.tiff
    file.seek(tif.pages[-1].offset)
    (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    file.seek(tags * layout.tagsize, 1)
    pointer = file.read(layout.offsetsize)
    return len(pointer) < layout.offsetsize or any(pointer)


def images_promised(tif: TiffFile) -> int:
    """Images that ImageJ or tifffile promised when they wrote the file; 1 where nobody did."""
    if tif.is_imagej:
        meta: dict[str, Any] = tif.imagej_metadata or {}
        axes = prod(int(meta.get(axis, 1)) for axis in ("frames", "slices", "channels"))
        return max(int(meta.get("images", 1)), axes)
    page: Any = tif.pages[0]
    for text in (page.description, page.description1):
        try:
            return prod(int(n) for n in json.loads(text)["shape"][:-2])
        except (KeyError, TypeError, ValueError):
            continue
    return 1


def _absent_file(tif: TiffFile) -> str | None:
    """Name of the first file of an OME-TIFF of several files that is not there."""
    folder = Path(tif.filehandle.dirname)
    for uuid in ElementTree.fromstring(tif.ome_metadata or "<none/>").iterfind(".//{*}UUID"):
        other = uuid.get("FileName")
        if other and not (folder / other).exists():
            return other
    return None

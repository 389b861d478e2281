"""Checks that a TIFF file contains all images it declares.

Of a truncated file, tifffile often returns fewer frames or zeros without an error.
"""

from __future__ import annotations

import json
import struct
from math import prod
from typing import Any

from tifffile import TiffFile, TiffPageSeries

from napari_sofinet.base.errors import InputError


class Truncated(InputError):
    """Error for a file that ends too early."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is truncated; copy the file again.")


def check_series(tif: TiffFile, series: TiffPageSeries, name: str) -> None:
    """Raise `InputError` if bytes of the images of a series are missing.

    Images declared in an OME-XML or an index may still be missing as a whole.
    """
    if series.dataoffset is None:
        pages = prod(series.shape) // prod(series.keyframe.shape)
        if series.kind not in ("ome", "ndtiff") and not series.is_multifile:
            if len(tif.pages) < pages:
                raise Truncated(name)
        check_page_bytes(series, name)
    elif series.dataoffset + prod(series.shape) * series.dtype.itemsize > tif.filehandle.size:
        raise Truncated(name)
    frames = prod(series.shape[:-2])
    # Where the format says how many frames there are, tifffile's series has that many; after a
    # block that tifffile wrote ("shaped"), others may follow.
    counted = series.kind not in ("uniform", "generic", "shaped") and frames > 1
    if not counted:
        check_chain_ends(tif, name)
    if len(tif.pages) == 1 and len(tif.series) == 1 and frames < images_promised(tif):
        raise Truncated(name)


def check_page_bytes(series: TiffPageSeries, name: str) -> None:
    """Raise `InputError` if a page of a series extends beyond the end of the file."""
    for page in series:
        if page is None:
            continue
        size = page.parent.filehandle.size
        ends = (o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True))
        if max(ends, default=0) > size:
            raise Truncated(name)


def check_chain_ends(tif: TiffFile, name: str) -> None:
    """Raise `InputError` if the last page refers to a following one."""
    file, layout = tif.filehandle, tif.tiff
    file.seek(tif.pages[-1].offset)
    (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    file.seek(tags * layout.tagsize, 1)
    pointer = file.read(layout.offsetsize)
    if len(pointer) < layout.offsetsize or any(pointer):
        raise Truncated(name)


def images_promised(tif: TiffFile) -> int:
    """Return the number of images that ImageJ or tifffile declared; 1 without a declaration."""
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

"""Choice of the movie among the images of a TIFF file, with notes on everything left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import groupby
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import TiffFile, TiffPageSeries

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.completeness import (
    Truncated,
    check_chain_ends,
    check_series,
    images_promised,
)
from napari_sofinet.io.micromanager import stack_layout
from napari_sofinet.io.ndtiff import ndtiff_layout
from napari_sofinet.io.ome_files import why_missing
from napari_sofinet.io.tiff_layout import (
    Layout,
    PageSource,
    compact,
    is_plain,
    series_layout,
    series_source,
)
from napari_sofinet.io.tiff_pages import Page, PageKind, read_pages
from napari_sofinet.io.tiff_trust import check_unpacked

SINGLE_AXES = "", "T", "I", "Q", "Z"


def layout_of(tif: TiffFile, path: Path) -> Layout:
    """Arrange the images of a file's movie.

    Raises
    ------
    InputError
        The file is truncated, in colour, or arranged in an unsupported way.
    """
    own = str(path.resolve())
    stack = stack_layout(path, own)
    if stack is not None:
        return stack
    try:
        kind = tif.series[0].kind
        if kind == "ndtiff":
            return ndtiff_layout(tif, path.name, own)
        if kind == "ome":
            return _of_ome(tif, path.name, own)
        if kind in ("uniform", "generic") and _mixed(own, len(tif.pages)):
            return _of_pages(tif, path.name, own)
        return _of_blocks(tif, path.name, own)
    except RuntimeError as error:
        if "keyframe" not in str(error):
            raise
        return _of_pages(tif, path.name, own)  # pages of different kinds
    except Truncated as error:
        found = _of_whole_pages(tif, own, str(error))
        if found is None:
            raise
        return found


def _mixed(own: str, listed: int) -> bool:
    """Whether a file has pages of several kinds, or ends in one that is none.

    tifffile looks at some of them only.
    """
    pages = read_pages(own)
    return len(pages) < listed or len({(page.kind, page.packing) for page in pages}) > 1


def _check_grey(series: TiffPageSeries, name: str) -> None:
    """Raise `InputError` unless a series contains grey images along known axes."""
    if "S" in series.axes:
        raise InputError(
            f"{name} is a colour (RGB) picture; save the camera's grey values instead."
        )
    packed = series.dataoffset is None and len(series.keyframe.shape) != 2
    if not is_plain(series) or series.dtype is None or packed:
        raise InputError(
            f"The arrangement of the frames in {name} ({series.axes}) is not supported; save them "
            "in Fiji as one TIFF stack."
        )
    check_unpacked(series.keyframe, name)


def _images(series: TiffPageSeries) -> int:
    """Images of a series along all axes but y and x."""
    return prod(series.shape[:-2])


def _of_ome(tif: TiffFile, name: str, own: str) -> Layout:
    """Take the first OME image that is a movie, and pages that the OME-XML does not name."""
    series = tif.series
    movies = [k for k, one in enumerate(series) if "S" not in one.axes and _images(one) > 1]
    in_time = [k for k in movies if _images_in_time(series[k]) > 1]
    chosen = next(iter(in_time + movies), 0)
    _check_grey(series[chosen], name)
    layout = _without_cut(series_layout(tif, own, chosen), series[chosen], tif.filehandle.size)
    if len(series) > 1:
        which = "first" if chosen == 0 else f"one with {_images(series[chosen])} frames"
        layout = layout.noted(f"{name} contains {len(series)} images; the {which} is used.")
    if (layout.images < 0).any():
        return replace(layout, missing=why_missing(tif, layout.images, name))
    held = [page.index for one in series for page in one if page is not None]
    return _with_further_pages(layout, tif, name, own, held, "OME-XML")


def _images_in_time(series: TiffPageSeries) -> int:
    """Length of a series' axis of time, or of what may be one."""
    sizes = dict(zip(series.axes, series.shape, strict=True))
    return max(sizes.get(axis, 1) for axis in "TIQZ")


def _without_cut(layout: Layout, series: TiffPageSeries, size: int) -> Layout:
    """A layout in which images that end after their file are missing, too."""
    images = layout.images.copy()
    flat = images.reshape(-1)
    if series.dataoffset is not None:
        frame = layout.sources[0].frame_bytes
        flat[max(size - series.dataoffset, 0) // max(frame, 1) :] = -1
    else:
        for k, page in enumerate(series):
            if page is None or k >= len(flat):
                continue
            ends = (o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True))
            if max(ends, default=0) > page.parent.filehandle.size:
                flat[k] = -1
    return replace(layout, images=images)


def _with_further_pages(
    layout: Layout, tif: TiffFile, name: str, own: str, held: list[Any], text: str
) -> Layout:
    """Add pages that a description does not count, or say that they are left out."""
    if layout.companions or len(tif.pages) <= len(held):
        return layout
    pages = read_pages(own)
    known = set(held)
    kind = pages[min(known)].kind if known and min(known) < len(pages) else None
    further = [k for k, page in enumerate(pages) if k not in known and not page.reduced]
    alike = [k for k in further if pages[k].kind == kind]
    total = layout.images.size
    single = all(size == 1 for axis, size in layout.sizes.items() if axis not in "TIQ")
    if alike and single and (len(tif.series) == 1 or total == 1):
        layout = _extended(layout, _sources(pages, alike, own))
        layout = layout.noted(
            f"The {text} of {name} names {total} image{'s' if total > 1 else ''}, but the file "
            f"contains {total + len(alike)} of the same kind; all of them are used."
        )
        further = [k for k in further if pages[k].kind != kind]
    return _noted_rest(layout, [pages[k].kind for k in further], name)


def _of_whole_pages(tif: TiffFile, own: str, why: str) -> Layout | None:
    """The frames at the beginning of a truncated file, which open only when they are asked for."""
    pages = read_pages(own)
    meta = tif.imagej_metadata or {}
    several = any(int(meta.get(axis, 1)) > 1 for axis in ("channels", "slices"))
    if len(pages) < 3 or several or (tif.is_shaped and len(tif.series[0].shape) > 3):
        return None
    whole: list[int] = []
    for k, page in enumerate(pages[:-1]):  # of the last page the tags may be cut
        if page.kind == pages[0].kind:
            try:
                _check_bytes(tif, [k], "")
            except Truncated:
                break
            whole.append(k)
    first: Any = tif.pages[0]
    if len(whole) < 2 or len(first.shape) != 2 or first.dtype is None:
        return None
    images = np.append(np.arange(len(whole)), -1)
    shape = (first.shape[0], first.shape[1])
    dtype = first.dtype.newbyteorder("=").str
    return Layout("I", images, _sources(pages, whole, own), shape, dtype, missing=why)


def _sources(pages: list[Page], taken: list[int], own: str) -> tuple[PageSource, ...]:
    """Some of a file's pages, apart where they are packed differently.

    tifffile unpacks all pages that it reads at once in the way of the first of them.
    """
    runs = groupby(taken, key=lambda k: pages[k].packing)
    return tuple(PageSource(own, compact(list(run))) for _, run in runs)


def _extended(layout: Layout, sources: tuple[PageSource, ...]) -> Layout:
    """A layout whose only axis is time, with further pages of the file behind it."""
    start = sum(len(source.pages) for source in layout.sources)
    more = np.arange(start, start + sum(len(source.pages) for source in sources))
    images = np.concatenate([layout.images.ravel(), more])
    axis = next((axis for axis in "TIQ" if axis in layout.axes), "T")
    return replace(layout, axes=axis, images=images, sources=(*layout.sources, *sources))


def _noted_rest(layout: Layout, kinds: list[PageKind], name: str) -> Layout:
    """Say which images are left out."""
    if not kinds:
        return layout
    parts = [f"{count} of {kind.text}" for kind, count in Counter(kinds).items()]
    return layout.noted(
        f"{name} also contains other images, which are left out: {', '.join(parts)}."
    )


def _of_pages(tif: TiffFile, name: str, own: str) -> Layout:
    """Take the largest number of pages of one kind, without a description."""
    pages = read_pages(own)
    grey = Counter(page.kind for page in pages if page.kind.samples == 1 and not page.reduced)
    if not grey:
        _check_grey(tif.series[0], name)
    kind = max(grey, key=lambda one: grey[one])
    taken = [k for k, page in enumerate(pages) if page.kind == kind and not page.reduced]
    first: Any = tif.pages.get(taken[0], aspage=True)
    check_unpacked(first, name)
    if len(first.shape) != 2 or first.dtype is None:
        raise InputError(f"The arrangement of the frames in {name} is not supported.")
    check_chain_ends(tif, name)
    _check_bytes(tif, taken, name)
    layout = Layout(
        "I",
        np.arange(len(taken)),
        _sources(pages, taken, own),
        (first.shape[0], first.shape[1]),
        first.dtype.newbyteorder("=").str,
    )
    if len(tif.pages) > len(pages):
        layout = layout.noted(
            f"The last image in the list of {name} is missing, as after an interrupted recording; "
            f"the {len(taken)} before it are used."
        )
    rest = [p.kind for p in pages if p.kind != kind and not p.reduced]
    return _noted_rest(_noted_promise(layout, tif, name), rest, name)


def _check_bytes(tif: TiffFile, pages: list[int], name: str) -> None:
    """Raise `InputError` unless pages have all their bytes."""
    size = tif.filehandle.size
    tif.pages.useframes = True
    tif.pages.set_keyframe(pages[0])
    for k in pages:
        page: Any = tif.pages.get(k)
        ends = (o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True))
        if max(ends, default=0) > size:
            raise Truncated(name)


def _of_blocks(tif: TiffFile, name: str, own: str) -> Layout:
    """Join the blocks in which a stack was written; other images are noted."""
    series = tif.series
    plain = [k for k, one in enumerate(series) if "S" not in one.axes]
    if not plain:
        _check_grey(series[0], name)
    totals: Counter[Any] = Counter()
    for k in plain:
        totals[_block_key(series[k])] += _images(series[k])
    key = max(totals, key=lambda one: totals[one])
    taken = [k for k in plain if _block_key(series[k]) == key]
    if series[0].kind == "imagej" and series[0].dataoffset is None:
        if len(tif.pages) < _images(series[0]):  # fewer than ImageJ's text promises
            return _of_pages(tif, name, own)
    for k in taken:
        _check_grey(series[k], name)
        check_series(tif, series[k], name)
    if len(series) > 1:
        check_chain_ends(tif, name)
    layout = series_layout(tif, own, taken[0])
    if len(taken) > 1:
        layout = _joined(layout, tif, own, taken)
    others = [one for k, one in enumerate(series) if k not in taken]
    kinds = [one for one in others if not getattr(one.keyframe, "is_reduced", False)]
    for one in kinds:
        size = " x ".join(map(str, one.shape))
        layout = layout.noted(
            f"{name} also contains an image of {size} ({one.dtype}), which is left out."
        )
    if len(series) > 1:
        return layout
    return _with_described(layout, tif, name, own)


def _with_described(layout: Layout, tif: TiffFile, name: str, own: str) -> Layout:
    """A single series against the number of images that its description promises."""
    series = tif.series[0]
    total = layout.images.size
    layout = _noted_promise(layout, tif, name)
    if series.dataoffset is not None:
        held: list[Any] = list(range(total)) if len(tif.pages) > 1 else [0]
    else:
        held = [page.index for page in series if page is not None][:total]
    return _with_further_pages(layout, tif, name, own, held, "text")


def _noted_promise(layout: Layout, tif: TiffFile, name: str) -> Layout:
    """Say that a description promises more images than there are."""
    promised, total = images_promised(tif), layout.images.size
    if promised <= total:
        return layout
    if len(tif.pages) == 1:
        raise Truncated(name)
    return layout.noted(
        f"The description of {name} declares {promised} images, but the file contains {total}."
    )


def _block_key(series: TiffPageSeries) -> Any:
    """Return the properties that blocks of one movie have in common."""
    lead = series.axes[:-2]
    if lead in SINGLE_AXES:
        return series.shape[-2:], series.dtype, "Z" if lead == "Z" else "T"
    # Along another axis than time nothing can follow.
    others = tuple(n for axis, n in zip(lead, series.shape, strict=False) if axis != "T")
    return series.shape[-2:], series.dtype, lead, others if "T" in lead else id(series)


def _joined(layout: Layout, tif: TiffFile, own: str, taken: list[int]) -> Layout:
    """Blocks one after the other along their first axis."""
    series = [tif.series[k] for k in taken]
    longest = max(series, key=_images)
    axes = longest.axes[:-2]
    sources, images, start = [], [], 0
    for k, one in zip(taken, series, strict=True):
        sources.append(series_source(tif, own, k, own_pages=True))
        shape = one.shape[:-2] if len(axes) > 1 else (_images(one),)
        images.append(np.arange(start, start + prod(shape)).reshape(shape))
        start += prod(shape)
    joined = np.concatenate(images, axis=axes.index("T") if len(axes) > 1 else 0)
    layout = replace(layout, axes=axes, images=joined, sources=tuple(sources))
    counts = [_images(one) for one in series]
    if counts[-1] == 1 and len(counts) == 2 and counts[0] > 1:
        layout = layout.noted(
            f"The last of the {sum(counts)} images is stored apart from the others; if it is not a "
            f"frame, choose frames 0:{sum(counts) - 1}."
        )
    return layout

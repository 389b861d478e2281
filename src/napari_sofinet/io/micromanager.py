"""Movies in image file stacks of Micro-Manager, including interrupted recordings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from tifffile import TiffFile

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.micromanager_file import (
    PLACE_TAG,
    files_of_set,
    place_of_text,
    read_stack_file,
)
from napari_sofinet.io.ome_files import absent_file
from napari_sofinet.io.tiff_layout import Layout, PageSource, compact
from napari_sofinet.io.tiff_pages import Page, read_pages
from napari_sofinet.io.tiff_trust import IMAGES_BELIEVED, check_chain, check_unpacked

Place = tuple[int, int, int]
"""Channel, plane and time."""


def stack_layout(path: Path, own: str) -> Layout | None:
    """Arrange the images of a Micro-Manager stack, at the position of its file.

    Parameters
    ----------
    path : Path
        The opened file.
    own : str
        Full name of the file.

    Returns
    -------
    Layout or None
        None for other files, and for a file whose index is missing.

    Raises
    ------
    InputError
        The file is truncated or its images are not of one kind.
    """
    found = read_stack_file(path)
    if found is None or not found.whole:
        return None
    pages = read_pages(own)
    if not pages:
        raise InputError(f"{path.name} contains no image; it may be truncated.")
    with TiffFile(own) as tif:
        first: Any = tif.pages[0]
        check_unpacked(first, path.name)
        if len(first.shape) != 2 or first.dtype is None:
            raise InputError(f"{path.name} is a colour picture; grey values are needed.")
        kind = tuple(first.shape), first.dtype.newbyteorder("=").str
        xml = tif.ome_metadata if tif.is_ome else None
    notes: list[str] = []
    table, position, positions = _places(found.places, own, pages, None)
    if found.places is None:
        notes.append(
            f"The recording of {path.name} was interrupted before Micro-Manager wrote the index; "
            "the existing images are used."
        )
    if positions > 1:
        notes.append(f"{path.name} contains {positions} positions; the first one is used.")
    tables = [(own, table), *_other_files(path, position, table, pages[0], notes)]
    layout = _arranged(tables, kind)
    promised = _promised(found.summary, xml)
    return _judged(layout, xml, promised, path, notes)


def _places(
    index: np.ndarray | None, own: str, pages: list[Page], wanted: int | None
) -> tuple[dict[Place, int], int, int]:
    """Pages by place, at one position, by default the file's first; it, and how many there are."""
    if index is None:
        places = _by_text(own, pages)
    else:
        numbers = {page.offset: k for k, page in enumerate(pages)}
        places = [(tuple(p), numbers.get(offset, -1)) for *p, offset in index.tolist()]
    positions = sorted({place[3] for place, _ in places})
    chosen = wanted if wanted is not None else positions[0] if positions else 0
    table: dict[Place, int] = {}
    for (channel, plane, time, position), page in places:
        if page < 0:
            raise InputError(f"{Path(own).name} is truncated; copy the file again.")
        if position == chosen:
            table.setdefault((channel, plane, time), page)
    return table, chosen, len(positions)


def _by_text(own: str, pages: list[Page]) -> list[tuple[tuple[int, int, int, int], int]]:
    """Places from the text of each image; in their order where these are no use."""
    places = []
    with TiffFile(own) as tif:
        size = tif.filehandle.size
        for k in range(len(pages)):
            page: Any = tif.pages.get(k, aspage=True)
            if page.dataoffsets[-1] + page.databytecounts[-1] > size:
                break
            tag = page.tags.get(PLACE_TAG)
            places.append(place_of_text(tag.value if tag is not None else None))
    known = [place for place in places if place is not None]
    if len(set(known)) < len(places):
        known = [(0, 0, k, 0) for k in range(len(places))]
    return [(place, k) for k, place in enumerate(known)]


def _other_files(
    path: Path, position: int, known: dict[Place, int], first: Page, notes: list[str]
) -> list[tuple[str, dict[Place, int]]]:
    """Pages of the same position in the other files of its set."""
    tables = []
    seen = set(known)
    elsewhere = False
    for other in files_of_set(path):
        found = read_stack_file(other)
        if found is None or not found.whole:
            continue
        if found.places is not None and position not in found.places[:, 3]:
            elsewhere = True
            continue
        check_chain(other)
        pages = read_pages(other)
        if not pages or pages[0].kind != first.kind:
            continue
        table, _, _ = _places(found.places, str(other), pages, position)
        new = {place: page for place, page in table.items() if place not in seen}
        elsewhere |= not table
        if new:
            tables.append((str(other), new))
        seen |= table.keys()
    if elsewhere:
        notes.append(
            f"{path.name} is one of several positions, each in its own file; the others are left "
            "out."
        )
    return tables


def _arranged(
    tables: Iterable[tuple[str, dict[Place, int]]], kind: tuple[tuple[int, ...], str]
) -> Layout:
    """Images of all files on the axes time, plane and channel."""
    places = [place for _, table in tables for place in table]
    if not places:
        raise InputError("This Micro-Manager file contains no complete image.")
    channels, planes, times = (max(p[k] for p in places) + 1 for k in range(3))
    _check_count(channels * planes * times)
    images = np.full((times, planes, channels), -1)
    sources, start = [], 0
    for path, table in tables:
        order = sorted(table.items(), key=lambda item: item[1])
        for k, ((channel, plane, time), _) in enumerate(order):
            images[time, plane, channel] = start + k
        sources.append(PageSource(path, compact([page for _, page in order])))
        start += len(order)
    rows, columns = kind[0]
    return Layout("TZC", images, tuple(sources), (rows, columns), kind[1])


def _check_count(images: int) -> None:
    """Raise `InputError` for more images than any recording has."""
    if images > IMAGES_BELIEVED:
        raise InputError(
            f"This Micro-Manager file declares {images} images, which is not plausible; copy it "
            "again."
        )


def _promised(summary: dict[str, Any], xml: str | None) -> int:
    """Time points that were planned."""
    counts = [summary.get("Frames", 0)]
    try:
        for pixels in ElementTree.fromstring(xml or "<none/>").iterfind(".//{*}Pixels"):
            counts.append(int(pixels.get("SizeT", 0)))
    except (ElementTree.ParseError, ValueError):
        pass
    return max((n for n in counts if isinstance(n, int)), default=0)


def _judged(layout: Layout, xml: str | None, promised: int, path: Path, notes: list[str]) -> Layout:
    """Tell a recording that was broken off from one of which a file is missing."""
    absent = absent_file(xml, path.resolve().parent, path.name)
    times = layout.sizes["T"]
    there = (layout.images >= 0).reshape(times, -1)
    begins = bool(there[0].any())
    if not begins or (absent and (times < promised or not there.all())):
        needed = f"the file {absent}" if absent else "the first files of its recording"
        missing = (
            f"{path.name} requires {needed} in the same folder; copy it there, under its original "
            "name."
        )
        total = max(times, promised)
        _check_count(total)
        padded = np.full((total, *layout.images.shape[1:]), -1)
        padded[:times] = layout.images
        return replace(layout, images=padded, missing=missing, notes=tuple(notes))
    whole = int(there.all(axis=1).sum())
    if whole < promised and there.all():
        notes.append(
            f"{path.name} was planned with {promised} time points, but the recording ended after "
            f"{whole}."
        )
    return replace(layout, notes=tuple(notes))

"""Pages of a TIFF file, independent of its descriptions."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple

from napari_sofinet.io.tiff_trust import FORMATS, TAGS_AT_MOST

WIDTH, HEIGHT, BITS, SAMPLES, FORMAT, SUBFILE = 256, 257, 258, 277, 339, 254
PACKING = 259, 266, 278, 284, 317, 322, 323
"""Compression, order of bits, rows of a strip, planes, predictor, and size of a tile."""
TYPES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}


class PageKind(NamedTuple):
    """Size and type of a page's pixels."""

    height: int
    width: int
    bits: int
    format: int
    samples: int

    @property
    def text(self) -> str:
        """Description, e.g. ``64 x 48 px, uint16``."""
        kind = {1: "uint", 2: "int", 3: "float"}.get(self.format, "type ")
        pixels = f"{kind}{self.bits}" if self.samples == 1 else f"{self.samples} colors"
        return f"{self.height} x {self.width} px, {pixels}"


class Page(NamedTuple):
    """A page of a file.

    Parameters
    ----------
    offset : int
        Byte at which its tags start.
    kind : PageKind
        Size and type of its pixels.
    packing : tuple of int
        Values of the tags in `PACKING`.
    reduced : bool
        Whether it is a small copy of another page.
    """

    offset: int
    kind: PageKind
    packing: tuple[int, ...]
    reduced: bool


def read_pages(path: str | os.PathLike[str]) -> list[Page]:
    """Return the pages of a TIFF file, up to the first invalid one."""
    size = os.path.getsize(path)
    pages: list[Page] = []
    seen: set[int] = set()
    with Path(path).open("rb") as file:
        start = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(start[:2], "<")
        layout = FORMATS.get(struct.unpack(f"{order}H", start[2:4])[0]) if len(start) > 3 else None
        if layout is None or len(start) < 16:
            return pages
        number, number_size, tag_size, kind = layout
        width = struct.calcsize(kind)
        place = start[16 - width :] if width == 8 else start[4:8]
        (offset,) = struct.unpack(f"{order}{kind}", place)
        while 0 < offset < size and offset not in seen:
            seen.add(offset)
            file.seek(offset)
            count = file.read(number_size)
            if len(count) < number_size:
                break
            (tags,) = struct.unpack(f"{order}{number}", count)
            data = file.read(tags * tag_size + width) if 0 < tags <= TAGS_AT_MOST else b""
            found = _page(offset, data, tags, tag_size, order)
            if found is None:
                break
            pages.append(found)
            following = data[tags * tag_size :]
            if len(following) < width:
                break
            (offset,) = struct.unpack(f"{order}{kind}", following)
    return pages


def _page(offset: int, data: bytes, tags: int, tag_size: int, order: str) -> Page | None:
    """A page from its tags; None if these are no image's."""
    values = {SAMPLES: 1, FORMAT: 1, SUBFILE: 0, BITS: 1} | dict.fromkeys(PACKING, 0)
    inline = tag_size - (8 if tag_size == 12 else 12)
    for k in range(tags):
        tag = data[k * tag_size : (k + 1) * tag_size]
        if len(tag) < tag_size:
            return None
        code, kind = struct.unpack(f"{order}2H", tag[:4])
        if (code not in values and code not in (WIDTH, HEIGHT)) or kind not in TYPES:
            continue
        letter = TYPES[kind]
        width = struct.calcsize(letter)
        (count,) = struct.unpack(f"{order}{'I' if inline == 4 else 'Q'}", tag[4:-inline])
        if count * width <= inline:  # else one number for each colour, stored elsewhere
            (values[code],) = struct.unpack(f"{order}{letter}", tag[-inline:][:width])
    if not values.get(WIDTH) or not values.get(HEIGHT):
        return None
    names = (HEIGHT, WIDTH, BITS, FORMAT, SAMPLES)
    pixels = PageKind(*(values[name] for name in names))
    packing = tuple(values[name] for name in PACKING)
    return Page(offset, pixels, packing, bool(values[SUBFILE] & 1))

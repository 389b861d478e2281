"""Damaged TIFF files: bits, tags, types, counts, chains and descriptions."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import tifffile
from odd_tiffs import ome_xml, write_micromanager, write_stk

from fuzz.cases import Case, Maker
from fuzz.damage import damaged_bytes

FRAMES = np.random.default_rng(1).integers(90, 400, (24, 20, 18)).astype(np.uint16)
SMALL = ("--rows", "16", "--columns", "16", "--frames", "3")
IMPORTANT = 256, 257, 258, 259, 262, 270, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 339
"""Tags that say where pixels are and how they are packed."""


class Entry(NamedTuple):
    """A tag of an image, or with ``tag`` -1 the pointer to the next image."""

    place: int
    tag: int
    kind: int


def bases(folder: Path) -> dict[str, bytes]:
    """Sound files of many kinds."""
    plain = {"photometric": "minisblack", "metadata": None}
    ome = {"axes": "TYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1}
    kinds = {
        "plain": plain,
        "one by one": {"photometric": "minisblack"},
        "ImageJ": {"imagej": True, "metadata": {"axes": "TYX", "unit": "um", "finterval": 0.01}},
        "OME": {"ome": True, "metadata": ome},
        "packed OME": {"ome": True, "metadata": ome, "compression": "zlib"},
        "BigTIFF": plain | {"bigtiff": True},
        "deflate": plain | {"compression": "zlib"},
        "LZW": plain | {"compression": "lzw", "predictor": True},
        "tiles": plain | {"tile": (16, 16), "compression": "zstd"},
        "big endian": plain | {"byteorder": ">"},
        "float": plain | {"data": FRAMES.astype(np.float32)},
        "JPEG": plain | {"data": (FRAMES // 2).astype(np.uint8), "compression": "jpeg"},
        "PackBits": plain | {"compression": "packbits"},
        "single image": plain | {"data": FRAMES[0]},
        "strips": plain | {"rowsperstrip": 3},
    }
    found = {}
    for name, options in kinds.items():
        options = dict(options)
        path = folder / "base.tif"
        tifffile.imwrite(path, options.pop("data", FRAMES), **options)
        found[name] = path.read_bytes()
        path.unlink()
    planes = [[(0, k, 0, 0, k) for k in range(len(FRAMES))]]
    size = FRAMES.shape[1:]
    xml = ome_xml([path.name], planes, size, len(FRAMES))
    times = [(0, 0, t, 0) for t in range(len(FRAMES))]
    for name, text in (("Micro-Manager", xml), ("Micro-Manager without OME", None)):
        write_micromanager(path, FRAMES, times, text)
        found[name] = path.read_bytes()
    write_stk(path, FRAMES)
    found["STK"] = path.read_bytes()
    path.unlink()
    return found


def maker(folder: Path) -> Maker:
    known = bases(folder)

    def make(rnd: Random, place: Path) -> Case:
        name = rnd.choice(list(known))
        content, note = damaged_tiff(rnd, known[name])
        if rnd.random() < 0.06:
            (place / "t").mkdir()
            for number in range(4):
                tifffile.imwrite(place / "t" / f"{number}.tif", FRAMES[number], metadata=None)
            (place / "t" / "2.tif").write_bytes(content)
            path = "t"
        else:
            path = "t.tif"
            (place / path).write_bytes(content)
        psf = ("simulate", "microtubules", "-o", "o.tif", *SMALL)
        words = rnd.choice(
            (
                ("info", path),
                ("info", path),
                ("reconstruct", "average", path, "-o", "o.tif"),
                ("reconstruct", "sofi", path, "-o", "o.tif"),
                ("measure", "resolution", path),
                ("measure", "resolution", path),
                ("run", path, "-o", "o.tif"),
                (*psf, "--optics.psf", "image", "--optics.psf-file", path),
                (*psf, "--structure.kind", "image", "--structure.file", path),
                (*psf, "--camera.dark-frames", path),
            )
        )
        return Case(f"{name}, {note}", words, ("o.tif",))

    return make


def damaged_tiff(rnd: Random, content: bytes) -> tuple[bytes, str]:
    how = rnd.choice(
        ["bytes", "bytes", "header", "tag", "tag", "tag", "kind", "count", "chain", "words"]
    )
    if how == "bytes":
        return damaged_bytes(rnd, content)
    out = bytearray(content)
    if how == "header":
        for _ in range(rnd.randint(1, 8)):
            out[rnd.randrange(16)] = rnd.randrange(256)
        return bytes(out), how
    if how == "words":
        return _other_words(rnd, content), how
    big = content[2:4] in (b"\x2b\0", b"\0\x2b")
    order = "<" if content[:2] == b"II" else ">"
    number, width = (f"{order}Q", 8) if big else (f"{order}I", 4)
    entries, places = _entries(content, big, order)
    values = [
        0,
        1,
        2,
        3,
        7,
        8,
        16,
        255,
        65535,
        2**31 - 1,
        2**31,
        2**32 - 1,
        len(out),
        len(out) - 1,
        *places,
    ]
    notes = [how]
    for _ in range(rnd.choice([1, 1, 1, 2, 5])):
        value = rnd.choice([*values, rnd.randrange(2**32)])
        tags = [e for e in entries if (e.tag == -1) == (how == "chain")]
        if how == "tag" and rnd.random() < 0.6:
            tags = [e for e in tags if e.tag in IMPORTANT] or tags
        if not tags:
            return damaged_bytes(rnd, content)
        entry = rnd.choice(tags[: rnd.choice([20, len(tags)])])
        notes.append(f"{entry.tag}={value}")
        if how == "chain":
            struct.pack_into(number, out, entry.place, rnd.choice([*places, len(out) - 2, 8]))
        elif how == "kind":
            struct.pack_into(f"{order}H", out, entry.place + 2, rnd.choice([*range(20), 99, 65535]))
        elif how == "count":
            struct.pack_into(number, out, entry.place + 4, value)
        elif entry.kind == 3:
            struct.pack_into(f"{order}H", out, entry.place + 4 + width, value & 0xFFFF)
        else:
            struct.pack_into(number, out, entry.place + 4 + width, value)
    return bytes(out), " ".join(notes)


def _entries(content: bytes, big: bool, order: str) -> tuple[list[Entry], list[int]]:
    counter, head, step, pointer = ("Q", 8, 20, "Q") if big else ("H", 2, 12, "I")
    found, places = [], []
    (at,) = struct.unpack_from(f"{order}{pointer}", content, 8 if big else 4)
    while at and at not in places:
        places.append(at)
        (count,) = struct.unpack_from(f"{order}{counter}", content, at)
        at += head
        for _ in range(count):
            tag, kind = struct.unpack_from(f"{order}HH", content, at)
            found.append(Entry(at, tag, kind))
            at += step
        found.append(Entry(at, -1, 0))
        (at,) = struct.unpack_from(f"{order}{pointer}", content, at)
    return found, places


def _other_words(rnd: Random, content: bytes) -> bytes:
    """Replace numbers in descriptions by others of the same length."""
    keys = [b'SizeT="', b'SizeC="', b'SizeZ="', b'SizeX="', b'PlaneCount="', b'IFD="', b"images=",
            b"frames=", b"slices=", b'"shape": [', b'PhysicalSizeX="', b"finterval=", b'Type="',
            b'DimensionOrder="', b"hyperstack=", b'FirstT="']  # fmt: skip
    out = bytearray(content)
    for key in rnd.sample(keys, len(keys)):
        at = content.find(key)
        if at >= 0:
            at += len(key)
            new = rnd.choice([b"9" * 10, b"-1", b"0", b"1e9", b"nan", b'">', b"[[[", b"x", b"99"])
            out[at : at + len(new)] = new
            if rnd.random() < 0.6:
                break
    return bytes(out)

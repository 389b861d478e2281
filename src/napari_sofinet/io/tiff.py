"""Reading TIFF movies lazily: plain, ImageJ, OME (also of several files), folders of frames."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tifffile import TiffFile, TiffPageSeries

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.completeness import check_complete
from napari_sofinet.io.file_stamp import check_unchanged, stamp
from napari_sofinet.io.regular_files import check_regular
from napari_sofinet.io.scale import read_scale
from napari_sofinet.io.tiff_file import explained, movie_series, opened_tiff
from napari_sofinet.io.tiff_stack import StackAxis, TiffStack
from napari_sofinet.io.tiff_trust import check_unpacked

MOST_CHANNELS = 16
"""Above it "channels" are frames: tifffile and others label a movie for ImageJ so by default."""


class Opened(NamedTuple):
    """A stack of frames, its pixel size in um, its frame interval in s, and notes for the user."""

    stack: TiffStack
    pixel_size_um: float | None
    frame_interval_s: float | None
    notes: tuple[str, ...]


def open_tiff(path: Path, *, channel: int | None, z: int | None, stack_axis: StackAxis) -> Opened:
    """Understand a TIFF file or a folder of single-frame TIFFs (see `open_movie`)."""
    with explained(path):
        if path.is_dir():
            return _open_folder(path, channel, z, stack_axis)
        before = stamp(path.resolve())
        with opened_tiff(path) as tif:
            found = _understand(tif, path, channel, z, stack_axis)
        stamps = (before, *map(stamp, found.stack.companions))
        check_unchanged(path.name, stamps[:1])
        return found._replace(stack=replace(found.stack, stamps=stamps))


def _understand(
    tif: TiffFile, path: Path, channel: int | None, z: int | None, stack_axis: StackAxis
) -> Opened:
    notes: list[str] = []
    series = movie_series(tif)
    axes, shape = series.axes, series.shape
    _check_grey(axes, series, path.name)
    if len(tif.series) > 1 and series.kind == "ome":
        notes.append(f"{path.name} holds {len(tif.series)} images; the first is taken.")
    check_complete(tif, series, path.name)
    check_unpacked(series.keyframe, path.name)
    sizes = dict(zip(axes[:-2], shape[:-2], strict=True))
    time = _time_axis(sizes, path.name, stack_axis, channel, z, notes)
    _check_movie(sizes, time, path.name)
    fixed = {}
    for axis, what, option, chosen in (
        ("C", "channels", "channel", channel),
        ("Z", "planes", "z", z),
    ):
        count = 1 if axis == time else sizes.get(axis, 1)
        fixed[axis] = _choose(count, what, option, chosen, path.name, notes)
    pages = _frame_pages(axes[:-2], shape[:-2], time, fixed, path.name)
    pages_held = [page for page in series if page is not None] if series.is_multifile else []
    files = dict.fromkeys(page.parent.filehandle.path for page in pages_held)
    own = str(path.resolve())
    described = TiffStack(
        (own,),
        (len(pages), shape[-2], shape[-1]),
        series.dtype.newbyteorder("=").str,
        pages,
        channel=fixed["C"],
        z=fixed["Z"],
        stack_axis=stack_axis,
        channels=1 if time == "C" else sizes.get("C", 1),
        planes=1 if time == "Z" else sizes.get("Z", 1),
        companions=tuple(f for f in files if not os.path.samefile(f, own)),
    )
    pixel, interval = read_scale(tif, notes)
    return Opened(_find_bytes(described, series), pixel, interval, tuple(notes))


def _check_grey(axes: str, series: TiffPageSeries, name: str) -> None:
    if "S" in axes:
        raise InputError(
            f"{name} is a colour (RGB) picture; save the camera's grey values instead."
        )
    packed = series.dataoffset is None and len(series.keyframe.shape) != 2
    if not axes.endswith("YX") or len(set(axes)) < len(axes) or series.dtype is None or packed:
        raise InputError(
            f"How the frames of {name} are arranged ({axes}) is not understood; save them in Fiji "
            "as one TIFF stack."
        )


def _check_movie(sizes: dict[str, int], time: str, name: str) -> None:
    """Say what a file without time holds instead."""
    if sizes.get(time, 1) > 1:
        return
    for axis, what in ("Z", "planes"), ("C", "channels"):
        if sizes.get(axis, 1) > 1:
            hint = "take the stack axis as time" if axis == "Z" else "name that axis time in Fiji"
            raise InputError(
                f"{name} has {sizes[axis]} {what} of one time point; {hint} if it is a movie."
            )


def _time_axis(
    sizes: dict[str, int],
    name: str,
    stack_axis: StackAxis,
    channel: int | None,
    z: int | None,
    notes: list[str],
) -> str:
    """Which axis is time."""
    for axis in "TIQ":
        if sizes.get(axis, 1) > 1:
            return axis
    if sizes.get("Z", 1) > 1 and stack_axis == "time" and z is None:
        notes.append(
            f"The Z axis of {name} ({sizes['Z']} planes) is taken as time; choose depth if it is "
            "a stack in depth."
        )
        return "Z"
    count = sizes.get("C", 1)
    if count > MOST_CHANNELS and sizes.get("Z", 1) == 1 and not channel:
        notes.append(f"The {count} channels of {name} are taken as time.")
        return "C"
    return "T"


def _choose(
    count: int, what: str, option: str, chosen: int | None, name: str, notes: list[str]
) -> int:
    if chosen is not None and not 0 <= chosen < count:
        if count == 1:
            raise InputError(f"{name} does not have several {what}; leave {option} out.")
        raise InputError(f"{name} has {count} {what}: choose {option} from 0 to {count - 1}.")
    if chosen is None and count > 1:
        notes.append(f"{name} has {count} {what}; {option} 0 is taken.")
    return chosen or 0


def _frame_pages(
    axes: str, shape: Sequence[int], time: str, fixed: dict[str, int], name: str
) -> range:
    """Indices of the movie's frames in the row-major order of all axes before y and x."""
    start, step, count = 0, 1, 1
    weight = 1
    for axis, size in zip(reversed(axes), reversed(shape), strict=True):
        if axis == time:
            step, count = weight, size
        elif size > 1 and axis not in fixed:
            raise InputError(
                f"{name} has an axis {axis} of {size} that is neither time nor channel nor plane; "
                "save each movie as its own file."
            )
        else:
            start += fixed.get(axis, 0) * weight
        weight *= size
    return range(start, start + count * step, step)


def _find_bytes(stack: TiffStack, series: TiffPageSeries) -> TiffStack:
    """The stack with the place of its frames, where they can be read without decoding."""
    if series.dataoffset is None or series.parent is None:
        return stack
    frame = int(np.prod(stack.shape[1:])) * series.dtype.itemsize
    return replace(
        stack,
        swapped=not series.dtype.newbyteorder(series.parent.byteorder).isnative,
        offset=series.dataoffset + stack.pages.start * frame,
        stride=stack.pages.step * frame,
    )


def _natural(path: Path) -> list[str | int]:
    """Key that sorts frame2 before frame10."""
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def _open_folder(folder: Path, channel: int | None, z: int | None, stack_axis: StackAxis) -> Opened:
    files = sorted(
        # Hidden ones are what macOS leaves on network drives, and unfinished outputs.
        (p for p in folder.glob("[!.]*") if p.suffix.lower() in (".tif", ".tiff")),
        key=_natural,
    )
    if not files:
        raise InputError(f"There are no TIFF files in the folder {folder}.")
    if len(files) == 1:
        return open_tiff(files[0], channel=channel, z=z, stack_axis=stack_axis)
    notes: list[str] = []
    for what, option, chosen in ("channels", "channel", channel), ("planes", "z", z):
        _choose(1, what, option, chosen, folder.name, notes)
    with opened_tiff(files[0]) as tif:
        page = tif.series[0]
        if "S" in page.axes:
            raise InputError(f"{files[0].name} is a colour (RGB) picture; grey frames are needed.")
        shape = tuple(n for n in page.shape if n > 1)
        if len(shape) != 2 or len(tif.pages) > 1:
            raise InputError(f"{files[0].name} is not a single frame; open one file instead.")
        pixel, interval = read_scale(tif, notes)
        dtype = page.dtype.newbyteorder("=").str
    for path in files:
        check_regular(path)
    paths = tuple(str(p.resolve()) for p in files)
    stamps = tuple(map(stamp, paths))
    stack = TiffStack(paths, (len(files), *shape), dtype, range(len(files)), stamps=stamps)
    return Opened(stack, pixel, interval, tuple(notes))

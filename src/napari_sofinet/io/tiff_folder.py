"""Opening a folder of TIFF files, or those of a pattern of names, as one movie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.file_stamp import FileStamp, stamp
from napari_sofinet.io.frame_names import Series, series_of, stem_of
from napari_sofinet.io.regular_files import check_regular
from napari_sofinet.io.scale import read_scale
from napari_sofinet.io.tiff_axes import Wanted, choose
from napari_sofinet.io.tiff_file import opened_tiff
from napari_sofinet.io.tiff_movie import Opened, open_file
from napari_sofinet.io.tiff_pages import read_pages
from napari_sofinet.io.tiff_stack import TiffPart, TiffStack
from napari_sofinet.io.vendor_scale import interval_between, is_metaseries, moment_of

SUFFIXES = ".tif", ".tiff", ".stk"
NAMED = 6
"""Groups of files that are named in a sentence."""
LOOKED_AT = 32
"""Largest number of files of unusual size that are checked before frames are read."""


def is_pattern(path: Path) -> bool:
    """Return whether a path is a pattern of names instead of a file."""
    return any(sign in path.name for sign in "*?[") and not os.path.lexists(path)


def open_folder(path: Path, wanted: Wanted) -> Opened:
    """Open the files of a folder, or of a pattern such as ``cell_s2_*.tif``, as one movie.

    Raises
    ------
    InputError
        There are no files, or they belong to several movies or differ in kind.
    """
    if is_pattern(path):
        folder, found = path.parent, list(path.parent.glob(path.name))
    else:
        folder, found = path, list(path.iterdir())
    # Hidden ones are what macOS leaves on network drives, and unfinished outputs.
    files = {
        p.name: p
        for p in found
        if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and not p.is_dir()
    }
    if not files:
        which = f"of the name {path.name} in {folder}" if path != folder else f"in {folder}"
        raise InputError(f"There are no TIFF files {which}.")
    if len(files) == 1:
        return open_file(next(iter(files.values())), wanted)
    _check_twice(list(files), path.name)
    notes: list[str] = []
    series = series_of(list(files))
    if is_pattern(path) and path.name in dict(series.groups):
        series = series_of(dict(series.groups)[path.name])  # f*.tif without f1_crop.tif
    series = _one_series(series, path, folder, notes)
    names, channel, z = _chosen(series, path.name, wanted, notes)
    chosen = [files[name] for name in names]
    if len(chosen) == 1 or _holds_stack(_model(chosen)):
        opened = _join_stacks(chosen, path.name, wanted, series)
    else:
        for what, option, number, names in (
            ("channels", "channel", wanted.channel, series.channels),
            ("planes", "z", wanted.z, series.planes),
        ):
            if len(names) == 1:
                choose(1, what, option, number, path.name, notes)
        opened = _join_frames(chosen, notes)
    return _labelled(opened, path, series, (channel, z), notes)


def _check_twice(names: list[str], folder: str) -> None:
    """Raise `InputError` for files whose names differ in their ending only."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(stem_of(name).lower(), name)
        if other != name:
            raise InputError(
                f"{folder} holds {other} and {name}, which may be the same movie; move one of them "
                "to another folder."
            )


def _one_series(series: Series, path: Path, folder: Path, notes: list[str]) -> Series:
    """Files of one series in time; `InputError` where names show several."""
    if series.uncounted:
        return _uncounted(series, path, folder, notes)
    if series.odd:
        notes.append(
            "Left out, since their names do not fit the numbering of the others: "
            f"{_few(series.odd)}."
        )
    if series.partial:
        notes.append(
            f"Left out, since not every channel or plane has this time point: "
            f"{_few(series.partial)}."
        )
    if series.depth:
        notes.append(
            f"The planes in {path.name}, by the names of its files, are interpreted as time."
        )
    if not series.groups:
        if series.gaps:
            notes.append(
                f"Numbers are missing among the names in {path.name}: {_few(series.gaps)}; frames "
                "are joined as if none were missing."
            )
        return series
    listed = _few([f"{name} ({len(names)})" for name, names in series.groups])
    if is_pattern(path):
        notes.append(f"Files of several series are joined one after the other: {listed}.")
        return series
    first = folder / series.groups[0][0]
    raise InputError(
        f"{path.name} contains the files of several series: {listed}. Choose one by its pattern of "
        f'names, e.g. "{first}", or move its files to a folder of their own.'
    )


def _uncounted(series: Series, path: Path, folder: Path, notes: list[str]) -> Series:
    """Files whose names hold no number that counts: frames in their order, or one stack."""
    names = series.names[0, 0]
    stacks = [name for name in names if _holds_stack(folder / name)]
    if len(stacks) == 1 and len(names) > 1:
        rest = [name for name in names if name not in stacks]
        notes.append(f"Left out, since they are single images: {_few(rest)}.")
        return replace(series, names={(0, 0): tuple(stacks)})
    if len(stacks) > 1 and not is_pattern(path):
        raise InputError(
            f"{path.name} contains several movies: {_few(stacks)}. Open one of them, or give the "
            "parts of one movie the same name with a number at its end."
        )
    notes.append(
        f"The names of the files in {path.name} contain no frame numbers; the files are used in "
        f"alphabetical order: {_few(names)}."
    )
    return series


def _few(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _chosen(
    series: Series, name: str, wanted: Wanted, notes: list[str]
) -> tuple[tuple[str, ...], int, int]:
    """Files of the channel and plane that are wanted, as far as names distinguish them."""
    channels, planes = len(series.channels), len(series.planes)
    channel = z = 0
    if channels > 1:
        channel = choose(channels, "channels", "channel", wanted.channel, name, notes)
        notes[-1:] = _named(notes[-1:], series.channels) if wanted.channel is None else notes[-1:]
    if planes > 1:
        z = choose(planes, "planes", "z", wanted.z, name, notes)
    found = series.names.get((channel, z), ())
    if not found:
        raise InputError(f"{name} contains no file of channel {channel} and z {z}.")
    return found, channel, z


def _named(notes: list[str], channels: tuple[str, ...]) -> list[str]:
    """A note with the names of channels."""
    return [f"{note.rstrip('.')} (by the names of its files: {_few(channels)})." for note in notes]


def _holds_stack(path: Path) -> bool:
    """Whether a file holds more than a single frame."""
    try:
        with opened_tiff(path) as tif:
            several = len(tif.pages) > 1
            return several or len([n for n in tif.series[0].shape if n > 1]) > 2
    except InputError:
        return False  # found again, and explained, when it is opened


class _Kind(NamedTuple):
    """Size, type and scale of the frames in a folder."""

    shape: tuple[int, ...]
    dtype: str
    pixel_um: float | None
    interval_s: float | None


def _join_frames(files: list[Path], notes: list[str]) -> Opened:
    """Single frames, each in its own file."""
    paths = tuple(str(p.resolve()) for p in files)
    stamps = tuple(map(stamp, paths))
    kind = _kind_of(_model(files), notes)
    _check_unusual(files, stamps, kind)
    interval = kind.interval_s or _interval_of(files)
    stack = TiffStack(paths, (len(files), *kind.shape), kind.dtype, stamps=stamps)  # type: ignore[arg-type]
    return Opened(stack, kind.pixel_um, interval, ())


def _interval_of(files: list[Path]) -> float | None:
    """Mean time between the first and the last file, where MetaMorph wrote it."""
    moments = []
    for path in (files[0], files[-1]):
        with opened_tiff(path) as tif:
            moments.append(moment_of(tif) if is_metaseries(tif) else None)
    first, last = moments
    return interval_between(first, last, len(files) - 1)


def _model(files: list[Path]) -> Path:
    """A file that is like most others, as its size tells."""
    sizes = [check_regular(path).st_size for path in files]
    middle = sorted(sizes)[len(sizes) // 2]
    return files[sizes.index(middle)]


def _kind_of(path: Path, notes: list[str]) -> _Kind:
    with opened_tiff(path) as tif:
        page: Any = tif.pages[0]
        if "S" in page.axes:
            raise InputError(f"{path.name} is a colour (RGB) picture; grey frames are needed.")
        shape = tuple(n for n in page.shape if n > 1)
        if len(shape) != 2 or len(tif.pages) > 1:
            raise InputError(f"{path.name} is not a single frame; open one file instead.")
        pixel, interval = read_scale(tif, notes)
        return _Kind(shape, page.dtype.newbyteorder("=").str, pixel, interval)


def _check_unusual(files: list[Path], stamps: Sequence[FileStamp], kind: _Kind) -> None:
    """Raise `InputError` for a file of another size or type, as far as sizes of files tell."""
    sizes = np.array([one.size for one in stamps])
    usual = np.median(sizes)
    unusual = np.flatnonzero(np.abs(sizes - usual) > 0.2 * usual)
    if len(unusual) > LOOKED_AT:  # packed: any size is usual
        return
    bits = 8 * np.dtype(kind.dtype).itemsize
    for k in unusual:
        pages = read_pages(files[k])
        alike = len(pages) == 1 and pages[0].kind[:3] == (*kind.shape, bits)
        if not pages:
            raise InputError(
                f"{files[k].name} contains no image; it is truncated or not a TIFF file."
            )
        if not alike:
            raise InputError(
                f"{files[k].name} has another size or type than the other frames of its folder "
                f"({len(pages)} of {pages[0].kind.text}); move it away."
            )


def _join_stacks(files: list[Path], name: str, wanted: Wanted, series: Series) -> Opened:
    """Stacks, each with a part of the movie."""
    if len(series.channels) > 1:
        wanted = wanted._replace(channel=None)
    if len(series.planes) > 1:
        wanted = wanted._replace(z=None)
    first = open_file(files[0], wanted)
    held = {str(Path(f)) for f in first.stack.files}
    rest = [path for path in files[1:] if str(path.resolve()) not in held]
    if not rest:  # one recording, of which each file knows the others
        return first
    opened = [first, *(open_file(path, wanted) for path in rest)]
    for path, one in zip([files[0], *rest], opened, strict=True):
        if (one.stack.shape[1:], one.stack.dtype) != (first.stack.shape[1:], first.stack.dtype):
            raise InputError(
                f"{path.name} has another size or type of frames than {files[0].name}; open one "
                "of them."
            )
    stack = _concatenated([one.stack for one in opened])
    if len(opened) == 1:
        return first
    lengths = ", ".join(
        f"{Path(one.stack.paths[0]).name} ({one.stack.shape[0]} frames)" for one in opened[:NAMED]
    )
    more = f" and {len(opened) - NAMED} more" if len(opened) > NAMED else ""
    notes = dict.fromkeys(note for one in opened for note in one.notes)
    note = (
        f"The files in {name} are joined as parts of one movie, in this order: {lengths}{more}; "
        "open a single file if they are not."
    )
    return Opened(stack, first.pixel_size_um, first.frame_interval_s, (note, *notes))


def _concatenated(stacks: list[TiffStack]) -> TiffStack:
    """One stack of several."""
    paths = tuple(dict.fromkeys(path for one in stacks for path in one.paths))
    companions = dict.fromkeys(f for one in stacks for f in one.companions if f not in paths)
    files = {f: k for k, f in enumerate((*paths, *companions))}
    stamps = {s.path: s for one in stacks for s in one.stamps}
    parts: list[TiffPart] = []
    for one in stacks:
        parts += [part._replace(file=files[one.files[part.file]]) for part in one.parts]
    frames = sum(one.shape[0] for one in stacks)
    return replace(
        stacks[0],
        paths=paths,
        companions=tuple(companions),
        shape=(frames, *stacks[0].shape[1:]),
        parts=tuple(parts),
        stamps=tuple(stamps[f] for f in files),
    )


def _labelled(
    opened: Opened, path: Path, series: Series, chosen: tuple[int, int], notes: list[str]
) -> Opened:
    """Return the opened stack with the selected channel and plane and with all notes."""
    stack = opened.stack
    if len(series.channels) > 1:
        stack = replace(stack, channel=chosen[0], channels=len(series.channels))
    if len(series.planes) > 1:
        stack = replace(stack, z=chosen[1], planes=len(series.planes))
    several = len(series.channels) > 1 or len(series.planes) > 1
    if is_pattern(path) or several:
        stack = replace(stack, named=os.path.abspath(path))
    return opened._replace(stack=stack, notes=(*notes, *opened.notes))

"""Frames of a movie among images along several axes: time, channel and plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.tiff_layout import Layout
from napari_sofinet.io.tiff_stack import StackAxis

MOST_CHANNELS = 16
"""Above it "channels" are frames: tifffile and others label a movie for ImageJ so by default."""

FrameRange = Sequence[int | None] | None
"""First frame, and the one after the last; None stands for an end of the movie."""


class Wanted(NamedTuple):
    """Part of a file requested by the user.

    Parameters
    ----------
    channel, z : int, optional
        Channel and plane; None for the first, with a note.
    stack_axis : {"time", "depth", "all"}
        Meaning of a Z axis without a time axis; with "all" every image of a channel is a frame.
    frames : sequence of two int or None, optional
        Range of frames that is needed from a file with missing frames.
    """

    channel: int | None = None
    z: int | None = None
    stack_axis: StackAxis = "time"
    frames: FrameRange = None


class Frames(NamedTuple):
    """Frames of one channel and plane: numbers in the sources of a layout, and what was chosen."""

    images: np.ndarray
    channel: int
    z: int
    channels: int
    planes: int
    axes: tuple[tuple[str, int], ...] = ()


def all_images_of(layout: Layout, name: str, wanted: Wanted, notes: list[str]) -> Frames:
    """Choose every image of a channel, in the order of the file.

    Parameters
    ----------
    layout : Layout
        Images of a file.
    name : str
        Name of the file.
    wanted : Wanted
        Choice of the user, of which the channel counts.
    notes : list of str
        Sentences for the user are appended.

    Raises
    ------
    InputError
        There is no such channel, or images are missing.
    """
    channels = layout.sizes.get("C", 1)
    if set(layout.axes) == {"C"}:  # the images of a plain stack are often called channels
        channels = 1
    elif "C" in layout.axes:
        chosen = choose(channels, "channels", "channel", wanted.channel, name, notes)
        layout = layout.take("C", chosen)
    if (layout.images < 0).any():
        raise InputError(f"{name} lacks images; record it again or save the complete part of it.")
    axes = tuple((axis, size) for axis, size in layout.sizes.items() if size > 1)
    return Frames(layout.images.ravel(), wanted.channel or 0, 0, channels, 1, axes)


def frames_of(layout: Layout, name: str, wanted: Wanted, notes: list[str]) -> Frames:
    """Choose the frames of a movie.

    Parameters
    ----------
    layout : Layout
        Images of a file.
    name : str
        Name of the file.
    wanted : Wanted
        Choice of the user.
    notes : list of str
        Sentences for the user are appended.

    Raises
    ------
    InputError
        There is no such channel or plane, an axis is not understood, or images are missing.
    """
    if wanted.stack_axis == "all":
        return all_images_of(layout, name, wanted, notes)
    sizes = layout.sizes
    time = _time_axis(sizes, name, wanted, notes)
    _check_movie(sizes, time, name)
    fixed = {}
    for axis, what, option, chosen in (
        ("C", "channels", "channel", wanted.channel),
        ("Z", "planes", "z", wanted.z),
    ):
        count = 1 if axis == time else sizes.get(axis, 1)
        fixed[axis] = choose(count, what, option, chosen, name, notes)
    for axis, size in sizes.items():
        if size > 1 and axis != time and axis not in fixed:
            raise InputError(
                f"{name} has an axis {axis} of {size} that is neither time nor channel nor plane; "
                "save each movie as its own file."
            )
    if time in layout.axes:
        images = np.moveaxis(layout.images, layout.axes.index(time), 0)
    else:
        images = layout.images[None]
    rest = [axis for axis in layout.axes if axis != time]
    place: tuple[Any, ...] = (slice(None), *(fixed.get(axis, 0) for axis in rest))
    chosen_images = images[place]
    whole: np.ndarray = np.all((images >= 0).reshape(len(images), -1), axis=1)
    if not whole.all():
        chosen_images = _those_there(layout, chosen_images, whole, name, wanted.frames, notes)
    return Frames(
        chosen_images,
        fixed["C"],
        fixed["Z"],
        1 if time == "C" else sizes.get("C", 1),
        1 if time == "Z" else sizes.get("Z", 1),
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


def _time_axis(sizes: dict[str, int], name: str, wanted: Wanted, notes: list[str]) -> str:
    """Which axis is time."""
    for axis in "TIQ":
        if sizes.get(axis, 1) > 1:
            return axis
    if sizes.get("Z", 1) > 1 and wanted.stack_axis == "time" and wanted.z is None:
        notes.append(
            f"The Z axis of {name} ({sizes['Z']} planes) is interpreted as time; choose depth if "
            "it is a stack in depth."
        )
        return "Z"
    count = sizes.get("C", 1)
    if count > MOST_CHANNELS and sizes.get("Z", 1) == 1 and not wanted.channel:
        notes.append(f"The {count} channels of {name} are interpreted as time.")
        return "C"
    return "T"


def choose(
    count: int, what: str, option: str, chosen: int | None, name: str, notes: list[str]
) -> int:
    """Return the number of a channel or plane; the first one, with a note, where none is chosen.

    Parameters
    ----------
    count : int
        Number of channels or planes.
    what, option : str
        Their name in the plural, and the name of the option.
    chosen : int, optional
        The user's choice.
    name : str
        Name of the file.
    notes : list of str
        A note is appended.

    Raises
    ------
    InputError
        There is no such channel or plane.

    Examples
    --------
    >>> choose(3, "planes", "z", 2, "cell.tif", [])
    2
    """
    if chosen is not None and not 0 <= chosen < count:
        if count == 1:
            raise InputError(f"{name} does not have several {what}; leave {option} out.")
        raise InputError(f"{name} has {count} {what}: choose {option} from 0 to {count - 1}.")
    if chosen is None and count > 1:
        notes.append(f"{name} has {count} {what}; {option} 0 is taken.")
    return chosen or 0


def _those_there(
    layout: Layout,
    images: np.ndarray,
    whole: np.ndarray,
    name: str,
    frames: FrameRange,
    notes: list[str],
) -> np.ndarray:
    """Frames of whole time points where others are missing."""
    there: np.ndarray = images >= 0
    if layout.missing:
        first = int(np.argmin(there)) if not there.all() else len(there)
        _check_needed(layout.missing, first, frames)
        notes.append(f"{name} declares {len(images)} frames, but only the first {first} exist.")
        return images[:first]
    if whole.sum() < there.sum() / 2:  # as of channels that were recorded one after the other
        whole = there
    count = int(whole.sum())
    if not count:
        raise InputError(f"{name} contains no complete time point.")
    lost = np.flatnonzero(~whole)
    if not len(lost):
        notes.append(f"Other channels or planes of {name} have fewer time points than this one.")
    elif lost[0] == count:
        notes.append(
            f"The recording of {name} ends in time point {count}, which is incomplete; the {count} "
            "before it are used."
        )
    else:
        few = ", ".join(map(str, lost[:5])) + (", ..." if len(lost) > 5 else "")
        notes.append(
            f"{name} lacks time point{'s' if len(lost) > 1 else ''} {few}; the {count} complete "
            "ones are used, as if none were missing in between."
        )
    kept: np.ndarray = images[whole]
    return kept


def _check_needed(missing: str, first: int, frames: FrameRange) -> None:
    """Raise `InputError` unless the frames that are needed are among the first, which are there."""
    last = None if frames is None else frames[1]
    if last is not None and 0 <= (frames[0] or 0) < last <= first:  # type: ignore[index]
        return
    hint = ""
    if first > 1:
        hint = (
            f" The first {first} frames exist: choose frames 0:{first} (--frames 0:{first}, "
            f"frames=(0, {first}))."
        )
    raise InputError(missing + hint)

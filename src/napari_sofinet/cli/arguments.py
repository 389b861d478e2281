"""Arguments of several commands that select a movie and parts of it."""

from __future__ import annotations

import argparse

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_input import MethodInput, open_input
from napari_sofinet.data.selection import Roi
from napari_sofinet.data.table import LocalizationTable


def add_movie_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that select parts of a movie and give its scale."""
    group = parser.add_argument_group("movie")
    group.add_argument("--frames", metavar="A:B", help="first frame and the one after the last")
    group.add_argument(
        "--leave-out",
        metavar="A:B[,A:B...]",
        help="ranges of frames to leave out, each as its first frame and the one after its last",
    )
    group.add_argument("--roi", metavar="Y0:Y1,X0:X1", help="rectangle in camera pixels")
    group.add_argument(
        "--channel",
        type=channel_number,
        metavar="C",
        help="number of the channel, or 'all' to process every channel into one file "
        "(reconstruct only)",
    )
    group.add_argument("--z", type=int, metavar="Z", help="number of the plane in a stack in depth")
    group.add_argument(
        "--stack-axis",
        choices=("time", "depth"),
        default="time",
        help="meaning of a Z axis in a file without a time axis (default: time)",
    )
    group.add_argument(
        "--pixel-size", type=float, metavar="UM", help="size of a camera pixel in the sample in um"
    )
    group.add_argument("--frame-interval", type=float, metavar="S", help="time between frames in s")


def channel_number(text: str) -> int | str:
    """Read the number of a channel, or ``all``."""
    if text != "all" and not text.lstrip("-").isdecimal():
        raise argparse.ArgumentTypeError(f"must be a number or all, not {text!r}")
    return text if text == "all" else int(text)


def open_selected(
    options: argparse.Namespace, takes: tuple[type, ...] = (Movie, LocalizationTable)
) -> MethodInput:
    """Open the input that the options name, limited to frames and ROI; see `open_input`."""
    movie = open_input(
        options.movie,
        options.pixel_size,
        0 if options.channel == "all" else options.channel,
        options.z,
        frame_interval_s=options.frame_interval,
        stack_axis=options.stack_axis,
        frames=frame_range(options.frames),
        takes=takes,
    )
    movie = movie.select(frame_range(options.frames), rectangle(options.roi))
    left_out = frame_ranges(options.leave_out)
    if left_out and not isinstance(movie, Movie):
        raise InputError(
            "--leave-out works on movies only; for a table of localisations use sofinet table "
            "--where."
        )
    return movie.leave_out(left_out) if isinstance(movie, Movie) else movie


def frame_range(text: str | None) -> tuple[int | None, int | None] | None:
    """Read ``first:last``; each may be left out."""
    if text is None:
        return None
    try:
        first, last = (int(part) if part.strip() else None for part in text.split(":"))
    except ValueError:
        raise InputError(
            f"Frames are given as first:last, e.g. 0:500, not {text[:40]!r}."
        ) from None
    return first, last


def frame_ranges(text: str | None) -> list[tuple[int, int]]:
    """Read ``first:last`` ranges with commas between them; a single number is one frame."""
    if text is None:
        return []
    try:
        found = []
        for part in text.split(","):
            first, *last = (int(number) for number in part.split(":"))
            found.append((first, last[0] if last else first + 1))
            if len(last) > 1:
                raise ValueError
    except ValueError:
        raise InputError(
            f"Frames to leave out are given as first:last, e.g. 0:10,57:58, not {text[:40]!r}."
        ) from None
    return found


def rectangle(text: str | None) -> Roi | None:
    """Read ``y0:y1,x0:x1``."""
    if text is None:
        return None
    try:
        (y0, y1), (x0, x1) = ((int(v) for v in part.split(":")) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"An ROI is given as y0:y1,x0:x1 in pixels, e.g. 10:74,20:84, not {text[:40]!r}."
        ) from None
    return (y0, y1), (x0, x1)


def box_of(
    text: str | None,
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None:
    """Read ``z0:z1,y0:y1,x0:x1``."""
    if text is None:
        return None
    try:
        (z0, z1), *yx = ((int(v) for v in part.split(":")) for part in text.split(","))
        (y0, y1), (x0, x1) = yx
    except ValueError:
        raise InputError(
            "A box is given as z0:z1,y0:y1,x0:x1 in samples, e.g. 10:40,10:74,20:84, not "
            f"{text[:40]!r}."
        ) from None
    return (z0, z1), (y0, y1), (x0, x1)


def sector_of(text: str | None) -> tuple[float, float] | None:
    """Read ``from:to`` in degrees."""
    if text is None:
        return None
    try:
        low, high = (float(v) for v in text.split(":"))
    except ValueError:
        low = high = 0.0
    if not low < high <= low + 180:
        raise InputError(
            f"A sector is given as from:to in degrees, e.g. -15:15, not {text[:40]!r}."
        )
    return low, high


def place_of(text: str | None) -> tuple[float, float] | None:
    """Read ``y,x`` in camera pixels."""
    if text is None:
        return None
    try:
        y, x = (float(part) for part in text.split(","))
    except ValueError:
        y = x = float("nan")
    if not (abs(y) < 1e6 and abs(x) < 1e6):
        raise InputError(
            f"A position is given as y,x in camera pixels, e.g. 1,1.5, not {text[:40]!r}."
        )
    return y, x

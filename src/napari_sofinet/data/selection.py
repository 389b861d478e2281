"""Ranges of frames and rectangles that a user selects in a movie or a table."""

from __future__ import annotations

import operator
from collections.abc import Sequence

from napari_sofinet.base.errors import InputError

Roi = tuple[tuple[int, int], tuple[int, int]]
"""((y0, y1), (x0, x1)) in camera pixels of the file, ends excluded."""


def check_frames(frames: Sequence[int | None], total: int) -> tuple[int, int]:
    """Return the first frame and the one after the last.

    Parameters
    ----------
    frames : sequence of two int or None
        First frame, and the one after the last; None stands for the ends of the movie.
    total : int
        Number of frames in the file.

    Raises
    ------
    InputError
        The range is empty or lies outside the movie.

    Examples
    --------
    >>> check_frames((None, 50), 100)
    (0, 50)
    """
    first = operator.index(frames[0] or 0)
    last = total if frames[1] is None else operator.index(frames[1])
    if not 0 <= first < last <= total:
        raise InputError(
            f"Frames {first}:{last} cannot be taken from a movie of {total} frames; choose "
            f"0 <= first < last <= {total}."
        )
    return first, last


def check_roi(roi: Roi, height: int, width: int) -> Roi:
    """Return a rectangle in whole pixels.

    Parameters
    ----------
    roi : ((int, int), (int, int))
        ((y0, y1), (x0, x1)) in pixels of the file, ends excluded.
    height, width : int
        Size of a frame in pixels.

    Raises
    ------
    InputError
        The rectangle is empty or extends beyond the frame.

    Examples
    --------
    >>> check_roi(((0, 20), (4, 12)), 64, 64)
    ((0, 20), (4, 12))
    """
    (y0, y1), (x0, x1) = roi
    if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
        raise InputError(
            f"The ROI {y0}:{y1},{x0}:{x1} is empty or outside the image of "
            f"{height} x {width} pixels."
        )
    return (int(y0), int(y1)), (int(x0), int(x1))

"""Part of its input that a time series of a moving structure is made from."""

from __future__ import annotations

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.selection import Roi
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.localization.coverage import gaps, support
from napari_sofinet.localization.events import LocalizationEvents
from napari_sofinet.methods.moving_structure_settings import DblinkSettings


def selection(
    movie: Movie | LocalizationTable, window: int
) -> tuple[tuple[int, int], Roi, list[str]]:
    """Return the frames and the rectangle of the input that are used.

    A table is used only in the frames that it is from. Where these are not known they are those
    from the first to the last localization, in whole windows.

    Parameters
    ----------
    movie : Movie or LocalizationTable
        Input with its selection.
    window : int
        Frames of one window.

    Returns
    -------
    frames : (int, int)
        The first frame, and the one after the last.
    roi : ((int, int), (int, int))
        Rows and columns in camera pixels.
    notes : list of str
        A sentence if the selection was larger than the table.

    Raises
    ------
    InputError
        The table has no localizations in the selected frames.
    """
    if not isinstance(movie, LocalizationTable):
        total, rows, columns = movie.whole_shape
        first, last = movie.frame_range or (0, total)
        if isinstance(movie, Movie):
            first, last = int(movie.file_frames(first)), int(movie.file_frames(last - 1)) + 1
        return (first, last), movie.roi or ((0, rows), (0, columns)), []
    rows, columns = movie.field_px
    roi = movie.roi or ((0, rows), (0, columns))
    wanted = movie.frame_range or (0, movie.frame_count)
    low, high = movie.frames_seen
    known = movie.looked_at is not None or movie.frames is not None
    if not known:
        low = wanted[0] + max(low - wanted[0], 0) // window * window
        high = min(wanted[0] + -(-max(high - wanted[0], 0) // window) * window, movie.frame_count)
    frames = max(wanted[0], low), min(wanted[1], high)
    if frames[0] >= frames[1]:
        raise InputError(
            f"The localisations of {movie.name} are from frames {low} to {high - 1}, not from "
            f"{wanted[0]} to {wanted[1] - 1}; choose frames with localisations."
        )
    if frames == wanted:
        return frames, roi, []
    source = "" if known else "as far as its rows tell, "
    return (
        frames,
        roi,
        [
            f"{movie.name} is {source}from frames {low} to {high - 1}: the time series goes from "
            f"frame {frames[0]} to {frames[1] - 1}."
        ],
    )


def lower_confidence(
    series: np.ndarray, events: LocalizationEvents, first: int, settings: DblinkSettings
) -> list[str]:
    """Lower the confidence where hardly anything was localized.

    Parameters
    ----------
    series : ndarray
        (2, T, Y, X) pictures and confidences, which are changed, or (1, T, Y, X) pictures.
    events : LocalizationEvents
        Localizations in the order of time.
    first : int
        First frame of the time series.
    settings : DblinkSettings
        Window and step.

    Returns
    -------
    list of str
        A sentence if there are such pictures.
    """
    step = settings.step or settings.window
    times = first + (settings.window - 1) / 2 + step * np.arange(series.shape[1])
    supported = support(events, times, settings.window)
    for pictures in series[1:]:
        for picture, factor in zip(pictures, supported, strict=True):
            if factor < 1:
                picture *= factor
    found = gaps(supported, times, step) if len(events.time) else []
    if not found:
        return []
    some = ", ".join(f"{a} to {b}" for a, b in found[:3]) + (", …" if len(found) > 3 else "")
    lowered = "their confidence is low" if len(series) > 1 else "do not trust them"
    return [
        f"There are hardly any localisations in frames {some}: the pictures there are carried over "
        f"from other times, and {lowered}."
    ]

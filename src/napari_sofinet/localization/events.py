"""Localizations in samples of a picture, from a table or from a time series of maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.table import LocalizationTable

LEAST = 0.01
"""Fraction of a localization below which a sample is left out, as maps of networks are never quite
0."""
MOST = 0.125
"""Largest fraction of the samples of maps that show something, in maps of single molecules.

It also limits memory: 16 bytes for each of them.
"""


@dataclass(frozen=True, eq=False)
class LocalizationEvents:
    """Localizations in a field of samples, in the order of time.

    Parameters
    ----------
    time : ndarray
        (N,) times in frames or in windows.
    y, x : ndarray
        (N,) positions in samples.
    count : ndarray
        (N,) number of localizations that each stands for.
    """

    time: np.ndarray
    y: np.ndarray
    x: np.ndarray
    count: np.ndarray

    def select(self, rows: np.ndarray | slice) -> LocalizationEvents:
        """Return some of them, by a mask, numbers or a slice."""
        return LocalizationEvents(self.time[rows], self.y[rows], self.x[rows], self.count[rows])

    def during(self, first: float, last: float) -> LocalizationEvents:
        """Return those with first <= time < last."""
        return self.select(slice(*np.searchsorted(self.time, (first, last))))

    def near(self, top: int, bottom: int, left: int, right: int) -> LocalizationEvents:
        """Return those that add to a part of the field, in samples of this part."""
        y, x = self.y, self.x
        some = self.select((y > top - 1) & (y < bottom) & (x > left - 1) & (x < right))
        return LocalizationEvents(some.time, some.y - top, some.x - left, some.count)


def events_of_table(
    table: LocalizationTable,
    roi: tuple[tuple[int, int], tuple[int, int]],
    frames: tuple[int, int],
    fineness: int,
) -> LocalizationEvents:
    """Select the localizations of a table in a range of frames and in a rectangle.

    Parameters
    ----------
    table : LocalizationTable
        Localizations in camera pixels.
    roi : ((int, int), (int, int))
        ((y0, y1), (x0, x1)) in camera pixels, end excluded.
    frames : (int, int)
        The first frame, and the one after the last.
    fineness : int
        Samples along a camera pixel; sample i lies at camera coordinate (i + 1/2) / fineness - 1/2
        of the rectangle.

    Returns
    -------
    LocalizationEvents
        With times in frames, each counting 1.

    Examples
    --------
    >>> import numpy as np
    >>> at = np.array([0.0, 4.0, 4.0])
    >>> table = LocalizationTable(frame=np.array([0, 3, 9]), y_px=at, x_px=at)
    >>> events = events_of_table(table, ((2, 8), (2, 8)), (0, 5), fineness=4)
    >>> events.time, events.y
    (array([3]), array([9.5]))
    """
    frame = table.frame
    y, x = (
        (at - low + 0.5) * fineness - 0.5
        for at, (low, _) in zip((table.y_px, table.x_px), roi, strict=True)
    )
    rows, columns = (fineness * (b - a) for a, b in roi)
    inside = (frame >= frames[0]) & (frame < frames[1])
    inside &= (y > -0.5) & (y < rows - 0.5) & (x > -0.5) & (x < columns - 0.5)
    chosen = np.flatnonzero(inside)
    chosen = chosen[np.argsort(frame[chosen], kind="stable")]
    return LocalizationEvents(frame[chosen], y[chosen], x[chosen], np.ones(len(chosen), np.float32))


def events_of_maps(
    movie: Movie, map_sum: float = 1.0, report: Report = silent
) -> LocalizationEvents:
    """Read the localizations of a movie whose frames are maps of them, a pixel being a sample.

    Parameters
    ----------
    movie : Movie
        Maps.
    map_sum : float, optional
        Sum of one localization in a map. Values below a hundredth of it are left out.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    LocalizationEvents
        With times in frames.

    Raises
    ------
    InputError
        Values are no numbers, or more than an eighth of all samples are above a hundredth of a
        localization.
    """
    frames, rows, columns = movie.shape
    first = movie.first_frame
    parts: list[tuple[np.ndarray, ...]] = []
    done = found = 0
    for block in time_blocks(movie):
        at = np.nonzero(block >= LEAST * map_sum)
        found += len(at[0])
        if found > MOST * frames * rows * columns:
            raise InputError(
                f"In {movie.name} more than an eighth of all samples show something: these are "
                "no maps of single localisations. Of the camera's frames leave out 'maps'; of "
                "maps that are brighter say what a localisation adds up to."
            )
        t, y, x = (axis.astype(np.int32) for axis in at)
        number = movie.file_frames(first + done + t)
        parts.append((number, y, x, (block[at] / map_sum).astype(np.float32)))
        done += len(block)
        report(done / frames, f"map {done} of {frames}")
    return LocalizationEvents(*(np.concatenate(column) for column in zip(*parts, strict=True)))

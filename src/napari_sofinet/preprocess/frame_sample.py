"""A small part of a movie, kept while the movie is read."""

from __future__ import annotations

import numpy as np

from napari_sofinet.data.frame_source import ArraySource
from napari_sofinet.data.movie import Movie

SIDE_PX = 96
RUN, RUNS = 20, 8
"""Successive frames in each run, and number of runs, evenly over the movie."""


class FrameSample:
    """Keeps runs of frames from the middle of a field.

    Parameters
    ----------
    shape : (int, int, int)
        Frames, rows and columns of the movie.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        frames, rows, columns = shape
        starts = [0] if frames <= RUN * RUNS else np.linspace(0, frames - RUN, RUNS).astype(int)
        length = frames if len(starts) == 1 else RUN
        self._runs = [(int(a), int(a) + length) for a in starts]
        top, left = (max(n - SIDE_PX, 0) // 2 for n in (rows, columns))
        self._field = slice(top, top + SIDE_PX), slice(left, left + SIDE_PX)
        self._kept: list[np.ndarray] = []

    def add(self, frames: np.ndarray, first: int) -> None:
        """Add frames (t, Y, X), the first of which is number ``first`` of the movie, from 0."""
        for a, b in self._runs:
            part = frames[max(a - first, 0) : max(b - first, 0), *self._field]
            if len(part):
                self._kept.append(part.copy())

    def movie(self, name: str, pixel_size_um: float | None) -> Movie:
        """Return the frames that were kept as a movie in memory."""
        return Movie(ArraySource(np.concatenate(self._kept), name), pixel_size_um)

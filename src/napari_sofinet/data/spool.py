"""A copy of a movie's frames on disk, so that they are read from their source only once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.frame_source import ArraySource
from napari_sofinet.data.movie import Movie
from napari_sofinet.io.large_array import large_array

IN_MEMORY_BYTES = 2**26


class Spool:
    """Keeps the frames of a movie while they are read for the first time.

    Parameters
    ----------
    movie : Movie
        The movie, with its corrections and its selection.
    needed : bool
        Whether the frames will be read again.

    Notes
    -----
    If the disk has no space for a copy, `movie` remains the original one, whose frames are read
    from the source again.
    """

    def __init__(self, movie: Movie, needed: bool) -> None:
        self._movie = movie
        self._frames: np.ndarray | None = None
        self._kept = 0
        if needed:
            try:
                self._frames = large_array(movie.shape, movie.dtype, IN_MEMORY_BYTES)
            except InputError:
                self._frames = None

    def add(self, block: np.ndarray) -> None:
        """Keep the next frames (t, Y, X), as `time_blocks` gives them."""
        if self._frames is None:
            return
        self._frames[self._kept : self._kept + len(block)] = block
        self._kept += len(block)

    @property
    def movie(self) -> Movie:
        """The movie to read from now on: of the same frames, without selection or corrections."""
        if self._frames is None or self._kept < len(self._frames):
            return self._movie
        source = ArraySource(self._frames, self._movie.name)
        return replace(self._movie, source=source, frame_range=None, roi=None, steps=())

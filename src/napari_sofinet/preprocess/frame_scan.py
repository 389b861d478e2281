"""Statistics gathered while the frames of a movie are read, from which defects are found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.frame_sample import FrameSample

PAIRS = 20
"""Pairs of successive frames, evenly over the movie, from which mean and noise are taken."""
MANY_ROWS, ROW_STEP = 128, 4
"""Rows from which on only every fourth one is summed."""
BANDS = 16
"""Parts of a field, from top to bottom, whose brightness is followed."""


@dataclass(frozen=True, eq=False)
class ScannedMovie:
    """Statistics of a movie's frames and pixels, in the camera's counts.

    Parameters
    ----------
    bands : numpy.ndarray
        Mean of each frame in up to 16 bands of rows, of shape (T, bands), float64.
    band_rows : numpy.ndarray
        Number of rows of each band that were summed.
    row_step : int
        Distance of the rows that are summed.
    repeated : numpy.ndarray
        Numbers (from 0) of frames that equal the frame before, in every pixel.
    highest, second : numpy.ndarray
        Highest and second highest value of each pixel, of shape (Y, X), float64.
    when : numpy.ndarray
        Frame (from 0) of the highest value, of shape (Y, X).
    mean : numpy.ndarray
        Mean of each pixel over some frames, of shape (Y, X), float64.
    variance : numpy.ndarray
        Half the mean squared difference of successive frames, of shape (Y, X).
    shared : numpy.ndarray
        Largest covariance of such differences with one of the four neighbours, of shape (Y, X), on
        the scale of `variance`.
    sample : Movie
        Some frames of the middle of the field, in memory.
    """

    bands: np.ndarray
    band_rows: np.ndarray
    row_step: int
    repeated: np.ndarray
    highest: np.ndarray
    second: np.ndarray
    when: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    shared: np.ndarray
    sample: Movie

    @property
    def trace(self) -> np.ndarray:
        """Mean of each frame, of shape (T,)."""
        return np.asarray(self.bands @ self.band_rows / self.band_rows.sum())


class FrameScan:
    """Gathers statistics of a movie while it is read.

    Parameters
    ----------
    movie : Movie
        Movie whose selection is scanned, with its present corrections.

    Attributes
    ----------
    after_steps : int
        Number of these corrections.
    """

    def __init__(self, movie: Movie) -> None:
        frames, rows, columns = movie.shape
        self._first, self._shape = movie.first_frame, (frames, rows, columns)
        self.after_steps = len(movie.steps)
        self._next = 0
        self._step = 1 if rows < MANY_ROWS else ROW_STEP
        summed = -(-rows // self._step)
        self._edges = np.linspace(0, summed, min(summed, BANDS) + 1).round().astype(int)
        self._bands: list[np.ndarray] = []
        self._repeated: list[int] = []
        self._last: np.ndarray | None = None
        self._last_sum = np.zeros(0)
        count = min(PAIRS, frames - 1)
        self._pairs = set((np.arange(count) * (frames - 1) // max(count, 1) + 1).tolist())
        self._sums = np.zeros((4, rows, columns), np.float32)
        self._when = np.zeros((rows, columns), np.int32)
        self._extremes: list[np.ndarray] = []
        self._sample, self._named = FrameSample(movie.shape), (movie.name, movie.pixel_size_um)

    @property
    def complete(self) -> bool:
        """Whether all frames have been seen."""
        return self._next == self._shape[0]

    def see(self, frames: np.ndarray, first: int) -> None:
        """Add frames of the selection; frames other than the next ones are ignored.

        Parameters
        ----------
        frames : ndarray of shape (t, Y, X)
            Frames of the selection.
        first : int
            Number of the first of them in the file.
        """
        if first - self._first != self._next or frames.shape[1:] != self._shape[1:]:
            return
        if len(frames) == 0 or frames.dtype.kind not in "uif" or frames.dtype.itemsize > 8:
            return
        from napari_sofinet.preprocess.scan_kernel import add_extremes

        if frames.dtype.kind == "f" and frames.dtype.itemsize == 2:
            frames = frames.astype(np.float32)
        if not frames.dtype.isnative:
            frames = frames.astype(frames.dtype.newbyteorder("="))
        if frames.dtype.kind == "f" and not np.isfinite([frames.min(), frames.max()]).all():
            return  # such frames are refused by whoever reads them
        if not self._extremes:
            low = -np.inf if frames.dtype.kind == "f" else np.iinfo(frames.dtype).min
            self._extremes = [np.full(self._shape[1:], low, frames.dtype) for _ in range(2)]
        if frames.dtype != self._extremes[0].dtype:
            return
        small = frames.dtype.kind in "ui" and frames.dtype.itemsize <= 4
        shape = len(frames), int(self._edges[-1])
        sums = np.zeros(shape, np.int64 if small else np.float64)
        highest, second = self._extremes
        add_extremes(frames, self._next, highest, self._when, second, self._step, sums)
        self.add_frames(frames, sums)

    def add_frames(self, frames: np.ndarray, sums: np.ndarray) -> None:
        """Add frames whose rows have been added."""
        self._add_bands(sums)
        self._compare(frames, sums)
        self._sample.add(frames, self._next)
        self._next += len(frames)

    def _add_bands(self, sums: np.ndarray) -> None:
        parts = np.add.reduceat(sums, self._edges[:-1], axis=1)
        self._bands.append(parts / (np.diff(self._edges) * self._shape[2]))

    def _compare(self, frames: np.ndarray, sums: np.ndarray) -> None:
        """Find repeated frames, and sum up pairs of successive frames."""
        from napari_sofinet.preprocess.scan_kernel import add_pair

        last, before = self._last, self._last_sum
        previous = sums[:-1] if last is None else np.concatenate([before[None], sums[:-1]])
        offset = len(sums) - len(previous)
        alike = set((np.flatnonzero((previous == sums[offset:]).all(axis=1)) + offset).tolist())
        for k in range(offset, len(frames)):
            number = self._next + k
            if k not in alike and number not in self._pairs:
                continue
            earlier = frames[k - 1] if k or last is None else last
            if k in alike and np.array_equal(earlier, frames[k]):
                self._repeated.append(number)
            if number in self._pairs:
                add_pair(earlier, frames[k], *self._sums)
        self._last, self._last_sum = np.array(frames[-1]), sums[-1]

    def result(self) -> ScannedMovie:
        """Return the statistics of a movie of which all frames have been seen."""
        pairs = max(len(self._pairs), 1)
        total, squares, right, down = self._sums.astype(np.float64) / (2 * pairs)
        shared = np.zeros_like(right)
        for moved in (right, down):
            axis = 1 if moved is right else 0
            inner = np.delete(moved, -1, axis=axis)
            before = (slice(None), slice(None, -1)) if axis else (slice(None, -1), slice(None))
            after = (slice(None), slice(1, None)) if axis else (slice(1, None), slice(None))
            shared[before] = np.maximum(shared[before], inner)
            shared[after] = np.maximum(shared[after], inner)
        return ScannedMovie(
            np.concatenate(self._bands),
            np.diff(self._edges),
            self._step,
            np.array(self._repeated, int),
            self._extremes[0].astype(np.float64),
            self._extremes[1].astype(np.float64),
            self._when,
            total,
            squares,
            shared,
            self._sample.movie(*self._named),
        )


def scan_movie(movie: Movie, report: Report = silent) -> ScannedMovie:
    """Read a movie once and return its statistics.

    Parameters
    ----------
    movie : Movie
        Movie whose selection is read, with its corrections.
    report : Report, optional
        Receives the progress.

    Raises
    ------
    InputError
        The movie cannot be read.
    """
    scan = FrameScan(movie)
    done, total = 0, movie.shape[0]
    for block in time_blocks(movie):
        scan.see(block, movie.first_frame + done)
        done += len(block)
        report(done / total, "scan all frames")
    return scan.result()

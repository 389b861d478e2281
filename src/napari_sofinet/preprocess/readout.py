"""Readout noise of the camera that whole rows, columns or quarters of the sensor share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.background import mean_image

Sharing = Literal["none", "rows", "columns", "both", "halves"]


class ReadoutCorrection(Settings):
    """Settings of the correction of readout noise that groups of pixels share."""

    shared_by: Sharing = parameter(
        "none",
        "Groups of pixels that share readout noise in each frame, independent of the sample: "
        "rows, columns, both, or the quarters of the sensor (halves). The shared noise is "
        "subtracted.",
        label="Noise shared by",
    )


@dataclass(frozen=True, eq=False)
class SubtractShared:
    """Subtract the deviation from the mean image that rows, columns or quarters share.

    Parameters
    ----------
    mean : numpy.ndarray
        Mean image of the whole field, of shape (Y, X), float32.
    shared_by : str
        One of the choices of `ReadoutCorrection`.
    """

    mean: np.ndarray
    shared_by: Sharing

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32."""
        rest = frames - self.mean
        if self.shared_by in ("rows", "both"):
            rest -= _middle(rest, 2)[:, :, None]
        if self.shared_by in ("columns", "both"):
            rest -= _middle(rest, 1)[:, None, :]
        if self.shared_by == "halves":
            middle_y, middle_x = rest.shape[1] // 2, rest.shape[2] // 2
            for rows in (slice(0, middle_y), slice(middle_y, None)):
                for columns in (slice(0, middle_x), slice(middle_x, None)):
                    part = rest[:, rows, columns]
                    level = _middle(part.reshape(len(part), -1), 1)
                    rest[:, rows, columns] -= level[:, None, None]
        return np.asarray(rest + self.mean, np.float32)


def _middle(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of the middle half of the values along an axis; emitters in it hardly count."""
    count = values.shape[axis]
    cut = count // 4
    ordered = np.partition(values, (cut, count - cut - 1), axis=axis)
    return np.asarray(np.take(ordered, np.arange(cut, count - cut), axis=axis).mean(axis=axis))


def subtract_shared(movie: Movie, shared_by: Sharing, report: Report = silent) -> Movie:
    """Return the movie without the noise that rows, columns or quarters share in each frame.

    Parameters
    ----------
    movie : Movie
        Movie whose whole field is read once for the mean image.
    shared_by : {"none", "rows", "columns", "both", "halves"}
        Pixels that share noise.
    report : Report, optional
        Receives the progress.
    """
    if shared_by == "none":
        return movie
    mean = mean_image(movie.select_whole_field(), report)
    return movie.corrected(SubtractShared(mean.astype(np.float32), shared_by))

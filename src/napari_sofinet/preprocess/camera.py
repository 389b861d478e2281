"""Conversion of camera counts to photoelectrons by offset and gain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.preprocess.photon_transfer import photon_transfer


class CameraCorrection(Settings):
    """Offset and gain of the camera."""

    offset: float | None = parameter(
        None,
        "Counts without light, which are subtracted.",
        unit="counts",
        empty="none",
        ge=-1e6,
        le=1e6,
    )
    gain: float | None = parameter(
        None,
        "Counts per photoelectron; the counts are divided by it.",
        unit="counts/electron",
        empty="none",
        ge=1e-4,
        le=1e4,
    )
    dark_frames: str = parameter(
        "",
        "TIFF movie recorded in the dark. Its mean is subtracted as the offset of each pixel.",
        label="Movie of dark frames",
        file=True,
    )
    estimate: bool = parameter(
        False,
        "Estimate offset and gain, unless given, from the increase of the noise with brightness.",
        label="Estimate offset and gain",
    )


@dataclass(frozen=True, eq=False)
class ToPhotoelectrons:
    """Subtract the offset and divide by the gain.

    Parameters
    ----------
    offset : ndarray or float
        Offset in counts, a number or of shape (Y, X).
    gain : float
        Counts per photoelectron.
    """

    offset: np.ndarray | float
    gain: float

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32."""
        return np.asarray((frames - np.float32(self.offset)) / np.float32(self.gain), np.float32)


def calibrate(movie: Movie, settings: CameraCorrection) -> tuple[Movie, dict[str, float]]:
    """Convert a movie to photoelectrons.

    Parameters
    ----------
    movie : Movie
        Movie in counts.
    settings : CameraCorrection
        Offset and gain, or the way to measure them.

    Returns
    -------
    movie : Movie
        Movie that is converted while it is read.
    details : dict of str to float
        Measured offset and gain, with standard errors where they were estimated from the noise.

    Raises
    ------
    InputError
        The dark frames do not fit the movie, or offset and gain cannot be measured on it.
    """
    s = settings
    details: dict[str, float] = {}
    offset: np.ndarray | float | None = s.offset
    gain = s.gain
    if s.dark_frames:
        offset = dark_image(s.dark_frames, movie)
        details["camera_offset"] = float(offset.mean())
    if s.estimate and (gain is None or offset is None):
        found = photon_transfer(movie)
        if gain is None:
            gain = details["camera_gain"] = found.gain
            details["camera_gain_error"] = found.gain_error
        if offset is None:
            offset = details["camera_offset"] = found.offset
            details["camera_offset_error"] = found.offset_error
    if offset is None and gain is None:
        return movie, details
    step = ToPhotoelectrons(0.0 if offset is None else offset, 1.0 if gain is None else gain)
    return movie.corrected(step), details


def dark_image(path: str | Path, movie: Movie) -> np.ndarray:
    """Average the dark frames in a file.

    Parameters
    ----------
    path : str or Path
        TIFF movie that was recorded in the dark.
    movie : Movie
        Movie whose file must have the same size.

    Returns
    -------
    ndarray
        (Y, X) float32 in counts.

    Raises
    ------
    InputError
        The file cannot be read or has another size.
    """
    try:
        dark = open_movie(path)
        total = sum(block.sum(axis=0, dtype=np.float64) for block in time_blocks(dark))
    except InputError as error:
        raise InputError(f"The dark frames cannot be used: {error}") from None
    _, rows, columns = movie.whole_shape
    if dark.shape[1:] != (rows, columns):
        raise InputError(
            f"The dark frames {dark.name} have {dark.shape[1]} x {dark.shape[2]} pixels, the movie "
            f"{rows} x {columns}; record them with the same area of the sensor."
        )
    return np.asarray(total / dark.shape[0], np.float32)

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

BINS = 24
FRAMES = 200
"""Frames in which the photon transfer is measured."""
FEWEST_PAIRS = 20_000
SUREST = 0.1
"""Relative standard error of the gain above which it counts as not measurable."""
MEDIAN_SQUARE = 0.4549
"""Median of the square of a normal variable of variance 1."""


class CameraCorrection(Settings):
    """Offset and gain of the camera."""

    offset: float | None = parameter(
        None,
        "Counts in the dark, which are subtracted.",
        unit="counts",
        empty="none",
        ge=-1e6,
        le=1e6,
    )
    gain: float | None = parameter(
        None,
        "Counts per photoelectron, by which the counts are divided.",
        unit="counts",
        empty="none",
        ge=1e-4,
        le=1e4,
    )
    dark_frames: str = parameter(
        "", "TIFF movie taken in the dark: every pixel's own offset is subtracted.", file=True
    )
    estimate: bool = parameter(
        False, "Find offset and gain, where not given, from how the noise grows with brightness."
    )


@dataclass(frozen=True, eq=False)
class ToPhotoelectrons:
    """Subtract the offset and divide by the gain.

    Parameters
    ----------
    offset : ndarray or float
        In counts, one or (Y, X).
    gain : float
        Counts per photoelectron.
    """

    offset: np.ndarray | float
    gain: float

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32."""
        return np.asarray((frames - np.float32(self.offset)) / np.float32(self.gain), np.float32)


@dataclass(frozen=True)
class PhotonTransfer:
    """Gain and offset of a camera.

    Parameters
    ----------
    gain, gain_error : float
        Counts per photoelectron, and the standard error.
    offset : float
        Counts at which the noise would be zero. They lie below the true offset by the square of the
        read noise (in counts) over the gain, a fraction of a count to a few counts.
    """

    gain: float
    gain_error: float
    offset: float


def calibrate(movie: Movie, settings: CameraCorrection) -> tuple[Movie, dict[str, float]]:
    """Convert a movie to photoelectrons.

    Parameters
    ----------
    movie : Movie
        Movie in counts.
    settings : CameraCorrection
        Offset and gain, or how to find them.

    Returns
    -------
    movie : Movie
        Movie that is converted while it is read.
    details : dict of str to float
        Offset and gain that were measured.

    Raises
    ------
    InputError
        The dark frames do not fit the movie, or the movie does not show offset and gain.
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
        if offset is None:
            offset = details["camera_offset"] = found.offset
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
            f"{rows} x {columns}; take them with the same part of the camera."
        )
    return np.asarray(total / dark.shape[0], np.float32)


def photon_transfer(movie: Movie) -> PhotonTransfer:
    """Measure gain and offset in the noise of a movie.

    Parameters
    ----------
    movie : Movie
        Movie in counts.

    Returns
    -------
    PhotonTransfer
        Gain and offset.

    Raises
    ------
    InputError
        There are too few pixels, or too small a range of brightness, or the pixels are not
        independent.

    Notes
    -----
    Differences of successive frames are filtered so that only detail finer than any PSF is left,
    which is noise: blinking, structure and offsets of single pixels do not count. The variance of
    the noise over the brightness is a line whose slope is the gain.
    """
    noise, light = _noise_and_light(movie)
    if len(noise) < FEWEST_PAIRS:
        raise InputError(
            f"{movie.name} has too few pixels to find the camera's gain; give offset and gain."
        )
    edges = np.quantile(light, np.linspace(0, 1, BINS + 1))
    where = np.clip(np.searchsorted(edges, light, "right") - 1, 0, BINS - 1)
    square = noise**2
    used = [
        k
        for k in range(BINS)
        if np.count_nonzero(where == k) > 100 and np.median(square[where == k]) > 0
    ]
    brightness = np.array([light[where == k].mean() for k in used])
    variance = np.array([np.median(square[where == k]) for k in used]) / MEDIAN_SQUARE
    count = np.array([np.count_nonzero(where == k) for k in used])
    weights = np.sqrt(count) / np.maximum(variance, 1e-12)
    if len(used) < 4 or not np.ptp(brightness) > 1e-6 * np.abs(brightness).max():
        gain = error = float("nan")
    else:
        (gain, start), covariance = np.polyfit(brightness, variance, 1, w=weights, cov=True)
        error = float(np.sqrt(covariance[0, 0]))
    if not gain > 0 or error > SUREST * gain:
        raise InputError(
            f"{movie.name} does not show the camera's offset and gain: its noise does not grow "
            "steadily with brightness; give them, or switch their estimate off."
        )
    return PhotonTransfer(float(gain), error, float(-start / gain))


def _noise_and_light(movie: Movie) -> tuple[np.ndarray, np.ndarray]:
    """Return the finest detail of differences of frames, scaled to a pixel's noise, and counts."""
    from scipy.ndimage import correlate1d, minimum_filter

    frames = movie.shape[0]
    start = movie.first_frame
    middle = start + max((frames - FRAMES) // 2, 0)
    part = movie.select(frames=(middle, min(middle + FRAMES, start + frames)))
    noise, light = [], []
    for block in time_blocks(part):
        block = np.asarray(block, np.float32)[: len(block) // 2 * 2]
        first, second = block[::2], block[1::2]
        detail, mean = second - first, (first + second) / 2
        for axis in (1, 2):
            detail = correlate1d(detail, [1.0, -2.0, 1.0], axis=axis, mode="nearest")
            mean = correlate1d(mean, [0.25, 0.5, 0.25], axis=axis, mode="nearest")
        # Black borders and dead pixels show no noise of the camera, nor do pixels beside them.
        alive = minimum_filter(np.ptp(block, axis=0) > 0, 5)[1:-1:2, 1:-1:2]
        # 72: the sum of squared weights, 6 for each axis, of 2 frames.
        noise.append(detail[:, 1:-1:2, 1:-1:2][:, alive].ravel() / np.sqrt(72))
        light.append(mean[:, 1:-1:2, 1:-1:2][:, alive].ravel())
    return np.concatenate(noise), np.concatenate(light)

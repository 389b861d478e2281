"""Mean and variance of the pixels of a movie, and the noise that follows from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_sofinet.base.errors import InputError
from napari_sofinet.covariance.blinks import BlinkCount
from napari_sofinet.covariance.fine_noise import FineNoise
from napari_sofinet.covariance.light_balance import HalfVariances
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.methods.covariance_sequences import Sequences
from napari_sofinet.preprocess.photon_transfer import photon_transfer

DARKEST_PERCENT = 1.0
MODEL_ERROR = 0.01
"""Fraction of a pixel's variance that counts as noise: the sieve, the grid and a Gaussian describe
no bright emitter more exactly."""
SMOOTHED_PX = 1.0
"""Standard deviation within which light is summed up to compare halves of the frames."""
SUREST_GAIN = 0.05
"""Relative error up to which the gain is taken from the photon transfer of the movie."""


@dataclass(frozen=True, eq=False)
class Scan:
    """Statistics of the pixels.

    Parameters
    ----------
    mean, variance : ndarray
        (Y, X) mean, before a background is subtracted, and variance within sub-sequences.
    floor : float
        Mean of the darkest place.
    blinks : float
        Blinks within a PSF, see `BlinkCount`.
    fine_noise : FineNoise
        Variance of fine detail.
    halves : ndarray
        (2, Y, X) variance of smoothed frames in two halves of the movie, see `HalfVariances`.
    read : ndarray or None
        (Y, X) variance of the noise in the dark, where dark frames are known.
    """

    mean: np.ndarray
    variance: np.ndarray
    floor: float
    blinks: float
    fine_noise: FineNoise
    halves: np.ndarray
    read: np.ndarray | None = None

    @property
    def light(self) -> np.ndarray:
        """Mean above that of the darkest place."""
        return np.maximum(self.mean - self.floor, 0)

    @property
    def variance_by_light(self) -> np.ndarray:
        """The least variance seen at each brightness, roughly."""
        dark = float(np.percentile(self.variance, 2))
        slope = np.maximum(self.variance - dark, 0).sum() / max(float(self.light.sum()), 1e-9)
        return np.asarray(dark + min(slope, 1e9) / 4 * self.light)

    @property
    def unexplained(self) -> np.ndarray:
        """Variance that the model of the light cannot describe."""
        return np.asarray(MODEL_ERROR * self.variance)

    def noise(self, gain: float, dark: float) -> np.ndarray:
        """Return the variance of the noise of each pixel.

        Parameters
        ----------
        gain : float
            Variance per light.
        dark : float
            Variance at the darkest place.
        """
        found = gain * self.light + dark
        if self.read is not None:
            found = found + self.read - float(np.median(self.read))
        return np.asarray(np.maximum(found, 0.1 * dark))


def scan_pixels(
    sequences: Sequences,
    bright: Movie,
    saturation: Saturation,
    check: Callable[[], None],
    dark_frames: str = "",
) -> Scan:
    """Read a movie once for the statistics of its pixels.

    Parameters
    ----------
    sequences : Sequences
        The corrected movie.
    bright : Movie
        The movie before its background is subtracted, as its noise remains.
    saturation : Saturation
        Receives the counts of the camera.
    check : callable
        Called between blocks; may raise to stop.
    dark_frames : str, optional
        File of frames in the dark.

    Raises
    ------
    InputError
        The movie does not change in time.
    """
    mean, squares = np.zeros(sequences.field), np.zeros(sequences.field)
    pivot, sums, length, last = None, np.zeros(0), 0, -1
    blinks, fine_noise = BlinkCount(sequences.field), FineNoise(sequences.field)
    halves = HalfVariances(sequences.field, sequences.frames, SMOOTHED_PX)

    def end() -> np.ndarray:
        return sums**2 / max(length, 1)

    for number, before, block in sequences.blocks(saturation=saturation):
        if number != last:
            squares -= end() if last >= 0 else 0
            halves.end_sub_sequence()
            pivot, sums, length, last = block.mean(axis=0), np.zeros(sequences.field), 0, number
        rest = block - pivot
        sums += rest.sum(axis=0, dtype=np.float64)
        squares += np.square(rest).sum(axis=0, dtype=np.float64)
        mean += block.sum(axis=0, dtype=np.float64) / sequences.frames
        length += len(block)
        blinks.add(block)
        fine_noise.add(block)
        halves.add(block, before)
        check()
    halves.end_sub_sequence()
    squares -= end()
    variance = squares / max(sequences.frames - sum(b > a for a, b in sequences.edges), 1)
    if not variance.max() > 0:
        raise InputError(
            f"{sequences.movie.name} does not change in time, so its covariance shows no "
            "structure; choose a movie of blinking emitters."
        )
    if bright is not sequences.movie:
        mean = _mean(sequences, bright, check)
    floor = float(np.percentile(gaussian_filter(mean, 1), DARKEST_PERCENT))
    found = blinks.value(), fine_noise, halves.value(), _dark_variance(dark_frames, sequences)
    return Scan(mean, variance, floor, *found)


def _mean(sequences: Sequences, movie: Movie, check: Callable[[], None]) -> np.ndarray:
    """Return the mean image (Y, X) of another correction of the movie."""
    total = np.zeros(sequences.field)
    for _, _, block in sequences.blocks(movie):
        total += block.sum(axis=0, dtype=np.float64) / sequences.frames
        check()
    return total


def _dark_variance(path: str, sequences: Sequences) -> np.ndarray | None:
    """Return the variance of each pixel's noise in the dark, or None without dark frames."""
    if not path or np.any(sequences.moved_px):
        return None
    dark = open_movie(path)
    if sequences.movie.roi is not None:
        dark = dark.select(roi=sequences.movie.roi)
    frames, total, squares = 0, np.zeros(sequences.field), np.zeros(sequences.field)
    for block in time_blocks(dark):
        part = np.asarray(block, np.float64)
        frames += len(part)
        total, squares = total + part.sum(axis=0), squares + np.square(part).sum(axis=0)
    return (squares - total**2 / frames) / max(frames - 1, 1) if frames > 10 else None


def measured_noise(movie: Movie, scan: Scan) -> tuple[float, float] | None:
    """Return the noise per light and at the darkest place, or None if neither can be measured.

    It comes from the photon transfer of the movie or, where that is unsure, from its fine detail.
    """
    try:
        found = photon_transfer(movie)
    except InputError:
        return scan.fine_noise.line(scan.light, scan.variance)
    dark = found.gain * (scan.floor - found.offset)
    if found.gain_error > SUREST_GAIN * found.gain or not dark > 0:
        return scan.fine_noise.line(scan.light, scan.variance)
    return found.gain, dark

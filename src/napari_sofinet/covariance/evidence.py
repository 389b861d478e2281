"""Where the covariance of neighbouring pixels proves that something blinks."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import binary_dilation, correlate1d, label, map_coordinates, maximum
from scipy.special import ndtr

SURE, POSSIBLE = 4.5, 2.5
"""Signal to noise that begins a region, and that continues it: noise alone reaches 4.5 less than
once in 100,000 independent places."""
REACH = 0.5
"""Distance in widths (FWHM) of the PSF around a region within which emitters may lie."""


class Evidence:
    """Signal to noise of an emitter at the centre of each pixel, were it the only one.

    This is the score test of the likelihood at v = 0 from pairs of different pixels alone, so that
    it does not depend on how well the noise of single pixels is known.

    Parameters
    ----------
    noise : ndarray
        (Y, X) variance of the noise.
    variance : ndarray
        (Y, X) variance of the pixels about the means of sub-sequences.
    sigma_px : float
        Standard deviation of the PSF in camera pixels.
    """

    def __init__(self, noise: np.ndarray, variance: np.ndarray, sigma_px: float) -> None:
        pixels = np.arange(math.ceil(4 * sigma_px) + 1)
        pixels = np.concatenate([-pixels[:0:-1], pixels])
        light = ndtr((pixels + 0.5) / sigma_px) - ndtr((pixels - 0.5) / sigma_px)
        self._light, self._weight = light.astype(np.float32), (1 / noise).astype(np.float32)
        self._variance, self._noise = variance, noise
        self._sums = np.zeros((2, *noise.shape))
        self._total, self._freedom, self._frames = np.zeros(noise.shape), 0, 0
        self._pivot: np.ndarray | None = None

    def add(self, frames: np.ndarray) -> None:
        """Add frames (t, Y, X) of the current sub-sequence."""
        frames = np.asarray(frames, np.float32)
        if self._pivot is None:
            self._pivot = frames.mean(axis=0)
        seen = _spread((frames - self._pivot) * self._weight, self._light)
        self._sums += seen.sum(axis=0, dtype=np.float64), np.square(seen).sum(axis=0, dtype=float)
        self._frames += len(frames)

    def end_sub_sequence(self) -> None:
        """Take off the mean of the sub-sequence that ends."""
        if self._frames:
            self._total += self._sums[1] - self._sums[0] ** 2 / self._frames
            self._freedom += self._frames - 1
        self._sums[:], self._frames, self._pivot = 0, 0, None

    def value(self) -> np.ndarray:
        """Return the signal to noise (Y, X)."""
        power = self._light.astype(float) ** 2
        weight = 1 / self._noise**2
        own = _spread(self._variance * weight, power)
        # The pixels' own scatter, which bright emitters elsewhere increase.
        scatter = np.maximum(self._variance, self._noise) * weight
        square = _spread(scatter, power) ** 2 - _spread(scatter**2, power**2)
        least = 1e-20 * float(weight.mean())
        error = np.sqrt(2 / max(self._freedom, 1) * np.maximum(square, least))
        return np.asarray((self._total / max(self._freedom, 1) - own) / error)


def _spread(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the last two axes correlated with a kernel, dark beyond the edges."""
    rows = correlate1d(image, kernel, axis=-2, mode="constant")
    return np.asarray(correlate1d(rows, kernel, axis=-1, mode="constant"))


def believed(signal: np.ndarray, fine: int, reach_px: float) -> np.ndarray:
    """Return where emitters may lie, by the evidence for them.

    Parameters
    ----------
    signal : ndarray
        (Y, X) signal to noise, from `Evidence`.
    fine : int
        Samples of the result per camera pixel along each axis.
    reach_px : float
        Distance in camera pixels around a region within which emitters may lie.

    Returns
    -------
    ndarray
        (fine * Y, fine * X) bool.
    """
    at = [(np.arange(fine * side) + 0.5) / fine - 0.5 for side in signal.shape]
    places = np.meshgrid(*at, indexing="ij")
    signal = map_coordinates(signal, places, order=1, mode="nearest")
    regions, count = label(signal > POSSIBLE, np.ones((3, 3)))
    if not count:
        return np.zeros(signal.shape, bool)
    highest = maximum(signal, regions, np.arange(count + 1))
    keep = highest > SURE
    keep[0] = False
    radius = max(round(reach_px * fine), 1)
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(binary_dilation(keep[regions], y * y + x * x <= radius * radius))

"""Noise of the camera by detail that is finer than any PSF."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d
from scipy.optimize import nnls

DETAIL = np.array([1, -4, 6, -4, 1], np.float32) / np.sqrt(np.float32(70))
"""A fourth derivative along each axis: of white noise it keeps the variance, of the light of a PSF
of 2 px (FWHM) less than a hundredth."""
QUIET_PERCENT = 5
ROUNDS = 4
LEAST_WHITE = 0.6
"""Variance of detail over that of the quietest pixels below which the noise of neighbouring pixels
is correlated, as in enlarged or smoothed movies."""


class FineNoise:
    """Variance of fine detail at each pixel.

    Parameters
    ----------
    field : (int, int)
        Rows and columns.
    """

    def __init__(self, field: tuple[int, int]) -> None:
        self._sum, self._freedom = np.zeros(field), 0

    def add(self, frames: np.ndarray) -> None:
        """Add frames (t, Y, X), which are taken about their mean."""
        if len(frames) < 2:
            return
        rest = np.asarray(frames - frames.mean(axis=0), np.float32)
        detail = correlate1d(correlate1d(rest, DETAIL, axis=1), DETAIL, axis=2)
        self._sum += np.square(detail, out=detail).sum(axis=0, dtype=np.float64)
        self._freedom += len(frames) - 1

    def line(self, light: np.ndarray, variance: np.ndarray) -> tuple[float, float] | None:
        """Return the noise per light and that in the dark, or None if the noise is not white.

        Parameters
        ----------
        light : ndarray
            (Y, X) mean above that of the darkest place.
        variance : ndarray
            (Y, X) variance of the pixels; the little of it that is detail is allowed for.
        """
        inner = (slice(2, -2), slice(2, -2))
        seen = self._sum[inner].ravel() / max(self._freedom, 1)
        over = [
            correlate1d(correlate1d(m, DETAIL**2, axis=0), DETAIL**2, axis=1)[inner].ravel()
            for m in (light, variance)
        ]
        quiet = over[1] <= np.percentile(over[1], QUIET_PERCENT)
        if not seen.min() > 0 or seen[quiet].mean() < LEAST_WHITE * over[1][quiet].mean():
            return None
        columns = np.stack([over[0], np.ones(len(seen)), np.zeros(len(seen))], axis=1)
        noise = expected = seen
        for _ in range(ROUNDS):
            columns[:, 2] = np.maximum(over[1] - noise, 0)
            size = np.maximum(columns.max(axis=0), 1e-30)
            weight = 1 / np.maximum(expected, 0.1 * seen.mean())
            found = nnls(columns / size * weight[:, None], seen * weight)[0] / size
            expected, noise = columns @ found, columns[:, :2] @ found[:2]
        gain, dark = (float(value) for value in found[:2])
        return (gain, dark) if dark > 0 else None

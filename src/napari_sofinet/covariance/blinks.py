"""How many blinks a movie shows, by joint cumulants of neighbouring pixels.

The blinks that a place of the picture is made from limit how fine it can be shown: where a dozen
blinks fell on a PSF, dots are where some of them happened to lie.
"""

from __future__ import annotations

import numpy as np

CELL_PX = 8
ENOUGH = 16.0
"""Blinks within the picture's resolution: their number is then certain to a quarter."""
LEAST_FOURTH = 1e-6
"""Fourth cumulant over the square of the second below which it counts as zero."""
SHARPEST, SOFTEST = 0.1, 0.25
"""Limits of the blur, over the width of the PSF."""


class BlinkCount:
    """Number of blinks within a PSF.

    Emitters that are on for a fraction p << 1 of the time have a second cumulant proportional to
    p A**2 and a fourth to p A**4, where A is their brightness in a pixel. The ratio of the second's
    square to the fourth is the number of emitters that are on at once within an area of 2 pi
    sigma**2. Products of four different pixels contain no noise of the camera.

    Parameters
    ----------
    field : (int, int)
        Rows and columns.
    """

    def __init__(self, field: tuple[int, int]) -> None:
        self._sums = np.zeros((8, field[0] - 1, field[1] - 1))
        self._frames = 0

    def add(self, frames: np.ndarray) -> None:
        """Add frames (t, Y, X), which are taken about their mean."""
        if len(frames) < 2:
            return
        rest = np.asarray(frames - frames.mean(axis=0), np.float32)
        a, b, c, d = rest[:, :-1, :-1], rest[:, :-1, 1:], rest[:, 1:, :-1], rest[:, 1:, 1:]
        across, other = a * d, b * c
        parts = [across, other, a * b, c * d, a * c, b * d, across * other, a[:-1] * d[1:]]
        for total, part in zip(self._sums, parts, strict=True):
            total += part.sum(axis=0, dtype=np.float64)
        self._frames += len(frames)

    def value(self) -> float:
        """Return the number of blinks within an area of 2 pi sigma**2; infinite if uncountable."""
        mean = self._sums / max(self._frames, 1)
        fourth = mean[6] - mean[0] * mean[1] - mean[2] * mean[3] - mean[4] * mean[5]
        second, squared, fourth, later = (
            _cells(part) for part in (mean[0], mean[0] * mean[1], fourth, mean[7])
        )
        if not second.max() > 0:
            return float("inf")
        countable = fourth > LEAST_FOURTH * np.abs(squared)
        once = np.full(fourth.shape, np.inf)
        np.divide(squared, fourth, out=once, where=countable)
        order = np.argsort(once)
        weight = np.maximum(second, 0)[order].cumsum()
        typical = float(once[order][np.searchsorted(weight, weight[-1] / 2)])
        # A blink of several frames counts once.
        lasting = float(np.clip(later.sum() / second.sum(), 0, 0.99))
        return typical * self._frames * (1 - lasting) / (1 + lasting)


def supported_blur(blinks: float) -> float:
    """Return the blur over the width of the PSF within which there are enough blinks.

    Parameters
    ----------
    blinks : float
        Blinks within an area of 2 pi sigma**2 of the PSF.

    Examples
    --------
    >>> supported_blur(5000), supported_blur(400), supported_blur(20)
    (0.1, 0.1414..., 0.25)
    """
    # A blur of b sigma averages over an area of 4 pi (b sigma)**2.
    if not blinks > 0:
        return SOFTEST
    return float(np.clip(np.sqrt(ENOUGH / (2 * blinks)), SHARPEST, SOFTEST))


def _cells(image: np.ndarray) -> np.ndarray:
    """Return the sums over cells, flat."""
    rows, columns = (range(0, side, CELL_PX) for side in image.shape)
    sums = np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1)
    return np.asarray(sums.ravel())

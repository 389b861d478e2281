"""Covariance of distant pixels, which is 0 for independent emitters.

Emitters blink independently of each other, so pixels farther apart than the width of the PSF have
no covariance. Flicker, bleaching, moving haze and row noise cause covariance, which SOFI draws as
structure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FAR_PX = 12
"""Distance beyond which emitters share no light."""
NEAR_ROWS = 2
"""Rows and columns on both sides of the axes that do not count for the rest of the field."""


@dataclass(frozen=True)
class FarCovariance:
    """Mean covariance of distant pixels as a fraction of that of adjacent ones.

    Parameters
    ----------
    field : float
        Covariance of pixels in different rows and columns.
    rows, columns : float
        Covariance of pixels in the same row, or column, minus that of the field.
    haze : float
        Covariance of pixels 12 to 24 px apart, minus that of pixels farther apart.
    """

    field: float
    rows: float
    columns: float
    haze: float

    @property
    def total(self) -> float:
        """Sum of the magnitudes."""
        return abs(self.field) + abs(self.rows) + abs(self.columns) + abs(self.haze)


def far_covariance(frames: np.ndarray) -> FarCovariance:
    """Measure the covariance of distant pixels.

    Parameters
    ----------
    frames : ndarray of shape (T, Y, X)
        At least 2 frames of at least 8 x 8 px, not necessarily successive.

    Returns
    -------
    FarCovariance
        Covariances of the deviations from the mean over time; within 0.01 of 0 for independent
        emitters.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> still = rng.poisson(100, (50, 32, 32)) + rng.normal(0, 5, (50, 32, 1))
    >>> found = far_covariance(still)
    >>> found.rows > 0.5, abs(found.columns) < 0.5
    (True, True)
    """
    deviations = np.asarray(frames, np.float32)
    deviations = deviations - deviations.mean(axis=0)
    _, rows, columns = deviations.shape
    size = (2 * rows, 2 * columns)
    power = np.zeros((size[0], columns + 1))
    for frame in deviations:
        power += np.abs(np.fft.rfft2(frame, size)) ** 2
    field = np.abs(np.fft.rfft2(np.ones((rows, columns)), size)) ** 2
    pairs = np.fft.irfft2(field, size).round()
    sums = np.fft.irfft2(power / len(deviations), size)
    dy = np.minimum(np.arange(size[0]), size[0] - np.arange(size[0]))[:, None]
    dx = np.minimum(np.arange(size[1]), size[1] - np.arange(size[1]))[None]
    far = min(FAR_PX, rows // 4, columns // 4)
    inside = (dy <= rows // 2) & (dx <= columns // 2)
    off_axis = inside & (dy > NEAR_ROWS) & (dx > NEAR_ROWS)
    distance = np.hypot(dy, dx)

    def mean(where: np.ndarray) -> float:
        return float(sums[where].sum() / max(pairs[where].sum(), 1.0))

    near = mean((dy + dx == 1) & inside)
    spread = mean((dy + dx == 0) & inside)
    # Without blinking only noise is left to compare with.
    unit = max(near, 0.05 * spread, 1e-12)
    whole = mean(off_axis & (distance >= far))
    ring = mean(off_axis & (distance >= far) & (distance < 2 * far))
    farther = mean(off_axis & (distance >= 2 * far))
    return FarCovariance(
        whole / unit,
        (mean(inside & (dy == 0) & (dx >= far)) - whole) / unit,
        (mean(inside & (dx == 0) & (dy >= far)) - whole) / unit,
        (ring - farther) / unit,
    )

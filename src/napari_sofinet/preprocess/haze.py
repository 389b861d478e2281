"""Brightness of smooth haze, such as light from out of focus, relative to the structure."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

HAZE_SIGMA_PX, HAZE_MAX = 5.0, 8.0
"""Blur that removes structure, and relative brightness of haze that hides it from networks."""


def haze_of(mean: np.ndarray) -> float:
    """Return the ratio of the ranges of the smooth part and the detail of a mean image.

    Parameters
    ----------
    mean : ndarray of shape (Y, X)
        Mean of some frames.

    Examples
    --------
    >>> y, x = np.mgrid[:64, :64]
    >>> haze = 1000 * np.exp(-((y - 32) ** 2 + (x - 32) ** 2) / 800)
    >>> detail = 20.0 * ((y + x) % 12 == 0)
    >>> haze_of(detail) < 2 < 8 < haze_of(haze + detail)
    True
    """
    smooth = gaussian_filter(mean, HAZE_SIGMA_PX, mode="nearest")
    wide = np.ptp(gaussian_filter(mean, 2 * HAZE_SIGMA_PX, mode="nearest"))
    detail = mean - smooth
    # The haze's own curve is left in the detail of wide places, but not in half of them.
    usual = np.percentile(detail, 99) - np.percentile(detail, 50)
    return float(wide / max(usual, 1e-12))

"""Pearson correlation and Li-mask scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BLOCK = 8192  # samples that stay in the cache


def pearson(image: np.ndarray, reference: np.ndarray) -> float:
    """Pearson correlation of two images of one shape; NaN when one of them is constant."""
    a, b = np.asarray(image).ravel(), np.asarray(reference).ravel()
    if a.size != b.size:
        raise ValueError("Two images of one shape are needed.")
    # Sums of what is left of a value near the mean lose no precision.
    near = [float(x[:BLOCK].mean(dtype=float)) for x in (a, b)]
    sums = np.zeros(5)
    for start in range(0, a.size, BLOCK):
        x = np.subtract(a[start : start + BLOCK], near[0], dtype=float)
        y = np.subtract(b[start : start + BLOCK], near[1], dtype=float)
        sums += x.sum(), y.sum(), np.dot(x, x), np.dot(y, y), np.dot(x, y)
    x_sum, y_sum, xx, yy, xy = sums
    # Of a constant image rounding leaves less than this.
    least = 1e-13
    spread_x, spread_y = xx - x_sum**2 / a.size, yy - y_sum**2 / a.size
    if spread_x <= least * max(xx, 1e-300) or spread_y <= least * max(yy, 1e-300):
        return float("nan")
    return float((xy - x_sum * y_sum / a.size) / np.sqrt(spread_x * spread_y))


class MaskScores(NamedTuple):
    """True positive and true negative rate, and the pixel counts behind them."""

    tpr: float
    tnr: float
    tp: int
    fp: int
    tn: int
    fn: int


def mask_scores(image: np.ndarray, reference: np.ndarray, tolerance_px: float = 0.0) -> MaskScores:
    """Compare the foregrounds of two images, each thresholded by Li's minimum cross entropy.

    Foreground no farther than ``tolerance_px`` samples from the other image's foreground agrees
    with it. A rate without pixels to count is NaN.

    References
    ----------
    Li and Lee, "Minimum cross entropy thresholding", Pattern Recognition 26 (1993).
    """
    found, true = _foreground(image), _foreground(reference)
    fp = int(np.sum(found & ~true & _away_from(true, tolerance_px)))
    fn = int(np.sum(true & ~found & _away_from(found, tolerance_px)))
    tp, tn = int(true.sum()) - fn, int((~true).sum()) - fp
    return MaskScores(
        tp / (tp + fn) if tp + fn else float("nan"),
        tn / (tn + fp) if tn + fp else float("nan"),
        tp,
        fp,
        tn,
        fn,
    )


class FilamentLength(NamedTuple):
    """Length (samples) of the lines that are drawn, and of those where the truth has nothing."""

    drawn: int
    false: int

    @property
    def share(self) -> float:
        """False length over drawn length; NaN when nothing is drawn."""
        return self.false / self.drawn if self.drawn else float("nan")


def false_filament_length(
    image: np.ndarray, reference: np.ndarray, tolerance_px: float = 2.0
) -> FilamentLength:
    """Measure how much of what an image draws is not in the truth.

    The image's foreground (Li) is thinned to lines one sample wide; those samples farther than
    ``tolerance_px`` from the reference's foreground are false.
    """
    from skimage.morphology import skeletonize

    lines = skeletonize(_foreground(image))
    return FilamentLength(
        int(lines.sum()), int(np.sum(lines & _away_from(_foreground(reference), tolerance_px)))
    )


def _foreground(image: np.ndarray) -> np.ndarray:
    from skimage.filters import threshold_li

    values = np.asarray(image, float)
    return np.asarray(values > threshold_li(values))


def _away_from(mask: np.ndarray, distance_px: float) -> np.ndarray:
    """Samples farther than a distance from every one of a mask."""
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return np.ones(mask.shape, bool)
    if distance_px <= 0:
        return ~mask
    return np.asarray(distance_transform_edt(~mask) > distance_px)

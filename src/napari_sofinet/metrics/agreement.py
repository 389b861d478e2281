"""Pearson correlation and Li-mask scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


def pearson(image: np.ndarray, reference: np.ndarray) -> float:
    """Pearson correlation of two images of one shape; NaN when one of them is constant."""
    a = np.asarray(image, float).ravel()
    b = np.asarray(reference, float).ravel()
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt(np.dot(a, a) * np.dot(b, b))
    return float(np.dot(a, b) / norm) if norm > 0 else float("nan")


class MaskScores(NamedTuple):
    """True positive and true negative rate, and the pixel counts behind them."""

    tpr: float
    tnr: float
    tp: int
    fp: int
    tn: int
    fn: int


def mask_scores(image: np.ndarray, reference: np.ndarray) -> MaskScores:
    """Compare the foregrounds of two images, each thresholded by Li's minimum cross entropy.

    A rate without pixels to count is NaN.

    References
    ----------
    Li and Lee, "Minimum cross entropy thresholding", Pattern Recognition 26 (1993).
    """
    from skimage.filters import threshold_li

    found, true = (np.asarray(a, float) for a in (image, reference))
    found, true = found > threshold_li(found), true > threshold_li(true)
    tp, fp = int(np.sum(found & true)), int(np.sum(found & ~true))
    tn, fn = int(np.sum(~found & ~true)), int(np.sum(~found & true))
    return MaskScores(
        tp / (tp + fn) if tp + fn else float("nan"),
        tn / (tn + fp) if tn + fp else float("nan"),
        tp,
        fp,
        tn,
        fn,
    )

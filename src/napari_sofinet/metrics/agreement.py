"""Pearson correlation and Li-mask scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BLOCK = 8192
"""Samples that stay in the cache."""


def pearson(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the Pearson correlation of two images.

    Parameters
    ----------
    image, reference : ndarray
        Images of the same shape.

    Returns
    -------
    float
        From -1 to 1; NaN if one of them is constant.

    Raises
    ------
    ValueError
        The sizes differ.

    Examples
    --------
    >>> import numpy as np
    >>> pearson(np.array([1, 2, 3, 4]), np.array([0, 20, 40, 60]))
    1.0
    """
    a, b = np.asarray(image).ravel(), np.asarray(reference).ravel()
    if a.size != b.size:
        raise ValueError("Two images of one shape are needed.")
    # Subtracting a value near the mean first keeps the precision of the sums.
    near = [float(x[:BLOCK].mean(dtype=float)) for x in (a, b)]
    sums = np.zeros(5)
    for start in range(0, a.size, BLOCK):
        x = np.subtract(a[start : start + BLOCK], near[0], dtype=float)
        y = np.subtract(b[start : start + BLOCK], near[1], dtype=float)
        sums += x.sum(), y.sum(), np.dot(x, x), np.dot(y, y), np.dot(x, y)
    x_sum, y_sum, xx, yy, xy = sums
    # Rounding leaves a smaller variance than this of a constant image.
    least = 1e-13
    spread_x, spread_y = xx - x_sum**2 / a.size, yy - y_sum**2 / a.size
    if spread_x <= least * max(xx, 1e-300) or spread_y <= least * max(yy, 1e-300):
        return float("nan")
    return float((xy - x_sum * y_sum / a.size) / np.sqrt(spread_x * spread_y))


class MaskScores(NamedTuple):
    """True positive and true negative rate, and the numbers of pixels that they come from.

    Parameters
    ----------
    tpr, tnr : float
        Rates from 0 to 1; NaN without pixels to count.
    tp, fp, tn, fn : int
        True and false positive and negative pixels.
    """

    tpr: float
    tnr: float
    tp: int
    fp: int
    tn: int
    fn: int


def mask_scores(image: np.ndarray, reference: np.ndarray, tolerance_px: float = 0.0) -> MaskScores:
    """Compare the foregrounds of two images, each thresholded by Li's minimum cross entropy.

    Parameters
    ----------
    image, reference : ndarray
        (Y, X) of the same shape.
    tolerance_px : float, optional
        Foreground no farther than this from the other image's foreground agrees with it; in
        samples.

    Returns
    -------
    MaskScores
        Rates and numbers of pixels.

    References
    ----------
    Li and Lee, "Minimum cross entropy thresholding", Pattern Recognition 26 (1993).

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.zeros((8, 8))
    >>> truth[2:4, 2:6] = 1
    >>> image = np.roll(truth, 1, axis=1)
    >>> mask_scores(image, truth).tpr, mask_scores(image, truth, tolerance_px=1).tpr
    (0.75, 1.0)
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
    """Length of the lines in an image, and of those without a counterpart in the truth.

    Parameters
    ----------
    drawn, false : int
        Lengths in samples.
    """

    drawn: int
    false: int

    @property
    def share(self) -> float:
        """Fraction of the drawn length that is false; NaN if nothing is drawn."""
        return self.false / self.drawn if self.drawn else float("nan")


def false_filament_length(
    image: np.ndarray, reference: np.ndarray, tolerance_px: float = 2.0
) -> FilamentLength:
    """Measure the length of the lines in an image that are not in the truth.

    Parameters
    ----------
    image, reference : ndarray
        (Y, X) of the same shape. The image's foreground (Li) is thinned to lines one sample wide.
    tolerance_px : float, optional
        Samples of lines farther than this from the reference's foreground are false.

    Returns
    -------
    FilamentLength
        Lengths in samples.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.zeros((20, 20))
    >>> truth[5, 2:18] = 1
    >>> image = truth.copy()
    >>> image[15, 2:18] = 1
    >>> false_filament_length(image, truth).share
    0.5
    """
    from skimage.morphology import skeletonize

    lines = skeletonize(_foreground(image))
    return FilamentLength(
        int(lines.sum()), int(np.sum(lines & _away_from(_foreground(reference), tolerance_px)))
    )


def _foreground(image: np.ndarray) -> np.ndarray:
    """Return the mask of an image by Li's threshold."""
    from skimage.filters import threshold_li

    values = np.asarray(image, float)
    return np.asarray(values > threshold_li(values))


def _away_from(mask: np.ndarray, distance_px: float) -> np.ndarray:
    """Return where samples are farther than a distance from a mask."""
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return np.ones(mask.shape, bool)
    if distance_px <= 0:
        return ~mask
    return np.asarray(distance_transform_edt(~mask) > distance_px)

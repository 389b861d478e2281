"""Similarity with the truth, pixel by pixel: SSIM, PSNR, NRMSE, MSE."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from napari_sofinet.base.errors import InputError

WINDOW = 7
STRIP = 32
"""Rows of windows that are computed together, few enough to stay in the cache."""


class Likeness(NamedTuple):
    """Similarity of an image with the truth.

    Parameters
    ----------
    ssim : float
        Structural similarity in windows of 7 px, for the truth's range of values.
    psnr : float
        Peak signal to noise ratio in dB, for the truth's range of values.
    nrmse : float
        Root mean square error over the truth's root mean square.
    mse : float
        Mean squared error in squared units of the truth.
    """

    ssim: float
    psnr: float
    nrmse: float
    mse: float


def likeness(image: np.ndarray, truth: np.ndarray) -> Likeness:
    """Compare an image with the truth, without fitting its scale; see `fitted`.

    Parameters
    ----------
    image, truth : ndarray
        (Y, X) of the same shape, at least 7 px a side.

    Returns
    -------
    Likeness
        SSIM, PSNR, NRMSE and MSE.

    Raises
    ------
    InputError
        The sizes differ, they are smaller than 7 px, or the truth is constant.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.eye(16)
    >>> found = likeness(truth + 0.1, truth)
    >>> round(found.psnr, 3), round(found.mse, 3)
    (20.0, 0.01)
    """
    a, b = (np.asarray(x, dtype=np.float64) for x in (image, truth))
    if a.shape != b.shape:
        raise InputError(
            f"Images of {' x '.join(map(str, a.shape))} and {' x '.join(map(str, b.shape))} "
            "samples cannot be compared pixel by pixel."
        )
    if min(a.shape) < WINDOW:
        raise InputError(f"Structural similarity needs images of at least {WINDOW} x {WINDOW} px.")
    span = float(np.ptp(b))
    if span <= 0:
        raise InputError("The truth is constant, so it cannot be compared.")
    mse = float(np.mean((a - b) ** 2))
    return Likeness(
        _structural_similarity(a, b, span),
        float(10 * np.log10(span**2 / mse)) if mse else float("inf"),
        float(np.sqrt(mse / np.mean(b**2))),
        mse,
    )


def fitted(image: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Fit the scale and offset of an image to the truth by least squares.

    Parameters
    ----------
    image, truth : ndarray
        Images of the same shape, in any units.

    Returns
    -------
    ndarray
        The image in units of the truth.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> fitted(10 * truth - 7, truth)
    array([[1., 2.],
           [3., 4.]])
    """
    a, b = (np.asarray(x, dtype=np.float64) for x in (image, truth))
    d = a - a.mean()
    own = float(np.vdot(d, d))
    gain = float(np.vdot(d, b - b.mean())) / own if own else 0.0
    return np.asarray(gain * d + b.mean())


def _structural_similarity(a: np.ndarray, b: np.ndarray, span: float) -> float:
    """Return the mean SSIM of all windows inside the images, with sample covariances.

    The values are those of scikit-image (Wang et al., IEEE Trans. Image Process. 13, 600 (2004)).
    """
    sample = WINDOW**2 / (WINDOW**2 - 1)
    least, least_variance = (0.01 * span) ** 2, (0.03 * span) ** 2
    total = 0.0
    for top in range(0, a.shape[0] - WINDOW + 1, STRIP):
        rows = slice(top, top + STRIP + WINDOW - 1)
        x, y = a[rows], b[rows]
        mean_x, mean_y, squares, product = (_window_means(v) for v in (x, y, x * x + y * y, x * y))
        means, mean_squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
        likeness = (2 * means + least) / (mean_squares + least)
        likeness *= 2 * sample * (product - means) + least_variance
        likeness /= sample * (squares - mean_squares) + least_variance
        total += float(likeness.sum())
    return total / float(np.prod([side - WINDOW + 1 for side in a.shape]))


def _window_means(values: np.ndarray) -> np.ndarray:
    """Return the means of the windows that lie inside."""
    for _ in range(2):
        two = values[:-1] + values[1:]
        four = two[:-2] + two[2:]
        values = (four[:-3] + two[4:-1] + values[6:]).T
    return np.asarray(values / WINDOW**2)

"""Pixel by pixel likeness with the truth: SSIM, PSNR, NRMSE, MSE."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from napari_sofinet.base.errors import InputError

WINDOW = 7
STRIP = 32  # rows of windows, few enough to stay in the cache


class Likeness(NamedTuple):
    """How like the truth an image is.

    ``mse`` in squared units of the truth, ``nrmse`` over the truth's root mean square, ``psnr`` in
    dB and ``ssim`` (7 px windows) for the truth's range of values.
    """

    ssim: float
    psnr: float
    nrmse: float
    mse: float


def likeness(image: np.ndarray, truth: np.ndarray) -> Likeness:
    """Compare an image with the truth, both as they are; see `fitted` for arbitrary units.

    Raises
    ------
    InputError
        The sizes differ, they are smaller than 7 px, or the truth is constant.
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
        raise InputError("The truth is the same everywhere; nothing can be compared.")
    mse = float(np.mean((a - b) ** 2))
    return Likeness(
        _structural_similarity(a, b, span),
        float(10 * np.log10(span**2 / mse)) if mse else float("inf"),
        float(np.sqrt(mse / np.mean(b**2))),
        mse,
    )


def fitted(image: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The image scaled and shifted to the truth by least squares, for images in other units."""
    a, b = (np.asarray(x, dtype=np.float64) for x in (image, truth))
    d = a - a.mean()
    own = float(np.vdot(d, d))
    gain = float(np.vdot(d, b - b.mean())) / own if own else 0.0
    return np.asarray(gain * d + b.mean())


def _structural_similarity(a: np.ndarray, b: np.ndarray, span: float) -> float:
    """Mean over all windows inside the images, with sample covariances.

    The values are scikit-image's (Wang et al., IEEE Trans. Image Process. 13, 600 (2004)).
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
    """Means of the windows that lie inside."""
    for _ in range(2):
        two = values[:-1] + values[1:]
        four = two[:-2] + two[2:]
        values = (four[:-3] + two[4:-1] + values[6:]).T
    return np.asarray(values / WINDOW**2)

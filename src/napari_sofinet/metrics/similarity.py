"""Pixel by pixel likeness with the truth: SSIM, PSNR, NRMSE, MSE."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from napari_sofinet.errors import InputError


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
    from skimage.metrics import structural_similarity

    a, b = (np.asarray(x, dtype=np.float64) for x in (image, truth))
    if a.shape != b.shape:
        raise InputError(
            f"Images of {' x '.join(map(str, a.shape))} and {' x '.join(map(str, b.shape))} "
            "samples can not be compared pixel by pixel."
        )
    if min(a.shape) < 7:
        raise InputError("Structural similarity needs images of at least 7 x 7 px.")
    span = float(np.ptp(b))
    if span <= 0:
        raise InputError("The truth is the same everywhere; nothing can be compared.")
    mse = float(np.mean((a - b) ** 2))
    return Likeness(
        float(structural_similarity(b, a, data_range=span)),
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

"""From a flattened cumulant to an image that is linear in brightness."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.sofi.deconvolution import Boundary, gaussian_blur, richardson_lucy

SPOT_REACH_PX = 5
"""Camera pixels around a bright spot that belong to it."""
SPOT_BRIGHTER, SPOTS_MAX = 4.0, 8
"""Times that a spot is brighter than all else, and the number of such spots."""


def linearize(
    image: np.ndarray,
    order: int,
    fwhm_px: float,
    *,
    exponent: float | None = None,
    iterations: int = 10,
    reconvolve: bool = False,
    before_root: float = 0.0,
    truncate: float = 0.0,
    weights: np.ndarray | None = None,
    background: float = 0.0,
    acceleration: float = 1.0,
    boundary: Boundary = "reflect",
    report: Report = silent,
) -> np.ndarray:
    """Deconvolve a flattened order-n cumulant and take the n-th root of its brightness.

    Parameters
    ----------
    image : ndarray
        (Y, X) flattened cumulant image; negative values count as zero.
    order : int
        Order n.
    fwhm_px : float
        PSF width in camera pixels. The PSF of the cumulant is its n-th power, sqrt(n) times
        narrower, which is ``fwhm_px * sqrt(n)`` samples of the finer image.
    exponent : float, optional
        Used in place of 1/n, e.g. a value that a program found for adaptive linearization.
    iterations : int, optional
        Richardson-Lucy iterations; 0 skips the deconvolution.
    reconvolve : bool, optional
        Blur the result with a Gaussian of ``fwhm_px`` samples, n times narrower than the PSF: the
        resolution that order n promises, without the noise below it.
    before_root : float, optional
        Fraction of the variance of this blur that is applied before the root. A deconvolved point
        is narrower than a sample, and the root of its few samples lies beside it; blurring first
        keeps it in place.
    truncate : float, optional
        Fraction of the maximum (`maximum_of_structure`) below which values are set to zero before
        reconvolution.
    weights, background, acceleration : optional
        Weight of each sample, level of clipped noise (in units of the image) and momentum of the
        deconvolution, see `richardson_lucy`.
    boundary : {"reflect", "wrap"}, optional
        ``"reflect"`` mirrors the image at its edges. ``"wrap"`` does as sofipackage: a circular
        deconvolution, and zeros outside in the reconvolution.
    report : Report, optional
        Receives the progress of the deconvolution.

    Returns
    -------
    ndarray
        (Y, X) non-negative image, float32 for float32 input and float64 otherwise; all zero if
        nothing is positive.

    References
    ----------
    Geissbuehler et al., "Mapping molecular statistics with balanced super-resolution optical
    fluctuation imaging (bSOFI)", Opt. Nanosc. 1, 4 (2012).

    Examples
    --------
    Without deconvolution only the root is left:

    >>> import numpy as np
    >>> linearize(np.array([[-1.0, 4.0, 9.0]]), 2, 2.5, iterations=0)
    array([[0., 2., 3.]])
    """
    positive, scale = _positive(image)
    if scale <= 0:
        return np.zeros_like(positive)
    sharp = richardson_lucy(
        positive,
        fwhm_px * np.sqrt(order),
        iterations,
        weights=weights,
        background=background / scale,
        acceleration=acceleration,
        boundary=boundary,
        report=report,
    )
    del positive  # large fields are tight
    outside: Boundary = "reflect" if boundary == "reflect" else "constant"
    if reconvolve and before_root > 0:
        # A Gaussian to the power 1/n is sqrt(n) times wider.
        sharp = gaussian_blur(sharp, fwhm_px * np.sqrt(before_root / order), outside)
    sharp *= scale
    linear = np.power(sharp, 1 / order if exponent is None else exponent, out=sharp)
    if reconvolve:
        reach = round(SPOT_REACH_PX * order)
        linear[linear < truncate * maximum_of_structure(linear, reach)] = 0
        linear = gaussian_blur(linear, fwhm_px * np.sqrt(1 - before_root), outside)
    return np.asarray(linear)


def maximum_of_structure(image: np.ndarray, reach: int) -> float:
    """Return the maximum of an image without spots that are far brighter than all else.

    Parameters
    ----------
    image : ndarray
        (Y, X) non-negative image.
    reach : int
        Samples on all sides of a maximum that belong to its spot.

    Returns
    -------
    float
        The maximum, or that of the rest where a spot is more than 4 times as bright, for at most 8
        spots.

    Examples
    --------
    >>> image = np.ones((40, 40))
    >>> image[20, 30] = 100.0
    >>> maximum_of_structure(image, 3), maximum_of_structure(image[:, :25], 3)
    (1.0, 1.0)
    """
    highest, copied = float(image.max(initial=0)), False
    for _ in range(SPOTS_MAX):
        y, x = np.unravel_index(int(image.argmax()), image.shape)
        rows = slice(max(int(y) - reach, 0), int(y) + reach + 1)
        columns = slice(max(int(x) - reach, 0), int(x) + reach + 1)
        around = (
            image[: rows.start],
            image[rows.stop :],
            image[rows, : columns.start],
            image[rows, columns.stop :],
        )
        rest = float(max(part.max(initial=0) for part in around))
        if rest <= 0 or highest < SPOT_BRIGHTER * rest:
            break
        if not copied:
            image, copied = image.copy(), True
        image[rows, columns] = 0
        highest = rest
    return highest


def _positive(image: np.ndarray) -> tuple[np.ndarray, Any]:
    """Return the positive part of an image, divided by its maximum, and the maximum."""
    positive = np.maximum(image, 0)
    if positive.dtype != np.float32:
        positive = positive.astype(np.float64)
    scale = positive.max(initial=0)
    if not scale <= 0:  # also if it is NaN
        positive /= scale
    return positive, scale

"""From a flattened cumulant to an image that is linear in brightness."""

from __future__ import annotations

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.sofi.deconvolution import Boundary, gaussian_blur, richardson_lucy


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
    image
        Flattened cumulant image; negative values count as zero.
    order
        Order n.
    fwhm_px
        PSF width in camera pixels. The cumulant's PSF is its n-th power, sqrt(n) times narrower,
        which is ``fwhm_px * sqrt(n)`` samples of the finer image.
    exponent
        Taken in place of 1/n, e.g. what a program found for adaptive linearisation.
    iterations
        Richardson-Lucy iterations; 0 skips the deconvolution.
    reconvolve
        Blur the result with a Gaussian of ``fwhm_px`` samples, n times narrower than the PSF: the
        resolution that order n promises, without the noise below it.
    before_root
        Share of that blur (of its variance) that is applied before the root. A deconvolved point
        is narrower than a sample, and the root of its few samples lies beside it; blurring first
        keeps it in place.
    truncate
        Share of the maximum below which values are set to zero before reconvolution.
    weights, background, acceleration
        Trust in each sample, level of clipped noise (in units of the image) and momentum of the
        deconvolution, see `richardson_lucy`.
    boundary
        ``"reflect"`` mirrors the image at its edges; ``"wrap"`` is sofipackage's way, a circular
        deconvolution and zeros outside in the reconvolution.

    Returns
    -------
    Non-negative image of the same shape, float32 for float32 input, else float64; all zero where
    nothing is positive.

    References
    ----------
    Geissbuehler et al., "Mapping molecular statistics with balanced super-resolution optical
    fluctuation imaging (bSOFI)", Opt. Nanosc. 1, 4 (2012).
    """
    positive = np.maximum(image, 0)
    if positive.dtype != np.float32:
        positive = positive.astype(np.float64)
    outside: Boundary = "reflect" if boundary == "reflect" else "constant"
    scale = positive.max(initial=0)
    if scale <= 0:
        return np.zeros_like(positive)
    positive /= scale
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
    if reconvolve and before_root > 0:
        # A Gaussian to the power 1/n is sqrt(n) times wider.
        sharp = gaussian_blur(sharp, fwhm_px * np.sqrt(before_root / order), outside)
    sharp *= scale
    linear = np.power(sharp, 1 / order if exponent is None else exponent, out=sharp)
    if reconvolve:
        linear[linear < truncate * linear.max()] = 0
        linear = gaussian_blur(linear, fwhm_px * np.sqrt(1 - before_root), outside)
    return np.asarray(linear)

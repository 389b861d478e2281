"""Equal brightness for the sub-lattices of a cumulant image, and the PSF width that they show."""

from __future__ import annotations

from typing import Literal

import numpy as np

from napari_sofinet.sofi.pixel_sets import (
    SQUARED_SIGMA,
    Kind,
    pixel_sets,
    relative_signal,
    spread,
)

NARROWEST_FWHM_PX, WIDEST_FWHM_PX = 1.0, 8.0
"""Limits of an estimated PSF width, at which the phases show something other than a PSF."""
FWHM_PER_SIGMA = float(np.sqrt(SQUARED_SIGMA))


def flatten(
    cumulant: np.ndarray,
    order: int,
    method: Literal["psf", "phase-mean"] = "psf",
    fwhm_px: float | None = None,
    *,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Equalize the sub-lattices (phases) of a cumulant image.

    They differ in brightness, as their pixels have different distances.

    Parameters
    ----------
    cumulant : ndarray
        (Y, X) signed image of `cross_cumulants`; its sample (0, 0) has phase (0, 0).
    order : int
        Order n of the cumulant.
    method : {"psf", "phase-mean"}, optional
        ``"psf"`` divides by the distance factor exp(-spread / (2 sigma²)) of a Gaussian PSF and
        keeps the sign; ``"phase-mean"`` takes absolute values and scales every phase to the mean
        of the phase means (sofipackage).
    fwhm_px : float, optional
        PSF width in camera pixels for ``"psf"``; by default estimated from the image.
    out : ndarray, optional
        Array for the result, e.g. the cumulant itself.

    Returns
    -------
    ndarray
        (Y, X) in the input's floating point type.

    Examples
    --------
    >>> import numpy as np
    >>> flatten(np.ones((3, 3)), 2, fwhm_px=2.0).round(3)
    array([[4.   , 1.414, 4.   ],
           [1.414, 2.   , 1.414],
           [4.   , 1.414, 4.   ]])
    """
    if method == "psf" and fwhm_px is None:
        fwhm_px = estimate_psf_fwhm(cumulant, order)
    flat = np.empty(cumulant.shape, np.result_type(cumulant, np.float32)) if out is None else out
    if flat is not cumulant:
        flat[...] = cumulant
    if method == "phase-mean":
        np.abs(flat, out=flat)
        means = {phase: flat[_phase(phase, order)].mean() for phase in pixel_sets(order)}
        target = np.mean(list(means.values()))
        for phase, mean in means.items():
            if mean > 0:
                flat[_phase(phase, order)] *= target / mean
        return flat
    assert fwhm_px is not None
    variance = fwhm_px**2 / SQUARED_SIGMA
    for phase, sets in pixel_sets(order).items():
        flat[_phase(phase, order)] *= np.exp(spread(sets[0]) / (2 * variance))
    return flat


def estimate_psf_fwhm(cumulant: np.ndarray, order: int = 2) -> float:
    """Estimate the PSF width from the brightness of the phases of a cumulant image.

    Parameters
    ----------
    cumulant : ndarray
        (Y, X) signed image of `cross_cumulants`.
    order : int, optional
        Order of the cumulant.

    Returns
    -------
    float
        Full width at half maximum in camera pixels, limited to 1 .. 8 px; NaN if the phases are not
        all positive or the image is a single camera pixel wide.

    Notes
    -----
    The sum of a phase falls with exp(-spread / (2 sigma²)); sigma follows from a line fitted to the
    logarithms. Sums are signed, so that noise averages out.
    """
    # Without its last row and column every phase covers the same camera pixels.
    if min(cumulant.shape) <= order:
        return float("nan")  # too small to compare phases
    cumulant = cumulant[:-1, :-1]
    from_spread = [
        (spread(sets[0]), float(np.mean(cumulant[_phase(phase, order)])))
        for phase, sets in pixel_sets(order).items()
    ]
    x, y = np.array(from_spread).T
    if not np.all(y > 0):
        return float("nan")
    slope = np.polyfit(x, np.log(y), 1)[0]
    if slope >= 0:
        return WIDEST_FWHM_PX
    fwhm = np.sqrt(-SQUARED_SIGMA / (2 * slope))
    return float(np.clip(fwhm, NARROWEST_FWHM_PX, WIDEST_FWHM_PX))


def phase_weights(
    shape: tuple[int, int], order: int, fwhm_px: float, kind: Kind = "all"
) -> np.ndarray:
    """Return the weight of each sample of an image that was flattened by the PSF.

    Noise grows with the distance factor by which a phase was divided, and falls with the number of
    pixel sets that were averaged.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    order : int
        Order of the cumulant.
    fwhm_px : float
        PSF width in camera pixels.
    kind : {"all", "weighted", "single"}, optional
        Pixel sets of the cumulant.

    Returns
    -------
    ndarray
        (Y, X) float32, at most 1: inverse variances up to a factor.
    """
    variance = fwhm_px**2 / SQUARED_SIGMA
    weights = np.empty(shape, np.float32)
    for phase, sets in pixel_sets(order, kind).items():
        count = sum(r**2 for r in relative_signal(sets, fwhm_px))
        weights[_phase(phase, order)] = count * np.exp(-spread(sets[0]) / variance)
    weights /= weights.max()
    return weights


def noise_level(flat: np.ndarray) -> float:
    """Return the noise of a flattened image: the root mean square of its negative values.

    Examples
    --------
    >>> import numpy as np
    >>> noise_level(np.array([[3.0, -4.0], [50.0, -4.0]]))
    4.0
    """
    negative = flat[flat < 0]
    return float(np.sqrt(np.mean(negative**2))) if negative.size else 0.0


def _phase(phase: tuple[int, int], order: int) -> tuple[slice, slice]:
    """Return the slices of a phase's samples."""
    return slice(phase[0], None, order), slice(phase[1], None, order)

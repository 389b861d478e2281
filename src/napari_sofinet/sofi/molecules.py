"""Balanced SOFI: how bright, how often on and how dense emitters are, from orders 2 to 4."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.sofi.flattening import FWHM_PER_SIGMA, flatten

WINDOW_FWHM = 3.0
"""Width (FWHM) of the neighbourhood over which cumulants are averaged, in widths of the PSF."""
FAINT = 0.05  # of the largest average second cumulant; nothing is said where there is less


@dataclass(frozen=True)
class Molecules:
    """Maps (Y, X) on the camera's pixels from (1, 1) on; NaN where there is too little signal.

    ``brightness`` counts of an emitter that is on for a whole frame, ``on_ratio`` share of the time
    that emitters are on, ``density`` emitters per square camera pixel.
    """

    brightness: np.ndarray
    on_ratio: np.ndarray
    density: np.ndarray


def on_factor(order: int, on_ratio: np.ndarray | float) -> np.ndarray:
    """Cumulant of a telegraph between 0 and 1 that is on for a share of the time."""
    r = np.asarray(on_ratio, dtype=np.float64)
    factors = {
        2: r * (1 - r),
        3: r * (1 - r) * (1 - 2 * r),
        4: r * (1 - r) * (1 - 6 * r * (1 - r)),
    }
    return np.asarray(factors[order])


def molecules(
    cumulants: dict[int, np.ndarray], fwhm_px: float, *, flattened: bool = False
) -> Molecules:
    """Solve the cumulants of orders 2, 3 and 4 for what emitters are like around every pixel.

    Parameters
    ----------
    cumulants
        Signed images of orders 2, 3 and 4 as `cross_cumulants` gives them.
    fwhm_px
        PSF width in camera pixels.
    flattened
        Whether they are flattened by the PSF already.

    Notes
    -----
    An emitter of peak brightness e adds e**n f_n(r) U**n to order n, with U the PSF of peak 1 and
    f_n the cumulant of its blinking. Averaged over a neighbourhood, U**n of a Gaussian leaves
    2 pi sigma² / n wherever the emitters lie: so K1 = (3/2) k3/k2 = e (1 - 2 r) and
    K2 = 2 k4/k2 = e² (1 - 6 r + 6 r²) hold for lines as for areas, whence e² = 3 K1² - 2 K2
    (Geissbuehler et al., Opt. Nanosc. 1, 4 (2012), whose exponents of 3/2 and 2 are for emitters
    spread in depth). Cumulants stay signed: those of emitters that are mostly on are negative.
    Frames must be short against the on-time: what blinks within a frame looks dimmer and more
    often on.
    """
    from scipy.ndimage import gaussian_filter

    window = WINDOW_FWHM * fwhm_px / FWHM_PER_SIGMA
    mean = {}
    for n in (2, 3, 4):
        flat = cumulants[n] if flattened else flatten(cumulants[n], n, "psf", fwhm_px)
        blurred = gaussian_filter(np.asarray(flat, np.float64), n * window, mode="nearest")
        mean[n] = blurred[::n, ::n]
    enough = mean[2] > FAINT * mean[2].max()
    with np.errstate(all="ignore"):
        first, second = 1.5 * mean[3] / mean[2], 2 * mean[4] / mean[2]
        squared = 3 * first**2 - 2 * second
        enough &= squared > 0
        peak = np.sqrt(squared)
        on_ratio = 0.5 - 0.5 * first / peak
        enough &= (on_ratio > 0) & (on_ratio < 1)
        area = np.pi * (fwhm_px / FWHM_PER_SIGMA) ** 2
        density = mean[2] / (squared * on_factor(2, on_ratio) * area)
    return Molecules(
        *(np.where(enough, image, np.nan) for image in (2 * area * peak, on_ratio, density))
    )


def on_grid(image: np.ndarray, order: int) -> np.ndarray:
    """A map on camera pixels brought to the grid of an order-n image, linear in between."""
    from scipy.ndimage import map_coordinates

    y, x = (np.arange(order * (side - 1) + 1) / order for side in image.shape)
    grid = np.meshgrid(y, x, indexing="ij")
    return np.asarray(map_coordinates(image, grid, order=1, mode="nearest"))


def on_ratio_gain(on_ratio: np.ndarray, order: int) -> np.ndarray:
    """Factors that make the n-th root of an order-n cumulant independent of the on-ratio.

    1 for the median on-ratio; local, and 1 where the on-ratio is not known. Near zeros of f_n the
    correction is limited to a factor of 3.
    """
    known = np.isfinite(on_ratio)
    if not known.any():
        return np.ones(on_ratio.shape)
    usual = float(np.abs(on_factor(order, float(np.median(on_ratio[known])))))
    with np.errstate(all="ignore"):
        gain = (usual / np.abs(on_factor(order, on_ratio))) ** (1 / order)
    return np.where(known & np.isfinite(gain), np.clip(gain, 1 / 3, 3), 1.0)

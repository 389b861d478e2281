"""Balanced SOFI: brightness, on-ratio and density of emitters from orders 2 to 4."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from napari_sofinet.sofi.flattening import FWHM_PER_SIGMA, flatten
from napari_sofinet.sofi.telegraph import correlation_time, frame_cumulants, on_factor

WINDOW_FWHM = 4.0
"""Width (FWHM) of the Gaussian by which cumulants are averaged, in widths of the PSF."""
FAINT = 0.05
"""Fraction of the largest average second cumulant below which maps have no value."""
ON_RATIOS = np.concatenate([np.geomspace(1e-3, 0.1, 40), np.linspace(0.12, 0.98, 44)])
CORRELATION_TIMES = np.geomspace(0.05, 1000, 48)  # frames
LAGGED_FRACTION_MAX = 0.98
"""Correlation of successive frames above which on-times are unknown."""


@dataclass(frozen=True)
class Molecules:
    """Maps (Y-3, X-3) on the camera's pixels from (1, 1) on; NaN where there is too little signal.

    Parameters
    ----------
    brightness : ndarray
        Counts of an emitter that is on for a whole frame.
    on_ratio : ndarray
        Fraction of the time that emitters are on.
    density : ndarray
        Emitters per square camera pixel.
    on_time : ndarray
        Mean frames for which an emitter stays on.
    """

    brightness: np.ndarray
    on_ratio: np.ndarray
    density: np.ndarray
    on_time: np.ndarray


@cache
def _blinking_table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute tables of the measure K1/e of the on-ratio, brightness factor and second cumulant.

    Rows are `ON_RATIOS`, columns `CORRELATION_TIMES`.
    """
    shape = len(ON_RATIOS), len(CORRELATION_TIMES)
    measure, factor, second = np.empty(shape), np.empty(shape), np.empty(shape)
    for i, j in np.ndindex(shape):
        k2, k3, k4 = frame_cumulants(float(ON_RATIOS[i]), float(CORRELATION_TIMES[j]))
        first, last = k3 / k2, k4 / k2
        factor[i, j] = np.sqrt(max(3 * first**2 - 2 * last, 1e-12))
        measure[i, j] = first / factor[i, j]
        second[i, j] = k2
    return measure, factor, second


def molecules(
    cumulants: dict[int, np.ndarray],
    fwhm_px: float,
    lagged: np.ndarray | None = None,
    *,
    flattened: bool = False,
) -> Molecules:
    """Solve the cumulants of orders 2, 3 and 4 for the properties of emitters around every pixel.

    Parameters
    ----------
    cumulants : dict of int to ndarray
        Signed images of orders 2, 3 and 4 from `cross_cumulants`, preferably unbiased.
    fwhm_px : float
        PSF width in camera pixels.
    lagged : ndarray, optional
        Image of order 2 with a lag of one frame. It gives the on-time and the effect of blinking
        within a frame; without it emitters are assumed to switch only between frames, and
        ``on_time`` is NaN.
    flattened : bool, optional
        Whether the images are already flattened by the PSF.

    Returns
    -------
    Molecules
        Maps on camera pixels.

    Notes
    -----
    An emitter of peak brightness e adds e**n f_n(r) U**n to order n, with U the PSF of peak 1 and
    f_n the cumulant of its blinking. Averaged over a neighbourhood, U**n of a Gaussian leaves
    2 pi sigma² / n wherever the emitters lie: so K1 = (3/2) k3/k2 = e (1 - 2 r) and
    K2 = 2 k4/k2 = e² (1 - 6 r + 6 r²) hold for lines as for areas, whence e² = 3 K1² - 2 K2
    (Geissbuehler et al., Opt. Nanosc. 1, 4 (2012), whose exponents of 3/2 and 2 are for emitters
    spread in depth). The camera sees the mean over a frame, whose cumulants `frame_cumulants` has:
    the same quantities are looked up in a table of them. Cumulants stay signed: those of emitters
    that are mostly on are negative.
    """
    from scipy.ndimage import gaussian_filter

    window = WINDOW_FWHM * fwhm_px / FWHM_PER_SIGMA

    def local(image: np.ndarray, n: int) -> np.ndarray:
        flat = image if flattened else flatten(image, n, "psf", fwhm_px)
        blurred = gaussian_filter(np.asarray(flat, np.float64), n * window, mode="nearest")
        return np.asarray(blurred[::n, ::n])

    mean = {n: local(cumulants[n], n) for n in (2, 3, 4)}
    enough = mean[2] > FAINT * mean[2].max()
    times = np.full(mean[2].shape, CORRELATION_TIMES[-1])
    with np.errstate(all="ignore"):
        if lagged is not None:
            alike = np.clip(np.nan_to_num(local(lagged, 2) / mean[2]), 0, LAGGED_FRACTION_MAX)
            times = np.clip(correlation_time(alike), CORRELATION_TIMES[0], CORRELATION_TIMES[-1])
        first, second = 1.5 * mean[3] / mean[2], 2 * mean[4] / mean[2]
        squared = 3 * first**2 - 2 * second
        enough &= squared > 0
        root = np.sqrt(squared)
        on_ratio, factor, variance = _look_up(first / root, times)
        enough &= np.isfinite(on_ratio)
        peak = root / factor
        area = np.pi * (fwhm_px / FWHM_PER_SIGMA) ** 2
        density = mean[2] / (peak**2 * variance * area)
        on_time = times / (1 - on_ratio)
        if lagged is None:
            on_time[:] = np.nan
    return Molecules(
        *(
            np.where(enough, image, np.nan)
            for image in (2 * area * peak, on_ratio, density, on_time)
        )
    )


def _look_up(measure: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Look up on-ratio, brightness factor and second cumulant.

    ``measure`` is K1/e, ``times`` are correlation times in frames. Between the table's times they
    are interpolated linearly in the logarithm; NaN where no on-ratio gives the measure.
    """
    table, factors, seconds = _blinking_table()
    place = np.interp(np.log(times), np.log(CORRELATION_TIMES), np.arange(len(CORRELATION_TIMES)))
    below = np.minimum(place.astype(int), len(CORRELATION_TIMES) - 2)
    fraction = place - below
    found = np.zeros((3, *measure.shape))
    for j in np.unique(below):
        here = below == j
        for column, weight in ((j, 1 - fraction[here]), (j + 1, fraction[here])):
            rising = -table[:, column]
            for k, values in enumerate((ON_RATIOS, factors[:, column], seconds[:, column])):
                value = np.interp(-measure[here], rising, values, left=np.nan, right=np.nan)
                found[k, here] += weight * value
    return found[0], found[1], found[2]


def on_grid(image: np.ndarray, order: int) -> np.ndarray:
    """Interpolate a map on camera pixels linearly to the grid of an order-n image.

    Parameters
    ----------
    image : ndarray
        (Y, X).
    order : int
        Order n.

    Returns
    -------
    ndarray
        (n(Y-1)+1, n(X-1)+1).

    Examples
    --------
    >>> import numpy as np
    >>> on_grid(np.array([[0.0, 1.0], [2.0, 3.0]]), 2)
    array([[0. , 0.5, 1. ],
           [1. , 1.5, 2. ],
           [2. , 2.5, 3. ]])
    """
    from scipy.ndimage import map_coordinates

    y, x = (np.arange(order * (side - 1) + 1) / order for side in image.shape)
    grid = np.meshgrid(y, x, indexing="ij")
    return np.asarray(map_coordinates(image, grid, order=1, mode="nearest"))


def on_ratio_gain(on_ratio: np.ndarray, order: int) -> np.ndarray:
    """Return factors that make the n-th root of an order-n cumulant independent of the on-ratio.

    Parameters
    ----------
    on_ratio : ndarray
        (Y, X) fraction of the time that emitters are on; NaN where it is unknown.
    order : int
        Order n.

    Returns
    -------
    ndarray
        (Y, X); 1 for the median on-ratio and where it is unknown. Where the cumulant of the
        blinking is near zero, the factor is limited to 3.
    """
    known = np.isfinite(on_ratio)
    if not known.any():
        return np.ones(on_ratio.shape)
    usual = float(np.abs(on_factor(order, float(np.median(on_ratio[known])))))
    with np.errstate(all="ignore"):
        gain = (usual / np.abs(on_factor(order, on_ratio))) ** (1 / order)
    return np.where(known & np.isfinite(gain), np.clip(gain, 1 / 3, 3), 1.0)

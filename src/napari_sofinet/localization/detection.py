"""Approximate positions of the emitters in a frame, from which a fit starts."""

from __future__ import annotations

import numpy as np

UNIT_MASS = 4.71
"""Sum of the 3 x 3 samples around an emitter in a map, averaged over its positions in a sample."""
EMITTER_SUM = 2 * np.pi
"""Sum of all samples of an emitter in a map."""
LEAST_HEIGHT = 0.05
SHARP_FRACTION = 0.6
"""A maximum counts with less light, as it loses some to samples farther away."""
SHARP_REACH_PX, LEFT_REACH_PX = 0.75, 1.25
PASSES = 8
SHARP_PX = 0.15
"""Standard deviation in camera px with which a network draws even certain emitters."""
MOST = 1 << 20


def places_in_map(
    found: np.ndarray, certainty: float, fineness: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the emitters in a map of a network.

    A map is the expected density of emitters, so its sum counts them. Each maximum is one emitter,
    whose light is taken away; where at least ``certainty`` of an emitter is left close together,
    there is another one that the network could not place well.

    Parameters
    ----------
    found : ndarray
        (fY, fX) map with f samples along a camera pixel.
    certainty : float
        Fraction of an emitter's light in the map that counts as an emitter.
    fineness : int
        Samples f along a camera pixel.

    Returns
    -------
    positions : ndarray
        (N, 2) y, x in camera px.
    uncertainty : ndarray
        (N,) standard deviation in camera px that the network leaves open, beyond the width with
        which it draws every emitter. Where the light of several overlaps, there may be other or
        more emitters than it shows.
    """
    from napari_sofinet.localization.detection_kernel import peaks, take

    room = min(MOST, found.size)
    at, mass, height = np.empty((room, 2)), np.empty(room), np.empty(room)
    image = np.ascontiguousarray(found, np.float32)
    number = peaks(image, np.float32(LEAST_HEIGHT), at, mass, height)
    certain = np.flatnonzero(mass[:number] >= SHARP_FRACTION * certainty * UNIT_MASS)
    at, mass, height = at[certain], mass[certain], height[certain]
    width2 = np.interp(-height / mass, -_PEAKS, _WIDTHS2) - KERNEL_WIDTH2
    light = np.maximum(image, 0).astype(np.float64)
    around = _disc(round(SHARP_REACH_PX * fineness))
    for k in np.argsort(-mass):
        take(light, round(at[k, 0]), round(at[k, 1]), around, EMITTER_SUM)
    more, more_width2 = _left_over(light, certainty, fineness)
    at, width2 = np.concatenate([at, more]), np.concatenate([width2, more_width2])
    uncertainty = np.sqrt(np.maximum(width2 / fineness**2 - SHARP_PX**2, 0))
    return (at + 0.5) / fineness - 0.5, uncertainty


def _left_over(light: np.ndarray, certainty: float, fineness: int) -> tuple[np.ndarray, np.ndarray]:
    """Find emitters in the light that is left: positions (N, 2) in samples, and variances (N,)."""
    from napari_sofinet.localization.detection_kernel import centre, heaps, take

    around = _disc(round(LEFT_REACH_PX * fineness))
    least = certainty * EMITTER_SUM
    places: list[tuple[float, float]] = []
    widths2: list[float] = []
    # Light of an emitter in the disc is at least this high somewhere, even if spread evenly.
    floor = least / len(around) / 2
    at, height = np.empty((light.size // 4 + 1, 2), np.int64), np.empty(light.size // 4 + 1)
    for _ in range(PASSES):
        number = heaps(light, floor, at, height)
        before = len(places)
        for i, j in at[np.argsort(-height[:number], kind="stable")]:
            total, y, x, width2 = centre(light, i, j, around)
            if total >= least:
                places.append((y, x))
                widths2.append(width2)
                take(light, round(y), round(x), around, EMITTER_SUM)
        if len(places) == before:
            break
    return np.array(places).reshape(-1, 2), np.array(widths2)


def _disc(radius: int) -> np.ndarray:
    """Return the offsets (N, 2) of samples in a disc, the nearest first."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].reshape(2, -1)
    order = np.argsort(y**2 + x**2, kind="stable")
    inside = order[(y**2 + x**2)[order] <= radius**2]
    return np.stack([y[inside], x[inside]], axis=1)


KERNEL_WIDTH2 = 1.0
"""Variance in samples of an emitter in a map."""
_WIDTHS2 = np.linspace(1, 12, 200)
_PEAKS = np.array(
    [
        1 / np.exp(-np.add.outer(np.arange(-1, 2) ** 2, np.arange(-1, 2) ** 2) / 2 / w).sum()
        for w in _WIDTHS2
    ]
)
"""Highest of 3 x 3 samples over their sum, for Gaussians of variance `_WIDTHS2`."""


def places_in_frame(frame: np.ndarray, sigma_px: float, noises: float = 5.0) -> np.ndarray:
    """Find spots that stand alone in a frame.

    They are the maxima of a difference of Gaussians, as wide as the PSF and twice as wide.

    Parameters
    ----------
    frame : ndarray
        (Y, X) counts.
    sigma_px : float
        Standard deviation of the PSF in px.
    noises : float, optional
        Height of a spot in standard deviations of the noise, above which it counts. The noise is
        measured in second differences, which contain little of a PSF (Immerkaer, Comput. Vis.
        Image Underst. 64, 300 (1996)).

    Returns
    -------
    ndarray
        (N, 2) y, x in whole px.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:24, :30]
    >>> frame = np.random.default_rng(0).poisson(100, (24, 30)).astype(float)
    >>> frame += 200 * np.exp(-((y - 9) ** 2 + (x - 20) ** 2) / (2 * 1.3**2))
    >>> places_in_frame(frame, 1.3)
    array([[ 9., 20.]])
    """
    from scipy.ndimage import convolve, gaussian_filter, maximum_filter

    image = np.asarray(frame, np.float64)

    def band_pass(of: np.ndarray) -> np.ndarray:
        out: np.ndarray = gaussian_filter(of, sigma_px) - gaussian_filter(of, 2 * sigma_px)
        return out

    band = band_pass(image)
    rough = convolve(image, np.outer([1, -2, 1], [1, -2, 1]))[1:-1, 1:-1]
    pixel_noise = np.median(np.abs(rough)) / 0.6745 / 6
    single = np.zeros((12 * round(sigma_px + 1) + 1,) * 2)
    single[len(single) // 2, len(single) // 2] = 1
    noise = pixel_noise * np.sqrt((band_pass(single) ** 2).sum())
    size = 2 * round(1.5 * sigma_px) + 1
    highest = (band == maximum_filter(band, size)) & (band > noises * noise) & (band > 0)
    return np.argwhere(highest).astype(np.float64)

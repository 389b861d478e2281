"""Where emitters are in a frame, roughly: what a fit starts from."""

from __future__ import annotations

import numpy as np

UNIT_MASS = 4.71
"""Sum of the 3 x 3 samples around an emitter in a map, on average over places in a sample."""
EMITTER_SUM = 2 * np.pi
"""Sum of all samples of an emitter in a map."""
LEAST_HEIGHT = 0.05
SHARP_SHARE = 0.6  # a maximum loses some of its light to samples further away
SHARP_REACH_PX, LEFT_REACH_PX = 0.75, 1.25
PASSES = 8
SHARP_PX = 0.15
"""Spread in camera px that a network draws even of what it is sure of."""
MOST = 1 << 20


def places_in_map(
    found: np.ndarray, certainty: float, fineness: int
) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, 2) y, x in camera px of the emitters in a network's map (F·Y, F·X), and doubt.

    A map is the density of emitters that a network expects, so its sum counts them. Each maximum is
    one and takes the light of one away; where as much as ``certainty`` of one is left together,
    there is another that the network could not place well.

    Parameters
    ----------
    certainty
        Share of an emitter's light in a map that counts as one.

    Returns
    -------
    Places, and (N,) the standard deviation in camera px by which the network leaves open where an
    emitter is, beyond what it always draws: where light of several overlaps, they may be others,
    or more, than it shows.
    """
    from napari_sofinet.localization.detection_kernel import peaks, take

    room = min(MOST, found.size)
    at, mass, height = np.empty((room, 2)), np.empty(room), np.empty(room)
    image = np.ascontiguousarray(found, np.float32)
    number = peaks(image, np.float32(LEAST_HEIGHT), at, mass, height)
    sure = np.flatnonzero(mass[:number] >= SHARP_SHARE * certainty * UNIT_MASS)
    at, mass, height = at[sure], mass[sure], height[sure]
    width2 = np.interp(-height / mass, -_SHARES, _WIDTHS2) - KERNEL_WIDTH2
    light = np.maximum(image, 0).astype(np.float64)
    around = _disc(round(SHARP_REACH_PX * fineness))
    for k in np.argsort(-mass):
        take(light, round(at[k, 0]), round(at[k, 1]), around, EMITTER_SUM)
    more, more_width2 = _left_over(light, certainty, fineness)
    at, width2 = np.concatenate([at, more]), np.concatenate([width2, more_width2])
    doubt = np.sqrt(np.maximum(width2 / fineness**2 - SHARP_PX**2, 0))
    return (at + 0.5) / fineness - 0.5, doubt


def _left_over(light: np.ndarray, certainty: float, fineness: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, 2) in samples and variances of emitters in light that no maximum has taken."""
    from napari_sofinet.localization.detection_kernel import centre, heaps, take

    around = _disc(round(LEFT_REACH_PX * fineness))
    least = certainty * EMITTER_SUM
    places: list[tuple[float, float]] = []
    widths2: list[float] = []
    # What is together spread evenly over the disc, or else higher somewhere.
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
    """Offsets (N, 2) of samples in a disc, the nearest first."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].reshape(2, -1)
    order = np.argsort(y**2 + x**2, kind="stable")
    inside = order[(y**2 + x**2)[order] <= radius**2]
    return np.stack([y[inside], x[inside]], axis=1)


KERNEL_WIDTH2 = 1.0  # variance in samples of what a network draws of an emitter
_WIDTHS2 = np.linspace(1, 12, 200)
_SHARES = np.array(
    [
        1 / np.exp(-np.add.outer(np.arange(-1, 2) ** 2, np.arange(-1, 2) ** 2) / 2 / w).sum()
        for w in _WIDTHS2
    ]
)
"""Highest of 3 x 3 samples over their sum, of Gaussians of variance `_WIDTHS2`."""


def places_in_frame(frame: np.ndarray, sigma_px: float, noises: float = 5.0) -> np.ndarray:
    """Places (N, 2) y, x in px of spots that stand alone in a frame (Y, X).

    Maxima of the frame after a difference of Gaussians as wide as the PSF and twice that, above so
    many times its noise. The noise is that of a pixel in differences that a PSF hardly enters
    (Immerkaer, Comput. Vis. Image Underst. 64, 300 (1996)).
    """
    from scipy.ndimage import convolve, gaussian_filter, maximum_filter

    image = np.asarray(frame, np.float64)

    def between(of: np.ndarray) -> np.ndarray:
        out: np.ndarray = gaussian_filter(of, sigma_px) - gaussian_filter(of, 2 * sigma_px)
        return out

    band = between(image)
    rough = convolve(image, np.outer([1, -2, 1], [1, -2, 1]))[1:-1, 1:-1]
    pixel_noise = np.median(np.abs(rough)) / 0.6745 / 6
    single = np.zeros((12 * round(sigma_px + 1) + 1,) * 2)
    single[len(single) // 2, len(single) // 2] = 1
    noise = pixel_noise * np.sqrt((between(single) ** 2).sum())
    size = 2 * round(1.5 * sigma_px) + 1
    highest = (band == maximum_filter(band, size)) & (band > noises * noise) & (band > 0)
    return np.argwhere(highest).astype(np.float64)

"""Number of frames that is enough, from the agreement of separate parts of a movie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.data.movie import Movie
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import FWHM_PER_SIGMA, estimate_psf_fwhm, flatten

SHORTEST = 20
MOST_BLOCKS = 32
SIDE = 256
"""Side in camera pixels of the part of the field that is used."""
USUAL_FWHM_PX = 2.5


Trend = Literal["rises", "stalls", "none", "unknown"]
LEAST_RISE = 0.05
"""Distance between measured and expected agreement from which the model does not hold."""
SIGMAS = 2.0
TILES = 4
"""Parts along each side of a picture, which are left out in turn to find the errors."""


@dataclass(frozen=True)
class Convergence:
    """Agreement of the cumulant image of some frames with that of infinitely many.

    Parameters
    ----------
    measured : tuple of (int, float)
        Numbers of frames n with the measured agreement, a correlation from 0 to 1.
    scale : float
        Frames at which half of the picture's variance is noise, in the model
        ``sqrt(n / (n + scale))``; infinite if nothing agrees.
    error : float, optional
        Relative standard error of ``scale``; NaN if it is not known.
    trend : {"rises", "stalls", "none", "unknown"}, optional
        Whether the measured agreement rises as the model says; whether it stays behind the model,
        as after drift or bleaching; whether there is no agreement; or whether a single number of
        frames was measured, which shows no trend.

    Examples
    --------
    >>> found = Convergence((), scale=300.0)
    >>> found.agreement(900), round(found.frames_for(0.95))
    (0.8660254037844386, 2777)
    """

    measured: tuple[tuple[int, float], ...]
    scale: float
    error: float = float("nan")
    trend: Trend = "rises"

    def agreement(self, frames: float) -> float:
        """Return the expected correlation of the picture of some frames with the final one."""
        return float(np.sqrt(frames / (frames + self.scale)))

    def frames_for(self, agreement: float) -> float:
        """Return the number of frames that reaches an agreement; infinite if none does."""
        return self.scale * agreement**2 / (1 - agreement**2)


def convergence(movie: Movie, order: int = 2, report: Report = silent) -> Convergence:
    """Measure how the cumulant image converges with the number of frames.

    Parameters
    ----------
    movie : Movie
        At least 40 frames.
    order : int, optional
        Order of the cumulant.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    Convergence
        Measured agreement, and a model of it.

    Raises
    ------
    InputError
        The movie has fewer than 40 frames.

    Notes
    -----
    Pictures of separate blocks are compared, at the resolution that SOFI promises. If noise falls
    with the square root of the frames, two pictures of n frames correlate by n / (n + scale), and
    one of them with the truth by the root of that (as the reliability of a test is found from its
    halves: Brown, Brit. J. Psychol. 3, 296 (1910)). Drift and bleaching count as
    disagreement, which grows with the number of frames: the agreement stays behind the model.
    """
    frames = movie.shape[0]
    count = min(frames // SHORTEST, MOST_BLOCKS)
    if count < 2:
        raise InputError(
            f"{movie.name} has {frames} frames; {2 * SHORTEST} are needed to see how a picture "
            "settles."
        )
    count -= count % 2
    length = frames // count
    start = movie.first_frame
    part = movie.middle_of_field(SIDE)
    images = []
    for k in range(count):
        piece = part.select(frames=(start + k * length, start + (k + 1) * length))
        images.append(cross_cumulants(piece, (order,), unbiased=True)[order])
        report((k + 1) / count, f"block {k + 1} of {count}")
    width = estimate_psf_fwhm(np.mean(images, axis=0), order)
    if not 1 < width < 8:
        width = USUAL_FWHM_PX
    smooth = np.array([_at_resolution(image, order, width) for image in images])
    together = [2**k for k in range(MOST_BLOCKS.bit_length()) if 2 ** (k + 1) <= count]
    return _from_tiles([(n * length, _tile_sums(smooth, n)) for n in together])


@dataclass(frozen=True, eq=False)
class _TileSums:
    """Sums over the pixels of each tile of some pictures.

    ``products`` (N, G, G) of pairs of pictures, ``sums`` (N, G) of pictures, ``pixels`` (N,).
    """

    products: np.ndarray
    sums: np.ndarray
    pixels: np.ndarray

    @property
    def pairs(self) -> float:
        """Number of pairs of pictures."""
        count = int(self.sums.shape[1])
        return 0.5 * count * (count - 1)

    def alike(self, left_out: int | None = None) -> float:
        """Return the mean covariance of different pictures over their mean variance."""
        kept = np.arange(len(self.pixels)) != left_out
        number = self.pixels[kept].sum()
        means = self.sums[kept].sum(axis=0) / number
        products = self.products[kept].sum(axis=0) / number - np.outer(means, means)
        alone = float(np.trace(products))
        together = float(products.sum()) - alone
        return float(together / (len(means) - 1) / max(alone, 1e-300))


def _tile_sums(images: np.ndarray, together: int) -> _TileSums:
    """Return sums over tiles of pictures (B, Y, X) of which some are averaged together."""
    groups = len(images) // together
    means = images[: groups * together].reshape(groups, together, *images.shape[1:]).mean(axis=1)
    means = means.astype(np.float64)
    parts = [
        part.reshape(groups, -1)
        for strip in np.array_split(means, min(TILES, means.shape[1]), axis=1)
        for part in np.array_split(strip, min(TILES, means.shape[2]), axis=2)
    ]
    return _TileSums(
        np.array([part @ part.T for part in parts]),
        np.array([part.sum(axis=1) for part in parts]),
        np.array([part.shape[1] for part in parts]),
    )


def _from_tiles(measured: list[tuple[int, _TileSums]]) -> Convergence:
    """Fit the model, and test it with errors from leaving out one tile at a time (jackknife)."""
    frames = np.array([n for n, _ in measured], float)
    weights = np.array([sums.pairs for _, sums in measured])
    tiles = range(len(measured[0][1].pixels))
    alike = np.array([sums.alike() for _, sums in measured])
    parts = np.array([[sums.alike(tile) for _, sums in measured] for tile in tiles])
    scale = _scale(frames, alike, weights)
    scales = np.array([_scale(frames, part, weights) for part in parts])
    behind = frames / (frames + scale) - alike
    behinds = np.array(
        [frames / (frames + one) - part for one, part in zip(scales, parts, strict=True)]
    )
    agreement = np.sqrt(np.clip(alike, 0, 1))
    lacking = np.sqrt(frames / (frames + scale)) - agreement
    # Of the longest parts, since drift and bleaching show there.
    if not (alike > SIGMAS * _jackknife(parts)).any():
        trend: Trend = "none"
    elif len(frames) == 1:
        trend = "unknown"
    elif ((behind > SIGMAS * _jackknife(behinds)) & (lacking > LEAST_RISE))[1:].any():
        trend = "stalls"
    else:
        trend = "rises"
    known = np.isfinite(scale) and np.isfinite(scales).all()
    error = float(_jackknife(scales[:, None])[0]) / scale if known else float("nan")
    points = tuple((int(n), float(r)) for n, r in zip(frames, agreement, strict=True))
    return Convergence(points, scale, error, trend)


def _scale(frames: np.ndarray, alike: np.ndarray, weights: np.ndarray) -> float:
    """Return the scale of the model; infinite if nothing agrees."""
    some = alike > 0
    if not some.any():
        return float("inf")
    scales = frames[some] * (1 - alike[some]) / alike[some]
    return float(np.average(scales, weights=weights[some]))


def _jackknife(values: np.ndarray) -> np.ndarray:
    """Return the standard error of values (N, K) that were computed without one of N parts."""
    spread = values - values.mean(axis=0)
    return np.asarray(np.sqrt((len(values) - 1) / len(values) * (spread**2).sum(axis=0)))


def _at_resolution(cumulant: np.ndarray, order: int, fwhm_px: float) -> np.ndarray:
    """Flatten a cumulant and blur it to the resolution of its order."""
    from scipy.ndimage import gaussian_filter

    flat = flatten(cumulant, order, "psf", fwhm_px)
    return np.asarray(gaussian_filter(flat, fwhm_px / FWHM_PER_SIGMA), np.float32)

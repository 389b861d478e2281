"""Number of frames that is enough, from the agreement of separate parts of a movie."""

from __future__ import annotations

from dataclasses import dataclass

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

    Examples
    --------
    >>> found = Convergence((), scale=300.0)
    >>> found.agreement(900), round(found.frames_for(0.95))
    (0.8660254037844386, 2777)
    """

    measured: tuple[tuple[int, float], ...]
    scale: float

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
    halves: Brown, Brit. J. Psychol. 3, 296 (1910)). Drift and bleaching count as disagreement.
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
    part = _middle(movie)
    images = []
    for k in range(count):
        piece = part.select(frames=(start + k * length, start + (k + 1) * length))
        images.append(cross_cumulants(piece, (order,), unbiased=True)[order])
        report((k + 1) / count, f"block {k + 1} of {count}")
    width = estimate_psf_fwhm(np.mean(images, axis=0), order)
    if not 1 < width < 8:
        width = USUAL_FWHM_PX
    smooth = np.array([_at_resolution(image, order, width) for image in images])
    measured, weights, scales = [], [], []
    together = 1
    while 2 * together <= count:
        groups = count // together
        means = smooth[: groups * together].reshape(groups, together, -1).mean(axis=1)
        alike = _mean_correlation(means)
        n = together * length
        measured.append((n, float(np.sqrt(np.clip(alike, 0, 1)))))
        if alike > 0:
            scales.append(n * (1 - alike) / alike)
            weights.append(groups * (groups - 1) / 2)
        together *= 2
    scale = float(np.average(scales, weights=weights)) if scales else float("inf")
    return Convergence(tuple(measured), scale)


def _at_resolution(cumulant: np.ndarray, order: int, fwhm_px: float) -> np.ndarray:
    """Flatten a cumulant and blur it to the resolution of its order."""
    from scipy.ndimage import gaussian_filter

    flat = flatten(cumulant, order, "psf", fwhm_px)
    return np.asarray(gaussian_filter(flat, fwhm_px / FWHM_PER_SIGMA).ravel(), np.float32)


def _mean_correlation(images: np.ndarray) -> float:
    """Return the mean covariance of different images over their mean variance."""
    d = images - images.mean(axis=1, keepdims=True)
    products = d @ d.T / d.shape[1]
    alone = float(np.trace(products))
    together = float(products.sum()) - alone
    return together / (len(images) - 1) / max(alone, 1e-300)


def _middle(movie: Movie) -> Movie:
    """Select the middle of the field, at most `SIDE` pixels a side."""
    _, rows, columns = movie.shape
    height, width = min(rows, SIDE), min(columns, SIDE)
    y, x = (int(v) for v in movie.origin_px)
    top, left = y + (rows - height) // 2, x + (columns - width) // 2
    return movie.select(roi=((top, top + height), (left, left + width)))

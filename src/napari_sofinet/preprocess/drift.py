"""Drift, found by comparing the SOFI images of blocks of frames.

Mean images of a blinking sample contain the fixed pattern of the camera, which does not move, and
have little contrast; second-order cumulants do not have these faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.movie import Movie
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import estimate_psf_fwhm, flatten

MOST_BLOCKS = 24
LARGEST_SIDE = 256
"""Side in camera pixels of the part that is compared."""
USUAL_FWHM_PX = 2.5
OUTLIER = 3.0
"""Residual of an outlier in units of the median."""
FINENESS = 20
"""Steps of the comparison per sample."""


class DriftCorrection(Settings):
    """Drift of the sample."""

    correct: bool = parameter(
        False, "Find the drift by comparing SOFI images of blocks of frames, and move them back."
    )
    block: int = parameter(
        50, "Frames of a block; more for dim movies, fewer for fast drift.", ge=20, le=100_000
    )


@dataclass(frozen=True, eq=False)
class ShiftFrames:
    """Move every frame back by the position of the sample, with cubic splines.

    Parameters
    ----------
    start : int
        Number in the file of the first frame of the path.
    path : ndarray
        (T, 2) position y, x in every frame in camera pixels.
    """

    start: int
    path: np.ndarray

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32."""
        from scipy.ndimage import shift

        out = np.empty_like(frames)
        for t, frame in enumerate(frames):
            at = min(max(first + t - self.start, 0), len(self.path) - 1)
            shift(frame, -self.path[at], output=out[t], order=3, mode="nearest")
        return out


def estimate_drift(
    movie: Movie, block: int = 50, report: Report = silent
) -> tuple[np.ndarray, float]:
    """Estimate the position of the sample in every frame.

    Parameters
    ----------
    movie : Movie
        Movie of a blinking sample.
    block : int, optional
        Frames of a block whose SOFI image is compared with those of other blocks; more for long
        movies, which have at most 24 blocks.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    path : ndarray
        (T, 2) y, x in camera pixels relative to the first frame.
    fwhm_px : float
        PSF width in camera pixels, measured in the mean of the blocks.

    Raises
    ------
    InputError
        Fewer than three blocks.

    Notes
    -----
    All pairs of blocks are registered by redundant cross-correlation (Wang et al., Opt. Express
    22, 15982 (2014)): one position per block is fitted to their shifts by least squares, without
    outliers, and a smoothing spline interpolates the frames in between.
    """
    frames = movie.shape[0]
    count = min(frames // block, MOST_BLOCKS)
    if count < 3:
        raise InputError(
            f"Drift needs at least three blocks of frames to compare, {movie.name} has {frames} "
            f"frames; choose a drift.block of at most {max(frames // 3, 1)}."
        )
    part = _busiest_part(movie, frames // count)
    edges = np.linspace(0, frames, count + 1).round().astype(int)
    start = movie.first_frame
    images = []
    total = np.zeros(0)
    for k in range(count):
        piece = part.select(frames=(start + int(edges[k]), start + int(edges[k + 1])))
        cumulant = cross_cumulants(piece, (2,))[2]
        total = cumulant if k == 0 else total + cumulant
        if not np.any(cumulant):
            raise InputError(
                f"{movie.name} does not change in time, so its drift cannot be found; switch the "
                "drift correction off."
            )
        images.append(cumulant)
        report((k + 1) / count, f"drift, block {k + 1} of {count}")
    fwhm = estimate_psf_fwhm(total, 2)
    if not 1 < fwhm < 8:
        fwhm = USUAL_FWHM_PX
    at_blocks = register([_sharp(image, fwhm) for image in images]) / 2
    middles = (edges[:-1] + edges[1:] - 1) / 2
    return _smooth(middles, at_blocks, frames), fwhm


def register(images: list[np.ndarray]) -> np.ndarray:
    """Register images with each other.

    Parameters
    ----------
    images : list of ndarray
        N images of the same shape.

    Returns
    -------
    ndarray
        (N, 2) positions y, x in samples, relative to the first one.
    """
    from skimage.registration import phase_cross_correlation

    rows, columns = images[0].shape
    window = np.clip(4 * np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[1:-1], 0, 1)
    transforms = [np.fft.fftn(image * window) for image in images]
    pairs = np.array(list(combinations(range(len(images)), 2)))
    shifts = np.array(
        [
            phase_cross_correlation(
                transforms[j],
                transforms[i],
                upsample_factor=FINENESS,
                space="fourier",
                normalization=None,
            )[0]
            for i, j in pairs
        ]
    )
    design = np.zeros((len(pairs), len(images)))
    design[np.arange(len(pairs)), pairs[:, 1]] = 1
    design[np.arange(len(pairs)), pairs[:, 0]] = -1
    design = design[:, 1:]
    keep = np.ones(len(pairs), bool)
    for _ in range(3):
        found = np.linalg.lstsq(design[keep], shifts[keep], rcond=None)[0]
        residual = np.hypot(*(design @ found - shifts).T)
        keep = residual <= OUTLIER * np.median(residual) + 0.1
    return np.vstack([np.zeros(2), found])


def _busiest_part(movie: Movie, block: int) -> Movie:
    """Select at most 256 x 256 px of a movie, where its first frames blink most."""
    from scipy.ndimage import uniform_filter

    _, rows, columns = movie.shape
    if rows <= LARGEST_SIDE and columns <= LARGEST_SIDE:
        return movie
    start = movie.first_frame
    first = cross_cumulants(movie.select(frames=(start, start + block)), (2,), "single")[2]
    busy = uniform_filter(np.sqrt(np.abs(first[::2, ::2])), min(LARGEST_SIDE, rows, columns))
    y, x = np.unravel_index(int(busy.argmax()), busy.shape)
    (oy, ox) = (int(v) for v in movie.origin_px)
    height, width = min(rows, LARGEST_SIDE), min(columns, LARGEST_SIDE)
    top = int(np.clip(y + 1 - height // 2, 0, rows - height)) + oy
    left = int(np.clip(x + 1 - width // 2, 0, columns - width)) + ox
    return movie.select(roi=((top, top + height), (left, left + width)))


def _sharp(cumulant: np.ndarray, fwhm_px: float) -> np.ndarray:
    """Return the band-passed root of a cumulant, in which bright spots have less weight."""
    from scipy.ndimage import gaussian_filter

    flat = flatten(cumulant, 2, "psf", fwhm_px)
    root = np.sign(flat) * np.sqrt(np.abs(flat))
    sigma = fwhm_px * np.sqrt(2) / 2.3548
    return np.asarray(gaussian_filter(root, sigma) - gaussian_filter(root, 8 * sigma))


def _smooth(middles: np.ndarray, at: np.ndarray, frames: int) -> np.ndarray:
    """Interpolate the positions of blocks to all frames, relative to the first frame."""
    from scipy.interpolate import make_smoothing_spline

    t = np.arange(frames)
    if len(middles) < 5:
        path = np.stack(
            [np.polyval(np.polyfit(middles, at[:, k], len(middles) - 2), t) for k in (0, 1)], axis=1
        )
    else:
        unit = middles / frames
        path = np.stack([make_smoothing_spline(unit, at[:, k])(t / frames) for k in (0, 1)], axis=1)
    return np.asarray(path - path[0])

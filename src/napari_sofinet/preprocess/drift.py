"""Measurement and correction of drift by comparing the SOFI images of blocks of frames.

Mean images of a blinking sample contain the fixed pattern of the camera, which does not move, and
have little contrast; second-order cumulants do not have these faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion, silent
from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.drift_path import (
    ERROR_MIN_PX,
    JUMP_MIN_PX,
    BlockPositions,
    find_jumps,
    moves,
    path_through,
    position_error,
)
from napari_sofinet.preprocess.frame_alignment import shared_path
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import estimate_psf_fwhm, flatten

MOST_BLOCKS, FEW_BLOCKS, BLOCK_MIN = 24, 10, 20
"""Blocks of a long movie, of a short one, and frames of the shortest block."""
LARGEST_SIDE = 256
"""Side in camera pixels of the part that is compared."""
USUAL_FWHM_PX = 2.5
OUTLIER = 3.0
"""Residual of an outlier in units of the median."""
CONFIRMED_PX = 0.4
"""Largest difference in px between a jump of summed blocks and that of their positions."""
CERTAIN = 20.0
"""Standard errors of a drift above which it is not looked for in other blocks."""
AGREED = 0.3
"""Largest distance of the path from other blocks, in camera px and as a fraction of the drift."""
STRAIGHT_PX = 1e-9
"""Curvature per frame squared below which a path is a straight line."""
SUSPICIOUS_PX = 0.1
"""Standard error above which shorter blocks are tried."""
FARTHEST = 40
"""Largest shift between blocks in samples, of which two are a camera pixel."""
_Y, _X = np.mgrid[-2:3, -2:3].reshape(2, -1).astype(float)
QUADRATIC = np.linalg.pinv(np.stack([_Y * 0 + 1, _Y, _X, _Y**2, _X**2, _Y * _X], axis=1))
"""Coefficients of a quadratic from 5 x 5 samples by least squares."""


class DriftCorrection(Settings):
    """Drift of the sample."""

    correct: bool = parameter(
        False,
        "Measure the drift between the SOFI images of blocks of frames, and correct it.",
        label="Correct drift",
    )
    block: int = parameter(
        50,
        "Number of frames per block between which drift is measured: more for dim movies, fewer "
        "for fast drift.",
        label="Drift block",
        unit="frames",
        ge=20,
        le=100_000,
        only_if={"correct": (True,)},
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


@dataclass(frozen=True, eq=False)
class Drift:
    """Drift of the sample.

    Parameters
    ----------
    path_px : numpy.ndarray
        Position (y, x) of the sample in every frame, of shape (T, 2), in camera pixels relative to
        the first frame; 0 if the drift is not significant.
    fwhm_px : float
        PSF width in camera pixels, measured in the mean of the blocks.
    error_px : float
        Standard error of the position in a block, in camera pixels.
    jumps : tuple of int
        First frame after each sudden shift, counted from the first of the movie.
    """

    path_px: np.ndarray
    fwhm_px: float
    error_px: float
    jumps: tuple[int, ...] = ()

    @property
    def farthest_px(self) -> float:
        """Largest distance from the first position, in camera pixels."""
        return float(np.hypot(*self.path_px.T).max())

    @property
    def is_straight(self) -> bool:
        """Whether the sample moves at constant speed in one direction."""
        return bool(np.abs(np.diff(self.path_px, 2, axis=0)).max() < STRAIGHT_PX)


def estimate_drift(movie: Movie, block: int = 50, report: Report = silent) -> Drift:
    """Estimate the position of the sample in every frame.

    Parameters
    ----------
    movie : Movie
        Movie of a blinking sample.
    block : int, optional
        Number of frames per block. Long movies have at most 24 blocks, and therefore longer ones;
        short movies have shorter blocks of at least 20 frames.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    Drift
        Path, standard error and jumps.

    Raises
    ------
    InputError
        The movie is shorter than three blocks, or does not change in time.

    Notes
    -----
    All pairs of blocks are registered by redundant cross-correlation (Wang et al., Opt. Express 22,
    15982 (2014)): one position per block is fitted to their shifts by least squares, without
    outliers. The scatter of the positions around a smooth path gives their error; a path that does
    not exceed it counts as no drift. Paths that are not straight are then measured again frame by
    frame, by comparison with the mean of all frames, and taken if two halves of the field agree;
    otherwise, a spline follows the positions of the blocks within their error.
    """
    frames = movie.shape[0]
    count = min(frames // block, MOST_BLOCKS)
    if count < 3:
        raise InputError(
            f"Drift is measured between at least three blocks, but {movie.name} has {frames} "
            f"frames; choose a drift.block of at most {max(frames // 3, 1)}."
        )
    count = max(count, min(FEW_BLOCKS, frames // BLOCK_MIN))
    part = _busiest_part(movie, frames // count)
    drift, count = _drift_of_blocks(part, count, portion(report, 0.0, 0.6))
    if drift.farthest_px and drift.is_straight:
        return _confirmed_by_others(part, drift, count, portion(report, 0.6, 1.0))
    starts = [drift.path_px, np.zeros((frames, 2))][: 2 if drift.farthest_px else 1]
    for number, start in enumerate(starts):
        path = shared_path(part, start, drift.fwhm_px, drift.jumps)
        report(0.7 + 0.1 * number, "drift, single frames")
        if path is not None:
            error = max(path.error_px, ERROR_MIN_PX)
            return Drift(path.path_px, drift.fwhm_px, error, drift.jumps)
    if not drift.farthest_px:
        return drift
    return _confirmed_by_others(part, drift, count, portion(report, 0.8, 1.0))


def _drift_of_blocks(part: Movie, count: int, report: Report) -> tuple[Drift, int]:
    """Drift from blocks, and their number: more of them for paths that are too bent."""
    drift = _drift_of(part, count, portion(report, 0.0, 0.6))
    finer = min(2 * count, part.shape[0] // BLOCK_MIN, MOST_BLOCKS)
    if drift.error_px > SUSPICIOUS_PX and finer > count:
        other = _drift_of(part, finer, portion(report, 0.6, 1.0))
        if other.error_px**2 * count < drift.error_px**2 * finer:
            return other, finer
    return drift, count


def _confirmed_by_others(part: Movie, drift: Drift, count: int, report: Report) -> Drift:
    """Return the drift if it is certain or other blocks show it as well, else none."""
    if drift.farthest_px > CERTAIN * drift.error_px:
        return drift
    again = _drift_of(part, max(count - 1, 3), report)
    apart = drift.path_px - again.path_px
    apart = np.sqrt(np.square(apart - np.median(apart, axis=0)).sum(axis=1).mean())
    if apart > max(AGREED, AGREED * drift.farthest_px):
        error = max(drift.error_px, float(apart))
        return Drift(np.zeros_like(drift.path_px), drift.fwhm_px, error)
    return drift


def _drift_of(part: Movie, count: int, report: Report) -> Drift:
    """Drift from a number of blocks of frames."""
    frames = part.shape[0]
    edges = np.linspace(0, frames, count + 1).round().astype(int)
    images = _block_images(part, edges, report)
    fwhm = estimate_psf_fwhm(np.sum(images, axis=0), 2)
    if not 1 < fwhm < 8:
        fwhm = USUAL_FWHM_PX
    sharp = [_sharp(image, fwhm) for image in images]
    blocks = BlockPositions(edges, register(sharp) / 2)
    at_blocks = find_jumps(blocks)
    if not _confirmed(sharp, blocks.at, at_blocks):
        at_blocks = []
    parts = np.split(blocks.at, at_blocks)
    error = max((position_error(p) for p in parts if len(p) > 3), default=0.0)
    error = error or position_error(blocks.at)
    if not at_blocks and not moves(blocks.at, error):
        return Drift(np.zeros((frames, 2)), fwhm, error)
    jumps = sorted({_jump_frame(part, blocks, k) for k in at_blocks})
    path = path_through(blocks, jumps, error)
    sizes = [np.hypot(*(path[min(t, frames - 1)] - path[t - 1])) for t in jumps]
    if min(sizes, default=JUMP_MIN_PX) < JUMP_MIN_PX:
        jumps = [t for t, size in zip(jumps, sizes, strict=True) if size >= JUMP_MIN_PX]
        path = path_through(blocks, jumps, error)
    if not jumps and not moves(blocks.at, error):
        path = np.zeros((frames, 2))
    return Drift(path, fwhm, error, tuple(jumps))


def _confirmed(images: list[np.ndarray], at: np.ndarray, jumps: list[int]) -> bool:
    """Whether the sums of the images between jumps are as far apart as their positions."""
    if not jumps:
        return True
    parts = np.split(np.arange(len(images)), jumps)
    sums = [np.sum([images[k] for k in part], axis=0) for part in parts]
    expected = np.array([np.median(at[part], axis=0) for part in parts])
    apart = register(sums) / 2 - (expected - expected[0])
    return bool(np.hypot(*apart.T).max() < CONFIRMED_PX)


def _block_images(movie: Movie, edges: np.ndarray, report: Report) -> list[np.ndarray]:
    """Second-order cumulants of blocks of frames."""
    images = []
    for number, (first, last) in enumerate(pairwise(edges.tolist())):
        cumulant = cross_cumulants(movie.part(first, last), (2,))[2]
        if not np.any(cumulant):
            raise InputError(
                f"{movie.name} does not change in time, so its drift cannot be measured; switch "
                "off the drift correction."
            )
        images.append(cumulant)
        report((number + 1) / (len(edges) - 1), f"drift, block {number + 1} of {len(edges) - 1}")
    return images


def _jump_frame(movie: Movie, blocks: BlockPositions, k: int) -> int:
    """Return the first frame after a jump between blocks k - 1 and k.

    It minimizes the summed similarity of the frames before it to the later blocks rather than the
    earlier ones.
    """
    edges = blocks.edges
    first, last = int(edges[max(k - 2, 0)]), int(edges[min(k + 2, len(edges) - 1)])
    begin, end = int(edges[max(k - 1, 0)]), int(edges[min(k + 1, len(edges) - 1)])
    frames = np.concatenate(
        [np.asarray(b, np.float64) for b in time_blocks(movie.part(first, last))]
    )
    before, after = frames[: begin - first], frames[end - first :]
    if not len(before) or not len(after):
        third = max((last - first) // 4, 1)
        before, after = frames[:third], frames[-third:]
    change = after.mean(axis=0) - before.mean(axis=0)
    noise = np.square(np.diff(frames, axis=0)).mean(axis=0)
    template = change / np.maximum(noise, 1e-3 * np.median(noise) + 1e-12)
    score = (frames * template).sum(axis=(1, 2))
    level = (score[: len(before)].mean() + score[-len(after) :].mean()) / 2
    return first + int(np.argmin(np.cumsum(score - level))) + 1


def register(images: list[np.ndarray]) -> np.ndarray:
    """Register images by redundant cross-correlation.

    Parameters
    ----------
    images : list of ndarray
        (Y, X) images.

    Returns
    -------
    ndarray
        (n, 2) positions y, x in samples relative to the first one.
    """
    rows, columns = images[0].shape
    window = np.clip(4 * np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[1:-1], 0, 1)
    transforms = [np.fft.rfft2(image * window, (2 * rows, 2 * columns)) for image in images]
    pairs = np.array(list(combinations(range(len(images)), 2)))
    reach = min(FARTHEST, rows // 2, columns // 2)
    shifts = np.array([_shift(transforms[i], transforms[j], columns, reach) for i, j in pairs])
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


def _shift(before: np.ndarray, after: np.ndarray, columns: int, reach: int) -> np.ndarray:
    """Shift y, x in samples at the peak of the cross-correlation of two spectra."""
    rows = before.shape[0]
    product = np.fft.irfft2(after * before.conj(), (rows, 2 * columns))
    near = np.roll(product, (reach + 2, reach + 2), (0, 1))[: 2 * reach + 5, : 2 * reach + 5]
    y, x = np.unravel_index(int(near[2:-2, 2:-2].argmax()), (2 * reach + 1, 2 * reach + 1))
    # A quadratic through the 25 samples around the highest, of which the peak is the top.
    values = near[y : y + 5, x : x + 5].ravel()
    c = QUADRATIC @ values
    curvature = np.array([[2 * c[3], c[5]], [c[5], 2 * c[4]]])
    top = np.zeros(2)
    if np.linalg.det(curvature) > 0:
        top = np.clip(-np.linalg.solve(curvature, c[1:3]), -1, 1)
    return np.array([y - reach, x - reach]) + top


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

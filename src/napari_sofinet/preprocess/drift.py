"""Measurement and correction of drift by comparing the SOFI images of blocks of frames.

Mean images of a blinking sample contain the fixed pattern of the camera, which does not move, and
have little contrast; second-order cumulants do not have these faults.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion, silent
from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.block_registration import register
from napari_sofinet.preprocess.drift_evidence import BlockImages, Evidence
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
CONFIRMED_PX = 0.4
"""Largest difference in px between a jump of summed blocks and that of their positions."""
SHARED, ALONE = 0.7, 2.5
"""Certainty that parts of the field share a drift, where the positions of the blocks show it as
well, and where they do not."""
CURVED = 0.75
"""Gain by a jump, relative to that by a smooth path, below which a jump is a fast curve."""
FAR_BETTER = 1.2
"""Ratio of the shared gains from which shorter blocks are taken instead of doubtful ones."""
POOR = 0.9
"""Gain of a path, relative to that shared by the parts, below which a smoother one is taken."""
STRAIGHT_PX = 1e-9
"""Curvature per frame squared below which a path is a straight line."""
SIMPLE = 0.95
"""Gain of a straight drift or a single jump, relative to that of another path, that is enough."""
MOST_GAIN = 4.0
"""Gain above which emitters do not come again, as the blocks at rest have nothing in common."""
SIMPLE_SHARED, ALIKE = 1.5, 0.3
"""Least certainty that parts of the field share it, and their largest distance relative to it."""
JUMP_SIDE = 5
"""Blocks on each side of a jump whose mean images tell when it was."""
SUSPICIOUS_PX = 0.1
"""Standard error above which shorter blocks are tried."""


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


def estimate_drift(
    movie: Movie, block: int = 50, report: Report = silent, single_frames: bool = True
) -> Drift:
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
    single_frames : bool, optional
        Whether paths that are not straight are measured again frame by frame, which takes most of
        the time.

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
    not exceed it counts as no drift. Nor does one that two parts of the field, each with its own
    emitters, do not share: the path of each must make the blocks of the other more alike. Paths
    that are not straight are then measured again frame by frame, by comparison with the mean of
    all frames, and taken if two halves of the field agree.
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
    found = _drift_of_blocks(part, count, portion(report, 0.0, 0.7))
    drift = found.drift
    if drift.farthest_px and drift.is_straight and not found.doubtful:
        return drift
    rest = np.zeros((frames, 2)), ()
    starts = [(drift.path_px, drift.jumps), rest] if drift.farthest_px else [rest]
    if found.simple and found.doubtful:
        starts.reverse()
    for number, (start, jumps) in enumerate(starts if single_frames else ()):
        path = shared_path(part, start, drift.fwhm_px, jumps)
        report(0.85 + 0.15 * number, "drift, single frames")
        if path is not None and found.images.gain(path.path_px) > found.least_gain:
            return replace(
                drift,
                path_px=path.path_px,
                error_px=max(path.error_px, ERROR_MIN_PX),
                jumps=jumps,
            )
    return drift


@dataclass(frozen=True, eq=False)
class _FoundDrift:
    """Drift between blocks of frames, and what speaks for it.

    It is doubtful if the positions of the blocks are not those of the path, and simple if it is
    straight or a single jump.
    """

    drift: Drift
    images: BlockImages
    evidence: Evidence
    doubtful: bool
    simple: bool = False

    @property
    def least_gain(self) -> float:
        """Gain that another path must exceed."""
        if self.simple:
            return self.images.gain(self.drift.path_px) / SIMPLE
        return POOR * max(self.evidence.shared_gain, 0.0) if self.drift.farthest_px else 0.0


def _drift_of_blocks(part: Movie, count: int, report: Report) -> _FoundDrift:
    """Drift from blocks; from more of them for paths that are too bent."""
    found = _drift_of(part, count, portion(report, 0.0, 0.5))
    finer = min(2 * count, part.shape[0] // BLOCK_MIN, MOST_BLOCKS)
    if (found.doubtful or found.drift.error_px > SUSPICIOUS_PX) and finer > count:
        other = _drift_of(part, finer, portion(report, 0.5, 1.0))
        if not found.drift.farthest_px and other.drift.farthest_px:
            return other
        if found.doubtful:
            better = other.evidence.shared_gain > FAR_BETTER * found.evidence.shared_gain
            return other if other.drift.farthest_px and better else found
        smaller = other.drift.error_px**2 * count < found.drift.error_px**2 * finer
        if smaller and other.evidence.certainty > found.evidence.certainty:
            return other
    return found


def _drift_of(part: Movie, count: int, report: Report) -> _FoundDrift:
    """Drift from a number of blocks of frames."""
    edges = np.linspace(0, part.shape[0], count + 1).round().astype(int)
    pictures = _block_images(part, edges, report)
    fwhm = estimate_psf_fwhm(np.sum(pictures, axis=0), 2)
    if not 1 < fwhm < 8:
        fwhm = USUAL_FWHM_PX
    sharp = np.stack([_sharp(image, fwhm) for image in pictures])
    images = BlockImages(sharp, edges)
    blocks = BlockPositions(edges, images.at)
    at_blocks = find_jumps(blocks)
    doubtful = not _confirmed(sharp, blocks.at, at_blocks)
    if doubtful:
        at_blocks = []
    evidence = images.evidence(at_blocks)
    path, jumps, error = _path_of(part, blocks, at_blocks)
    if jumps:
        smooth = images.evidence([])
        doubtful = smooth.at_gain > images.gain(path)
        if CURVED * smooth.at_gain > images.gain(path):
            evidence = smooth
            path, jumps, error = _path_of(part, blocks, [])
    if evidence.certainty < (SHARED if path.any() else ALONE):
        error = max(error, evidence.apart_px) if path.any() else error
        doubtful |= bool(path.any())
        path, jumps = np.zeros_like(path), []
    elif images.gain(path) < POOR * evidence.shared_gain:
        path, doubtful = path_through(BlockPositions(edges, evidence.at), jumps), True
    if path.any() and images.gain(path) <= 0:
        path, jumps = np.zeros_like(path), []
    drift = Drift(path, fwhm, error, tuple(jumps))
    simple = _simple_drift(part, images, blocks, drift)
    return simple or _FoundDrift(drift, images, evidence, doubtful)


def _simple_drift(
    part: Movie, images: BlockImages, blocks: BlockPositions, other: Drift
) -> _FoundDrift | None:
    """Return the likeliest straight drift or single jump if nothing speaks for another path."""
    best, least = None, SIMPLE * max(images.gain(other.path_px), 0.0)
    frames = np.arange(part.shape[0])
    for before, evidence in ((None, images.straight()), images.jump()):
        way = evidence.at[-1] - evidence.at[0]
        size = float(np.hypot(*way))
        if evidence.apart_px > ALIKE * size or evidence.certainty < SIMPLE_SHARED:
            continue
        jumps = [] if before is None else [_jump_frame(part, blocks, before)]
        if jumps:
            path = np.outer(frames >= jumps[0], way)
        else:
            path = np.outer(frames, way / np.ptp(blocks.middles))
        gain = images.gain(path)
        if least < gain < MOST_GAIN and size > (JUMP_MIN_PX if jumps else 0):
            error = max(evidence.apart_px / 2, ERROR_MIN_PX)
            drift = Drift(path, other.fwhm_px, error, tuple(jumps))
            alone = not other.farthest_px
            best, least = _FoundDrift(drift, images, evidence, alone, simple=True), gain
    return best


def _path_of(
    part: Movie, blocks: BlockPositions, at_blocks: list[int]
) -> tuple[np.ndarray, list[int], float]:
    """Path through positions, 0 if it is not significant, its jumps, and the positions' error."""
    frames = part.shape[0]
    parts = np.split(blocks.at, at_blocks)
    error = max((position_error(p) for p in parts if len(p) > 3), default=0.0)
    error = error or position_error(blocks.at)
    if not at_blocks and not moves(blocks.at, error):
        return np.zeros((frames, 2)), [], error
    jumps = sorted({_jump_frame(part, blocks, k) for k in at_blocks})
    path = path_through(blocks, jumps, error)
    sizes = [np.hypot(*(path[min(t, frames - 1)] - path[t - 1])) for t in jumps]
    if min(sizes, default=JUMP_MIN_PX) < JUMP_MIN_PX:
        jumps = [t for t, size in zip(jumps, sizes, strict=True) if size >= JUMP_MIN_PX]
        path = path_through(blocks, jumps, error)
    if not jumps and not moves(blocks.at, error):
        path = np.zeros((frames, 2))
    return path, jumps, error


def _confirmed(images: np.ndarray, at: np.ndarray, jumps: list[int]) -> bool:
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

    Frames before it are more similar to the mean of earlier blocks, later ones to that of later
    blocks, both without the steady light. Frames in which little blinks count little.
    """
    first, begin, start, stop, end, last = (
        int(blocks.edges[np.clip(k + d, 0, len(blocks.edges) - 1)])
        for d in (-JUMP_SIDE, -2, -1, 1, 2, JUMP_SIDE)
    )
    parts = [np.asarray(b, np.float32) for b in time_blocks(movie.part(first, last))]
    frames = np.concatenate(parts)
    frames -= np.median(frames, axis=0)
    noise = np.square(np.diff(frames, axis=0)).mean(axis=0)
    weight = 1 / np.maximum(noise, 1e-3 * np.median(noise) + 1e-12)
    third = max((last - first) // 3, 1)
    sides = frames[: max(start - first, third)], frames[-max(last - stop, third) :]
    before, after = (
        light / max(float(np.sqrt((weight * light**2).sum())), 1e-12)
        for light in (_centred(side.mean(axis=0), weight) for side in sides)
    )
    template = weight * _centred(after - before, weight)
    score = (frames[begin - first : end - first] * template).sum(axis=(1, 2))
    return begin + int(np.argmin(np.cumsum(np.append(0, score))))


def _centred(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return an image less its weighted mean."""
    return np.asarray(image - (weight * image).sum() / weight.sum())


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

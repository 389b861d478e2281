"""Means of cumulants of sub-sequences, which suppress slow changes and drift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from napari_sofinet.base.progress import Report, portion, silent
from napari_sofinet.data.moved_frames import MoveBack
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import flatten
from napari_sofinet.sofi.pixel_sets import Kind

SHORTEST = 20
"""Frames of the shortest sub-sequence that is cut."""
MOST_DRIFT_PX = 0.15
"""Largest drift within a sub-sequence; more would look like fluctuations at edges."""
FAST_PX = 0.05
"""Excess of the drift within a sub-sequence above which its frames are moved."""
JUMP_PX = 0.3
"""Drift from one frame to the next at which a sub-sequence ends, however short it is."""
SHORTEST_BESIDE_JUMP = 10
"""Frames of a sub-sequence next to a jump; fewer are left out."""


def plan_segments(
    frames: int, longest: int | None = None, drift_px: np.ndarray | None = None
) -> list[tuple[int, int]]:
    """Cut a movie into sub-sequences.

    Parameters
    ----------
    frames : int
        Number of frames of the movie.
    longest : int, optional
        Most frames of a sub-sequence, at least 20; unlimited if None.
    drift_px : numpy.ndarray, optional
        Position of the sample in every frame, of shape (T, 2), in camera pixels. It moves by at
        most 0.15 px within a sub-sequence, unless 20 frames are too long for that.

    Returns
    -------
    list of tuple of int
        First and last frame (exclusive) of each sub-sequence.

    Examples
    --------
    >>> plan_segments(100, longest=40)
    [(0, 40), (40, 80), (80, 100)]
    """
    longest = max(min(longest or frames, frames), SHORTEST)
    cuts = [0]
    first = 0
    for t in range(frames):
        moved, jumped = 0.0, False
        if drift_px is not None:
            moved = float(np.abs(drift_px[t] - drift_px[first]).max())
            jumped = t > 0 and float(np.abs(drift_px[t] - drift_px[t - 1]).max()) > JUMP_PX
        too_far = moved > MOST_DRIFT_PX and t - first >= SHORTEST
        if jumped or ((t - first >= longest or too_far) and frames - t >= SHORTEST):
            cuts.append(t)
            first = t
    cuts.append(frames)
    segments = [(a, b) for a, b in pairwise(cuts) if b - a >= SHORTEST_BESIDE_JUMP]
    return segments or list(pairwise(cuts))


def mean_cumulant(
    movie: Movie,
    order: int,
    kind: Kind,
    segments: list[tuple[int, int]],
    *,
    lag: int = 0,
    weights: Sequence[float] | None = None,
    drift_px: np.ndarray | None = None,
    fwhm_px: float | None = None,
    report: Report = silent,
    preview: Callable[[np.ndarray], Reconstruction | None] | None = None,
    saturation: Saturation | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the cumulants of sub-sequences and its standard error.

    Parameters
    ----------
    movie : Movie
        Movie to read.
    order : int
        Order of the cumulant, 2 to 6.
    kind : {"all", "weighted", "single"}
        Pixel sets, see `cross_cumulants`.
    segments : list of tuple of int
        First and last frame (exclusive) of each sub-sequence.
    lag : int, default 0
        Frames between the pixels of a set, see `cross_cumulants`.
    weights : sequence of float, optional
        Weight of each sub-sequence's frames; equal if None.
    drift_px : numpy.ndarray, optional
        Position of the sample in every frame, of shape (T, 2), in camera pixels. The image of each
        sub-sequence is flattened and moved back by its mean. Frames are never interpolated, since
        that would correlate the noise of neighbouring pixels.
    fwhm_px : float, optional
        PSF width in camera pixels, needed with ``drift_px`` and for weighted pixel sets.
    report : Report, optional
        Receives the progress.
    preview : callable, optional
        Makes the reported reconstruction from the mean so far.
    saturation : Saturation, optional
        Counts the pixels at full scale.

    Returns
    -------
    mean : numpy.ndarray
        Image in counts**order as from `cross_cumulants`; with ``drift_px`` it is flattened, and
        zero where the movie never showed the sample.
    error : numpy.ndarray
        Its standard error from the scatter of the sub-sequences, which are independent since they
        have no frames in common; NaN for a single one.
    """
    mean = _WeightedMean()
    for number, (a, b) in enumerate(segments):
        step = portion(report, number / len(segments), (number + 1) / len(segments))
        image = cross_cumulants(
            _held(movie, a, b, drift_px),
            (order,),
            kind,
            lag=lag,
            fwhm_px=fwhm_px,
            unbiased=True,
            report=_without_preview(step, f"sub-sequence {number + 1} of {len(segments)}"),
            saturation=saturation,
        )[order]
        weight: np.ndarray | float = (b - a) * (1.0 if weights is None else float(weights[number]))
        if drift_px is not None:
            assert fwhm_px is not None
            back = -order * drift_px[a:b].mean(axis=0)
            image, inside = _moved_back(flatten(image, order, "psf", fwhm_px, out=image), back)
            weight = weight * inside
        mean.add(image, weight)
        if preview is not None and number + 1 < len(segments):
            report((number + 1) / len(segments), "", preview(mean.value()))
    value = mean.value()
    return value, mean.standard_error(value)


def _without_preview(report: Report, text: str) -> Report:
    """Return a report of the fraction alone, with a fixed text."""

    def step(fraction: float, message: str = "", preview: Any = None) -> None:
        report(fraction, text)

    return step


def _held(movie: Movie, a: int, b: int, drift_px: np.ndarray | None) -> Movie:
    """Return frames a to b - 1, moved to the mean of their path if it is long."""
    start = movie.first_frame
    part = movie.select(frames=(start + a, start + b))
    path = np.zeros((1, 2)) if drift_px is None else drift_px[a:b]
    if np.ptp(path, axis=0).max() <= MOST_DRIFT_PX + FAST_PX:
        return part
    return part.corrected(MoveBack(start + a, path - path.mean(axis=0)))


def _moved_back(image: np.ndarray, by: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift an image, and return a mask (1 or 0) of the samples that come from inside it.

    A sample reaches half the way to its neighbours, so that a shift of less leaves no border.
    """
    from scipy.ndimage import shift

    moved = shift(image, by, order=3, mode="nearest")
    at = [np.arange(n) - step for n, step in zip(image.shape, by, strict=True)]
    rows, columns = (
        (place >= -0.5) & (place <= n - 0.5) for place, n in zip(at, image.shape, strict=True)
    )
    return moved, np.outer(rows, columns).astype(np.float32)


class _WeightedMean:
    """Weighted mean of images and its standard error, updated image by image.

    Squares are summed about the first image, which keeps their precision.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total = self.squares = self.about = np.zeros(0)
        self.weight: np.ndarray | float = 0.0
        self.weight_squares: np.ndarray | float = 0.0

    def add(self, image: np.ndarray, weight: np.ndarray | float) -> None:
        """Add an image with a weight, or with one for each of its samples."""
        if not self.count:
            self.total, self.squares = np.zeros_like(image), np.zeros_like(image)
            self.about = image.copy()
        self.count += 1
        self.total += weight * image
        self.squares += weight * (image - self.about) ** 2
        self.weight = self.weight + weight
        self.weight_squares = self.weight_squares + weight**2

    def value(self) -> np.ndarray:
        """Return the mean."""
        return np.asarray(self.total / np.maximum(self.weight, 1e-9))

    def standard_error(self, mean: np.ndarray) -> np.ndarray:
        """Return the standard error of the mean; NaN for a single image."""
        if self.count < 2:
            return np.full(mean.shape, np.nan)
        variance = self.squares / np.maximum(self.weight, 1e-9) - (mean - self.about) ** 2
        # The number of equally weighted images that would scatter alike.
        effective = self.weight**2 / np.maximum(self.weight_squares, 1e-9)
        variance /= np.maximum(effective - 1, 1e-9)
        return np.asarray(np.sqrt(np.maximum(variance, 0)))

"""Noise of pairs of frames at detail finer than any PSF, and the corresponding brightness."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie

PIXELS = 200 * 128 * 128
FEWEST_FRAMES, MOST_FRAMES = 40, 400
"""Number of pixels to use, and limits of the number of frames."""
MOST_SAMPLES = 1_500_000
THIRD = np.array([1.0, -2.0, 1.0]) / 6**0.5
FIFTH = np.array([0.225, -0.5, 0.63, -0.5, 0.225])
SEVENTH = np.array([0.13, -0.33, 0.48, -0.54, 0.48, -0.33, 0.13])
FIFTH, SEVENTH = (weights / np.linalg.norm(weights) for weights in (FIFTH, SEVENTH))
"""Filters of five and seven pixels that least of a PSF of 1.6 px passes."""
NEAR, FAR = np.array([0.5, 0, 0, 0, 0.5]), np.array([0.5, 0, 0, 0, 0, 0, 0.5])
"""Rows beside those that a filter of three and of five rows sees."""
MARGIN = 3
CLIPPED = 0.005
"""Fraction of frames at the movie's lowest count from which a pixel counts as cut off there."""
FULL_SCALES = 255, 1023, 4095, 16383, 65535
FEWEST_SATURATED = 3


class Samples(NamedTuple):
    """Samples (pairs, rows, columns) of the movie from three filters, the coarse one first.

    Parameters
    ----------
    variance : list of numpy.ndarray
        Square of the filtered difference of two frames, over two: on average the noise's variance.
    brightness : list of numpy.ndarray
        Mean of the two frames, weighted as the variance is.
    beside : list of numpy.ndarray
        Mean of the two frames in the rows beside, whose noise is independent.
    change : numpy.ndarray
        Square of the difference, over two, without a filter, weighted as the second variance.
    usable : numpy.ndarray
        Whether a place (rows, columns) is far from pixels that are dark, dead or saturated.
    step : float
        Smallest difference of counts; zero if they are not whole numbers.
    """

    variance: list[np.ndarray]
    brightness: list[np.ndarray]
    beside: list[np.ndarray]
    change: np.ndarray
    usable: np.ndarray
    step: float


class _Limits:
    """Pixels whose counts are cut off, and the smallest step of the counts."""

    def __init__(self) -> None:
        self.frames = 0
        self.step = 0.0
        self.lowest = np.inf
        self.at_lowest = np.zeros(())
        self.low = np.zeros(())
        self.high = np.zeros(())

    def add(self, block: np.ndarray) -> None:
        """Add a block (t, Y, X)."""
        low, high, lowest = block.min(axis=0), block.max(axis=0), float(block.min())
        if not self.frames:
            self.low, self.high, self.step = low, high, _step(block[0])
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        if lowest < self.lowest:
            self.lowest, self.at_lowest = lowest, np.zeros(low.shape, int)
        if lowest == self.lowest:
            self.at_lowest = self.at_lowest + np.count_nonzero(block == lowest, axis=0)
        self.frames += len(block)

    def usable(self, stride: int) -> np.ndarray:
        """Whether samples (rows, columns) see none of those pixels."""
        from scipy.ndimage import minimum_filter

        good = (self.high > self.low) & (self.at_lowest <= max(CLIPPED * self.frames, 1))
        top = self.high == self.high.max()
        if float(self.high.max()) in FULL_SCALES and np.count_nonzero(top) >= FEWEST_SATURATED:
            good &= ~top
        inner = slice(MARGIN, -MARGIN, stride)
        return np.asarray(minimum_filter(good, 2 * MARGIN + 1)[inner, inner])


def fine_detail(movie: Movie) -> Samples | None:
    """Filter pairs of frames from the middle of a movie; None if it is too small or too short.

    Parameters
    ----------
    movie : Movie
        Movie in counts.

    Returns
    -------
    Samples or None
        Output of the three filters; None if the movie is too small or too short.
    """
    frames, rows, columns = movie.shape
    if frames < 2 or min(rows, columns) < 4 * MARGIN:
        return None
    count = int(np.clip(PIXELS // (rows * columns), FEWEST_FRAMES, MOST_FRAMES))
    count = min(count, frames) // 2 * 2
    start = movie.first_frame + (frames - count) // 2
    stride = 2 * int(np.ceil(np.sqrt(count * rows * columns / 8 / MOST_SAMPLES)))
    limits, parts, left = _Limits(), [], None
    for counts in time_blocks(movie.select(frames=(start, start + count))):
        limits.add(counts)
        block = np.asarray(counts, np.float32)
        # A block may end between the frames of a pair.
        block = block if left is None else np.concatenate([left, block])
        left = block[-1:] if len(block) % 2 else None
        if len(block) > 1:
            parts.append(_filtered(block[:-1:2], block[1::2], stride))
    variance, brightness, beside = (
        [np.concatenate([part[k][kind] for part in parts]) for kind in range(3)] for k in range(3)
    )
    change = np.concatenate([part[3][0] for part in parts])
    return Samples(variance, brightness, beside, change, limits.usable(stride), limits.step)


def _filtered(first: np.ndarray, second: np.ndarray, stride: int) -> list[list[np.ndarray]]:
    """Variance, brightness and brightness beside by three filters, and the change of light."""
    difference, mean = second - first, (first + second) / 2

    def columns(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return _along(values, weights, 2, stride)

    def rows(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return _along(values, weights, 1, stride)

    detail, light = columns(difference, SEVENTH), columns(mean, SEVENTH**2)
    variance = [
        rows(columns(difference, THIRD), THIRD) ** 2 / 2,
        rows(detail, THIRD) ** 2 / 2,
        rows(detail, FIFTH) ** 2 / 2,
    ]
    brightness = [
        rows(columns(mean, THIRD**2), THIRD**2),
        rows(light, THIRD**2),
        rows(light, FIFTH**2),
    ]
    near = rows(light, NEAR)
    change = rows(columns(difference**2, SEVENTH**2), THIRD**2) / 2
    return [variance, brightness, [near, near, rows(light, FAR)], [change]]


def _along(values: np.ndarray, weights: np.ndarray, axis: int, stride: int) -> np.ndarray:
    """Filter (t, Y, X) along an axis, at every n-th pixel away from the border."""
    half, size = len(weights) // 2, values.shape[axis]
    total = None
    for k, weight in enumerate(weights):
        if weight:
            part = slice(MARGIN - half + k, size - MARGIN - half + k, stride)
            term = np.float32(weight) * values[(slice(None),) * axis + (part,)]
            total = term if total is None else np.add(total, term, out=total)
    assert total is not None
    return total


def _step(frame: np.ndarray) -> float:
    """Return the smallest difference of the counts of a frame, zero if they are not whole."""
    if frame.dtype.kind == "f" and not np.array_equal(frame, np.rint(frame)):
        return 0.0
    whole = frame.astype(np.int64)
    return float(np.gcd.reduce((whole - whole.min()).ravel()))

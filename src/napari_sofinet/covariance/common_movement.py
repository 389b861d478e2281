"""Movements of the whole field by fractions of a pixel, which blinking does not cause."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

SMOOTHED_PX = 0.7
CERTAIN, LIKELY = 3.0, 1.0
"""Correlation of the positions of two halves of the field over its standard error by chance, in
both ways to halve it: 306 axes of still movies reached 2.4."""
DARK_PERCENT = 1.0
GAP_PX = 2
"""Half of the gap between parts of the field, within which an emitter would be seen by both."""


class CommonMovement:
    """Position of the sample in each frame, by how frames change where the mean image is steep.

    Parameters
    ----------
    mean : ndarray
        (Y, X) mean image.
    """

    def __init__(self, mean: np.ndarray) -> None:
        self._smooth = smooth = _smoothed(mean)
        light = np.maximum(smooth - np.percentile(smooth, DARK_PERCENT), 0)
        # A frame differs by its brightness, its movement and its background.
        slopes = np.gradient(smooth)
        patterns = np.stack([-slopes[0], -slopes[1], light, np.ones_like(light)], axis=-1)
        self._quarters = _quarters(light)
        self._patterns = [patterns[quarter] for quarter in self._quarters]
        self._seen: list[np.ndarray] = []

    def add(self, frames: np.ndarray) -> None:
        """Add frames (t, Y, X)."""
        rest = _smoothed(np.asarray(frames, np.float32)) - self._smooth
        seen = [
            rest[:, quarter] @ patterns
            for quarter, patterns in zip(self._quarters, self._patterns, strict=True)
        ]
        self._seen.append(np.stack(seen, axis=1))

    def value(self) -> np.ndarray:
        """Return positions (T, 2) along y and x in px; 0 where halves of the field disagree.

        Independent blinking moves the left half of a field no more often with the right one than
        against it, and the upper half with the lower one.
        """
        seen = np.concatenate(self._seen)
        squares = np.stack([patterns.T @ patterns for patterns in self._patterns])
        splits = (((0, 1), (2, 3)), ((0, 2), (1, 3)))
        agreement, variance = np.full(2, np.inf), np.zeros(2)
        for split in splits:
            one, two = (_positions(seen, squares, list(half)) for half in split)
            by_chance = one.std(axis=0) * two.std(axis=0) / np.sqrt(len(seen))
            shared = ((one - one.mean(axis=0)) * (two - two.mean(axis=0))).mean(axis=0)
            agreement = np.minimum(agreement, shared / np.maximum(by_chance, 1e-30))
            variance += shared / len(splits)
        # What moves along one axis is likely to move along the other.
        sure = agreement > (LIKELY if agreement.max() > CERTAIN else CERTAIN)
        at = _positions(seen, squares, [0, 1, 2, 3])
        # Blinking adds to the scatter of positions, but not to what halves share.
        scale = np.sqrt(np.where(sure, variance, 0)) / np.maximum(at.std(axis=0), 1e-30)
        return np.asarray((at - at.mean(axis=0)) * scale)


def _smoothed(images: np.ndarray) -> np.ndarray:
    sigma = (0,) * (images.ndim - 2) + (SMOOTHED_PX, SMOOTHED_PX)
    return np.asarray(gaussian_filter(images, sigma))


def _positions(seen: np.ndarray, squares: np.ndarray, quarters: list[int]) -> np.ndarray:
    """Return the positions (T, 2) by some quarters of the field, least squares."""
    square = squares[quarters].sum(axis=0)
    solve = np.linalg.pinv(square, 1e-9, hermitian=True)
    return np.asarray(seen[:, quarters].sum(axis=1) @ solve[:, :2])


def _quarters(light: np.ndarray) -> list[np.ndarray]:
    """Return masks of four quarters of the field, with gaps wider than a PSF between them.

    They are split where halves have the same light.
    """
    sides = []
    for axis, shape in ((0, (-1, 1)), (1, (1, -1))):
        along = np.cumsum(light.sum(axis=1 - axis))
        middle, at = np.searchsorted(along, along[-1] / 2), np.arange(len(along))
        sides.append([part.reshape(shape) for part in (at < middle - GAP_PX, at > middle + GAP_PX)])
    return [upper & left for upper in sides[0] for left in sides[1]]

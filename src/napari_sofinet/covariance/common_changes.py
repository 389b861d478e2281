"""Changes in time that the whole field has in common, which independent emitters do not."""

from __future__ import annotations

import numpy as np

SMALLEST_CELL_PX = 6
MOST_CELLS = 16
"""Cells along each axis; as much is left free between them, so that no emitter is in two."""
FEWEST_CELLS = 9
SURROGATES = 20
CLEARLY = 1.1
"""Factor by which a common change must exceed the largest one that chance makes."""
WIDESPREAD = 0.3
"""Fraction of the cells that a common change must reach."""
MOST_COURSES = 3


class CellLight:
    """Mean of each frame over cells of the field, with gaps between the cells.

    Parameters
    ----------
    field : (int, int)
        Rows and columns.
    """

    def __init__(self, field: tuple[int, int]) -> None:
        self._starts = [_starts(side) for side in field]
        self._parts: list[np.ndarray] = []

    def add(self, frames: np.ndarray) -> None:
        """Add frames (t, Y, X)."""
        part = frames
        for axis, (starts, cell) in zip((1, 2), self._starts, strict=True):
            sums = [part.take(range(a, a + cell), axis).mean(axis, np.float64) for a in starts]
            part = np.stack(sums, axis) if sums else part.take([], axis)
        self._parts.append(part.reshape(len(frames), -1))

    def value(self) -> np.ndarray:
        """Return the light (frames, cells)."""
        return np.concatenate(self._parts)


def _starts(side: int) -> tuple[list[int], int]:
    """Return where cells begin, and their side, in px."""
    cell = max(SMALLEST_CELL_PX, side // (2 * MOST_CELLS))
    return list(range(0, side - cell + 1, 2 * cell)), cell


def common_courses(light: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the courses in time that cells have in common.

    Principal components are compared with those of the same series after each was moved in time by
    a random amount, which leaves blinking of any duration as it is (parallel analysis; Horn,
    Psychometrika 30, 179 (1965)).

    Parameters
    ----------
    light : ndarray
        (T, C) light of cells.
    seed : int, optional
        Seed of the amounts.

    Returns
    -------
    ndarray
        (T, K) float64 orthonormal courses with a mean of 0; K = 0 where nothing is in common.
    """
    rest = light - light.mean(axis=0)
    spread = rest.std(axis=0)
    rest = rest[:, spread > 0] / spread[spread > 0]
    frames, cells = rest.shape
    courses = np.zeros((frames, 0))
    if cells < FEWEST_CELLS or frames < 2:
        return courses
    rng = np.random.default_rng(seed)
    for _ in range(MOST_COURSES):
        values, patterns = np.linalg.eigh(rest.T @ rest)
        pattern = patterns[:, -1]
        reach = 1 / (cells * float((pattern**4).sum()))
        by_chance = max(_largest_by_chance(rest, rng) for _ in range(SURROGATES))
        if not (values[-1] > CLEARLY * by_chance and reach > WIDESPREAD):
            break
        course = rest @ pattern
        course /= np.linalg.norm(course)
        courses = np.column_stack([courses, course])
        rest = rest - np.outer(course, course @ rest)
    return courses


def _largest_by_chance(series: np.ndarray, rng: np.random.Generator) -> float:
    """Return the largest eigenvalue of series (T, C) that are moved in time at random."""
    frames, cells = series.shape
    moved = (np.arange(frames)[:, None] + rng.integers(0, frames, cells)) % frames
    shifted = np.take_along_axis(series, moved, axis=0)
    return float(np.linalg.eigvalsh(shifted.T @ shifted)[-1])

"""Path of a sample from its positions in blocks of frames: smooth parts and jumps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

ERROR_MIN_PX = 0.02
"""Least standard error of a position, from the steps of the comparison."""
SIGNIFICANT = 0.005
"""Probability above which positions that scatter may be those of a sample at rest."""
JUMP_ERRORS = 6.0
"""Size of a jump in standard errors of a position."""
JUMP_MIN_PX = 0.5
OTHER_STEPS = 4.0
"""Times the usual step between blocks that a jump must be."""
SIDE_BLOCKS = 2
"""Fewest blocks between jumps, and at the ends."""
LINE_ERRORS = 3.0
"""Standard errors by which positions may deviate from a straight path."""
MOST_JUMPS = 4
MANY_BLOCKS = 12


@dataclass(frozen=True, eq=False)
class BlockPositions:
    """Positions of the sample in blocks of frames.

    Parameters
    ----------
    edges : numpy.ndarray
        First frame of each block, and the one after the last, of shape (n + 1,).
    at : numpy.ndarray
        Position y, x in camera pixels, of shape (n, 2).
    """

    edges: np.ndarray
    at: np.ndarray

    @property
    def middles(self) -> np.ndarray:
        """Middle of each block, in frames."""
        return np.asarray((self.edges[:-1] + self.edges[1:] - 1) / 2)


def position_error(at: np.ndarray) -> float:
    """Return the standard error of positions along a smooth path.

    Parameters
    ----------
    at : ndarray of shape (n, 2)
        Positions in camera pixels, of at least 3 blocks.

    Notes
    -----
    The error follows from the median of second differences, which is robust against a few jumps.
    With many blocks, fourth differences are used as well, since a curved path adds less to them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> way = np.linspace(0, 3, 200)[:, None] + rng.normal(0, 0.1, (200, 2))
    >>> round(position_error(way), 1)
    0.1
    """
    error = 1.4826 * np.median(np.abs(np.diff(at, 2, axis=0))) / np.sqrt(6)
    if len(at) >= MANY_BLOCKS:
        error = min(error, 1.4826 * np.median(np.abs(np.diff(at, 4, axis=0))) / np.sqrt(70))
    return max(float(error), ERROR_MIN_PX)


def moves(at: np.ndarray, error: float) -> bool:
    """Return whether positions scatter or follow a trend beyond their error, by F-tests.

    Parameters
    ----------
    at : ndarray of shape (n, 2)
        Positions in camera pixels.
    error : float
        Their standard error in camera pixels.
    """
    if len(at) < 3:
        return False
    # A single block far from all others is an error of its own.
    farthest = np.square(at - np.median(at, axis=0)).sum(axis=1).argmax()
    rest = np.delete(at, farthest, axis=0)
    return _moves(at, error) and (len(rest) < 3 or _moves(rest, error))


def _moves(at: np.ndarray, error: float) -> bool:
    from scipy.stats import f

    count = len(at)
    apart = (at - at.mean(axis=0)) / error
    time = np.arange(count) - (count - 1) / 2
    tendency = time @ apart / np.linalg.norm(time)
    # A median of n - 2 second differences of two axes, of which neighbours depend on each other.
    freedom = max(0.6 * (count - 2), 1.0)
    chance = min(
        f.sf((apart**2).sum() / (2 * (count - 1)), 2 * (count - 1), freedom),
        f.sf((tendency**2).sum() / 2, 2, freedom),
    )
    return bool(chance < SIGNIFICANT)


def find_jumps(blocks: BlockPositions) -> list[int]:
    """Return the numbers k of the blocks before which the sample jumps.

    A jump within a block is given at the side with the larger step.
    """
    steps = np.hypot(*np.diff(blocks.at, axis=0).T)
    if len(steps) < 2 * SIDE_BLOCKS - 1:
        return []
    found: list[int] = []
    for k in np.argsort(-steps)[:MOST_JUMPS]:
        others = np.delete(steps, [*(jump - 1 for jump in found), k])
        error = _error_beside(blocks.at, [*found, int(k) + 1])
        usual = float(np.median(others)) if len(others) else 0.0
        least = max(JUMP_MIN_PX, JUMP_ERRORS * error, OTHER_STEPS * usual)
        if steps[k] < least:
            break
        sides = [0, len(blocks.at), *found]
        if all(abs(k + 1 - other) >= SIDE_BLOCKS for other in sides):
            found.append(int(k) + 1)
    return sorted(found)


def _error_beside(at: np.ndarray, jumps: list[int]) -> float:
    """Standard error of positions from second differences that no jump is part of."""
    parts = np.split(at, sorted(jumps))
    second = [np.abs(p[2:] - 2 * p[1:-1] + p[:-2]).ravel() for p in parts if len(p) > 2]
    values = np.concatenate(second) if second else np.zeros(0)
    if len(values) < 4:
        first = [np.abs(np.diff(p, axis=0)).ravel() for p in parts if len(p) > 1]
        values = np.concatenate([values, *first]) if first else values
    if not len(values):
        return position_error(at)
    return max(float(1.4826 * np.median(values) / np.sqrt(6)), ERROR_MIN_PX)


def path_through(
    blocks: BlockPositions, jumps: list[int], error: float | None = None
) -> np.ndarray:
    """Return the position in every frame, of shape (T, 2), relative to the first.

    Parameters
    ----------
    blocks : BlockPositions
        Positions in blocks.
    jumps : list of int
        First frame after each jump.
    error : float, optional
        Standard error of the positions, by which they are smoothed. If None, they are smooth.
    """
    frames = int(blocks.edges[-1])
    cuts = [0, *jumps, frames]
    path = np.zeros((frames, 2))
    for first, last in pairwise(cuts):
        inside = (blocks.edges[:-1] >= first - 1) & (blocks.edges[1:] <= last + 1)
        if not inside.any():
            # A jump is within the only block: its middle tells the side.
            inside = (blocks.middles >= first) & (blocks.middles < last)
        if not inside.any():
            inside[np.abs(blocks.middles - (first + last) / 2).argmin()] = True
        t = np.arange(first, last)
        path[first:last] = _smooth(blocks.middles[inside], blocks.at[inside], t, error)
    return np.asarray(path - path[0])


def _smooth(middles: np.ndarray, at: np.ndarray, t: np.ndarray, error: float | None) -> np.ndarray:
    """Positions at times t; they may miss those of the blocks by their error."""
    from scipy.interpolate import UnivariateSpline

    count = len(middles)
    if count < 3 or (error is not None and not moves(at, error)):
        return np.broadcast_to(at.mean(axis=0), (len(t), 2))
    columns = []
    for values in at.T:
        line = np.polyfit(middles, values, 1)
        apart = np.abs(np.polyval(line, middles) - values).max()
        if count < 4 or (error is not None and apart < LINE_ERRORS * error):
            columns.append(np.polyval(line, t))
            continue
        weights, misses = (None, 0) if error is None else (np.full(count, 1 / error), count)
        spline = UnivariateSpline(middles, values, w=weights, k=min(3, count - 1), s=misses)
        # Beyond the outer middles on along the slope there.
        inner = np.clip(t, middles[0], middles[-1])
        slope = spline.derivative()
        columns.append(spline(inner) + slope(inner) * (t - inner))
    return np.stack(columns, axis=1)

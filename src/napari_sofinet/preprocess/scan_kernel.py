"""Statistics of every pixel over time, compiled by numba.

Importing this module loads numba (half a second): import it where it is used.
"""

from __future__ import annotations

import numpy as np

from napari_sofinet.base.compiled import compiled

FAST = {"contract", "reassoc", "nsz", "nnan"}
"""Freedoms of the compiler that allow vector instructions; the values are finite."""


@compiled(nogil=True, error_model="numpy", fastmath=FAST)
def add_extremes(frames, first, highest, when, second, step, row_sums):  # type: ignore[no-untyped-def]
    """Update the two highest values of every pixel, and sum the rows of every frame.

    Parameters
    ----------
    frames : ndarray of shape (t, Y, X)
        The next frames.
    first : int
        Number of the first of them.
    highest, second : ndarray of shape (Y, X)
        Highest and second highest value so far, of the frames' dtype.
    when : ndarray of shape (Y, X), int32
        Frame of the highest value.
    step : int
        Distance of the rows that are summed.
    row_sums : ndarray of shape (t, ceil(Y / step)), int64 or float64
        Receives the sums of these rows.
    """
    count, rows, columns = frames.shape
    for y in range(rows):
        top, below = highest[y], second[y]
        for t in range(count):
            line = frames[t, y]
            above = False
            for x in range(columns):
                above |= line[x] > below[x]
            if y % step == 0:
                total = 0 * row_sums[t, y // step]
                for x in range(columns):
                    total += line[x]
                row_sums[t, y // step] = total
            if above:
                for x in range(columns):
                    value = line[x]
                    if value > below[x]:
                        if value > top[x]:
                            below[x] = top[x]
                            top[x] = value
                            when[y, x] = first + t
                        else:
                            below[x] = value


@compiled(nogil=True, error_model="numpy", fastmath=FAST)
def add_pair(earlier, later, total, squares, right, down):  # type: ignore[no-untyped-def]
    """Add two successive frames to sums over pairs of frames.

    Parameters
    ----------
    earlier, later : ndarray of shape (Y, X)
        Successive frames.
    total, squares : ndarray of shape (Y, X), float32
        Sums of the values, and of the squared differences.
    right, down : ndarray of shape (Y, X), float32
        Sums of the products of the difference with that of the right and of the lower neighbour.
        The last column of `right` is not changed, and the last row of `down` has no meaning.
    """
    rows, columns = total.shape
    here = np.zeros(columns + 1, np.float32)
    below = np.zeros(columns + 1, np.float32)
    for x in range(columns):
        here[x] = np.float32(later[0, x]) - np.float32(earlier[0, x])
    for y in range(rows):
        following = min(y + 1, rows - 1)
        for x in range(columns):
            below[x] = np.float32(later[following, x]) - np.float32(earlier[following, x])
        for x in range(columns):
            total[y, x] += np.float32(later[y, x]) + np.float32(earlier[y, x])
            squares[y, x] += here[x] * here[x]
            right[y, x] += here[x] * here[x + 1]
            down[y, x] += here[x] * below[x]
        here, below = below, here

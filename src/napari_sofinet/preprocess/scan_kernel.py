"""Statistics of every pixel over time, compiled by numba.

Importing this module loads numba (half a second): import it where it is used.
"""

from __future__ import annotations

import numpy as np

from napari_sofinet.base.compiled import compiled

FAST = {"contract", "reassoc", "nsz", "nnan"}
"""Freedoms of the compiler that allow vector instructions; the values are finite."""


@compiled(inline="always")
def _higher(a, b):  # type: ignore[no-untyped-def]
    # Not `max`, which numba widens to 64 bits.
    return a if a > b else b


@compiled(inline="always")
def _lower(a, b):  # type: ignore[no-untyped-def]
    return a if a < b else b


@compiled(nogil=True, error_model="numpy")
def _find_frames(lines, first, before, top, when):  # type: ignore[no-untyped-def]
    """Write the numbers of the frames in which a row's highest values have risen."""
    for x in range(len(top)):
        if top[x] != before[x]:
            t = 0
            while lines[t, x] != top[x]:
                t += 1
            when[x] = first + t


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
    before = np.empty(columns, highest.dtype)
    for y in range(rows):
        top, below = highest[y], second[y]
        for x in range(columns):
            before[x] = top[x]
        # Without branches, for vector instructions, and four frames at once, since fetching the
        # highest values takes longer than comparing them. Their frames are found afterwards.
        whole = count - count % 4
        for t in range(0, whole, 4):
            line_a, line_b, line_c, line_d = (
                frames[t, y],
                frames[t + 1, y],
                frames[t + 2, y],
                frames[t + 3, y],
            )
            for x in range(columns):
                a, b, c, d = line_a[x], line_b[x], line_c[x], line_d[x]
                high, low = _higher(a, b), _lower(a, b)
                other_high, other_low = _higher(c, d), _lower(c, d)
                most = _higher(high, other_high)
                next_most = _higher(_higher(low, other_low), _lower(high, other_high))
                below[x] = _higher(_higher(below[x], next_most), _lower(top[x], most))
                top[x] = _higher(top[x], most)
        for t in range(whole, count):
            line = frames[t, y]
            for x in range(columns):
                below[x] = _higher(below[x], _lower(top[x], line[x]))
                top[x] = _higher(top[x], line[x])
        if y % step == 0:
            for t in range(count):
                line = frames[t, y]
                total = 0 * row_sums[t, y // step]
                for x in range(columns):
                    total += line[x]
                row_sums[t, y // step] = total
        _find_frames(frames[:, y], first, before, top, when[y])


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

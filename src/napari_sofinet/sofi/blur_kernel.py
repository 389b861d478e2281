"""Gaussian blurs of bands of rows and the steps of Richardson-Lucy, compiled by numba.

Each blurred row is used while it is still in the first-level cache. Bands may run in threads, as
the interpreter is released. Importing this module loads numba (half a second).

In all functions images are (Y, X) of one floating dtype; taps (reach + 1,) have the same dtype, the
middle of the kernel first; ``outside`` is REFLECT, WRAP or CONSTANT. Rows first .. last-1 are
computed.
"""

from __future__ import annotations

import numba
import numpy as np

from napari_sofinet.base.compiled import compiled

REFLECT, WRAP, CONSTANT = 0, 1, 2

FAST = {"contract", "reassoc", "nsz", "nnan"}
"""Permissions of the compiler that allow vector instructions; the values are finite."""


@compiled(nogil=True, error_model="numpy", fastmath=FAST)
def blur(first, last, image, taps, outside, out):  # type: ignore[no-untyped-def]
    """Write the blurred image to ``out``."""
    padded = np.empty(image.shape[1] + 2 * len(taps), image.dtype)
    for row in range(first, last):
        _blur_row(image, taps, outside, row, padded, out[row])


@compiled(nogil=True, error_model="numpy", fastmath=FAST)
def compare(first, last, start, taps, outside, image, background, tiny, out):  # type: ignore[no-untyped-def]
    """Write the ratio of the (weighted) image to the blurred ``start`` to ``out``."""
    padded = np.empty(start.shape[1] + 2 * len(taps), start.dtype)
    line = np.empty(start.shape[1], start.dtype)
    for row in range(first, last):
        _blur_row(start, taps, outside, row, padded, line)
        observed, ratio = image[row], out[row]
        for x in range(len(line)):
            ratio[x] = observed[x] / max(line[x] + background, tiny)


@compiled(nogil=True, error_model="numpy", fastmath=FAST)
def correct(first, last, ratio, taps, outside, start, gain, step, out):  # type: ignore[no-untyped-def]
    """Write ``start`` times gain times blurred ratio to ``out``, the change to ``step``.

    Returns the products of the change with the last one, which ``step`` held, and with itself.
    """
    padded = np.empty(start.shape[1] + 2 * len(taps), start.dtype)
    line = np.empty(start.shape[1], start.dtype)
    along, norm = 0.0, 0.0
    for row in range(first, last):
        _blur_row(ratio, taps, outside, row, padded, line)
        a, b = _multiply(start[row], line, gain[row], step[row], out[row])
        along += a
        norm += b
    return along, norm


@numba.njit(nogil=True, error_model="numpy", fastmath=FAST)
def _multiply(before, factor, gain, change, after):  # type: ignore[no-untyped-def]
    """Compute one row of `correct`; only in a separate function its loops are vectorized."""
    for x in range(len(before)):
        after[x] = before[x] * factor[x] * gain[x]
    along, norm = before.dtype.type(0), before.dtype.type(0)
    for x in range(len(before)):
        difference = after[x] - before[x]
        along += difference * change[x]
        norm += difference * difference
        change[x] = difference
    return np.float64(along), np.float64(norm)


@compiled(nogil=True, error_model="numpy", fastmath=FAST)
def predict(first, last, estimate, previous, momentum, out):  # type: ignore[no-untyped-def]
    """Write the estimate, extrapolated along its last change but not below zero, to ``out``."""
    for row in range(first, last):
        now, then, ahead = estimate[row], previous[row], out[row]
        for x in range(len(now)):
            ahead[x] = max(now[x] + momentum * (now[x] - then[x]), now.dtype.type(0))


@numba.njit(nogil=True, error_model="numpy", fastmath=FAST)
def _blur_row(image, taps, outside, row, padded, out):  # type: ignore[no-untyped-def]
    """Write one row of the blurred image to ``out``; ``padded`` is a buffer with margins."""
    rows, width = image.shape
    reach = len(taps) - 1
    middle = padded[reach : reach + width]
    here = image[row]
    for x in range(width):
        middle[x] = taps[0] * here[x]
    # Two taps at a time: the row is fetched and stored half as often.
    k = 1
    while k <= reach:
        up, down = _inside(row - k, rows, outside), _inside(row + k, rows, outside)
        above, below = image[max(up, 0)], image[max(down, 0)]
        farther_up, farther_down = -1, -1
        if k < reach:
            farther_up = _inside(row - k - 1, rows, outside)
            farther_down = _inside(row + k + 1, rows, outside)
        if min(up, down, farther_up, farther_down) >= 0:
            top, bottom = image[farther_up], image[farther_down]
            _add_two(middle, taps[k], above, below, taps[k + 1], top, bottom)
            k += 2
            continue
        if up >= 0:
            _add(middle, taps[k], above)
        if down >= 0:
            _add(middle, taps[k], below)
        k += 1
    for k in range(reach):
        left = _inside(k - reach, width, outside)
        right = _inside(width + k, width, outside)
        padded[k] = middle[left] if left >= 0 else 0
        padded[reach + width + k] = middle[right] if right >= 0 else 0
    for x in range(width):
        out[x] = taps[0] * middle[x]
    for k in range(1, reach, 2):
        a, b = padded[reach - k :], padded[reach + k :]
        c, d = padded[reach - k - 1 :], padded[reach + k + 1 :]
        _add_two(out, taps[k], a, b, taps[k + 1], c, d)
    if reach % 2:
        _add(out, taps[reach], padded)
        _add(out, taps[reach], padded[2 * reach :])


@numba.njit(nogil=True, error_model="numpy", fastmath=FAST)
def _add(out, tap, a):  # type: ignore[no-untyped-def]
    for x in range(len(out)):
        out[x] += tap * a[x]


@numba.njit(nogil=True, error_model="numpy", fastmath=FAST)
def _add_two(out, tap, a, b, other_tap, c, d):  # type: ignore[no-untyped-def]
    for x in range(len(out)):
        out[x] += tap * (a[x] + b[x]) + other_tap * (c[x] + d[x])


@compiled(nogil=True, error_model="numpy")
def _inside(i, n, outside):  # type: ignore[no-untyped-def]
    """Return the sample that replaces sample i of n beyond the edge; -1 for none."""
    if 0 <= i < n:
        return i
    if outside == CONSTANT:
        return -1
    if outside == WRAP:
        return i % n
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i

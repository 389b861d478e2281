"""Sums over time of products of any pixels in float64, compiled by numba.

Pairs of camera counts are faster in `pair_kernel`. Importing either module loads numba (half a
second): import them where they are used.
"""

from __future__ import annotations

import numba
import numpy as np

from napari_sofinet.base.compiled import compiled

FRAMES = 4  # the loops below are written out for four frames
REACH = 3  # rows: pixels of a product lie at most this far below its corner
STRIP_PIXELS = 8192  # worked on at once: four frames of them fit a core's second-level cache

FAST = {"contract", "reassoc", "nsz", "nnan"}
"""Permissions of the compiler that allow vector instructions; the values are finite."""


@compiled(nogil=True, error_model="numpy", fastmath=FAST)
def add_products(raw, about, width, first, last, offsets, farthest, sizes, sums):  # type: ignore[no-untyped-def]
    """Add products of a block's frames to ``sums`` for corners in rows first .. last-1.

    Each image is one long line of pixels.

    Parameters
    ----------
    raw, about : ndarray
        Frames (t, pixels), and the image (pixels,) float64 that is subtracted from them.
    width : int
        Pixels of a row.
    first, last : int
        Rows of the corners.
    offsets, farthest, sizes : ndarray
        (N, largest) distances of a product's pixels behind its corner, (N,) the largest of them,
        and (N,) their number.
    sums : ndarray
        (N, pixels) float64. Where a product would cross the end of a row its sum is meaningless,
        and never used.
    """
    # The loop over strips is here and not in Python, since switching between the two costs time.
    high = max(STRIP_PIXELS // width, 16)
    for top in range(first, last, high):
        bottom = min(top + high, last)
        start = top * width
        length = min((bottom + REACH) * width, len(about)) - start
        base = about[start : start + length]
        lines = np.empty((FRAMES, length), np.float64)
        for t in range(0, len(raw), FRAMES):
            _subtract(raw, t, start, base, lines)
            for k in range(len(sizes)):
                n = min((bottom - top) * width, length - farthest[k])
                out = sums[k, start : start + n]
                if sizes[k] > 2:
                    _add_more(lines, offsets[k], sizes[k], out)
                else:
                    _add_up_to_two(lines, offsets[k], sizes[k], out)


@numba.njit(nogil=True, error_model="numpy", fastmath=FAST)
def _subtract(raw, t, start, base, out):  # type: ignore[no-untyped-def]
    """Write frames t .. t+3 minus base to ``out``, zeros after the last."""
    length = len(base)
    for u in range(FRAMES):
        line = out[u]
        if t + u >= len(raw):
            line[:] = 0
            continue
        frame = raw[t + u, start : start + length]
        for x in range(length):
            line[x] = np.float64(frame[x]) - base[x]


@numba.njit(nogil=True, error_model="numpy", fastmath=FAST)
def _add_up_to_two(lines, offsets, size, out):  # type: ignore[no-untyped-def]
    """Add a pixel or a product of two, summed over four frames, to ``out`` (n,)."""
    n = len(out)
    if size == 1:
        a, b, c, d = lines[0], lines[1], lines[2], lines[3]
        for x in range(n):
            out[x] += (a[x] + b[x]) + (c[x] + d[x])
        return
    i, j = offsets[0], offsets[1]
    a, b = lines[0, i : i + n], lines[0, j : j + n]
    c, d = lines[1, i : i + n], lines[1, j : j + n]
    e, f = lines[2, i : i + n], lines[2, j : j + n]
    g, h = lines[3, i : i + n], lines[3, j : j + n]
    for x in range(n):
        out[x] += (a[x] * b[x] + c[x] * d[x]) + (e[x] * f[x] + g[x] * h[x])


@numba.njit(nogil=True, error_model="numpy", fastmath=FAST)
def _add_more(lines, offsets, size, out):  # type: ignore[no-untyped-def]
    """Add a product of three to six pixels, summed over four frames, to ``out`` (n,)."""
    n = len(out)
    i, j, k = offsets[0], offsets[1], offsets[2]
    for u in range(0, FRAMES, 2):
        a, b, c = lines[u, i : i + n], lines[u, j : j + n], lines[u, k : k + n]
        d, e, f = lines[u + 1, i : i + n], lines[u + 1, j : j + n], lines[u + 1, k : k + n]
        if size == 3:
            for x in range(n):
                out[x] += a[x] * b[x] * c[x] + d[x] * e[x] * f[x]
            continue
        m = offsets[3]
        g, h = lines[u, m : m + n], lines[u + 1, m : m + n]
        if size == 4:
            for x in range(n):
                out[x] += (a[x] * b[x]) * (c[x] * g[x]) + (d[x] * e[x]) * (f[x] * h[x])
            continue
        p = offsets[4]
        v, w = lines[u, p : p + n], lines[u + 1, p : p + n]
        if size == 5:
            for x in range(n):
                out[x] += (a[x] * b[x]) * (c[x] * g[x]) * v[x]
                out[x] += (d[x] * e[x]) * (f[x] * h[x]) * w[x]
            continue
        q = offsets[5]
        y, z = lines[u, q : q + n], lines[u + 1, q : q + n]
        for x in range(n):
            out[x] += (a[x] * b[x]) * (c[x] * g[x]) * (v[x] * y[x])
            out[x] += (d[x] * e[x]) * (f[x] * h[x]) * (w[x] * z[x])

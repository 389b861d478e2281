"""The inner loop of SOFI, compiled by numba and kept on disk after the first run.

Importing this module loads numba (half a second): import it where it is used.
"""

from __future__ import annotations

import numba
import numpy as np

from napari_sofinet.sofi.moments import FRAMES_AT_ONCE

assert FRAMES_AT_ONCE == 4


# `contract` and `reassoc` only let the compiler use fused and vector instructions.
@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def add_products(block, about, first, last, table, sizes, buffer, sums):  # type: ignore[no-untyped-def]
    """Add the products of a block's frames to ``sums`` for anchors in rows first .. last-1.

    Shapes: block (t, Y, X); about (Y, X); table (n, size, 2) and sizes (n,) say which pixels
    belong to a product; buffer (4, rows + reach, X) scratch; sums (n, Y, X). Slices of rows keep
    the inner loops free of index arithmetic, which is what lets them run in vector registers.
    """
    frames, _height, width = block.shape
    tall = buffer.shape[1]
    for t in range(0, frames, 4):
        for u in range(4):
            for y in range(tall):
                out = buffer[u, y]
                if t + u < frames:
                    raw = block[t + u, first + y]
                    base = about[first + y]
                    for x in range(width):
                        out[x] = np.float64(raw[x]) - base[x]
                else:
                    out[:] = 0.0
        for y in range(last - first):
            for k in range(len(sizes)):
                size = sizes[k]
                right = 0
                low = 0
                for m in range(size):
                    right = max(right, table[k, m, 1])
                    low = max(low, table[k, m, 0])
                if y + low >= tall:
                    continue
                n = width - right
                out = sums[k, first + y][:n]
                r0, c0 = y + table[k, 0, 0], table[k, 0, 1]
                if size == 1:
                    a, b, c, d = buffer[0, r0], buffer[1, r0], buffer[2, r0], buffer[3, r0]
                    for x in range(n):
                        out[x] += (a[x] + b[x]) + (c[x] + d[x])
                    continue
                r1, c1 = y + table[k, 1, 0], table[k, 1, 1]
                if size == 2:
                    a, b = buffer[0, r0][c0 : c0 + n], buffer[0, r1][c1 : c1 + n]
                    c, d = buffer[1, r0][c0 : c0 + n], buffer[1, r1][c1 : c1 + n]
                    e, f = buffer[2, r0][c0 : c0 + n], buffer[2, r1][c1 : c1 + n]
                    g, h = buffer[3, r0][c0 : c0 + n], buffer[3, r1][c1 : c1 + n]
                    for x in range(n):
                        out[x] += (a[x] * b[x] + c[x] * d[x]) + (e[x] * f[x] + g[x] * h[x])
                    continue
                r2, c2 = y + table[k, 2, 0], table[k, 2, 1]
                for u in range(0, 4, 2):
                    a, d = buffer[u, r0][c0 : c0 + n], buffer[u + 1, r0][c0 : c0 + n]
                    b, e = buffer[u, r1][c1 : c1 + n], buffer[u + 1, r1][c1 : c1 + n]
                    c, f = buffer[u, r2][c2 : c2 + n], buffer[u + 1, r2][c2 : c2 + n]
                    if size == 3:
                        for x in range(n):
                            out[x] += a[x] * b[x] * c[x] + d[x] * e[x] * f[x]
                    else:
                        r3, c3 = y + table[k, 3, 0], table[k, 3, 1]
                        g, h = buffer[u, r3][c3 : c3 + n], buffer[u + 1, r3][c3 : c3 + n]
                        for x in range(n):
                            out[x] += (a[x] * b[x]) * (c[x] * g[x]) + (d[x] * e[x]) * (f[x] * h[x])

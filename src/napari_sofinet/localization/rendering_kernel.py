"""Localisations on a grid, compiled by numba.

Importing this module loads numba (half a second): import it where it is used.
"""

from __future__ import annotations

import math

import numba
import numpy as np

REACH = 3.0
"""Standard deviations after which a spot ends; what would lie outside is spread over the inside."""


@numba.njit(nogil=True, cache=True, error_model="numpy")
def count(y, x, start, step, image, first, last):  # type: ignore[no-untyped-def]
    """Add one for each localisation to its sample, in the rows ``first`` .. ``last`` - 1.

    ``start`` and ``step`` (y, x) are the centre of sample (0, 0) and the distance of samples in the
    units of ``y`` and ``x``.
    """
    columns = image.shape[1]
    for k in range(len(y)):
        # To whole numbers only once inside: what is far away has none.
        i = np.floor((y[k] - start[0]) / step[0] + 0.5)
        j = np.floor((x[k] - start[1]) / step[1] + 0.5)
        if first <= i < last and 0 <= j < columns:
            image[int(i), int(j)] += 1


@numba.njit(nogil=True, cache=True, error_model="numpy")
def spots(y, x, sigma, least, most, start, step, image, first, last):  # type: ignore[no-untyped-def]
    """Add a Gaussian of sum one for each localisation, integrated over samples; see `count`.

    ``sigma`` (n,) or (1,) is its width in the units of ``y``, taken as ``least`` where it is less
    or no number, and as ``most`` where it is more.
    """
    columns = image.shape[1]
    longest = int(REACH * most / min(step[0], step[1])) + 2
    down, across = np.empty(2 * longest + 1, np.float32), np.empty(2 * longest + 1, np.float32)
    for k in range(len(y)):
        width = sigma[k if len(sigma) > 1 else 0]
        if not width >= least:
            width = least
        width = min(width, most)
        v, u = (y[k] - start[0]) / step[0], (x[k] - start[1]) / step[1]
        sv, su = width / step[0], width / step[1]
        rv, ru = int(REACH * sv) + 1, int(REACH * su) + 1
        if not (first - rv - 1 < v < last + rv and -ru - 1 < u < columns + ru):
            continue
        i, j = round(v), round(u)
        _shares(v - i, 1 / (sv * math.sqrt(2.0)), rv, down)
        _shares(u - j, 1 / (su * math.sqrt(2.0)), ru, across)
        left, right = max(j - ru, 0), min(j + ru + 1, columns)
        shares = across[left - (j - ru) :]
        for row in range(max(i - rv, first), min(i + rv + 1, last)):
            share = down[row - (i - rv)]
            line = image[row, left:right]
            for column in range(len(line)):
                line[column] += share * shares[column]


@numba.njit(nogil=True, error_model="numpy")
def _shares(offset, scale, reach, out):  # type: ignore[no-untyped-def]
    """Share of a Gaussian, ``offset`` beside the middle, that falls into each sample; sum one."""
    before = math.erf((-reach - 0.5 - offset) * scale)
    total = math.erf((reach + 0.5 - offset) * scale) - before
    for k in range(2 * reach + 1):
        after = math.erf((k - reach + 0.5 - offset) * scale)
        out[k] = (after - before) / total
        before = after

"""Localizations on a grid, compiled by numba.

Importing this module loads numba (half a second): import it where it is used.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from napari_sofinet.base.compiled import compiled

REACH = 3.0
"""Standard deviations at which a spot is cut off; the light beyond is spread over the inside."""


@compiled(nogil=True, error_model="numpy")
def count(y, x, start, step, image, first, last):  # type: ignore[no-untyped-def]
    """Add one for each localization to its sample, in the rows ``first`` .. ``last`` - 1.

    ``start`` and ``step`` (y, x) are the centre of sample (0, 0) and the distance of samples in the
    units of ``y`` and ``x``.
    """
    columns = image.shape[1]
    for k in range(len(y)):
        # Converted to integers only inside: positions far away have none.
        i = np.floor((y[k] - start[0]) / step[0] + 0.5)
        j = np.floor((x[k] - start[1]) / step[1] + 0.5)
        if first <= i < last and 0 <= j < columns:
            image[int(i), int(j)] += 1


@compiled(nogil=True, error_model="numpy")
def spots(y, x, sigma, least, most, start, step, image, first, last):  # type: ignore[no-untyped-def]
    """Add a Gaussian of sum 1 for each localization, integrated over samples; see `count`.

    ``sigma`` (N,) or (1,) is its standard deviation in the units of ``y``, limited to the range
    from ``least`` (also used for NaN) to ``most``.
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
        _integrals(v - i, 1 / (sv * math.sqrt(2.0)), rv, down)
        _integrals(u - j, 1 / (su * math.sqrt(2.0)), ru, across)
        left, right = max(j - ru, 0), min(j + ru + 1, columns)
        along_row = across[left - (j - ru) :]
        for row in range(max(i - rv, first), min(i + rv + 1, last)):
            height = down[row - (i - rv)]
            line = image[row, left:right]
            for column in range(len(line)):
                line[column] += height * along_row[column]


@numba.njit(nogil=True, error_model="numpy")
def _integrals(offset, scale, reach, out):  # type: ignore[no-untyped-def]
    """Integrate a Gaussian, ``offset`` beside the middle, over each sample, to a sum of 1."""
    before = math.erf((-reach - 0.5 - offset) * scale)
    total = math.erf((reach + 0.5 - offset) * scale) - before
    for k in range(2 * reach + 1):
        after = math.erf((k - reach + 0.5 - offset) * scale)
        out[k] = (after - before) / total
        before = after

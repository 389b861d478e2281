"""Spots on camera pixels, compiled by numba.

Importing this module loads numba (half a second): import it where it is used.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from napari_sofinet.base.compiled import compiled
from napari_sofinet.simulation.psf import FINENESS


@compiled(nogil=True, error_model="numpy")
def gaussian(at, energy, frame, out, sigma, reach):  # type: ignore[no-untyped-def]
    """Add Gaussian spots at ``at`` (n, 2) px to the images ``out`` (T, Y, X) numbered ``frame``."""
    rows, columns = out.shape[1:]
    across, down = np.empty(2 * reach + 1), np.empty(2 * reach + 1)
    scale = 1 / (sigma * math.sqrt(2.0))
    for k in range(len(at)):
        y, x = round(at[k, 0]), round(at[k, 1])
        if y < -reach or x < -reach or y >= rows + reach or x >= columns + reach:
            continue
        _shares(at[k, 0] - y, scale, reach, down)
        _shares(at[k, 1] - x, scale, reach, across)
        left, right = max(x - reach, 0), min(x + reach + 1, columns)
        shares = across[left - (x - reach) :]
        image = out[frame[k]]
        for i in range(max(y - reach, 0), min(y + reach + 1, rows)):
            light = energy[k] * down[i - (y - reach)]
            line = image[i, left:right]
            for j in range(len(line)):
                line[j] += light * shares[j]


@numba.njit(nogil=True, error_model="numpy")
def _shares(offset, scale, reach, out):  # type: ignore[no-untyped-def]
    """Share of a Gaussian, ``offset`` beside the middle pixel, that falls into each pixel."""
    before = math.erf((-reach - 0.5 - offset) * scale)
    for k in range(2 * reach + 1):
        after = math.erf((k - reach + 0.5 - offset) * scale)
        out[k] = 0.5 * (after - before)
        before = after


@compiled(nogil=True, error_model="numpy")
def tabled(at, energy, frame, out, table, reach):  # type: ignore[no-untyped-def]
    """Do the same with a table of a PSF, see `Psf`, between whose samples it is linear."""
    rows, columns = out.shape[1:]
    middle = len(table) // 2
    for k in range(len(at)):
        y, x = round(at[k, 0]), round(at[k, 1])
        # Place in the table of the pixel at the lower end of the reach.
        v = middle + FINENESS * (y - reach - at[k, 0])
        u = middle + FINENESS * (x - reach - at[k, 1])
        i0, j0 = math.floor(v), math.floor(u)
        fv, fu = v - i0, u - j0
        image = out[frame[k]]
        for i in range(max(y - reach, 0), min(y + reach + 1, rows)):
            a = i0 + FINENESS * (i - (y - reach))
            if a < 0 or a + 1 >= len(table):
                continue
            for j in range(max(x - reach, 0), min(x + reach + 1, columns)):
                b = j0 + FINENESS * (j - (x - reach))
                if b < 0 or b + 1 >= len(table):
                    continue
                above = (1 - fu) * table[a, b] + fu * table[a, b + 1]
                below = (1 - fu) * table[a + 1, b] + fu * table[a + 1, b + 1]
                image[i, j] += energy[k] * ((1 - fv) * above + fv * below)

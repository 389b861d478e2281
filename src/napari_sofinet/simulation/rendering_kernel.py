"""Kernels that add spots to camera pixels, compiled by numba.

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
    """Add Gaussian spots to images.

    Parameters
    ----------
    at : ndarray
        (n, 2) float64 positions y, x in camera pixels.
    energy : ndarray
        (n,) float64 energy of each spot.
    frame : ndarray
        (n,) int64 number of the image of each spot.
    out : ndarray
        (T, Y, X) float64 images, changed in place.
    sigma : float
        Standard deviation in camera pixels.
    reach : int
        Pixels on each side that receive light.
    """
    rows, columns = out.shape[1:]
    across, down = np.empty(2 * reach + 1), np.empty(2 * reach + 1)
    scale = 1 / (sigma * math.sqrt(2.0))
    for k in range(len(at)):
        y, x = round(at[k, 0]), round(at[k, 1])
        if y < -reach or x < -reach or y >= rows + reach or x >= columns + reach:
            continue
        _fractions(at[k, 0] - y, scale, reach, down)
        _fractions(at[k, 1] - x, scale, reach, across)
        left, right = max(x - reach, 0), min(x + reach + 1, columns)
        fractions = across[left - (x - reach) :]
        image = out[frame[k]]
        for i in range(max(y - reach, 0), min(y + reach + 1, rows)):
            light = energy[k] * down[i - (y - reach)]
            line = image[i, left:right]
            for j in range(len(line)):
                line[j] += light * fractions[j]


@numba.njit(nogil=True, error_model="numpy")
def _fractions(offset, scale, reach, out):  # type: ignore[no-untyped-def]
    """Write to ``out`` the fractions of a Gaussian, ``offset`` beside the middle, in pixels."""
    before = math.erf((-reach - 0.5 - offset) * scale)
    for k in range(2 * reach + 1):
        after = math.erf((k - reach + 0.5 - offset) * scale)
        out[k] = 0.5 * (after - before)
        before = after


@compiled(nogil=True, error_model="numpy")
def tabled(at, energy, frame, out, table, reach):  # type: ignore[no-untyped-def]
    """Add spots with the table of a PSF, interpolated linearly.

    Parameters
    ----------
    at, energy, frame, out, reach
        See `gaussian`.
    table : ndarray
        (n, n) float64 energy in a camera pixel, see `Psf`.
    """
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

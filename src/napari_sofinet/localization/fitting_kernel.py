"""Least squares of many spots at once, weighted by their noise, compiled by numba.

Importing this module loads numba (half a second): import it where it is used.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from napari_sofinet.base.compiled import compiled

LIGHT_SWEEPS = 5
MOST_NEIGHBOURS = 6
DIMMEST = 1e-3
"""Smallest light of a spot, as a fraction of that at the start."""


@compiled(nogil=True, error_model="numpy")
def fit(  # type: ignore[no-untyped-def]
    image, background, gain, floor, sigma, at, photons, first, prior_px, sweeps, model
):
    """Fit spots of one width together, in place.

    Parameters
    ----------
    image, background : ndarray
        (Y, X) frame, and its background.
    gain : float
        Variance of a pixel is ``gain`` times the light of spots in it plus ``floor``.
    floor : ndarray
        (Y, X).
    sigma : float
        Standard deviation of the spots in px.
    at, photons : ndarray
        (N, 2) positions y, x in px and (N,) light in the image's unit: the start, then the result.
    first : ndarray
        (N, 2) expected positions.
    prior_px : float
        Standard deviation of the positions around ``first`` in px; 0 if they are free.
    sweeps : int
        Largest number of rounds.
    model : ndarray
        (Y, X) light of all spots: a result.
    """
    rows, columns = image.shape
    reach = math.ceil(3 * sigma) + 1
    near = math.ceil(2.2 * sigma) + 1
    size = 2 * reach + 1
    ey, ex = np.empty(size), np.empty(size)
    dy, dx = np.empty(size), np.empty(size)
    least = np.maximum(DIMMEST * photons, 1e-9)
    model[:] = 0.0
    for k in range(len(at)):
        _add(model, at[k], photons[k], sigma, reach, ey, ex)
    for sweep in range(-LIGHT_SWEEPS, sweeps):
        moved = 1.0 if sweep < 0 else 0.0
        for k in range(len(at)):
            y, x = round(at[k, 0]), round(at[k, 1])
            _add(model, at[k], -photons[k], sigma, reach, ey, ex)
            _profile(at[k, 0] - y, sigma, reach, ey, dy)
            _profile(at[k, 1] - x, sigma, reach, ex, dx)
            f = np.zeros((3, 3))
            g = np.zeros(3)
            for i in range(max(y - near, 0), min(y + near + 1, rows)):
                a, da = ey[i - y + reach], dy[i - y + reach]
                for j in range(max(x - near, 0), min(x + near + 1, columns)):
                    b, db = ex[j - x + reach], dx[j - x + reach]
                    others = max(model[i, j], 0.0)
                    light = photons[k] * a * b
                    weight = 1.0 / (gain * (others + light) + floor[i, j])
                    rest = image[i, j] - background[i, j] - others - light
                    s0, s1, s2 = photons[k] * da * b, photons[k] * a * db, a * b
                    g[0] += weight * rest * s0
                    g[1] += weight * rest * s1
                    g[2] += weight * rest * s2
                    f[0, 0] += weight * s0 * s0
                    f[0, 1] += weight * s0 * s1
                    f[0, 2] += weight * s0 * s2
                    f[1, 1] += weight * s1 * s1
                    f[1, 2] += weight * s1 * s2
                    f[2, 2] += weight * s2 * s2
            if sweep < 0:  # positions would move to make up for light that is not yet right
                photons[k] = max(photons[k] + g[2] / max(f[2, 2], 1e-30), least[k])
                _add(model, at[k], photons[k], sigma, reach, ey, ex)
                continue
            if prior_px > 0:
                for axis in range(2):
                    f[axis, axis] += 1 / prior_px**2
                    g[axis] -= (at[k, axis] - first[k, axis]) / prior_px**2
            f[1, 0], f[2, 0], f[2, 1] = f[0, 1], f[0, 2], f[1, 2]
            scale = np.empty(3)
            for p in range(3):
                scale[p] = 1 / math.sqrt(max(f[p, p], 1e-30))
            for p in range(3):
                for q in range(3):
                    f[p, q] *= scale[p] * scale[q]
                f[p, p] += 1e-9
            inverse = np.linalg.inv(f)
            step = np.zeros(3)
            for p in range(3):
                for q in range(3):
                    step[p] += scale[p] * inverse[p, q] * scale[q] * g[q]
            longest = max(abs(step[0]), abs(step[1]))
            shorter = min(1.0, 0.5 * sigma / max(longest, 1e-12))
            for axis in range(2):
                at[k, axis] += shorter * step[axis]
            photons[k] = max(photons[k] + step[2], least[k], 0.2 * photons[k])
            moved = max(moved, shorter * longest)
            _add(model, at[k], photons[k], sigma, reach, ey, ex)
        if moved < 1e-3:
            break


@compiled(nogil=True, error_model="numpy")
def spreads(model, gain, floor, sigma, at, photons, prior_px, spread):  # type: ignore[no-untyped-def]
    """Compute the standard deviations of y, x and light of each spot, in the presence of others.

    They follow from the Fisher information of the spot and of up to `MOST_NEIGHBOURS` nearest ones
    within 3 sigma, all of whose positions and light are unknown. They are written to ``spread``
    (N, 3); for the other parameters see `fit`.
    """
    rows, columns = model.shape
    reach = math.ceil(3 * sigma) + 1
    near = math.ceil(2.2 * sigma) + 1
    size = 2 * reach + 1
    most = MOST_NEIGHBOURS + 1
    groups, counts = _neighbours(at, 3 * sigma, most)
    ey, ex = np.empty((most, size)), np.empty((most, size))
    dy, dx = np.empty((most, size)), np.empty((most, size))
    slope, scale = np.empty(3 * most), np.empty(3 * most)
    for k in range(len(at)):
        count, group = counts[k], groups[k]
        for m in range(count):
            n = group[m]
            _profile(at[n, 0] - round(at[n, 0]), sigma, reach, ey[m], dy[m])
            _profile(at[n, 1] - round(at[n, 1]), sigma, reach, ex[m], dx[m])
        f = np.zeros((3 * count, 3 * count))
        y, x = round(at[k, 0]), round(at[k, 1])
        for i in range(max(y - near, 0), min(y + near + 1, rows)):
            for j in range(max(x - near, 0), min(x + near + 1, columns)):
                weight = 1.0 / (gain * max(model[i, j], 0.0) + floor[i, j])
                for m in range(count):
                    n = group[m]
                    p = i - round(at[n, 0]) + reach
                    q = j - round(at[n, 1]) + reach
                    if p < 0 or q < 0 or p >= size or q >= size:
                        slope[3 * m : 3 * m + 3] = 0.0
                        continue
                    slope[3 * m] = photons[n] * dy[m, p] * ex[m, q]
                    slope[3 * m + 1] = photons[n] * ey[m, p] * dx[m, q]
                    slope[3 * m + 2] = ey[m, p] * ex[m, q]
                for a in range(3 * count):
                    for b in range(a + 1):
                        f[a, b] += weight * slope[a] * slope[b]
        for a in range(3 * count):
            if a % 3 < 2 and prior_px > 0:
                f[a, a] += 1 / prior_px**2
            scale[a] = 1 / math.sqrt(max(f[a, a], 1e-30))
        for a in range(3 * count):
            for b in range(a + 1):
                f[a, b] *= scale[a] * scale[b]
                f[b, a] = f[a, b]
        for a in range(3 * count):
            f[a, a] += 1e-6
        inverse = np.linalg.inv(f)
        for a in range(3):
            spread[k, a] = math.sqrt(max(inverse[a, a], 0.0)) * scale[a]


@numba.njit(nogil=True, error_model="numpy")
def _neighbours(at, radius, most):  # type: ignore[no-untyped-def]
    """Return indices (N, most) of the spots within a radius of each, nearest first, and counts."""
    groups = np.empty((len(at), most), np.int64)
    counts = np.ones(len(at), np.int64)
    far = np.empty(most)
    order = np.argsort(at[:, 0])
    for r in range(len(at)):
        k = order[r]
        groups[k, 0], far[0] = k, 0.0
        count = 1
        for way in (-1, 1):
            s = r + way
            while 0 <= s < len(at):
                other = order[s]
                if abs(at[other, 0] - at[k, 0]) > radius:
                    break
                distance = math.hypot(at[other, 0] - at[k, 0], at[other, 1] - at[k, 1])
                if distance < radius and (count < most or distance < far[most - 1]):
                    n = min(count, most - 1)
                    while n > 1 and far[n - 1] > distance:
                        groups[k, n], far[n] = groups[k, n - 1], far[n - 1]
                        n -= 1
                    groups[k, n], far[n] = other, distance
                    count = min(count + 1, most)
                s += way
        counts[k] = count
    return groups, counts


@numba.njit(nogil=True, error_model="numpy")
def _add(model, place, light, sigma, reach, ey, ex):  # type: ignore[no-untyped-def]
    """Add a spot's light to a model (Y, X)."""
    rows, columns = model.shape
    y, x = round(place[0]), round(place[1])
    _integrals(place[0] - y, sigma, reach, ey)
    _integrals(place[1] - x, sigma, reach, ex)
    for i in range(max(y - reach, 0), min(y + reach + 1, rows)):
        a = light * ey[i - y + reach]
        for j in range(max(x - reach, 0), min(x + reach + 1, columns)):
            model[i, j] += a * ex[j - x + reach]


@numba.njit(nogil=True, error_model="numpy")
def _integrals(offset, sigma, reach, out):  # type: ignore[no-untyped-def]
    """Integrate a Gaussian, ``offset`` beside the middle pixel, over each pixel."""
    scale = 1 / (math.sqrt(2.0) * sigma)
    left = math.erf((-reach - 0.5 - offset) * scale)
    for i in range(2 * reach + 1):
        right = math.erf((i - reach + 0.5 - offset) * scale)
        out[i] = 0.5 * (right - left)
        left = right


@numba.njit(nogil=True, error_model="numpy")
def _profile(offset, sigma, reach, out, slope):  # type: ignore[no-untyped-def]
    """Compute `_integrals` and their derivatives with respect to the offset."""
    _integrals(offset, sigma, reach, out)
    height = 1 / (math.sqrt(2 * math.pi) * sigma)
    left = math.exp(-0.5 * ((-reach - 0.5 - offset) / sigma) ** 2)
    for i in range(2 * reach + 1):
        right = math.exp(-0.5 * ((i - reach + 0.5 - offset) / sigma) ** 2)
        slope[i] = height * (left - right)
        left = right

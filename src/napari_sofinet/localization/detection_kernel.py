"""Emitters in a network's map, compiled by numba.

Importing this module loads numba (half a second): import it where it is used.
"""

from __future__ import annotations

import numba

from napari_sofinet.base.compiled import compiled


@compiled(nogil=True, error_model="numpy")
def peaks(image, threshold, at, mass, height):  # type: ignore[no-untyped-def]
    """Find the local maxima of a map (Y, X) above a threshold, and return their number, up to N.

    Their centres of light in samples are written to ``at`` (N, 2), the sums of the 3 x 3 samples
    around them to ``mass`` (N,) and the highest samples to ``height`` (N,).
    """
    rows, columns = image.shape
    found = 0
    for i in range(rows):
        for j in range(columns):
            value = image[i, j]
            if value <= threshold or found == len(at):
                continue
            highest = True
            total = sy = sx = 0.0
            for p in range(max(i - 1, 0), min(i + 2, rows)):
                for q in range(max(j - 1, 0), min(j + 2, columns)):
                    other = image[p, q]
                    # Of equal neighbours the first one is the maximum.
                    if other > value or (other == value and (p, q) < (i, j)):
                        highest = False
                    light = max(other, 0.0)
                    total += light
                    sy += light * (p - i)
                    sx += light * (q - j)
            if highest:
                # Light beyond the 3 x 3 samples pulls their centre to the middle.
                at[found, 0], at[found, 1] = i + 1.35 * sy / total, j + 1.35 * sx / total
                mass[found], height[found] = total, value
                found += 1
    return found


@compiled(nogil=True, error_model="numpy")
def take(light, i, j, around, amount):  # type: ignore[no-untyped-def]
    """Subtract an amount from light (Y, X) around a sample, the nearest samples first."""
    rows, columns = light.shape
    for k in range(len(around)):
        p, q = i + around[k, 0], j + around[k, 1]
        if 0 <= p < rows and 0 <= q < columns:
            part = min(light[p, q], amount)
            light[p, q] -= part
            amount -= part
            if amount <= 0:
                return


@compiled(nogil=True, error_model="numpy")
def centre(light, i, j, around):  # type: ignore[no-untyped-def]
    """Return the sum of light (Y, X) around a sample, its centre y, x and its variance per axis."""
    rows, columns = light.shape
    total = sy = sx = square = 0.0
    for k in range(len(around)):
        p, q = i + around[k, 0], j + around[k, 1]
        if 0 <= p < rows and 0 <= q < columns:
            value = light[p, q]
            total += value
            sy += value * p
            sx += value * q
            square += value * (p * p + q * q)
    if total <= 0:
        return 0.0, float(i), float(j), 0.0
    y, x = sy / total, sx / total
    return total, y, x, 0.5 * max(square / total - y * y - x * x, 0.0)


@compiled(nogil=True, error_model="numpy")
def heaps(light, floor, at, height):  # type: ignore[no-untyped-def]
    """Find the local maxima of sums of 3 x 3 samples of light (Y, X); return their number, up to N.

    Only samples above ``floor`` count. Positions are written to ``at`` (N, 2), sums to ``height``
    (N,).
    """
    rows, columns = light.shape
    found = 0
    for i in range(rows):
        for j in range(columns):
            if light[i, j] <= floor or found == len(at):
                continue
            own = _sum(light, i, j)
            highest = True
            for p in range(max(i - 1, 0), min(i + 2, rows)):
                for q in range(max(j - 1, 0), min(j + 2, columns)):
                    if highest and (p != i or q != j):
                        other = _sum(light, p, q)
                        if other > own or (other == own and (p, q) < (i, j)):
                            highest = False
            if highest:
                at[found, 0], at[found, 1], height[found] = i, j, own
                found += 1
    return found


@numba.njit(nogil=True, error_model="numpy")
def _sum(light, i, j):  # type: ignore[no-untyped-def]
    """Return the sum of the 3 x 3 samples around one."""
    rows, columns = light.shape
    total = 0.0
    for p in range(max(i - 1, 0), min(i + 2, rows)):
        for q in range(max(j - 1, 0), min(j + 2, columns)):
            total += light[p, q]
    return total

"""Sets of camera pixels that are multiplied for each sub-pixel of a SOFI image."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, product
from typing import Literal

Pixel = tuple[int, int]
PixelSet = tuple[Pixel, ...]
Kind = Literal["all", "weighted", "single"]
HIGHEST_ORDER = 6
SQUARED_SIGMA = 8 * math.log(2)
"""FWHM² of a Gaussian in units of sigma²."""

NEIGHBOURHOOD = tuple(product(range(-1, 3), range(-1, 3)))
"""Offsets (row, column) of the 4 x 4 pixels of which sets consist; the image loses 1 px at the top
and left, and 2 px at the bottom and right."""
WIDER = 2.0
"""Largest difference in px² between the spread of a ``"weighted"`` set and the smallest one."""


def spread(pixels: PixelSet) -> float:
    """Return the sum of squared distances of pixels from their centre of gravity in px².

    Examples
    --------
    >>> spread(((0, 0), (0, 1))), spread(((0, 0), (1, 1)))
    (0.5, 1.0)
    """
    n = len(pixels)
    return float(
        sum(
            sum(p[axis] ** 2 for p in pixels) - Fraction(sum(p[axis] for p in pixels) ** 2, n)
            for axis in (0, 1)
        )
    )


@lru_cache
def pixel_sets(order: int, kind: Kind = "all") -> dict[Pixel, tuple[PixelSet, ...]]:
    """Return the pixel sets of every phase (p, q) of an order-n cumulant image.

    A set holds n distinct pixels with the centre of gravity exactly at (p/n, q/n), so that shot
    and read noise never enter. Of these, the sets with the smallest spread are used, since the
    signal falls with exp(-spread / (2 sigma²)).

    Parameters
    ----------
    order : int
        Order n of the cumulant.
    kind : {"all", "weighted", "single"}, optional
        ``"all"`` returns all sets of smallest spread (averaging them lowers the noise);
        ``"weighted"`` also somewhat wider ones, which have to be weighted by `relative_signal`;
        ``"single"`` the first set in lexicographic order, as sofipackage does.

    Returns
    -------
    dict of (int, int) to tuple
        Sets of (row, column) offsets for each phase (p, q), p, q = 0 .. n-1.

    Examples
    --------
    >>> pixel_sets(2)[1, 0]
    (((0, 0), (1, 0)),)
    >>> len(pixel_sets(2)[0, 0])
    2
    """
    at: dict[Pixel, list[PixelSet]] = {}
    for pixels in combinations(NEIGHBOURHOOD, order):
        centre = sum(p[0] for p in pixels), sum(p[1] for p in pixels)
        if all(0 <= c < order for c in centre):
            at.setdefault(centre, []).append(pixels)
    chosen = {}
    for phase, candidates in sorted(at.items()):
        # combinations() gives rows first; the reference's index runs down the columns first.
        ordered = sorted(candidates, key=lambda s: sorted((p[0] + 1) + 4 * (p[1] + 1) for p in s))
        widest = min(map(spread, ordered)) + (WIDER if kind == "weighted" else 0)
        tight = tuple(s for s in sorted(ordered, key=spread) if spread(s) <= widest)
        chosen[phase] = tight[:1] if kind == "single" else tight
    return chosen


def relative_signal(sets: tuple[PixelSet, ...], fwhm_px: float) -> tuple[float, ...]:
    """Return the signal of pixel sets of one phase in units of that of the closest set.

    Their noise is similar, so the sum with these weights, divided by the weights' sum of squares,
    is the signal of the closest set with the least noise.

    Parameters
    ----------
    sets : tuple of tuple of (int, int)
        Pixel sets of one phase.
    fwhm_px : float
        Width of the Gaussian PSF in camera pixels.

    Returns
    -------
    tuple of float
        From 0 to 1.
    """
    closest = min(map(spread, sets))
    variance = fwhm_px**2 / SQUARED_SIGMA
    return tuple(math.exp(-(spread(s) - closest) / (2 * variance)) for s in sets)

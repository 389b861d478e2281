"""Classical reconstruction of a whole SIM stack, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from napari_sofinet.structured_illumination.geometry import StackGeometry
from napari_sofinet.structured_illumination.noise import noise_over_signal, noise_variance
from napari_sofinet.structured_illumination.optics import Optics
from napari_sofinet.structured_illumination.pattern import Pattern
from napari_sofinet.structured_illumination.wiener import FINE, WienerFilter

MARGIN_PX, MARGIN_PLANES = 16, 4
"""Margins that are reconstructed and cut off; at the borders of the stack they are mirrored."""
TILE_PX = 256
TYPICAL_PX = 64
"""Side of a field that is large enough to see how noise spreads."""
Step = Callable[[float], None]


def reconstruct_stack(
    exposures: np.ndarray,
    pattern: Pattern,
    optics: Optics,
    geometry: StackGeometry,
    noise: float | None = None,
    step: Step = lambda done: None,
) -> np.ndarray:
    """Reconstruct a SIM stack with a three-dimensional Wiener filter.

    Parameters
    ----------
    exposures : ndarray
        (P, Z, Y, X) counts above the camera's offset.
    pattern : Pattern
        Pattern of the stack; see `fit_pattern`.
    optics : Optics
        The microscope.
    geometry : StackGeometry
        Sampling.
    noise : float, optional
        Noise over signal; by default that of the stack.
    step : callable, optional
        Called with the part that is done, 0 to 1; raise `Cancelled` in it to stop.

    Returns
    -------
    ndarray
        (Z, 2 Y, 2 X) float32, sample 2 i at the centre of pixel i, in the unit of the exposures.

    References
    ----------
    Gustafsson et al., Biophys. J. 94, 4957 (2008), equation 3.
    """
    if noise is None:
        variance = noise_variance(exposures, optics, geometry)
        noise = noise_over_signal(exposures, variance, pattern, optics, geometry)
    _, planes, rows, columns = exposures.shape
    out = np.empty((planes, FINE * rows, FINE * columns), np.float32)
    tiles = list(_tiles(rows, columns))
    made: dict[tuple[int, int], WienerFilter] = {}
    for number, (top, bottom, left, right) in enumerate(tiles):
        y = _mirrored(top - MARGIN_PX, bottom + MARGIN_PX, rows)
        x = _mirrored(left - MARGIN_PX, right + MARGIN_PX, columns)
        z = _mirrored(-MARGIN_PLANES, planes + MARGIN_PLANES, planes)
        part = exposures[:, z][:, :, y][..., x]
        size = part.shape[-2:]
        corner_um = (top - MARGIN_PX) * geometry.pixel_um, (left - MARGIN_PX) * geometry.pixel_um
        if size not in made:
            made = {size: WienerFilter(pattern, optics, geometry, part.shape[1:], noise)}
        picture = made[size].apply(part, corner_um, partial(_part_of, step, number, len(tiles)))
        inside = np.s_[
            MARGIN_PLANES : MARGIN_PLANES + planes,
            FINE * MARGIN_PX : FINE * (MARGIN_PX + bottom - top),
            FINE * MARGIN_PX : FINE * (MARGIN_PX + right - left),
        ]
        out[:, FINE * top : FINE * bottom, FINE * left : FINE * right] = picture[inside]
    return out


def noise_in(
    shape: tuple[int, ...],
    pattern: Pattern,
    optics: Optics,
    geometry: StackGeometry,
    noise: float,
) -> float:
    """Return the standard deviation of noise in a reconstruction, over that of an exposure's pixel.

    Parameters
    ----------
    shape : tuple of int
        (P, Z, Y, X) of the exposures.
    pattern, optics, geometry, noise
        As for `reconstruct_stack`.
    """
    planes, rows, columns = shape[1:]
    side = planes + 2 * MARGIN_PLANES, min(rows, TYPICAL_PX), min(columns, TYPICAL_PX)
    return WienerFilter(pattern, optics, geometry, side, noise).noise_gain()


def _part_of(step: Step, number: int, count: int, done: float) -> None:
    """Report what is done of one tile as part of all."""
    step((number + done) / count)


def _tiles(rows: int, columns: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield top, bottom, left and right of tiles that cover a field."""
    for top in range(0, rows, TILE_PX):
        for left in range(0, columns, TILE_PX):
            yield top, min(top + TILE_PX, rows), left, min(left + TILE_PX, columns)


def _mirrored(first: int, last: int, size: int) -> np.ndarray:
    """Return places first .. last-1 on an axis, those beyond its ends mirrored there."""
    period = max(2 * size - 2, 1)
    places = np.abs(np.arange(first, last)) % period
    return np.where(places < size, places, period - places)

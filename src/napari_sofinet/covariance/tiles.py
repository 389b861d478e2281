"""Overlapping tiles of a field, and the picture joined from their inner parts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

OWN_PX = 12


@dataclass(frozen=True)
class Tile:
    """A tile: the rectangle that it shows, and the first pixel of those that it is estimated from.

    Parameters
    ----------
    own : ((int, int), (int, int))
        Rows and columns of the field that it shows, ends excluded.
    start : (int, int)
        Row and column of its first pixel.
    """

    own: tuple[tuple[int, int], tuple[int, int]]
    start: tuple[int, int]


@dataclass(frozen=True)
class TilePlan:
    """Tiles of one size that cover a field.

    Parameters
    ----------
    field : (int, int)
        Rows and columns of the field.
    size : (int, int)
        Rows and columns of a tile.
    tiles : tuple of Tile
        The tiles.
    """

    field: tuple[int, int]
    size: tuple[int, int]
    tiles: tuple[Tile, ...]

    def join(self, pictures: np.ndarray, fine: int, margin_px: int, out: np.ndarray) -> None:
        """Put the pictures of the tiles, with margins, into that of the field (fine Y, fine X)."""
        for tile, picture in zip(self.tiles, pictures, strict=True):
            into, source = [], []
            for (a, b), start in zip(tile.own, tile.start, strict=True):
                into.append(slice(fine * a, fine * b))
                first = a - start + margin_px
                source.append(slice(fine * first, fine * (first + b - a)))
            # From the light of a grid point to that of a camera pixel.
            out[tuple(into)] = fine**2 * picture[tuple(source)]


def plan_tiles(field: tuple[int, int], margin_px: int, own_px: int = OWN_PX) -> TilePlan:
    """Cover a field by tiles that overlap.

    Parameters
    ----------
    field : (int, int)
        Rows and columns of the field.
    margin_px : int
        Pixels around the part that a tile shows. At the field's edge it moves inside.
    own_px : int, optional
        Side of the part that a tile shows inside the field; larger at the edge.

    Examples
    --------
    >>> plan = plan_tiles((30, 12), 4)
    >>> plan.size, [tile.own[0] for tile in plan.tiles]
    ((20, 12), [(0, 15), (15, 30)])
    """
    whole = own_px + 2 * margin_px
    size = (min(field[0], whole), min(field[1], whole))
    tiles = [
        Tile((y[:2], x[:2]), (y[2], x[2]))
        for y, x in product(
            _along(field[0], size[0], margin_px), _along(field[1], size[1], margin_px)
        )
    ]
    return TilePlan(field, size, tuple(tiles))


def _along(side: int, tile: int, margin: int) -> list[tuple[int, int, int]]:
    if side <= tile:
        return [(0, side, 0)]
    # Tiles at the edge need a margin on one side only.
    count = max(2, math.ceil((side - 2 * margin) / (tile - 2 * margin)))
    inner = (side - 2 * margin) / count
    cuts = [0, *(round(margin + k * inner) for k in range(1, count)), side]
    found = []
    for a, b in pairwise(cuts):
        middle = (a + b - tile) // 2
        if a == 0 or b == side:
            middle = 0 if a == 0 else side - tile
        found.append((a, b, min(max(middle, 0), side - tile)))
    return found

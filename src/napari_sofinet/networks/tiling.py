"""Tiles of a field that are computed one by one, with all pixels that they depend on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

Span = tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """A rectangle of a field, and the larger one that its pixels depend on.

    Parameters
    ----------
    seen : ((int, int), (int, int))
        ((top, bottom), (left, right)) of the rectangle that the tile needs, in pixels of the field.
    own : ((int, int), (int, int))
        The same for the part that the tile yields; these parts fill the field without overlap.
    """

    seen: tuple[Span, Span]
    own: tuple[Span, Span]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the seen rectangle."""
        (top, bottom), (left, right) = self.seen
        return bottom - top, right - left

    @property
    def window(self) -> tuple[slice, slice]:
        """The seen rectangle as slices of the field."""
        return slice(*self.seen[0]), slice(*self.seen[1])

    def place(self, fineness: int = 1, last: tuple[int, int] | None = None) -> tuple[slice, slice]:
        """Return where the tile's own part lies in the field's output.

        Parameters
        ----------
        fineness : int, optional
            Samples of the output along a pixel of the field.
        last : (int, int), optional
            Rows and columns of the output where it ends before ``fineness`` samples of the last
            pixel, as a grid of 2Y-1 samples does.
        """
        rows, columns = (
            slice(fineness * a, min(fineness * b, last[axis]) if last else fineness * b)
            for axis, (a, b) in enumerate(self.own)
        )
        return rows, columns

    def inside(self, fineness: int = 1, last: tuple[int, int] | None = None) -> tuple[slice, slice]:
        """Return where the own part lies in the output of the seen rectangle, see `place`."""
        rows, columns = (
            slice(part.start - fineness * seen[0], part.stop - fineness * seen[0])
            for part, seen in zip(self.place(fineness, last), self.seen, strict=True)
        )
        return rows, columns


def tiles(rows: int, columns: int, side: int, reach: int) -> Iterator[Tile]:
    """Yield the tiles of a field.

    Tiles start at even pixels, so that a grid half as fine is aligned in all of them.

    Parameters
    ----------
    rows, columns : int
        Size of the field in pixels.
    side : int
        Largest side of a tile's own part in pixels.
    reach : int
        Distance in pixels up to which a tile's own part depends on the field.

    Examples
    --------
    >>> [tile.own for tile in tiles(10, 4, 6, 1)]
    [((0, 4), (0, 4)), ((4, 10), (0, 4))]
    >>> next(tiles(10, 4, 6, 1)).seen
    ((0, 5), (0, 4))
    """
    for top, bottom in _spans(rows, side):
        for left, right in _spans(columns, side):
            seen = (
                (max(top - reach, 0), min(bottom + reach, rows)),
                (max(left - reach, 0), min(right + reach, columns)),
            )
            yield Tile(seen, ((top, bottom), (left, right)))


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    count = -(-length // side)
    edges = [2 * round(length * k / count / 2) for k in range(count)] + [length]
    return list(pairwise(edges))

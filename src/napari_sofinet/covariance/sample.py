"""Sample covariances of tiles, summed up block by block of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch

from napari_sofinet.covariance.likelihood import TileModel
from napari_sofinet.covariance.tiles import Tile


class SampleCovariance:
    """Covariance of the patterns of pixels of tiles about the means of sub-sequences.

    Parameters
    ----------
    tiles : sequence of Tile
        The tiles.
    model : TileModel
        Optics, which says the patterns.
    """

    def __init__(self, tiles: Iterable[Tile], model: TileModel) -> None:
        self.tiles, self.model = tuple(tiles), model
        self._size = model.y.pixels, model.x.pixels
        self.total = torch.zeros((len(self.tiles), model.patterns, model.patterns))
        self.freedom = 0
        self._pivot: np.ndarray | None = None
        self._sums: np.ndarray | None = None
        self._frames = 0

    def add(self, frames: np.ndarray, check: Callable[[], None] = lambda: None) -> None:
        """Add frames (t, Y, X) of the current sub-sequence.

        Parameters
        ----------
        frames : ndarray
            Frames in counts.
        check : callable, optional
            Called between tiles; may raise to stop.
        """
        frames = np.asarray(frames, np.float32)
        if self._pivot is None:
            self._pivot = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
            self._sums = np.zeros(self._pivot.shape)
        rest = frames - self._pivot
        assert self._sums is not None
        self._sums += rest.sum(axis=0, dtype=np.float64)
        self._frames += len(frames)
        for total, tile in zip(self.total, self.tiles, strict=True):
            part = self._of(rest, tile)
            total.addmm_(part.T, part)
            check()

    def end_sub_sequence(self) -> None:
        """Take off the mean of the sub-sequence that ends."""
        if self._frames < 1 or self._sums is None:
            return
        for total, tile in zip(self.total, self.tiles, strict=True):
            sums = self._of(self._sums[None].astype(np.float32), tile)[0]
            total.addr_(sums, sums, alpha=-1 / self._frames)
        self.freedom += self._frames - 1
        self._pivot, self._sums, self._frames = None, None, 0

    def value(self) -> torch.Tensor:
        """Return the sample covariances (B, patterns, patterns), float32."""
        return self.total / max(self.freedom, 1)

    def _of(self, frames: np.ndarray, tile: Tile) -> torch.Tensor:
        y, x = tile.start
        part = frames[:, y : y + self._size[0], x : x + self._size[1]]
        return self.model.project(torch.from_numpy(np.ascontiguousarray(part)))


def of_tiles(image: np.ndarray, tiles: Iterable[Tile], size: tuple[int, int]) -> torch.Tensor:
    """Return the pixels of an image of the field in each tile, (B, pixels) float32."""
    parts = [
        image[y : y + size[0], x : x + size[1]].reshape(-1) for y, x in (t.start for t in tiles)
    ]
    return torch.from_numpy(np.stack(parts).astype(np.float32))

"""Mean, variance and covariance of a movie that is read block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from napari_sofinet.networks.tiling import Tile, tiles

TILE_PX, REACH_WIDTHS = 12, 1.3
"""Own part of a tile in camera pixels, and what it sees beyond it in widths of the PSF."""
LEAST_VARIANCE, LEAST_NOISE = 1e-3, 1e-6
"""Least variance and noise, relative to the greatest variance; and least noise."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Mean, variance and covariance of a movie in photons.

    Parameters
    ----------
    frames : int
        Number of frames.
    mean, variance, noise : torch.Tensor
        (Y, X) mean, variance, and variance without blinking.
    tiles : tuple of Tile, optional
        Tiles of the field; none where the covariance is not known yet.
    samples : tuple of torch.Tensor, optional
        Sample covariance of the pixels that each tile sees.
    """

    frames: int
    mean: torch.Tensor
    variance: torch.Tensor
    noise: torch.Tensor
    tiles: tuple[Tile, ...] = ()
    samples: tuple[torch.Tensor, ...] = ()

    def part(self, window: tuple[slice, slice]) -> Statistics:
        """Return mean, variance and noise of a part of the field, without its covariance."""
        return Statistics(self.frames, self.mean[window], self.variance[window], self.noise[window])

    def with_covariance(
        self,
        blocks: Iterable[np.ndarray],
        fwhm_px: float,
        check: Callable[[], None] = lambda: None,
    ) -> Statistics:
        """Return the same with the covariance of all pairs of nearby pixels.

        Parameters
        ----------
        blocks : iterable of ndarray
            All frames in photons, (t, Y, X) each.
        fwhm_px : float
            Width of the PSF, which sets how far tiles see.
        check : callable, optional
            Called between tiles; may raise to stop.
        """
        parts = covariance_tiles((int(self.mean.shape[0]), int(self.mean.shape[1])), fwhm_px)
        sums = [self.mean.new_zeros((pixels_of(tile),) * 2) for tile in parts]
        for block in blocks:
            rest = torch.as_tensor(np.asarray(block, np.float32)).to(self.mean) - self.mean
            for tile, total in zip(parts, sums, strict=True):
                own = rest[(slice(None), *tile.window)].flatten(1)
                total.addmm_(own.T, own)
                check()
        return replace(
            self, tiles=parts, samples=tuple(total / (self.frames - 1) for total in sums)
        )


def covariance_tiles(shape: tuple[int, int], fwhm_px: float) -> tuple[Tile, ...]:
    """Return the tiles of a field whose pixels' covariance is looked at together."""
    return tuple(tiles(*shape, TILE_PX, int(np.ceil(REACH_WIDTHS * fwhm_px))))


def pixels_of(tile: Tile) -> int:
    """Return the number of pixels that a tile sees."""
    return tile.shape[0] * tile.shape[1]


def mean_and_variance(blocks: Iterable[np.ndarray]) -> tuple[int, np.ndarray, np.ndarray]:
    """Return the number of frames, and the mean and variance (Y, X) float64 of each pixel.

    Parameters
    ----------
    blocks : iterable of ndarray
        All frames, (t, Y, X) each; at least two.

    Examples
    --------
    >>> frames = np.random.default_rng(0).normal(1e4, 1, (50, 3, 3))
    >>> count, mean, variance = mean_and_variance([frames[:20], frames[20:]])
    >>> np.allclose(variance, frames.var(axis=0, ddof=1)), count
    (True, 50)
    """
    count, first = 0, np.zeros(1)
    total = squares = np.zeros(1)
    for block in blocks:
        if not count:
            # Sums about the first frame lose no digits to a large offset.
            first = np.asarray(block[0], np.float64)
            total, squares = np.zeros_like(first), np.zeros_like(first)
        away = block - first
        total += away.sum(axis=0)
        squares += np.square(away).sum(axis=0)
        count += len(block)
    mean = total / count
    return count, first + mean, np.maximum(squares - count * mean**2, 0) / (count - 1)


def statistics(
    frames: int,
    mean: np.ndarray,
    variance: np.ndarray,
    read_noise: float,
    device: str = "cpu",
) -> Statistics:
    """Return the statistics of a movie without its covariance.

    Parameters
    ----------
    frames : int
        Number of frames.
    mean, variance : ndarray
        (Y, X) in photons, see `mean_and_variance`.
    read_noise : float
        Standard deviation of the camera's noise in photons.
    device : str, optional
        Device of the tensors.
    """
    least = LEAST_VARIANCE * float(variance.max())
    noise = np.maximum(np.maximum(mean, 0) + read_noise**2, max(least, LEAST_NOISE))
    maps = (
        torch.as_tensor(one.astype(np.float32)).to(device)
        for one in (mean, np.maximum(variance, least), noise)
    )
    return Statistics(frames, *maps)

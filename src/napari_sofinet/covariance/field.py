"""The estimate of a whole field, tile by tile in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from napari_sofinet.covariance.ascent import Ascent
from napari_sofinet.covariance.evidence import evidence
from napari_sofinet.covariance.likelihood import TileModel

BATCH_NUMBERS = 4_000_000
"""Numbers of the covariances of the tiles that are computed at once on the CPU."""


class TilesFit:
    """Amounts of a number of tiles, all of which rise together.

    Parameters
    ----------
    model : TileModel
        Optics.
    sample : Tensor
        (B, pixels, pixels) sample covariances, on the CPU.
    noise : Tensor
        (B, pixels) noise.
    device : str
        Device that computes.
    """

    def __init__(
        self, model: TileModel, sample: torch.Tensor, noise: torch.Tensor, device: str = "cpu"
    ) -> None:
        numbers = BATCH_NUMBERS * (16 if device != "cpu" else 1)
        self.batch = max(1, numbers // model.pixels**2)
        self.model, self.device = model, device
        self.sample, self.noise = sample, noise
        self.parts = [
            Ascent(
                model, sample[k : k + self.batch].to(device), noise[k : k + self.batch].to(device)
            )
            for k in range(0, len(sample), self.batch)
        ]

    def step(self, check: Callable[[], None] = lambda: None) -> None:
        """Take one step of all tiles; ``check`` is called between batches and may raise."""
        for part in self.parts:
            part.step()
            check()

    def pictures(self) -> np.ndarray:
        """Return the variance of the light of every grid point, (B, points, points)."""
        return np.concatenate([part.picture().cpu().numpy() for part in self.parts])

    def evidence(self, frames: int, sigma_px: float) -> Iterator[np.ndarray]:
        """Yield the signal to noise of every tile, see `evidence`."""
        for part in self.parts:
            found = evidence(self.model, part.noise, part.sample, frames, sigma_px)
            yield from found.cpu().numpy()

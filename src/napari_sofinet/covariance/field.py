"""The estimate of a whole field, tile by tile in batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from napari_sofinet.covariance.ascent import Ascent
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
        (B, patterns, patterns) sample covariances, on the CPU.
    frames : int
        Frames that they are from, less those for means.
    noise : Tensor
        (B, pixels) noise of the camera.
    unexplained : Tensor
        (B, pixels) variance that the model of the light cannot describe.
    """

    def __init__(
        self,
        model: TileModel,
        sample: torch.Tensor,
        frames: int,
        noise: torch.Tensor,
        unexplained: torch.Tensor,
    ) -> None:
        device = model.bases[0].device
        numbers = BATCH_NUMBERS * (16 if device.type != "cpu" else 1)
        batch = max(1, numbers // model.patterns**2)
        self._frames = frames
        self._parts, self._noise = [], []
        for k in range(0, len(sample), batch):
            part = slice(k, k + batch)
            camera = model.noise(noise[part].to(device))
            rest = model.noise(unexplained[part].to(device))
            self._parts.append(Ascent(model, sample[part].to(device), camera + rest))
            self._noise.append(camera)

    def step(self, check: Callable[[], None] = lambda: None) -> None:
        """Take one step of all tiles; ``check`` is called between batches and may raise."""
        for part in self._parts:
            part.step()
            check()

    def pictures(self) -> np.ndarray:
        """Return the variance of the light of every grid point, (B, points, points)."""
        found = [
            part.balanced(noise, self._frames).cpu().numpy()
            for part, noise in zip(self._parts, self._noise, strict=True)
        ]
        return np.concatenate(found)

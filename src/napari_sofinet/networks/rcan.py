"""The residual channel attention network of Boland et al. (2021) for raw SIM stacks."""

from __future__ import annotations

import torch
from torch import nn

EXPOSURES = 7
"""Exposures per plane of the hexagonal pattern."""
FINER = 3
"""Planes of the output for each plane of the input."""
FOLD = 2
"""Samples of the output per camera pixel, along y and x."""


class Rcan(nn.Module):  # type: ignore[misc]
    """Network from the raw exposures of a few planes to three times as many finer ones.

    All exposures of the planes go into the first layer together. Its attention weighs channels by
    their mean over the field (Boland et al. (2021), fig. 1; with 3 planes, 64 channels, 12 groups
    and 3 blocks it has 3,603,465 parameters).

    Parameters
    ----------
    planes : int, default 3
        Planes of the input.
    channels : int, default 64
        Channels of the hidden layers.
    groups : int, default 12
        Residual groups.
    blocks : int, default 3
        Blocks with attention in each group.
    """

    reach_px = 88
    """Distance in camera pixels up to which an output depends on the input by its convolutions; the
    attention depends on the whole field."""

    def __init__(
        self, planes: int = 3, channels: int = 64, groups: int = 12, blocks: int = 3
    ) -> None:
        super().__init__()
        self.planes = planes
        depth = EXPOSURES * planes
        self.head = nn.Conv3d(1, channels, (depth, 3, 3), padding=(0, 1, 1))
        self.groups = nn.Sequential(*(_Group(channels, blocks) for _ in range(groups)))
        self.body_end = nn.Conv2d(channels, channels, 3, padding=1)
        self.tail = nn.Sequential(
            nn.Conv2d(channels, FOLD**2 * channels, 3, padding=1),
            nn.PixelShuffle(FOLD),
            nn.Conv2d(channels, FINER * planes, 3, padding=1),
        )

    def forward(self, exposures: torch.Tensor) -> torch.Tensor:
        """Return finer planes.

        Parameters
        ----------
        exposures : torch.Tensor
            (B, 7 planes, Y, X): the exposures of a plane follow each other.

        Returns
        -------
        torch.Tensor
            (B, 3 planes, 2 Y, 2 X). Of each plane z the planes at z - 1/3, z and z + 1/3.
        """
        x = self.head(exposures[:, None])[:, :, 0]
        return self.tail(x + self.body_end(self.groups(x)))

    def example(self) -> tuple[torch.Tensor, ...]:
        """Return the smallest input, for a trial."""
        return (torch.rand(1, EXPOSURES * self.planes, 8, 8),)


class _Group(nn.Module):  # type: ignore[misc]
    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(_Block(channels) for _ in range(blocks)))
        self.end = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.end(self.blocks(x))


class _Block(nn.Module):  # type: ignore[misc]
    """Two convolutions whose channels are weighed by attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolutions(x)
        return x + y * self.attention(y)

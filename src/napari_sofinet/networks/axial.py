"""Network that refines a reconstructed SIM stack, above all along the optical axis."""

from __future__ import annotations

import torch
from torch import nn

FINER = 3
"""Planes of the output for each plane of the input."""
FOLD = 2
"""Samples of a reconstruction per camera pixel, along each axis."""
AROUND = 2
"""Planes above and below that the first layer sees."""
MAPS = FOLD**2 + 2
"""Maps per plane of the input: the reconstruction folded, the wide-field image, and the noise."""


class AxialNet(nn.Module):  # type: ignore[misc]
    """Residual network on planes that exchange what they know with their neighbours.

    All layers work on the grid of the camera, which makes it cheap; the samples of the finer grid
    in all three dimensions are channels of the first and the last layer. Unlike the network of
    Boland et al. (2021) it starts from a classical reconstruction, which does not depend on the
    phases of the pattern, and has no attention over whole images, which would differ from tile to
    tile.

    Parameters
    ----------
    channels : int, default 40
        Channels of the hidden layers.
    groups : int, default 4
        Groups, each of which ends with an exchange between neighbouring planes.
    blocks : int, default 2
        Residual blocks of two convolutions per group.
    """

    reach_px = 20
    """Distance in camera pixels up to which an output depends on the input, or a little more."""

    def __init__(self, channels: int = 40, groups: int = 4, blocks: int = 2) -> None:
        super().__init__()
        self.head = nn.Conv2d((2 * AROUND + 1) * MAPS, channels, 3, padding=1)
        self.groups = nn.ModuleList(_Group(channels, blocks) for _ in range(groups))
        self.tail = nn.Conv2d(channels, 2 * FINER * FOLD**2, 3, padding=1)
        self.start = nn.Parameter(torch.tensor(0.3))
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Refine stacks.

        Parameters
        ----------
        maps : torch.Tensor
            (B, Z, 6, Y, X): the reconstruction, folded, the wide-field image and the noise.

        Returns
        -------
        torch.Tensor
            (B, 2, 3 Z, 2 Y, 2 X) picture and logarithm of its expected absolute error. Planes
            3 z to 3 z + 2 are those at z - 1/3, z and z + 1/3.
        """
        size, planes = maps.shape[:2]
        first = _with_neighbours(maps, AROUND).flatten(0, 1)
        x = self.head(first.contiguous(memory_format=torch.channels_last))
        for group in self.groups:
            x = group(x, size)
        found = self.tail(x).unflatten(1, (2, FINER, FOLD**2))
        picture = found[:, 0] + self.start * between_planes(maps[:, :, : FOLD**2]).flatten(0, 1)
        both = torch.stack([picture, found[:, 1] - 3.0], 1)
        both = nn.functional.pixel_shuffle(both, FOLD)[:, :, :, 0]
        both = both.unflatten(0, (size, planes)).transpose(1, 2)
        return both.flatten(2, 3)

    def example(self) -> tuple[torch.Tensor, ...]:
        """Return the smallest input, for a trial."""
        return (torch.rand(1, 3, MAPS, 8, 8),)


class _Group(nn.Module):  # type: ignore[misc]
    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(channels, channels, 3, padding=1),
            )
            for _ in range(blocks)
        )
        self.exchange = nn.Conv2d(3 * channels, channels, 1)

    def forward(self, x: torch.Tensor, size: int) -> torch.Tensor:
        for block in self.blocks:
            x = x + block(x)
        apart = torch.relu(x).unflatten(0, (size, -1))
        return x + self.exchange(_with_neighbours(apart, 1).flatten(0, 1))


def _with_neighbours(maps: torch.Tensor, reach: int) -> torch.Tensor:
    """Return maps (B, Z, C, Y, X) with those of the planes around as further channels.

    Beyond the ends of a stack its last planes are repeated.
    """
    planes = maps.shape[1]
    at = torch.arange(planes, device=maps.device)
    around = [maps[:, (at + k).clamp(0, planes - 1)] for k in range(-reach, reach + 1)]
    return torch.cat(around, 2)


def between_planes(maps: torch.Tensor) -> torch.Tensor:
    """Return maps (B, Z, C, Y, X), interpolated linearly, at a third of a plane below and above.

    Returns
    -------
    torch.Tensor
        (B, Z, 3, C, Y, X).
    """
    planes = maps.shape[1]
    at = torch.arange(planes, device=maps.device)
    below, above = maps[:, (at - 1).clamp(min=0)], maps[:, (at + 1).clamp(max=planes - 1)]
    return torch.stack([(2 * maps + below) / 3, maps, (2 * maps + above) / 3], 2)


def fold(stack: torch.Tensor) -> torch.Tensor:
    """Return a stack (B, Z, 2 Y, 2 X) as maps (B, Z, 4, Y, X) on the grid of the camera."""
    return nn.functional.pixel_unshuffle(stack[:, :, None].flatten(0, 1), FOLD).unflatten(
        0, stack.shape[:2]
    )


def unfold(maps: torch.Tensor) -> torch.Tensor:
    """Return maps (Z, 4, Y, X) on the grid of the camera as a stack (Z, 2 Y, 2 X)."""
    return nn.functional.pixel_shuffle(maps, FOLD)[:, 0]

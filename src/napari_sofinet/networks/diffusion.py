"""A diffusion network that removes noise from the difference between truth and prior estimate.

J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models", NeurIPS (2020), conditioned
on a prior estimate, as in C. Seitz, J. Liu, "Uncertainty-aware localization microscopy by
variational diffusion" (2024). Inputs and outputs are scaled by the level of noise as in T. Karras,
M. Aittala, T. Aila, S. Laine, "Elucidating the design space of diffusion-based generative models",
NeurIPS (2022), so that one network serves every schedule.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from napari_sofinet.networks.pixel_statistics import shifted

SPREAD, LEAST_SPREAD, MOST_SPREAD = 0.1, 0.03, 1.0
"""Standard deviation of the truth around a prior estimate: before training, and its limits."""
LEAST_LEVEL, MOST_LEVEL = 0.005, 25.0
"""Standard deviations of noise in training."""
SMALL = 0.01
ENCODER_REACH_PX, REACH_PX = 28, 20
"""Reach of the two parts of the network in camera pixels."""
WAVES = 16
EMBEDDED = 128
Seen = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Features on camera pixels and half as fine, and two maps, see `DiffusionNet.encode`."""


class DiffusionNet(nn.Module):  # type: ignore[misc]
    """Estimate the truth minus the prior estimate from that difference with noise.

    Maps of ``fineness`` samples along a camera pixel are folded: its samples are channels.

    Parameters
    ----------
    inputs : int, optional
        Maps of a condition, on camera pixels.
    fineness : int, optional
        Samples along a camera pixel.
    guesses : {1, 2}, optional
        Estimates in a condition. It begins with the prior estimate, folded; with 2, there follow a
        second estimate, which may be better in places, and the standard deviation of the truth
        around that one.
    features, wide : int, optional
        Channels on camera pixels and on a grid half as fine.
    """

    def __init__(
        self,
        inputs: int = 21,
        fineness: int = 2,
        guesses: int = 1,
        features: int = 64,
        wide: int = 96,
    ) -> None:
        super().__init__()
        self.inputs, self.fineness = inputs, fineness
        n, samples = features, fineness**2
        self.encoder_reach_px, self.reach_px = ENCODER_REACH_PX, REACH_PX
        self.look = _encoder(inputs, n, wide)
        # How much better the second estimate is, sample by sample.
        self.better = nn.Conv2d(n, samples, 1) if guesses > 1 else None
        # From the second estimate's standard deviation and how far the estimates differ.
        self.told = nn.Conv2d(2 * samples, samples, 1, bias=False) if guesses > 1 else None
        if self.told is not None:
            nn.init.zeros_(self.told.weight)
        # Standard deviation of the truth, the unit in which the other part computes.
        self.spread = nn.Conv2d(n, samples, 1)
        nn.init.zeros_(self.spread.weight)
        nn.init.constant_(self.spread.bias, math.log(SPREAD))
        self.level = nn.Sequential(nn.Linear(2 * WAVES, EMBEDDED), nn.SiLU())
        self.first = _conv(samples, n)
        self.fine = Block(n, EMBEDDED)
        self.down = nn.Conv2d(n, wide, 2, stride=2)
        self.coarse = nn.ModuleList([Block(wide, EMBEDDED), Block(wide, EMBEDDED)])
        self.up = nn.Conv2d(wide, 4 * n, 1)
        self.last = nn.ModuleList([Block(n, EMBEDDED), Block(n, EMBEDDED)])
        self.end = _conv(n, samples)
        nn.init.zeros_(self.end.weight)
        nn.init.zeros_(self.end.bias)
        self.register_buffer("waves", torch.exp(torch.linspace(-1.5, 1.5, WAVES)), False)
        self.to(memory_format=torch.channels_last)

    def encode(self, conditions: torch.Tensor) -> Seen:
        """Compute the features that depend on the condition alone.

        Parameters
        ----------
        conditions : torch.Tensor
            (B, C, Y, X), Y and X even.

        Returns
        -------
        fine, coarse : torch.Tensor
            Features on camera pixels and half as fine.
        maps : torch.Tensor
            (B, 2, fineness², Y, X) float32: the change of the prior estimate where a second one is
            better, and the logarithm of the standard deviation of the truth around the result.
        """
        look = self.look
        fine = look["fine"](nn.functional.silu(look["first"](conditions)))
        coarse = look["down"](fine)
        for block in look["coarse"]:
            coarse = block(coarse)
        fine = look["last"](fine + nn.functional.pixel_shuffle(look["up"](coarse), 2))
        spread = self.spread(fine).float()
        change = torch.zeros_like(spread)
        if self.better is not None and self.told is not None:
            n = self.fineness**2
            change = conditions[:, n : 2 * n] - conditions[:, :n]
            known = torch.cat([conditions[:, 2 * n : 3 * n], change.abs()], dim=1)
            known = torch.log(known.clamp(min=0) + SMALL) - math.log(SPREAD)
            spread = spread + self.told(known).float()
            change = torch.sigmoid(self.better(fine).float()) * change
        return fine, coarse, torch.stack([change, spread], dim=1)

    def denoise(self, x: torch.Tensor, level: torch.Tensor, seen: Seen) -> torch.Tensor:
        """Return the expected difference to the prior estimate.

        Parameters
        ----------
        x : torch.Tensor
            Folded differences with noise (B, K, fineness², Y, X), K for each condition.
        level : torch.Tensor
            Standard deviations (B, K) of the noise.
        seen : tuple of torch.Tensor        Output of `encode`.

        Returns
        -------
        torch.Tensor
            Differences without noise, shaped as ``x``, float32.
        """
        each = level.float()[..., None, None, None]
        base = seen[2][:, None, 0]
        spread = torch.exp(seen[2][:, None, 1].detach()).clamp(LEAST_SPREAD, MOST_SPREAD)
        total = torch.sqrt(each**2 + spread**2)
        wave = torch.log(level.float().flatten())[:, None] * self.waves
        told = self.level(torch.cat([wave.sin(), wave.cos()], dim=1))
        batch, count = x.shape[:2]
        x = x - base

        def add(h: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
            return (h.unflatten(0, (batch, count)) + features[:, None]).flatten(0, 1)

        scaled = (x / total).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        fine = self.fine(add(self.first(scaled), seen[0]), told)
        coarse = add(self.down(fine), seen[1])
        for block in self.coarse:
            coarse = block(coarse, told)
        fine = fine + nn.functional.pixel_shuffle(self.up(coarse), 2)
        for block in self.last:
            fine = block(fine, told)
        change = self.end(nn.functional.silu(fine)).float().unflatten(0, (batch, count))
        out: torch.Tensor = base + (spread / total) ** 2 * x + each * spread / total * change
        return out

    def example(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the smallest input: conditions, differences with noise, and its level."""
        noisy = torch.rand(1, 1, self.fineness**2, 16, 16)
        return torch.rand(1, self.inputs, 16, 16), noisy, torch.ones(1, 1)

    def forward(
        self, conditions: torch.Tensor, x: torch.Tensor, level: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the result of `denoise` and the two maps of `encode`, for training."""
        seen = self.encode(conditions)
        return self.denoise(x, level, seen), seen[2]


class Block(nn.Module):  # type: ignore[misc]
    """Residual block of two convolutions; the level of noise scales and shifts between them.

    It has no normalization, which would make the result depend on the size of a tile.
    """

    def __init__(self, channels: int, told: int = 0) -> None:
        super().__init__()
        self.one, self.two = _conv(channels, channels), _conv(channels, channels)
        self.scale = nn.Linear(told, 2 * channels) if told else None
        nn.init.zeros_(self.two.weight)
        nn.init.zeros_(self.two.bias)

    def forward(self, x: torch.Tensor, told: torch.Tensor | None = None) -> torch.Tensor:
        """Return features (B, C, Y, X) of the same shape."""
        h = self.one(nn.functional.silu(x))
        if self.scale is not None:
            factor, shift = self.scale(told)[..., None, None].chunk(2, dim=1)
            h = h * (1 + factor) + shift
        out: torch.Tensor = x + self.two(nn.functional.silu(h))
        return out


class NeighbourAttention(nn.Module):  # type: ignore[misc]
    """Attention of every pixel to the 7 x 7 around it (Ramachandran et al., NeurIPS (2019)).

    Unlike with global attention, the result does not depend on the size of the field.
    """

    def __init__(self, channels: int, heads: int = 4, reach: int = 3) -> None:
        super().__init__()
        self.heads = heads
        self.around = [
            (dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)
        ]
        self.ask = nn.Conv2d(channels, 3 * channels, 1)
        self.give = nn.Conv2d(channels, channels, 1)
        self.near = nn.Parameter(torch.zeros(len(self.around), heads, 1, 1))
        nn.init.zeros_(self.give.weight)
        nn.init.zeros_(self.give.bias)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features (B, C, Y, X) of the same shape."""
        # 98 shifted maps in one kernel take a compiler minutes.
        query, key, value = self.ask(x).unflatten(1, (3, self.heads, -1)).unbind(1)
        query = query / math.sqrt(query.shape[2])
        alike = torch.stack(
            [
                (query * shifted(key, dy, dx)).sum(dim=2) + near
                for (dy, dx), near in zip(self.around, self.near, strict=True)
            ]
        )
        weights = torch.softmax(alike.float(), dim=0).to(value.dtype)
        seen = torch.zeros_like(value)
        for (dy, dx), weight in zip(self.around, weights, strict=True):
            seen = seen + weight[:, :, None] * shifted(value, dy, dx)
        out: torch.Tensor = x + self.give(seen.flatten(1, 2))
        return out


def folded(maps: torch.Tensor, fineness: int) -> torch.Tensor:
    """Fold the samples of each pixel into channels.

    Parameters
    ----------
    maps : torch.Tensor
        (..., fY, fX); the last samples are repeated to fill pixels.
    fineness : int
        Samples f along a pixel.

    Returns
    -------
    torch.Tensor
        (..., f², Y, X).
    """
    rows, columns = maps.shape[-2:]
    lead = maps.shape[:-2]
    x = maps.reshape(-1, 1, rows, columns)
    x = nn.functional.pad(x, (0, -columns % fineness, 0, -rows % fineness), mode="replicate")
    out: torch.Tensor = nn.functional.pixel_unshuffle(x, fineness)
    return out.reshape(*lead, *out.shape[1:])


def unfolded(maps: torch.Tensor, fineness: int) -> torch.Tensor:
    """Unfold maps (..., f², Y, X) to (..., fY, fX), see `folded`."""
    out: torch.Tensor = nn.functional.pixel_shuffle(maps, fineness)[..., 0, :, :]
    return out


def _encoder(inputs: int, features: int, wide: int) -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "first": _conv(inputs, features),
            "fine": Block(features),
            "down": nn.Conv2d(features, wide, 2, stride=2),
            "coarse": nn.ModuleList([Block(wide), NeighbourAttention(wide), Block(wide)]),
            "up": nn.Conv2d(wide, 4 * features, 1),
            "last": Block(features),
        }
    )


def _conv(inside: int, outside: int) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, 3, padding=1)

"""Networks that map the emitters of single camera frames on a grid four times as fine.

E. Nehme, L. E. Weiss, T. Michaeli, Y. Shechtman, "Deep-STORM: super-resolution single-molecule
microscopy by deep learning", Optica 5, 458 (2018), introduced the idea. `Phi` is the network φ of
C. Seitz, J. Liu, "Uncertainty-aware localization microscopy by variational diffusion" (2024);
`EmitterNet` is that of this package: it computes on camera pixels, which are 16 times fewer.
"""

from __future__ import annotations

import torch
from torch import nn

FINENESS = 4
"""Samples of a map along one camera pixel."""
KERNEL_PX = 1.0
"""Standard deviation of an emitter in a map in samples, small enough to separate crowded ones."""
REACH_PX = 24


def normalize(frames: torch.Tensor) -> torch.Tensor:
    """Normalize single frames: background near 0, root mean square 1.

    Parameters
    ----------
    frames : torch.Tensor
        (B, 1, Y, X) counts of any offset and gain.

    Returns
    -------
    torch.Tensor
        (B, 1, Y, X) float32.

    Examples
    --------
    >>> normalize(torch.tensor([[[[5, 5], [5, 9]]]])).tolist()
    [[[[0.0, 0.0], [0.0, 2.0]]]]
    """
    x = frames.float()
    flat = x.flatten(1)
    offset = flat.median(dim=1).values[:, None, None, None]
    x = x - offset
    power = (x**2).mean(dim=(1, 2, 3), keepdim=True)
    return x / power.sqrt().clamp_min(torch.finfo(torch.float32).tiny)


class EmitterNet(nn.Module):  # type: ignore[misc]
    """Frames (B, 1, Y, X) of counts to maps (B, 1, 4Y, 4X).

    An emitter is a Gaussian of height 1 and width `KERNEL_PX`. Sample i of a map lies at camera
    coordinate (i + 1/2) / 4 - 1/2.

    Parameters
    ----------
    features : int, optional
        Channels on the camera's pixels; twice as many on a grid half as fine.
    """

    def __init__(self, features: int = 48) -> None:
        super().__init__()
        self.reach_px, self.frames = REACH_PX, 1
        n = features
        self.first = nn.Sequential(_conv(2, n), nn.SiLU(), _conv(n, n), nn.SiLU())
        self.coarse = nn.Sequential(
            nn.Conv2d(n, 2 * n, 2, stride=2), nn.SiLU(), Block(2 * n), Block(2 * n)
        )
        self.back = nn.Conv2d(2 * n, 4 * n, 1)
        self.join = nn.Sequential(_conv(2 * n, n), nn.SiLU(), Block(n))
        self.last = nn.Conv2d(n, FINENESS**2, 3, padding=1)
        self.finer = nn.PixelShuffle(FINENESS)
        nn.init.zeros_(self.last.bias)
        self.to(memory_format=torch.channels_last)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return maps of counts of any offset and gain."""
        return self.of_normalized(normalize(frames))

    def of_normalized(self, x: torch.Tensor) -> torch.Tensor:
        """Return maps of normalized frames, see `normalize`."""
        rows, columns = x.shape[-2:]
        # Bright emitters are hundreds of times brighter than dim ones.
        x = torch.cat([torch.asinh(x), x / 8], dim=1)
        x = nn.functional.pad(x, (0, columns % 2, 0, rows % 2), mode="replicate")
        fine = self.first(x)
        wide = nn.functional.pixel_shuffle(self.back(self.coarse(fine)), 2)
        out: torch.Tensor = self.finer(self.last(self.join(torch.cat([fine, wide], dim=1))))
        return out[..., : FINENESS * rows, : FINENESS * columns]


class Block(nn.Module):  # type: ignore[misc]
    """Residual block of two convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_conv(channels, channels), nn.SiLU(), _conv(channels, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features (B, C, Y, X) of the same shape."""
        out: torch.Tensor = nn.functional.silu(x + self.inner(x))
        return out


class Phi(nn.Module):  # type: ignore[misc]
    """The paper's φ, 264,223 parameters; input and output as in `EmitterNet`.

    Its map is limited to 0 ... 1, as targets have a maximum of 1 here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reach_px, self.frames = 36, 1
        self.scale = nn.BatchNorm2d(1)
        self.first = _layer(1, 64, 1)
        self.others = nn.ModuleList(_layer(65, 64, d) for d in (1, 2, 4, 8, 16))
        self.finer = nn.ModuleList((_layer(65, 64, 1), _layer(64, 64, 1)))
        self.last = nn.ModuleList((_layer(64, 1, 1), _layer(1, 1, 1), _layer(1, 1, 1)))
        self.end = nn.Conv2d(1, 1, 1)
        # The last layers have one channel, which would stay 0 if it started with the wrong sign.
        nn.init.ones_(self.end.weight)
        nn.init.constant_(self.end.bias, 0.1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return maps of counts of any offset and gain."""
        return self.of_normalized(normalize(frames))

    def of_normalized(self, x: torch.Tensor) -> torch.Tensor:
        """Return maps of normalized frames, see `normalize`."""
        # Its layers of one channel give NaN in 16 bits on CPUs.
        with torch.autocast(x.device.type, enabled=False):
            return self._in_full(x.float())

    def _in_full(self, x: torch.Tensor) -> torch.Tensor:
        raw = self.scale(x)
        x = self.first(raw)
        for layer in self.others:
            x = x + layer(torch.cat([x, raw], dim=1))
        x = torch.cat([x, raw], dim=1)
        for layer in self.finer:
            x = layer(nn.functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        x = self.last[0](x)
        for layer in self.last[1:]:
            x = x + layer(x)
        x = self.end(x)
        # In training, values beyond the limits still need a gradient.
        return x if self.training else x.clamp(0, 1)


def deepstorm(features: int = 48, paper: int = 0) -> nn.Module:
    """Build a network.

    Parameters
    ----------
    features : int, optional
        Channels of `EmitterNet`.
    paper : {0, 1}, optional
        1 builds `Phi`, the paper's network.
    """
    return Phi() if paper else EmitterNet(features)


def _conv(inside: int, outside: int) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, 3, padding=1)


def _layer(inside: int, outside: int, dilation: int) -> nn.Sequential:
    conv = nn.Conv2d(inside, outside, 3, padding=dilation, dilation=dilation)
    return nn.Sequential(conv, nn.LeakyReLU(0.2), nn.BatchNorm2d(outside))

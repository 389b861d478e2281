"""Layers of several networks."""

from __future__ import annotations

import torch
from torch import nn


class Block(nn.Module):  # type: ignore[misc]
    """Residual block of two convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features (B, C, Y, X) of the same shape."""
        out: torch.Tensor = x + self.second(torch.relu(self.first(x)))
        return out


class Body(nn.Module):  # type: ignore[misc]
    """Residual blocks on the pooled maps' grid and, for wider context, on one half as fine."""

    def __init__(self, channels: int, blocks: int, wide: int, deep: int) -> None:
        super().__init__()
        self.before = nn.Sequential(*(Block(channels) for _ in range(blocks)))
        self.down = nn.Conv2d(channels, wide, 2, stride=2)
        self.coarse = nn.Sequential(*(Block(wide) for _ in range(deep)))
        self.up = nn.ConvTranspose2d(wide, channels, 2, stride=2)
        self.after = nn.Sequential(*(Block(channels) for _ in range(blocks)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features (B, C, Y, X) of the same shape."""
        x = self.before(x)
        rows, columns = x.shape[2:]
        even = x
        if rows % 2 or columns % 2:
            even = nn.functional.pad(x, (0, columns % 2, 0, rows % 2), mode="replicate")
        context = self.up(self.coarse(self.down(even)))[:, :, :rows, :columns]
        out: torch.Tensor = self.after(x + context)
        return out


class Upsample2x(nn.Module):  # type: ignore[misc]
    """Transposed convolution of kernel 3, stride 2, padding 1: (B, C, Y, X) to (B, C, 2Y-1, 2X-1).

    Output sample o lies exactly at coordinate o/2. It is computed as one convolution with kernel 2
    whose channels are the four positions in a pixel, which is faster on CPUs.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        alike = nn.ConvTranspose2d(channels, channels, 3, stride=2, padding=1)
        self.weight, self.bias = alike.weight, alike.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features (B, C, 2Y-1, 2X-1) of features (B, C, Y, X)."""
        w = self.weight.transpose(0, 1)  # as a convolution's: (out, in, 3, 3)
        # Sample 2i takes kernel 1 of pixel i, sample 2i+1 kernel 2 of pixel i and 0 of pixel i+1.
        nothing = torch.zeros_like(w[:, :, :, :1])
        even, odd = torch.cat([w[:, :, :, 1:2], nothing], 3), w[:, :, :, [2, 0]]
        kernels = []
        for along_x in even, odd:
            nothing = torch.zeros_like(along_x[:, :, :1])
            kernels.append(torch.cat([along_x[:, :, 1:2], nothing], 2))
            kernels.append(along_x[:, :, [2, 0]])
        (ee, oe), (eo, oo) = kernels[:2], kernels[2:]
        kernel = torch.stack([ee, eo, oe, oo], dim=1).flatten(0, 1)
        four = nn.functional.conv2d(nn.functional.pad(x, (0, 1, 0, 1)), kernel)
        fine = nn.functional.pixel_shuffle(four, 2)[:, :, :-1, :-1]
        out: torch.Tensor = fine + self.bias[:, None, None]
        return out

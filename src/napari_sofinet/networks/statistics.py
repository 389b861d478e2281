"""Our own network: order-free statistics of a movie first, then depth once.

A small encoder looks at every frame; its features, and the counts themselves, are pooled over time
by statistics that do not depend on the order of frames (and by one lagged covariance that does).
All further depth works once on the pooled maps, so its cost does not grow with the movie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from napari_sofinet.networks.running import RunningStatistics, SlidingStatistics

SHIFTS = (0, 0), (0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0)
"""Distances of pixels whose covariances in time are given to the network, as SOFI uses them."""
RAW_MAPS = len(SHIFTS) + 6  # and mean, maximum, minimum, lagged covariance, third moment, frames


BRIGHT = 0.995
"""Quantile of the maximum over time that becomes 1."""
LEAST = 1e-4
"""A quantile below this share of the maximum is a rounding error: fewer pixels than that are lit at
all, and the maximum becomes 1."""
CEILING = 4.0
"""Brighter is cut off: a bead or a hot pixel in an empty field, which no network has seen."""
REACH_PX = 32
"""Camera pixels from which an output sample can be seen: tiles that overlap by it are exact."""


def normalize(frames: torch.Tensor) -> torch.Tensor:
    """Counts (B, T, Y, X) with the background of every frame at 0 and bright fluctuations near 1.

    1 is the 99.5th percentile of the maximum over time; so offset and gain do not matter, nor does
    an even background that bleaches.
    """
    x = _centred(frames)
    return (x / _brightness(x)[:, None, None, None]).clamp(max=CEILING)


def brightness(frames: torch.Tensor) -> torch.Tensor:
    """Counts above the background (B,) that `normalize` makes 1 in movies (B, T, Y, X)."""
    return _brightness(_centred(frames))


def _centred(frames: torch.Tensor) -> torch.Tensor:
    return frames - background_level(frames)[..., None, None]


def background_level(frames: torch.Tensor) -> torch.Tensor:
    """Mean of the middle half of the counts (..., Y, X) of every frame.

    A median of whole numbers would jump by 1 from frame to frame, which looks as if the whole field
    fluctuated.
    """
    counts = frames.flatten(-2).sort(dim=-1).values
    beyond = counts.shape[-1] // 4
    return counts[..., beyond : counts.shape[-1] - beyond].mean(dim=-1)


def _brightness(x: torch.Tensor) -> torch.Tensor:
    peak = x.amax(dim=1).flatten(1)
    bright, most = torch.quantile(peak, BRIGHT, dim=1), peak.amax(dim=1)
    return torch.where(bright > LEAST * most, bright, most).clamp(min=1e-6)


def raw_statistics(x: torch.Tensor) -> torch.Tensor:
    """Maps (B, RAW_MAPS, Y, X) of a normalised movie (B, T, Y, X).

    Covariances and the third central moment enter as signed roots: all have the unit of counts.
    """
    frames = x.shape[1]
    mean = x.mean(dim=1)
    d = x - mean[:, None]
    maps = [mean, x.amax(dim=1), x.amin(dim=1)]
    for dy, dx in SHIFTS:
        maps.append(signed_root((d * shifted(d, dy, dx)).mean(dim=1), 2))
    maps.append(signed_root((d[:, 1:] * d[:, :-1]).sum(dim=1) / max(frames - 1, 1), 2))
    maps.append(signed_root((d**3).mean(dim=1), 3))
    maps.append(torch.full_like(mean, frames**-0.5))
    return torch.stack(maps, dim=1)


def shifted(x: torch.Tensor, dy: int, dx: int) -> torch.Tensor:
    """Values (..., Y, X) of the pixels at a distance (dy, dx), 0 outside of the field."""
    rows, columns = x.shape[-2:]
    inside = x[..., max(dy, 0) : rows + min(dy, 0), max(dx, 0) : columns + min(dx, 0)]
    around = (max(-dx, 0), max(dx, 0), max(-dy, 0), max(dy, 0))
    return torch.nn.functional.pad(inside, around)


def signed_root(x: torch.Tensor, order: int) -> torch.Tensor:
    """Root of the absolute value, with the sign."""
    return torch.sign(x) * (x.abs() + 1e-8) ** (1 / order)


class Block(nn.Module):  # type: ignore[misc]
    """Two convolutions whose result is added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, Y, X) to the same shape."""
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
        """Map (B, C, Y, X) to the same shape."""
        x = self.before(x)
        rows, columns = x.shape[2:]
        even = x
        if rows % 2 or columns % 2:
            even = nn.functional.pad(x, (0, columns % 2, 0, rows % 2), mode="replicate")
        context = self.up(self.coarse(self.down(even)))[:, :, :rows, :columns]
        out: torch.Tensor = self.after(x + context)
        return out


class Finer(nn.Module):  # type: ignore[misc]
    """Transposed convolution of kernel 3, stride 2, padding 1: (B, C, Y, X) to (B, C, 2Y-1, 2X-1).

    Output sample o lies exactly at coordinate o/2. Computed as one convolution with kernel 2 whose
    channels are the four places inside a pixel, which is faster on processors.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        alike = nn.ConvTranspose2d(channels, channels, 3, stride=2, padding=1)
        self.weight, self.bias = alike.weight, alike.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, Y, X) to (B, C, 2Y-1, 2X-1)."""
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


class StatisticsNet(nn.Module):  # type: ignore[misc]
    """Movie (B, T, Y, X) of at least 5 frames to maps (B, 2, 2Y-1, 2X-1).

    Sample (i, j) of the output lies at camera coordinate (i/2, j/2). The first map is the picture,
    1 where structure is bright, the second the logarithm of its expected absolute error.

    Parameters
    ----------
    features
        Channels of the encoder that looks at every frame.
    channels, blocks
        Width of the body that works on the pooled maps, and its blocks before and after the coarse
        ones.
    wide, deep
        Width and number of the blocks on the grid half as fine.
    """

    def __init__(
        self, features: int = 24, channels: int = 48, blocks: int = 2, wide: int = 96, deep: int = 4
    ) -> None:
        super().__init__()
        self.reach_px = REACH_PX
        self.encoder = nn.Sequential(
            nn.Conv2d(1, features, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(features, features, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(features, features, 3, padding=1),
            nn.ReLU(),
        )
        self.enter = nn.Conv2d(3 * features + RAW_MAPS, channels, 3, padding=1)
        self.body = Body(channels, blocks, wide, deep)
        self.finer = Finer(channels)
        self.picture = _exit(channels)
        self.doubt = _exit(channels)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Reconstruct counts of any offset and gain."""
        return self.of_normalized(normalize(frames))

    def of_normalized(self, x: torch.Tensor) -> torch.Tensor:
        """Reconstruct a movie (B, T, Y, X) that `normalize` has seen."""
        return self.decode(self.pool(x))

    def running(self, rows: int, columns: int) -> RunningStatistics:
        """Statistics of a movie that comes in parts."""
        from napari_sofinet.networks.running import RunningStatistics

        return RunningStatistics(self, rows, columns)

    def sliding(self, window: int) -> SlidingStatistics:
        """Statistics of the last frames of a movie."""
        from napari_sofinet.networks.running import SlidingStatistics

        return SlidingStatistics(self, window)

    @property
    def dtype(self) -> torch.dtype:
        """In which it computes; statistics are summed in single precision anyway."""
        return next(self.parameters()).dtype

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Features (B, T, F, Y, X) of every frame of a normalised movie (B, T, Y, X)."""
        batch, count, rows, columns = x.shape
        each = x.reshape(batch * count, 1, rows, columns).to(self.dtype)
        seen = self.encoder(each.contiguous(memory_format=torch.channels_last)).float()
        return seen.reshape(batch, count, -1, rows, columns)

    def pool(self, x: torch.Tensor) -> torch.Tensor:
        """Pooled maps (B, 3 features + RAW_MAPS, Y, X) of a normalised movie (B, T, Y, X)."""
        seen = self.encode(x)
        mean, power = seen.mean(dim=1), (seen * seen).mean(dim=1)
        return torch.cat([mean, deviation(mean, power), seen.amax(dim=1), raw_statistics(x)], dim=1)

    def decode(self, pooled: torch.Tensor) -> torch.Tensor:
        """Turn pooled maps (B, 3 features + RAW_MAPS, Y, X) into the output."""
        pooled = pooled.to(self.dtype).contiguous(memory_format=torch.channels_last)
        fine = self.finer(self.body(self.enter(pooled)))
        # The estimate of error reads the features and never shapes them: the picture comes first.
        return torch.cat([self.picture(fine), self.doubt(fine.detach())], dim=1)


def deviation(mean: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
    """Standard deviation from means of values and of their squares."""
    return ((power - mean * mean).clamp(min=0) + 1e-6).sqrt()


def _exit(channels: int) -> nn.Module:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels // 2, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels // 2, 1, 3, padding=1),
    )

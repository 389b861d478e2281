"""The statistics network: it pools a movie over time before most of its layers.

A small encoder processes every frame. Its features and the counts themselves are pooled over time
by statistics that do not depend on the order of frames (and by one lagged covariance that does).
All further layers process the pooled maps once, so their cost does not grow with the movie.
"""

from __future__ import annotations

import torch
from torch import nn

from napari_sofinet.networks.layers import Body, Upsample2x
from napari_sofinet.networks.normalization import normalize
from napari_sofinet.networks.pixel_statistics import RAW_MAPS, deviation, raw_statistics
from napari_sofinet.networks.streaming_statistics import RunningStatistics, SlidingStatistics

REACH_PX = 32
"""Distance in camera pixels up to which an output sample depends on the input: tiles that overlap
by it are exact."""


class StatisticsNet(nn.Module):  # type: ignore[misc]
    """Movie (B, T, Y, X) of at least 5 frames to maps (B, 2, 2Y-1, 2X-1).

    Sample (i, j) of the output lies at camera coordinate (i/2, j/2). The first map is the picture,
    1 where structure is bright, the second the logarithm of its expected absolute error.

    Parameters
    ----------
    features : int, optional
        Channels of the encoder of single frames.
    channels, blocks : int, optional
        Channels of the body that processes the pooled maps, and its blocks before and after the
        coarse ones.
    wide, deep : int, optional
        Channels and number of the blocks on the grid half as fine.
    """

    half_weights = True

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
        self.finer = Upsample2x(channels)
        self.picture = _exit(channels)
        self.doubt = _exit(channels)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Reconstruct counts of any offset and gain."""
        return self.of_normalized(normalize(frames))

    def of_normalized(self, x: torch.Tensor) -> torch.Tensor:
        """Reconstruct a normalized movie (B, T, Y, X), see `normalize`."""
        return self.decode(self.pool(x))

    def running(self, rows: int, columns: int) -> RunningStatistics:
        """Return a state for a movie that is given in parts."""
        return RunningStatistics(self, rows, columns)

    def sliding(self, window: int) -> SlidingStatistics:
        """Return a state for the last ``window`` frames of a movie."""
        return SlidingStatistics(self, window)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the layers; statistics are always summed in single precision."""
        return next(self.parameters()).dtype

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Return features (B, T, F, Y, X) of every frame of a normalized movie (B, T, Y, X)."""
        batch, count, rows, columns = x.shape
        each = x.reshape(batch * count, 1, rows, columns).to(self.dtype)
        features = self.encoder(each.contiguous(memory_format=torch.channels_last)).float()
        return features.reshape(batch, count, -1, rows, columns)

    def pool(self, x: torch.Tensor) -> torch.Tensor:
        """Return pooled maps (B, 3 F + RAW_MAPS, Y, X) of a normalized movie (B, T, Y, X)."""
        features = self.encode(x)
        mean, power = features.mean(dim=1), (features * features).mean(dim=1)
        maps = mean, deviation(mean, power), features.amax(dim=1), raw_statistics(x)
        return torch.cat(maps, dim=1)

    def decode(self, pooled: torch.Tensor) -> torch.Tensor:
        """Turn pooled maps (B, 3 F + RAW_MAPS, Y, X) into the output."""
        pooled = pooled.to(self.dtype).contiguous(memory_format=torch.channels_last)
        fine = self.finer(self.body(self.enter(pooled)))
        # The estimate of the error does not train the features: the picture comes first.
        return torch.cat([self.picture(fine), self.doubt(fine.detach())], dim=1)


def _exit(channels: int) -> nn.Module:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels // 2, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels // 2, 1, 3, padding=1),
    )

"""The statistics network frame by frame, over a whole movie or over its last frames.

The statistics of `StatisticsNet.pool` are kept as sums and maxima, so that memory does not grow
with the movie, and every frame is encoded once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Protocol

import torch
from torch import nn

from napari_sofinet.networks.pixel_statistics import (
    LAGGED,
    SUMS,
    deviation,
    statistics_of_sums,
    sums_over_frames,
)

AT_ONCE_PX = 2**16
"""Pixels of all frames that are encoded together; they stay in the cache."""


class StatisticsEncoder(Protocol):
    """A network that encodes single frames and decodes statistics of their features."""

    encoder: nn.Sequential

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return the parameters of the network."""

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Return features (B, T, F, Y, X) of normalized frames (B, T, Y, X)."""

    def decode(self, pooled: torch.Tensor) -> torch.Tensor:
        """Return output maps of pooled maps (B, 3 F + RAW_MAPS, Y, X)."""


class RunningStatistics:
    """Statistics of all frames so far.

    Parameters
    ----------
    net : StatisticsEncoder        Network in evaluation mode. rows, columns : int
        Size of a frame in camera pixels.
    """

    def __init__(self, net: StatisticsEncoder, rows: int, columns: int) -> None:
        self.net = net
        self.frames = 0
        nothing = partial(next(net.parameters()).new_zeros, dtype=torch.float32)
        features = net.encoder[0].out_channels
        self._totals = [nothing((features, rows, columns)) for _ in range(2)]
        self._brightest = nothing((features, rows, columns))
        self._sums = nothing((SUMS, rows, columns))
        self._extremes: tuple[torch.Tensor, torch.Tensor] | None = None
        self._first = self._last = nothing((rows, columns))

    def add(self, x: torch.Tensor) -> None:
        """Add normalized frames (T, Y, X)."""
        step = max(AT_ONCE_PX // x[0].numel(), 1)
        for part in x.split(step):
            features = self.net.encode(part[None])[0]
            self._totals[0] += features.sum(dim=0)
            self._totals[1] += (features * features).sum(dim=0)
            self._brightest = torch.maximum(self._brightest, features.amax(dim=0))
            self._sums += sums_over_frames(part, self._last if self.frames else None)
            high, low = part.amax(dim=0), part.amin(dim=0)
            if self._extremes is not None:
                high = torch.maximum(high, self._extremes[0])
                low = torch.minimum(low, self._extremes[1])
            else:
                self._first = part[0]
            self._extremes = high, low
            self._last = part[-1]
            self.frames += len(part)

    def raw(self) -> torch.Tensor:
        """Return the statistics (RAW_MAPS, Y, X) of the counts so far."""
        assert self._extremes is not None
        return statistics_of_sums(self._sums, self.frames, *self._extremes, self._first, self._last)

    def result(self) -> torch.Tensor:
        """Return the picture and the logarithm of its expected error, (2, 2Y-1, 2X-1)."""
        mean, power = self._totals[0] / self.frames, self._totals[1] / self.frames
        pooled = torch.cat([mean, deviation(mean, power), self._brightest, self.raw()])
        return self.net.decode(pooled[None])[0]


class SlidingStatistics:
    """Statistics of the last ``window`` frames, each of which is encoded once.

    A frame that leaves the window is subtracted from the sums. They are computed anew after every
    ``window`` frames, so that rounding errors do not add up.

    Parameters
    ----------
    net : StatisticsEncoder        Network in evaluation mode. window : int
        Number of frames.
    """

    def __init__(self, net: StatisticsEncoder, window: int) -> None:
        self.net = net
        self.window = window
        self._frames: deque[torch.Tensor] = deque(maxlen=window)
        self._features: torch.Tensor | None = None  # ring buffer (window, F, Y, X)
        self._next = 0
        self._totals: list[torch.Tensor] = []
        self._sums = torch.zeros(0)

    def add(self, x: torch.Tensor) -> None:
        """Add one normalized frame (Y, X)."""
        features = self.net.encode(x[None, None])[0, 0]
        if self._features is None:
            self._features = features.new_zeros(self.window, *features.shape)
            self._totals = [torch.zeros_like(features) for _ in range(2)]
            self._sums = sums_over_frames(x[None], None)
        else:
            self._sums = self._sums + sums_over_frames(x[None], self._frames[-1])
        if len(self._frames) == self.window:
            leaving = self._features[self._next]
            self._totals[0] -= leaving
            self._totals[1] -= leaving * leaving
            second = self._frames[1] if self.window > 1 else x
            self._sums -= sums_over_frames(self._frames[0][None], None)
            self._sums[LAGGED] -= self._frames[0] * second
        self._features[self._next] = features
        self._frames.append(x)
        self._totals[0] += features
        self._totals[1] += features * features
        self._next = (self._next + 1) % self.window
        if self._next == 0:
            kept = self._features
            self._totals = [kept.sum(dim=0), (kept * kept).sum(dim=0)]
            self._sums = sums_over_frames(torch.stack(tuple(self._frames)), None)

    @property
    def frames(self) -> int:
        """Number of frames in the window."""
        return len(self._frames)

    def result(self) -> torch.Tensor:
        """Return the picture and the logarithm of its expected error, (2, 2Y-1, 2X-1)."""
        assert self._features is not None
        n = len(self._frames)
        held = torch.stack(tuple(self._frames))
        mean, power = self._totals[0] / n, self._totals[1] / n
        brightest = self._features[:n].amax(dim=0)
        raw = statistics_of_sums(
            self._sums, n, held.amax(dim=0), held.amin(dim=0), self._frames[0], self._frames[-1]
        )
        pooled = torch.cat([mean, deviation(mean, power), brightest, raw])
        return self.net.decode(pooled[None])[0]

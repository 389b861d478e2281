"""The statistics network frame by frame: over a whole movie, or over the last frames of a live one.

What `StatisticsNet.pool` computes from a movie in memory is kept here as sums and maxima, so that
memory does not grow with the movie and a new frame costs the encoder once.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from napari_sofinet.networks.statistics import (
    SHIFTS,
    StatisticsNet,
    deviation,
    shifted,
    signed_root,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sofinet.networks.convgru import ConvGRU, Hidden

AT_ONCE_PX = 2**16
"""Pixels of all frames together that the encoder is given at a time: they stay in the cache."""


class RunningStatistics:
    """Statistics of all frames seen so far.

    Parameters
    ----------
    net
        In evaluation mode.
    rows, columns
        Size of a frame in camera pixels.
    """

    def __init__(self, net: StatisticsNet, rows: int, columns: int) -> None:
        self.net = net
        self.frames = 0
        nothing = partial(next(net.parameters()).new_zeros, dtype=torch.float32)
        features = net.encoder[0].out_channels
        self._seen = [nothing((features, rows, columns)) for _ in range(2)]
        self._brightest = nothing((features, rows, columns))
        self._sums = nothing((_SUMS, rows, columns))
        self._extremes: tuple[torch.Tensor, torch.Tensor] | None = None
        self._first = self._last = nothing((rows, columns))

    def add(self, x: torch.Tensor) -> None:
        """Take normalised frames (T, Y, X)."""
        step = max(AT_ONCE_PX // x[0].numel(), 1)
        for part in x.split(step):
            seen = self.net.encode(part[None])[0]
            self._seen[0] += seen.sum(dim=0)
            self._seen[1] += (seen * seen).sum(dim=0)
            self._brightest = torch.maximum(self._brightest, seen.amax(dim=0))
            self._sums += _sums(part, self._last if self.frames else None)
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
        """Statistics (RAW_MAPS, Y, X) of the counts so far."""
        assert self._extremes is not None
        return _maps(self._sums, self.frames, *self._extremes, self._first, self._last)

    def result(self) -> torch.Tensor:
        """Picture and logarithm of its expected error (2, 2Y-1, 2X-1) of the frames so far."""
        mean, power = self._seen[0] / self.frames, self._seen[1] / self.frames
        pooled = torch.cat([mean, deviation(mean, power), self._brightest, self.raw()])
        return self.net.decode(pooled[None])[0]


class WholeMovie:
    """All frames, for a network that wants them together."""

    def __init__(self, net: torch.nn.Module) -> None:
        self.net = net
        self._parts: list[torch.Tensor] = []

    def add(self, x: torch.Tensor) -> None:
        """Take normalised frames (T, Y, X)."""
        self._parts.append(x)

    def result(self) -> torch.Tensor:
        """Output maps (C, 2Y-1, 2X-1) of all frames."""
        out: torch.Tensor = self.net.of_normalized(torch.cat(self._parts)[None])[0]
        return out


class SlidingWindow:
    """The last ``window`` frames, for a network that wants them together."""

    def __init__(self, net: torch.nn.Module, window: int) -> None:
        self.net = net
        self._frames: deque[torch.Tensor] = deque(maxlen=window)

    def add(self, x: torch.Tensor) -> None:
        """Take one normalised frame (Y, X)."""
        self._frames.append(x)

    def result(self) -> torch.Tensor:
        """Output maps (C, 2Y-1, 2X-1) of the window."""
        out: torch.Tensor = self.net.of_normalized(torch.stack(tuple(self._frames))[None])[0]
        return out


class RunningStream:
    """All frames, for a recurrent network: the mean of its hidden states is held."""

    def __init__(self, net: ConvGRU) -> None:
        self.net = net
        self._hidden: Hidden = (None, None)
        self._total: torch.Tensor | float = 0.0
        self._frames = 0

    def add(self, x: torch.Tensor) -> None:
        """Take normalised frames (T, Y, X)."""
        states, self._hidden = self.net.fuse(x[None], self._hidden)
        self._total = self._total + sum(state.float() for state in states)
        self._frames += len(x)

    def result(self) -> torch.Tensor:
        """Picture (1, 2Y-1, 2X-1) of the frames so far."""
        out: torch.Tensor = self.net.decoder(self._total / self._frames)[0]
        return out


class SlidingStream:
    """A recurrent network that goes on from frame to frame: many frames to many pictures."""

    def __init__(self, net: ConvGRU, window: int) -> None:
        from napari_sofinet.networks.convgru import Stream

        self.net = net
        self._stream = Stream(scale=1.0, offset=0.0, window=window)

    def add(self, x: torch.Tensor) -> None:
        """Take one normalised frame (Y, X)."""
        self._stream = self.net.advance(x[None], self._stream)

    def result(self) -> torch.Tensor:
        """Picture (1, 2Y-1, 2X-1) of the last frames."""
        out: torch.Tensor = self.net.decoder(self._stream.mean)[0]
        return out


class SlidingStatistics:
    """Statistics of the last ``window`` frames, each of which is encoded once.

    Sums are those of the frames in the window: what leaves is taken off again. They are computed
    anew each time the window has passed, so that rounding does not add up.
    """

    def __init__(self, net: StatisticsNet, window: int) -> None:
        self.net = net
        self.window = window
        self._frames: deque[torch.Tensor] = deque(maxlen=window)
        self._seen: torch.Tensor | None = None  # a ring of features (window, F, Y, X)
        self._next = 0
        self._totals: list[torch.Tensor] = []
        self._sums = torch.zeros(0)

    def add(self, x: torch.Tensor) -> None:
        """Take one normalised frame (Y, X)."""
        seen = self.net.encode(x[None, None])[0, 0]
        if self._seen is None:
            self._seen = seen.new_zeros(self.window, *seen.shape)
            self._totals = [torch.zeros_like(seen) for _ in range(2)]
            self._sums = _sums(x[None], None)
        else:
            self._sums = self._sums + _sums(x[None], self._frames[-1])
        if len(self._frames) == self.window:
            leaving = self._seen[self._next]
            self._totals[0] -= leaving
            self._totals[1] -= leaving * leaving
            second = self._frames[1] if self.window > 1 else x
            self._sums -= _sums(self._frames[0][None], None)
            self._sums[LAGGED] -= self._frames[0] * second
        self._seen[self._next] = seen
        self._frames.append(x)
        self._totals[0] += seen
        self._totals[1] += seen * seen
        self._next = (self._next + 1) % self.window
        if self._next == 0:
            self._totals = [self._seen.sum(dim=0), (self._seen * self._seen).sum(dim=0)]
            self._sums = _sums(torch.stack(tuple(self._frames)), None)

    @property
    def frames(self) -> int:
        """How many frames are in the window."""
        return len(self._frames)

    def result(self) -> torch.Tensor:
        """Picture and logarithm of its expected error (2, 2Y-1, 2X-1) of the window."""
        assert self._seen is not None
        n = len(self._frames)
        held = torch.stack(tuple(self._frames))
        mean, power = self._totals[0] / n, self._totals[1] / n
        brightest = self._seen[:n].amax(dim=0)
        raw = _maps(
            self._sums, n, held.amax(dim=0), held.amin(dim=0), self._frames[0], self._frames[-1]
        )
        pooled = torch.cat([mean, deviation(mean, power), brightest, raw])
        return self.net.decode(pooled[None])[0]


_SUMS = len(SHIFTS) + 3
LAGGED = len(SHIFTS) + 1


def _sums(x: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
    """Sums over frames (T, Y, X): values, products with shifted ones, with those before, cubes."""
    parts = [x.sum(dim=0)]
    for shift in SHIFTS:
        parts.append((x * shifted(x, *shift)).sum(dim=0))
    lagged = (x[1:] * x[:-1]).sum(dim=0)
    if before is not None:
        lagged = lagged + x[0] * before
    # In the order of `_maps`: the lagged product lies at LAGGED.
    return torch.stack([*parts, lagged, (x * x * x).sum(dim=0)])


def _maps(
    sums: torch.Tensor,
    n: int,
    high: torch.Tensor,
    low: torch.Tensor,
    first: torch.Tensor,
    last: torch.Tensor,
) -> torch.Tensor:
    """What `raw_statistics` gives, from sums over n frames."""
    total = sums[0]
    mean = total / n
    maps = [mean, high, low]
    for k, shift in enumerate(SHIFTS):
        maps.append(signed_root(sums[1 + k] / n - mean * shifted(mean, *shift), 2))
    # Sum of (x - mean)(y - mean) over neighbours in time, of which x lacks the first frame.
    lagged = sums[LAGGED] - mean * (2 * total - first - last) + (n - 1) * mean * mean
    maps.append(signed_root(lagged / max(n - 1, 1), 2))
    square, cube = sums[1] / n, sums[LAGGED + 1] / n
    maps.append(signed_root(cube - 3 * mean * square + 2 * mean**3, 3))
    maps.append(torch.full_like(mean, n**-0.5))
    return torch.stack(maps)


def tiles(rows: int, columns: int, side: int, reach: int) -> Iterator[tuple[Rectangle, Rectangle]]:
    """Parts of a field: what a tile sees, and what of it is its own, in camera pixels.

    Tiles begin at even pixels, so that a grid half as fine lies in all of them alike.
    """
    for top, bottom in _spans(rows, side):
        for left, right in _spans(columns, side):
            seen = (
                (max(top - reach, 0), min(bottom + reach, rows)),
                (max(left - reach, 0), min(right + reach, columns)),
            )
            yield seen, ((top, bottom), (left, right))


Rectangle = tuple[tuple[int, int], tuple[int, int]]


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    count = -(-length // side)
    edges = [2 * round(length * k / count / 2) for k in range(count)] + [length]
    return list(pairwise(edges))

"""What a structure looked like at any time of a movie of its localisations.

A. Saguy, O. Alalouf, N. Opatovski, S. Jang, M. Heilemann, Y. Shechtman, "DBlink: dynamic
localization microscopy in super spatiotemporal resolution via deep learning", Nature Methods 20,
1939 (2023). `DBlink` is the network described there; `BlinkNet` is ours. The paper's recurrences
have to be learnt through time, and its large convolutions run on every frame. A bank of exponential
averages of past and future (`bank`) needs neither: it is linear, so one pass over a film makes all
of it, a network learns from single frames, and what it has to do per sample is 25 times less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from napari_sofinet.localization.events import LocalizationEvents
from napari_sofinet.networks.deepstorm import FINENESS, Block

__all__ = [
    "FINENESS",
    "PRIORS",
    "TIMES",
    "BlinkNet",
    "DBlink",
    "bank",
    "banks",
    "dblink",
    "spread",
    "told",
    "weights_of",
    "window_map",
]

TIMES = 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0
"""Time constants of the bank's averages, in windows."""
PRIORS = {"either": 0.0, "filaments": 1.0, "mitochondria": -1.0}
"""What a network is told of the structure: few localisations fit lines and filled shapes alike."""
REACH_PX = 48
"""Samples beyond which the picture hardly depends on what is there."""
SAMPLES_IN_MEMORY = 2**20
"""Of a sequence: of longer ones, what a gradient needs is computed again (5 kB per sample)."""
Hidden = list[tuple[torch.Tensor, torch.Tensor]]
"""What two layers of a recurrence remember: hidden and cell state (B, 4, Y, X) of each."""


def weights_of(windows: np.ndarray) -> np.ndarray:
    """What localisations count (7, N) in the averages, so many windows before or after."""
    decays = np.exp(-np.abs(windows)[None] / np.asarray(TIMES)[:, None])
    return np.asarray(decays, np.float32)


def spread(maps: np.ndarray, y: np.ndarray, x: np.ndarray, weights: np.ndarray) -> None:
    """Add weights (C, N) at places y, x (N,) in samples to maps (C, Y, X).

    Each localisation is shared by the four samples around it, so that none of its place is lost;
    what is shared beyond the field's edge is left out.
    """
    rows, columns = maps.shape[1:]
    top, left = np.floor(y), np.floor(x)
    low, right = y - top, x - left
    cells, shares = [], []
    for down, far_y in ((0, 1 - low), (1, low)):
        for along, far_x in ((0, 1 - right), (1, right)):
            i, j = top.astype(np.intp) + down, left.astype(np.intp) + along
            inside = (i >= 0) & (i < rows) & (j >= 0) & (j < columns)
            cells.append(np.where(inside, i * columns + j, 0))
            shares.append(np.where(inside, far_y * far_x, 0))
    # Only samples that change are touched: a window has few localisations.
    touched, where = np.unique(np.concatenate(cells), return_inverse=True)
    share = np.concatenate(shares)
    flat = maps.reshape(len(maps), -1)
    for one, weight in zip(flat, weights, strict=True):
        one[touched] += np.bincount(where, share * np.tile(weight, 4), len(touched))


def window_map(blinks: LocalizationEvents, rows: int, columns: int) -> np.ndarray:
    """Localisations per sample (rows, columns)."""
    out = np.zeros((1, rows, columns), np.float32)
    spread(out, blinks.y, blinks.x, blinks.count[None])
    return out.reshape(rows, columns)


def bank(
    time: np.ndarray, y: np.ndarray, x: np.ndarray, at: float, rows: int, columns: int
) -> np.ndarray:
    """Averages (14, rows, columns) of localisations before and after a time.

    Parameters
    ----------
    time
        (N,) when they were, in windows.
    y, x
        (N,) where, in samples.
    at
        The time of the picture. A localisation at that very time counts as past.

    Returns
    -------
    The sum over localisations of exp(-|time - at| / τ), for the 7 τ of `TIMES`, of the past and
    then of the future. `banks` makes the same for many times.
    """
    maps = np.zeros((2 * len(TIMES), rows, columns), np.float32)
    past = time <= at
    for half, some in zip(np.split(maps, 2), (past, ~past), strict=True):
        spread(half, y[some], x[some], weights_of(time[some] - at))
    return maps


def banks(
    blinks: LocalizationEvents,
    times: np.ndarray,
    window: float,
    rows: int,
    columns: int,
    between: Callable[[], None] = lambda: None,
) -> Iterator[np.ndarray]:
    """The `bank` (14, rows, columns) at each of many times, from one sweep each way.

    Parameters
    ----------
    blinks
        Localisations, with times in frames.
    times
        (T,) frames of the pictures, equally far apart.
    window
        Frames of one window.
    between
        Called again and again, also before the first bank is there; may raise to end it.

    Notes
    -----
    Averages of the past go from picture to picture; those of the future have to come from the end.
    They are kept at every sqrt(T)-th picture, and the pictures between are made again from there:
    2 sqrt(T) sets of 7 maps are held for a film of any length.
    """
    count = len(times)
    step = times[1] - times[0] if count > 1 else 0.0
    decay = weights_of(np.array([step / window]))[:, :, None]
    edges = np.searchsorted(blinks.time, times, side="right")

    def add(maps: np.ndarray, first: int, last: int, time: float) -> None:
        some = blinks.select(slice(first, last))
        weights = weights_of((some.time - time) / window) * some.count
        spread(maps, some.y, some.x, weights)

    def go_back(future: np.ndarray, k: int) -> None:
        """Make averages of the future of picture k of those of picture k + 1."""
        np.multiply(future, decay, out=future)
        add(future, edges[k], edges[k + 1], times[k])
        between()

    length = math.ceil(math.sqrt(count))
    lasts = [*range(length - 1, count - 1, length), count - 1]
    future = np.zeros((len(TIMES), rows, columns), np.float32)
    add(future, edges[-1], len(blinks.time), times[-1])
    kept = {lasts[-1]: future.copy()}
    for k in range(count - 2, lasts[0] - 1, -1):
        go_back(future, k)
        if k in lasts:
            kept[k] = future.copy()
    past = np.zeros_like(future)
    add(past, 0, edges[0], times[0])
    for first, last in zip([0, *(k + 1 for k in lasts)], lasts, strict=False):
        futures = [kept.pop(last)]
        for k in range(last - 1, first - 1, -1):
            futures.append(futures[-1].copy())
            go_back(futures[-1], k)
        for k in range(first, last + 1):
            if k:
                np.multiply(past, decay, out=past)
                add(past, edges[k - 1], edges[k], times[k])
            yield np.concatenate([past, futures.pop()])


def told(maps: np.ndarray, prior: str) -> np.ndarray:
    """Banks (..., 14, Y, X) with a map more (..., 15, Y, X), which tells one of `PRIORS`."""
    one = np.full_like(maps[..., :1, :, :], PRIORS[prior])
    return np.concatenate([maps, one], axis=-3)


class BlinkNet(nn.Module):  # type: ignore[misc]
    """Bank (B, 15, Y, X) of averages, as from `told`, to picture and confidence (B, 2, Y, X).

    The picture is the probability that a sample is structure, 0 to 1; the confidence the logit of
    the probability that structure lies in it or next to it. A localisation counts 1 in the bank: no
    map is scaled by what else it shows. Works on samples in blocks of 2 x 2.

    Parameters
    ----------
    features
        Channels of a block of samples; twice and three times as many on coarser grids.
    """

    recurrent = False

    def __init__(self, features: int = 40) -> None:
        super().__init__()
        self.reach_px, self.frames = REACH_PX, 2 * len(TIMES) + 1
        n = features
        self.first = nn.Sequential(nn.Conv2d(4 * self.frames, n, 3, padding=1), nn.SiLU(), Block(n))
        self.coarse = nn.Sequential(nn.Conv2d(n, 2 * n, 2, stride=2), nn.SiLU(), Block(2 * n))
        self.coarsest = nn.Sequential(
            nn.Conv2d(2 * n, 3 * n, 2, stride=2), nn.SiLU(), Block(3 * n), Block(3 * n)
        )
        self.up = nn.ModuleList((nn.Conv2d(3 * n, 8 * n, 1), nn.Conv2d(2 * n, 4 * n, 1)))
        self.join = nn.ModuleList(
            (
                nn.Sequential(nn.Conv2d(4 * n, 2 * n, 3, padding=1), nn.SiLU()),
                nn.Sequential(nn.Conv2d(2 * n, n, 3, padding=1), nn.SiLU(), Block(n)),
            )
        )
        self.last = nn.Conv2d(n, 8, 3, padding=1)
        nn.init.zeros_(self.last.bias)
        self.to(memory_format=torch.channels_last)

    def forward(self, bank: torch.Tensor) -> torch.Tensor:
        """Picture and confidence of a bank with any number of rows and columns."""
        rows, columns = bank.shape[-2:]
        # From single localisations to hundreds: asinh(4 x) / 2, whose own function is slow.
        x = 4 * bank.float()
        x = torch.log(x + torch.sqrt(x * x + 1)) / 2
        x = nn.functional.pad(x, (0, -columns % 8, 0, -rows % 8))
        fine = self.first(nn.functional.pixel_unshuffle(x, 2))
        coarse = self.coarse(fine)
        wide = nn.functional.pixel_shuffle(self.up[0](self.coarsest(coarse)), 2)
        coarse = self.join[0](torch.cat([coarse, wide], dim=1))
        wide = nn.functional.pixel_shuffle(self.up[1](coarse), 2)
        x = self.last(self.join[1](torch.cat([fine, wide], dim=1)))
        x = nn.functional.pixel_shuffle(x, 2)[..., :rows, :columns]
        # While it learns, values beyond the limits need a way back.
        return x if self.training else torch.cat([x[:, :1].clamp(0, 1), x[:, 1:]], dim=1)


class DBlink(nn.Module):  # type: ignore[misc]
    """The paper's network, 1,266,913 parameters: maps (B, T, Y, X) to pictures of the same shape.

    Maps are localisations per sample in consecutive windows; 1 in a picture is structure, where
    the paper's are 255. Each direction of time has a recurrence of its own; a picture sees all of
    the past and of the future. Convolutions cost 1.26 million multiplications for each sample of
    each picture, recurrences ten thousand.
    """

    recurrent = True
    reach_px = 8
    """How far the convolutions see that make a picture of what the recurrences remember."""

    def __init__(self) -> None:
        super().__init__()
        self.forwards, self.backwards = Recurrence(), Recurrence()
        channels = 8, 128, 256, 64, 1
        layers: list[nn.Module] = []
        for inside, outside in pairwise(channels):
            layers += [nn.Conv2d(inside, outside, 5, padding=2), nn.ReLU()]
        self.picture = nn.Sequential(*layers[:-1])

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Pictures, one for each map."""
        past = self.forwards(maps)
        future = self.backwards(maps.flip(1)).flip(1)
        seen = torch.cat([past, future], dim=2)
        draw = self.draw
        if self.training and maps.numel() > SAMPLES_IN_MEMORY:
            draw = partial(checkpoint, self.draw, use_reentrant=False)
        # One after the other, as 256 channels of a long film would not fit in memory.
        return torch.stack([draw(one) for one in seen.unbind(1)], dim=1)

    def draw(self, seen: torch.Tensor) -> torch.Tensor:
        """Pictures (B, Y, X) of what both recurrences remember at a time (B, 8, Y, X)."""
        out: torch.Tensor = self.picture(seen)[:, 0]
        # While it learns, values beyond the limits need a way back.
        return out if self.training else out.clamp(0, 1)


class Recurrence(nn.Module):  # type: ignore[misc]
    """Two convolutional LSTMs of 4 channels, one upon the other (Shi et al., 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.ModuleList(nn.Conv2d(n + 4, 16, 5, padding=2) for n in (1, 4))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Hidden states (B, T, 4, Y, X) of the second after each map of (B, T, Y, X)."""
        state = self.start(maps[:, 0])
        out = []
        for one in maps.unbind(1):
            state = self.step(one, state)
            out.append(state[-1][0])
        return torch.stack(out, dim=1)

    def start(self, one: torch.Tensor) -> Hidden:
        """What they remember before the first map, which is like ``one`` (B, Y, X)."""
        batch, rows, columns = one.shape
        nothing = one.new_zeros((batch, 4, rows, columns))
        return [(nothing, nothing) for _ in self.gates]

    def step(self, one: torch.Tensor, state: Hidden) -> Hidden:
        """What they remember after one more map (B, Y, X)."""
        x = one[:, None]
        out = []
        for gates, (hidden, cell) in zip(self.gates, state, strict=True):
            i, f, o, g = gates(torch.cat([x, hidden], dim=1)).chunk(4, dim=1)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            x = torch.sigmoid(o) * torch.tanh(cell)
            out.append((x, cell))
        return out


def dblink(features: int = 40, paper: int = 0) -> nn.Module:
    """Our network, or the paper's."""
    return DBlink() if paper else BlinkNet(features)

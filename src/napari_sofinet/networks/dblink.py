"""Networks that show a structure at any time of a movie of its localizations.

A. Saguy, O. Alalouf, N. Opatovski, S. Jang, M. Heilemann, Y. Shechtman, "DBlink: dynamic
localization microscopy in super spatiotemporal resolution via deep learning", Nature Methods 20,
1939 (2023). `DBlink` is the network described there; `BlinkNet` is that of this package. The
paper's recurrences have to be trained through time, and its large convolutions run on every frame.
`BlinkNet` sees decay maps of past and future (`decay_maps`) instead: it is trained on single
pictures, and does 25 times less for each sample.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from napari_sofinet.networks.decay_maps import TIMES
from napari_sofinet.networks.deepstorm import Block

REACH_PX = 48
"""Distance in samples beyond which the picture hardly depends on the localizations."""
SAMPLES_IN_MEMORY = 2**20
"""Samples of a sequence above which intermediate results are computed again for the gradient, as
they take 5 kB per sample."""
Hidden = list[tuple[torch.Tensor, torch.Tensor]]
"""Hidden and cell state (B, 4, Y, X) of each of the two layers of a recurrence."""


class BlinkNet(nn.Module):  # type: ignore[misc]
    """Decay maps (B, 15, Y, X), as from `with_prior`, to picture and confidence (B, 2, Y, X).

    The picture is the probability that a sample is structure, 0 to 1. The confidence is the logit
    of the probability that there is structure in the sample or next to it. Maps are not normalized:
    a localization counts 1 in them, independent of all others. The finest grid has blocks of 2 x 2
    samples.

    Parameters
    ----------
    features : int, optional
        Channels on the finest grid; twice and three times as many on coarser ones.
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

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return picture and confidence for maps with any number of rows and columns."""
        rows, columns = maps.shape[-2:]
        # asinh(4 x) / 2 for single localizations as for hundreds; torch's own asinh is slow.
        x = 4 * maps.float()
        x = torch.log(x + torch.sqrt(x * x + 1)) / 2
        x = nn.functional.pad(x, (0, -columns % 8, 0, -rows % 8))
        fine = self.first(nn.functional.pixel_unshuffle(x, 2))
        coarse = self.coarse(fine)
        wide = nn.functional.pixel_shuffle(self.up[0](self.coarsest(coarse)), 2)
        coarse = self.join[0](torch.cat([coarse, wide], dim=1))
        wide = nn.functional.pixel_shuffle(self.up[1](coarse), 2)
        x = self.last(self.join[1](torch.cat([fine, wide], dim=1)))
        x = nn.functional.pixel_shuffle(x, 2)[..., :rows, :columns]
        # In training, values beyond the limits still need a gradient.
        return x if self.training else torch.cat([x[:, :1].clamp(0, 1), x[:, 1:]], dim=1)


class DBlink(nn.Module):  # type: ignore[misc]
    """The paper's network, 1,266,913 parameters: maps (B, T, Y, X) to pictures of the same shape.

    Maps are numbers of localizations per sample in consecutive windows; structure is 1 in a
    picture, where the paper has 255. Each direction of time has a recurrence of its own; a picture
    depends on all of the past and of the future. Convolutions cost 1.26 million multiplications
    for each sample of each picture, recurrences ten thousand.
    """

    recurrent = True
    reach_px = 8
    """Reach in samples of the convolutions that turn states into a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.forwards, self.backwards = Recurrence(), Recurrence()
        channels = 8, 128, 256, 64, 1
        layers: list[nn.Module] = []
        for inside, outside in pairwise(channels):
            layers += [nn.Conv2d(inside, outside, 5, padding=2), nn.ReLU()]
        self.picture = nn.Sequential(*layers[:-1])

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return one picture for each map."""
        past = self.forwards(maps)
        future = self.backwards(maps.flip(1)).flip(1)
        seen = torch.cat([past, future], dim=2)
        draw = self.draw
        if self.training and maps.numel() > SAMPLES_IN_MEMORY:
            draw = partial(checkpoint, self.draw, use_reentrant=False)
        # One after the other, as 256 channels of a long time series would not fit in memory.
        return torch.stack([draw(one) for one in seen.unbind(1)], dim=1)

    def draw(self, seen: torch.Tensor) -> torch.Tensor:
        """Return the pictures (B, Y, X) of the hidden states of both recurrences (B, 8, Y, X)."""
        out: torch.Tensor = self.picture(seen)[:, 0]
        # In training, values beyond the limits still need a gradient.
        return out if self.training else out.clamp(0, 1)


class Recurrence(nn.Module):  # type: ignore[misc]
    """Two layers of convolutional LSTM with 4 channels each (Shi et al., 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.ModuleList(nn.Conv2d(n + 4, 16, 5, padding=2) for n in (1, 4))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return hidden states (B, T, 4, Y, X) of the second layer, one for each map."""
        state = self.start(maps[:, 0])
        out = []
        for one in maps.unbind(1):
            state = self.step(one, state)
            out.append(state[-1][0])
        return torch.stack(out, dim=1)

    def start(self, one: torch.Tensor) -> Hidden:
        """Return the states before the first map, which is like ``one`` (B, Y, X)."""
        batch, rows, columns = one.shape
        nothing = one.new_zeros((batch, 4, rows, columns))
        return [(nothing, nothing) for _ in self.gates]

    def step(self, one: torch.Tensor, state: Hidden) -> Hidden:
        """Return the states after one more map (B, Y, X)."""
        x = one[:, None]
        out = []
        for gates, (hidden, cell) in zip(self.gates, state, strict=True):
            i, f, o, g = gates(torch.cat([x, hidden], dim=1)).chunk(4, dim=1)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            x = torch.sigmoid(o) * torch.tanh(cell)
            out.append((x, cell))
        return out


def dblink(features: int = 40, paper: int = 0) -> nn.Module:
    """Build a network.

    Parameters
    ----------
    features : int, optional
        Channels of `BlinkNet`.
    paper : {0, 1}, optional
        1 builds `DBlink`, the paper's network.
    """
    return DBlink() if paper else BlinkNet(features)

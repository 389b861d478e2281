"""Blinking of many movies at once with torch, as `blinking` makes it for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from napari_sofinet.simulation.settings import SimulationSettings

Intervals = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Emitter, start and stop in frames, each (n,)."""


@dataclass(frozen=True)
class _Emitters:
    """Parameters of all emitters, with times in frames.

    ``dwell`` (3, n) are the mean times on, off and in the second dark state; ``long_share``,
    ``bleach`` and ``spread`` (n,) float64; ``steady`` (n,) bool.
    """

    dwell: torch.Tensor
    long_share: torch.Tensor
    bleach: torch.Tensor
    spread: torch.Tensor
    steady: torch.Tensor


def shining(
    settings: Sequence[SimulationSettings],
    emitters: Sequence[int],
    generator: torch.Generator,
    device: str | torch.device,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw when the emitters of several movies shine.

    Parameters
    ----------
    settings : sequence of SimulationSettings
        Settings of each movie; all have the same number of frames.
    emitters : sequence of int
        Number of emitters of each movie.
    generator : torch.Generator
        Source of randomness.
    device : str or torch.device
        Device of the generator and the result.

    Returns
    -------
    emitter : torch.Tensor
        (n,) number of the emitter, counted through all movies. One that shines twice in a frame
        has two entries.
    frame : torch.Tensor
        (n,) number of the frame.
    fraction : torch.Tensor
        (n,) fraction of the frame for which it shines, times the relative brightness of a binding
        where that varies.
    """
    frames = settings[0].frames
    parameters = _parameters(settings, emitters, device)
    who, start, stop = _telegraph(parameters, frames, generator)
    begin = start.floor().long()
    span = stop.ceil().long().clamp(max=frames) - begin
    height = _heights(parameters.spread[who], generator)
    each = torch.repeat_interleave(torch.arange(len(who), device=device), span)
    frame = begin[each] + torch.arange(len(each), device=device) - (span.cumsum(0) - span)[each]
    lit = torch.minimum(stop[each], frame + 1.0) - torch.maximum(start[each], frame.double())
    return who[each], frame, lit * height[each]


def _parameters(
    settings: Sequence[SimulationSettings], emitters: Sequence[int], device: str | torch.device
) -> _Emitters:
    def per_emitter(values: list[float]) -> torch.Tensor:
        return torch.as_tensor(np.repeat(values, emitters), dtype=torch.float64, device=device)

    blinks = [s.blinking for s in settings]
    intervals = [s.frame_interval_s for s in settings]
    dwell = [
        per_emitter([getattr(b, name) / i for b, i in zip(blinks, intervals, strict=True)])
        for name in ("on_time_s", "off_time_s", "long_off_time_s")
    ]
    bleach = [
        b.bleach_time_s / i if b.bleach_time_s and b.model != "dna-paint" else np.inf
        for b, i in zip(blinks, intervals, strict=True)
    ]
    return _Emitters(
        torch.stack(dwell),
        per_emitter([b.long_share if b.model == "three-state" else 0.0 for b in blinks]),
        per_emitter(bleach),
        per_emitter([b.spread if b.model == "dna-paint" else 0.0 for b in blinks]),
        per_emitter([float(b.model == "steady") for b in blinks]) > 0,
    )


def _telegraph(p: _Emitters, frames: int, generator: torch.Generator) -> Intervals:
    """Draw the intervals in which emitters are on, see `blinking.telegraph`."""
    device, total = p.dwell.device, len(p.steady)

    def uniform(n: int) -> torch.Tensor:
        return torch.rand(n, generator=generator, device=device, dtype=torch.float64)

    def exponential(mean: torch.Tensor) -> torch.Tensor:
        return -mean * torch.log1p(-uniform(len(mean)))

    weight = torch.stack(
        [p.dwell[0], (1 - p.long_share) * p.dwell[1], p.long_share * p.dwell[2]]
    ).cumsum(0)
    where = uniform(total) * weight[2]
    state = (where >= weight[0]).long() + (where >= weight[1]).long()
    state[p.steady] = 0
    left = torch.where(torch.isinf(p.bleach), p.bleach, exponential(p.bleach.clamp(max=1e30)))
    clock = torch.zeros(total, dtype=torch.float64, device=device)
    alive = torch.arange(total, device=device)
    found: list[Intervals] = [(alive[:0], clock[:0], clock[:0])]
    while len(alive):
        now, was = clock[alive], state[alive]
        dwell = exponential(p.dwell[was, alive])
        dwell[p.steady[alive]] = float(frames)
        lit = was == 0
        shone = torch.where(lit, torch.minimum(dwell, left[alive]), torch.zeros_like(dwell))
        bleached = lit & (dwell >= left[alive])
        left[alive] -= shone
        dwell = torch.where(lit, shone, dwell)
        found.append((alive[lit], now[lit], (now + dwell)[lit].clamp(max=float(frames))))
        clock[alive] = now + dwell
        dark = 1 + (uniform(len(alive)) < p.long_share[alive]).long()
        state[alive] = torch.where(lit, dark, torch.zeros_like(dark))
        alive = alive[(clock[alive] < frames) & ~bleached]
    who, start, stop = (torch.cat(parts) for parts in zip(*found, strict=True))
    return who, start, stop


def _heights(spread: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw the relative brightness (n,) of bindings with a standard deviation (n,)."""
    if not bool((spread > 0).any()):
        return torch.ones_like(spread)
    sigma = torch.log1p(spread**2).sqrt()
    normal = torch.randn(
        len(spread), generator=generator, device=spread.device, dtype=torch.float64
    )
    return torch.exp(sigma * normal - sigma**2 / 2)

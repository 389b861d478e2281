"""Simulated movies and targets for training, made ahead in threads."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sofinet.simulation.batched import Draw, draw_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sofinet.simulation.settings import SimulationSettings

BRIGHT = 0.995
"""The quantile of a target's lit samples that becomes 1."""
LIT = 0.02  # of the maximum


@dataclass(frozen=True)
class Samples:
    """``frames`` (B, T, Y, X) counts, ``target`` (B, 2Y-1, 2X-1), 0 where nothing is."""

    frames: torch.Tensor
    target: torch.Tensor
    settings: tuple[SimulationSettings, ...]


def scaled_target(target: torch.Tensor) -> torch.Tensor:
    """Ideal images (B, Y, X) with their bright structure at 1; empty ones stay 0."""
    out = torch.zeros_like(target)
    for b, image in enumerate(target):
        lit = image[image > LIT * image.max()]
        if len(lit):
            out[b] = image / torch.quantile(lit, BRIGHT)
    return out


def make_samples(
    draw: Draw,
    count: int,
    side: int,
    frames: int,
    seed: int,
    device: str | torch.device = "cpu",
) -> Samples:
    """Draw a batch of square movies; the same seed gives the same batch."""
    batch = draw_batch(draw, count, side, side, frames, seed, device)
    return Samples(batch.frames, scaled_target(batch.target), batch.settings)


def ahead(make: Callable[[int], Samples], first: int, depth: int = 4) -> Iterator[Samples]:
    """Samples ``make(first)``, ``make(first + 1)`` ... made in a thread while others are used."""
    ready: queue.Queue[Samples | BaseException] = queue.Queue(depth)
    stop = threading.Event()

    def work() -> None:
        number = first
        while not stop.is_set():
            try:
                made: Samples | BaseException = make(number)
            except BaseException as error:
                made = error
            while not stop.is_set():
                try:
                    ready.put(made, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if isinstance(made, BaseException):
                return
            number += 1

    threading.Thread(target=work, daemon=True, name="sofinet-samples").start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()


def frames_for(step: int, low: int, high: int, seed: int) -> int:
    """Number of frames in a step's movies: log-uniform between two limits."""
    rng = np.random.default_rng([seed, step, 5])
    return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))

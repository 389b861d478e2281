"""Simulated movies and targets for training, made ahead in threads."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
import torch

from napari_sofinet.base.settings import Settings, flatten_settings
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.methods.run import reconstruct
from napari_sofinet.simulation.batched import Draw, draw_batch
from napari_sofinet.simulation.settings import SimulationSettings

BRIGHT = 0.995
"""The quantile of a target's lit samples that becomes 1."""
LIT = 0.02  # of the maximum
NOTHING = 0.15
"""Share of movies that show nothing but noise, with little light or none: as they are rare in life
and easily told from others, most networks would else see structure in some of them."""


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


def or_nothing(draw: Draw) -> Draw:
    """Draw movies some of which show nothing but the camera's noise and an even background."""

    def drawn(
        rng: np.random.Generator, seed: int, rows: int, columns: int, frames: int
    ) -> SimulationSettings:
        settings = draw(rng, seed, rows, columns, frames)
        return without_light(settings, rng) if rng.random() < NOTHING else settings

    return drawn


def without_light(settings: SimulationSettings, rng: np.random.Generator) -> SimulationSettings:
    """The same camera on an empty field, in half of the cases without any light."""
    dark = rng.random() < 0.5
    photons = 0.0 if dark else float(np.exp(rng.uniform(np.log(0.01), np.log(100))))
    return settings.model_copy(
        update={
            "structure": settings.structure.model_copy(update={"kind": "empty"}),
            "background": settings.background.model_copy(
                update={"photons": photons, "still_photons": 0.0}
            ),
        }
    )


def sofi_samples(
    draw: Draw,
    count: int,
    side: int,
    frames: int,
    target_frames: int,
    seed: int,
    sofi: Settings,
) -> Samples:
    """Draw movies whose target is what SOFI of second order makes of ``target_frames`` of them.

    The input is their first ``frames``. A pixel on each side of the target, of which SOFI gives
    nothing, is cut off from both.
    """
    longest = max(frames, target_frames)
    batch = draw_batch(draw, count, side + 3, side + 3, longest, seed)
    targets = []
    for movie in batch.frames.numpy():
        result = reconstruct(
            open_movie(movie[:target_frames], 0.1), "sofi", **flatten_settings(sofi)
        )
        targets.append(torch.from_numpy(np.maximum(result.image, 0)))
    inside = slice(1, side + 1)
    return Samples(
        batch.frames[:, :frames, inside, inside].contiguous(),
        scaled_target(torch.stack(targets)),
        batch.settings,
    )


def ahead(
    make: Callable[[int], Samples], first: int, depth: int = 4
) -> Generator[Samples, None, None]:
    """Samples ``make(first)``, ``make(first + 1)`` ... made in a thread while others are used.

    Closing it ends the thread.
    """
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

    thread = threading.Thread(target=work, daemon=True, name="sofinet-samples")
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()  # a thread that still computes when the program ends would abort it


def frames_for(step: int, low: int, high: int, seed: int) -> int:
    """Number of frames in a step's movies: one of 7 from ``low`` to ``high``, evenly in logarithm.

    As few as that, since a compiled network is made anew for each.
    """
    rng = np.random.default_rng([seed, step, 5])
    return round(float(np.geomspace(low, high, 7)[rng.integers(7)]))

"""Simulated movies and their targets for training, made in advance in a thread."""

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
"""Quantile of the lit samples of a target that becomes 1."""
LIT = 0.02
"""Fraction of the maximum above which a sample counts as lit."""
NOTHING = 0.15
"""Fraction of movies that contain only noise, with little or no light. Networks trained without
them often see structure in such movies."""


@dataclass(frozen=True)
class Samples:
    """Movies, or other input of a network, and targets.

    Parameters
    ----------
    frames : torch.Tensor
        (B, T, Y, X) counts, or maps as the network takes them.
    target : torch.Tensor
        (B, 2Y-1, 2X-1) or another grid of the network, 0 where nothing is.
    settings : tuple of SimulationSettings
        Settings of each movie, where it was simulated by `simulation`.
    """

    frames: torch.Tensor
    target: torch.Tensor
    settings: tuple[SimulationSettings, ...]


def scaled_target(target: torch.Tensor) -> torch.Tensor:
    """Scale ideal images so that their bright structure is at 1.

    Parameters
    ----------
    target : torch.Tensor
        (B, Y, X) images.

    Returns
    -------
    torch.Tensor
        (B, Y, X); empty images stay 0.

    Examples
    --------
    >>> import torch
    >>> scaled_target(torch.tensor([[[0.0, 0.0], [0.0, 50.0]]]))
    tensor([[[0., 0.],
             [0., 1.]]])
    """
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
    """Draw a batch of square movies with scaled targets.

    Parameters
    ----------
    draw : callable
        Function that draws the settings of a movie.
    count : int
        Number of movies.
    side : int
        Side of a movie in camera pixels.
    frames : int
        Number of frames.
    seed : int
        The same seed gives the same batch.
    device : str or torch.device, default "cpu"
        Device on which movies are made.

    Returns
    -------
    Samples
        Movies and targets.
    """
    batch = draw_batch(draw, count, side, side, frames, seed, device)
    return Samples(batch.frames, scaled_target(batch.target), batch.settings)


def or_nothing(draw: Draw) -> Draw:
    """Return a function that draws settings, in some cases of a movie without structure.

    Parameters
    ----------
    draw : callable
        Function that draws the settings of a movie.

    Returns
    -------
    callable
        Function whose movies contain only noise and an even background in 15 % of the cases.
    """

    def drawn(
        rng: np.random.Generator, seed: int, rows: int, columns: int, frames: int
    ) -> SimulationSettings:
        settings = draw(rng, seed, rows, columns, frames)
        return without_light(settings, rng) if rng.random() < NOTHING else settings

    return drawn


def without_light(settings: SimulationSettings, rng: np.random.Generator) -> SimulationSettings:
    """Return settings of the same camera on an empty field, in half of the cases without light."""
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
    """Draw movies whose targets are their second-order SOFI images.

    Parameters
    ----------
    draw : callable
        Function that draws the settings of a movie.
    count : int
        Number of movies.
    side : int
        Side of a movie in camera pixels. Movies are made larger, as SOFI leaves out their borders.
    frames : int
        Number of frames at the beginning that are the input.
    target_frames : int
        Number of frames from which SOFI makes the target.
    seed : int
        The same seed gives the same samples.
    sofi : SofiSettings
        Settings of SOFI.

    Returns
    -------
    Samples
        Movies and targets.
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
    """Yield ``make(first)``, ``make(first + 1)`` ..., made in a thread while others are used.

    Closing the generator ends the thread. An exception in it is raised here.

    Parameters
    ----------
    make : callable
        Function that makes samples from their number.
    first : int
        First number.
    depth : int, default 4
        Number of samples that are made ahead.
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
    """Return the number of frames of the movies in a step of training.

    It is one of 7 numbers, as a compiled network is compiled anew for each.

    Parameters
    ----------
    step : int
        Number of the step.
    low, high : int
        Lowest and highest number of frames, between which the logarithms are evenly spaced.
    seed : int
        Seed of the training.

    Examples
    --------
    >>> sorted({frames_for(step, 8, 50, seed=1) for step in range(100)})
    [8, 11, 15, 20, 27, 37, 50]
    """
    rng = np.random.default_rng([seed, step, 5])
    return round(float(np.geomspace(low, high, 7)[rng.integers(7)]))

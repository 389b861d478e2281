"""Training data of a network that turns a movie into a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.characteristics import FRAMES, movie_characteristics
from napari_sofinet.training.data import (
    Samples,
    frames_for,
    make_samples,
    or_nothing,
    sofi_samples,
)
from napari_sofinet.training.loop import Loss, of_output
from napari_sofinet.training.losses import picture_loss
from napari_sofinet.training.own_movies import OwnMovie, crops, prepare
from napari_sofinet.training.preset_draws import PRESET_DRAWS
from napari_sofinet.training.settings import TrainingSettings, missing_notes
from napari_sofinet.training.training_data import HELD_OUT_MOVIES, HELD_OUT_SEED, TrainingData

ANYTHING = {
    "psf_fwhm_px": (1.35, 7.0),
    "correlation_frames": (0.0, 150.0),
    "crowding": (0.0, 3e4),
    "drift_px": (0.0, 1.5),
}
RANGES = {
    "universal": ANYTHING,
    "filaments": ANYTHING | {"crowding": (0.0, 12.0)},
    "komen2024": ANYTHING | {"psf_fwhm_px": (1.8, 2.8), "crowding": (0.0, 4.0)},
}
"""Lowest and highest characteristics of the movies of each preset, without empty ones."""
PRIORS = {
    "universal": (
        "It was trained on many kinds of structure and on empty fields. Use it for any sample."
    ),
    "filaments": (
        "It expects filaments. Use it only for samples of filaments; elsewhere it may draw some "
        "that are not there."
    ),
    "komen2024": (
        "It was trained only on microtubules under one microscope (PSF 2.2 px wide). Use it only "
        "for such movies."
    ),
    "own movies": "It was trained on your own movies. Use it for similar samples and settings.",
}


def picture_data(
    net: torch.nn.Module, settings: TrainingSettings, movies: Sequence[Movie], report: Report
) -> TrainingData:
    """Return simulated movies with their truth, or own movies with their SOFI images.

    Parameters
    ----------
    net : torch.nn.Module
        Network to be trained; its attribute ``frames``, if any, is the only number of frames that
        it takes.
    settings : TrainingSettings
        Settings of the training.
    movies : sequence of Movie
        Own movies; movies are simulated where there are none.
    report : Report
        Called with the progress.

    Returns
    -------
    TrainingData
        Movies and targets.

    Raises
    ------
    InputError
        The own movies cannot be used.
    """
    loss = of_output(lambda out, target: picture_loss(out, target, settings.loss))
    fixed = getattr(net, "frames", None)
    low, high = (fixed, fixed) if fixed else (settings.frames_min, settings.frames_max)
    if movies:
        return _own_data(settings, movies, (low, high), loss, report)
    return _simulated_data(settings, (low, high), loss)


def _own_data(
    settings: TrainingSettings,
    movies: Sequence[Movie],
    frames: tuple[int, int],
    loss: Loss,
    report: Report,
) -> TrainingData:
    s, (low, high) = settings, frames
    own = prepare(movies, s.side_px, s.sofi, portion(report, 0.0, 0.3))
    shortest = min(len(m.frames) for m in own)
    if shortest < low:
        raise InputError(
            f"A movie of {shortest} frames is too short for training on {low} frames at a time."
        )
    high = min(high, shortest)
    middle = min(max(20, low), high)
    held = crops(own, 8, s.side_px, middle, HELD_OUT_SEED, True)
    names = ", ".join(movie.name for movie in movies)
    missing = " ".join(missing_notes(movies))
    return TrainingData(
        lambda step: crops(
            own, s.batch, s.side_px, frames_for(step, low, high, s.seed), s.seed + step, False
        ),
        [("own", held)],
        lambda step: crops(
            own, s.batch, s.side_px, frames_for(step, low, high, 0), HELD_OUT_SEED + step, True
        ),
        _ranges_of(own),
        f"{len(movies)} own movies ({names}) against their SOFI. {missing}".strip(),
        _prior_of_own(s.start),
        loss,
    )


def _prior_of_own(start: str) -> str:
    """Return what users should know of weights that were trained on own movies."""
    if not start:
        return PRIORS["own movies"]
    return (
        f"It is {Path(start).stem}, fine-tuned on your own movies. Use it for similar samples and "
        "settings."
    )


def _simulated_data(
    settings: TrainingSettings, frames_range: tuple[int, int], loss: Loss
) -> TrainingData:
    s, (low, high) = settings, frames_range

    def draw(rng: np.random.Generator, *rest: int) -> Any:
        if 100 * rng.random() < s.filaments_percent:
            return PRESET_DRAWS["filaments"](rng, *rest)
        return PRESET_DRAWS[s.preset](rng, *rest)

    drawn = draw if s.preset == "komen2024" else or_nothing(draw)

    def make(step: int, count: int = s.batch, frames: int | None = None) -> Samples:
        frames = frames or frames_for(step, low, high, s.seed)
        if s.target == "sofi":
            return sofi_samples(
                drawn, count, s.side_px, frames, s.target_frames, s.seed + step, s.sofi
            )
        return make_samples(drawn, count, s.side_px, frames, s.seed + step)

    made = make(HELD_OUT_SEED, HELD_OUT_MOVIES, min(max(20, low), high))
    kinds: dict[str, list[int]] = {}
    for number, one in enumerate(made.settings):
        kinds.setdefault(one.structure.kind, []).append(number)
    held_out = [
        (kind, Samples(made.frames[at], made.target[at], tuple(made.settings[i] for i in at)))
        for kind, at in kinds.items()
    ]
    return TrainingData(
        make,
        held_out,
        lambda step: make(HELD_OUT_SEED + 1 + step),
        RANGES[s.preset],
        f"simulated movies of the preset {s.preset}"
        + (f" with {s.filaments_percent:g} % filaments" if s.filaments_percent else "")
        + f", target: {s.target}",
        PRIORS[s.preset],
        loss,
    )


def _ranges_of(movies: list[OwnMovie]) -> dict[str, tuple[float, float]]:
    """Return half the lowest and twice the highest characteristics of own movies."""
    found = [asdict(movie_characteristics(movie.frames[:FRAMES])) for movie in movies]
    ranges = {}
    for name in ANYTHING:
        values = [one[name] for one in found if np.isfinite(one[name])]
        if values:
            ranges[name] = (0.5 * min(values), max(2 * max(values), ANYTHING["drift_px"][1]))
    return ranges

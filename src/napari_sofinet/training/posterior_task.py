"""Training data of a network that draws posterior samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from napari_sofinet.base.progress import Report
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods import localization_settings, sofinet
from napari_sofinet.networks.contract import Network
from napari_sofinet.networks.deepstorm import FINENESS
from napari_sofinet.networks.diffusion import MOST_LEVEL, unfolded
from napari_sofinet.networks.prior_estimate import (
    EMITTER_INPUTS,
    PICTURE_FINENESS,
    PICTURE_INPUTS,
    load_estimator,
)
from napari_sofinet.networks.weights import Card, Uncertainty
from napari_sofinet.training.calibration import calibrate_samples
from napari_sofinet.training.data import Samples, frames_for
from napari_sofinet.training.losses import diffusion_loss
from napari_sofinet.training.posterior import emitter_conditions, picture_conditions
from napari_sofinet.training.preset_draws import PRESET_DRAWS
from napari_sofinet.training.settings import PosteriorTrainingSettings
from napari_sofinet.training.training_data import HELD_OUT_MOVIES, HELD_OUT_SEED, TrainingData

CALIBRATION_SAMPLES, CALIBRATION_STEPS = 16, 12
SAMPLES_MEAN = (
    "Each sample is a structure that fits the movie: trust what the samples have in common, and "
    "measure in all of them."
)

Draw = Callable[[torch.nn.Module, Card, PosteriorTrainingSettings, int, int, int], Samples]


@dataclass(frozen=True)
class Source:
    """Network with pictures from which posterior samples can start.

    Parameters
    ----------
    sizes : dict
        Sizes of the network that draws the samples.
    draw : callable
        Draws conditions and the truth, from the network, its card, the settings, and the number of
        samples, of frames and the seed.
    describe : callable
        Returns a description of the simulation, from the settings.
    """

    sizes: dict[str, int]
    draw: Draw
    describe: Callable[[PosteriorTrainingSettings], str]


def _draw_pictures(
    net: torch.nn.Module,
    card: Card,
    settings: PosteriorTrainingSettings,
    count: int,
    frames: int,
    seed: int,
) -> Samples:
    draw = PRESET_DRAWS[settings.preset]
    return picture_conditions(net, draw, count, settings.side_px, frames, seed)


def _draw_emitters(
    net: torch.nn.Module,
    card: Card,
    settings: PosteriorTrainingSettings,
    count: int,
    frames: int,
    seed: int,
) -> Samples:
    return emitter_conditions(net, card, count, settings.side_px, seed)


SOURCES: dict[Network, Source] = {
    sofinet.NETWORK: Source(
        {"inputs": PICTURE_INPUTS, "fineness": PICTURE_FINENESS},
        _draw_pictures,
        lambda s: f"movies of the preset {s.preset}, {s.frames_min} to {s.frames_max} frames",
    ),
    localization_settings.NETWORK: Source(
        {"inputs": EMITTER_INPUTS, "fineness": FINENESS, "guesses": 2},
        _draw_emitters,
        lambda s: "frames like those in its training",
    ),
}
SOURCES_BY_NAME = {network.name: source for network, source in SOURCES.items()}


def sizes(settings: PosteriorTrainingSettings) -> dict[str, int]:
    """Return the sizes of a network that starts from the pictures of some weights.

    Parameters
    ----------
    settings : PosteriorTrainingSettings
        Settings that name the weights.

    Returns
    -------
    dict
        Sizes by name.
    """
    card = load_estimator(settings.estimate, list(SOURCES)).card
    return dict(SOURCES_BY_NAME[card.network].sizes)


def posterior_data(
    network: torch.nn.Module,
    settings: PosteriorTrainingSettings,
    movies: Sequence[Movie],
    report: Report,
) -> TrainingData:
    """Return prior estimates from simulated movies by another network, and the truth.

    Parameters
    ----------
    network : torch.nn.Module
        Not used.
    settings : PosteriorTrainingSettings
        Settings of the training, which name the weights that make the prior estimates.
    movies : sequence of Movie
        Not used.
    report : Report
        Not used.

    Returns
    -------
    TrainingData
        Conditions and the truth.
    """
    s = settings
    net, card, digest = load_estimator(s.estimate, list(SOURCES))
    source = SOURCES_BY_NAME[card.network]

    def draw(step: int, count: int = s.batch, frames: int | None = None) -> Samples:
        seed = s.seed + step
        frames = frames or frames_for(step, s.frames_min, s.frames_max, s.seed)
        return source.draw(net, card, s, count, frames, seed)

    def show(diffusion: torch.nn.Module, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        conditions = samples.frames[:1].to(next(diffusion.parameters()).device)
        estimate = unfolded(conditions[:, : diffusion.fineness**2], diffusion.fineness)
        level = torch.full((1, 1), MOST_LEVEL, device=conditions.device)
        nothing = torch.zeros_like(conditions[:, None, : diffusion.fineness**2])
        with torch.inference_mode():
            change = unfolded(diffusion(conditions, nothing, level)[0][:, 0], diffusion.fineness)
        return estimate[0].cpu().numpy(), (estimate + change)[0].cpu().numpy()

    middle = min(max(20, s.frames_min), s.frames_max)
    return TrainingData(
        draw,
        [(card.network, draw(HELD_OUT_SEED, HELD_OUT_MOVIES, middle))],
        lambda step: draw(HELD_OUT_SEED + 1 + step),
        card.ranges,
        f"prior estimates of {s.estimate} on simulated {source.describe(s)}",
        f"{card.prior} {SAMPLES_MEAN}",
        diffusion_loss,
        calibrate=_calibrate,
        flip_rotate=False,
        show=show,
        estimate=card.name,
        estimate_sha256=digest,
    )


def _calibrate(net: torch.nn.Module, batches: Iterable[Samples]) -> Uncertainty | None:
    return calibrate_samples(net, batches, CALIBRATION_SAMPLES, CALIBRATION_STEPS)

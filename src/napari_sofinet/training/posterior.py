"""Training data of networks that draw posterior samples: prior estimates and the truth."""

from __future__ import annotations

import numpy as np
import torch

from napari_sofinet.localization.fitting import Noise
from napari_sofinet.networks.normalization import normalize
from napari_sofinet.networks.pixel_statistics import raw_statistics
from napari_sofinet.networks.prior_estimate import (
    emitter_maps,
    of_frames,
    of_picture,
)
from napari_sofinet.networks.weights import Card
from napari_sofinet.simulation.batched import Draw
from napari_sofinet.simulation.settings import SimulationSettings
from napari_sofinet.training.data import Samples, make_samples, or_nothing
from napari_sofinet.training.emitters import draw_frame, emitter_map
from napari_sofinet.training.settings import EmitterTrainingSettings

KNOWN = 0.3
"""Correlation of a prior estimate with the truth above which a movie is informative."""
ATTEMPTS, ATTEMPT_SEED = 4, 50_000_000
LEAST_SIGNAL = 4.0
"""Lowest ratio of light to its noise of emitters in the truth: dimmer ones cannot be known."""
SPARSE, ALONE = 0.004, 0.0008
"""Highest numbers of emitters per camera px² in sparse frames, and in those of lone emitters."""
MEASURED = {"gain": 0.15, "floor": 0.1, "sigma": 0.04}
"""Uncertainty of noise and PSF of an experimental movie: standard deviations of logarithms."""


def picture_conditions(
    net: torch.nn.Module, draw: Draw, count: int, side: int, frames: int, seed: int
) -> Samples:
    """Draw movies, and turn them into conditions with a network that makes pictures.

    Movies whose prior estimate shows nothing are drawn again: a network trained on many of them
    would draw structure into fields of noise, with the probability of structure in the simulation.
    For the same reason, some movies contain no structure.

    Parameters
    ----------
    net : torch.nn.Module
        Network that makes the prior estimates.
    draw : callable
        Function that draws the settings of a movie.
    count : int
        Number B of movies.
    side : int
        Side of a movie in camera pixels.
    frames : int
        Number of frames.
    seed : int
        The same seed gives the same samples.

    Returns
    -------
    Samples
        Conditions (B, C, Y, X) and the truth.
    """
    conditions: list[torch.Tensor] = []
    targets: list[torch.Tensor] = []
    chosen: list[SimulationSettings] = []
    for attempt in range(ATTEMPTS):
        made = make_samples(or_nothing(draw), count, side, frames, seed + attempt * ATTEMPT_SEED)
        with torch.no_grad():
            x = normalize(made.frames)
            out = net.of_normalized(x)
            first = of_picture(out, raw_statistics(x))
        for b, (picture, truth) in enumerate(zip(out[:, 0], made.target, strict=True)):
            alike = torch.corrcoef(torch.stack([picture.clamp(min=0).flatten(), truth.flatten()]))
            if not truth.any() or alike[0, 1] > KNOWN or attempt == ATTEMPTS - 1:
                conditions.append(first.conditions[b])
                targets.append(truth)
                chosen.append(made.settings[b])
        if len(targets) >= count:
            break
    return Samples(
        torch.stack(conditions[:count]), torch.stack(targets[:count]), tuple(chosen[:count])
    )


def emitter_conditions(
    net: torch.nn.Module, card: Card, count: int, side: int, seed: int
) -> Samples:
    """Draw frames, and turn them into conditions by a network that finds emitters.

    Some frames are sparse, so that nearly every spot is a single emitter. The uncertainty of its
    position then follows from its photons, which a few pairs would hide.

    Parameters
    ----------
    net : torch.nn.Module
        Network that makes the prior estimates.
    card : Card
        Card of its weights, which describes the frames on which it was trained.
    count : int
        Number B of frames.
    side : int
        Side of a frame in camera pixels.
    seed : int
        The same seed gives the same samples.

    Returns
    -------
    Samples
        Conditions (B, C, Y, X) and maps of the emitters.
    """
    crowded = emitter_settings(card, side)
    sparse, alone = (
        crowded.model_copy(
            update={"density_min": most / 4, "density_max": min(most, crowded.density_max)}
        )
        for most in (SPARSE, ALONE)
    )
    counts, targets, noises, sigmas = [], [], [], []
    for b in range(count):
        rng = np.random.default_rng([seed, b, 17])
        one = draw_frame((crowded, alone, sparse)[b % 3], rng)
        wrong = {key: float(np.exp(rng.normal(0, width))) for key, width in MEASURED.items()}
        counts.append(one.counts)
        photons, area = one.emitters.photons, 4 * np.pi * one.sigma_px**2
        variance = one.noise.gain * photons + one.noise.floor * area
        seen = photons > LEAST_SIGNAL * np.sqrt(variance)
        targets.append(emitter_map(one.emitters.positions[seen], side, side))
        noises.append(Noise(one.noise.gain * wrong["gain"], one.noise.floor * wrong["floor"]))
        sigmas.append(one.sigma_px * wrong["sigma"])
    frames = np.stack(counts)
    with torch.no_grad():
        maps = emitter_maps(net, torch.from_numpy(frames))
    first = of_frames(maps, frames.astype(np.float64), noises, sigmas)
    return Samples(first.conditions, torch.from_numpy(np.stack(targets)), ())


def emitter_settings(card: Card, side: int) -> EmitterTrainingSettings:
    """Return settings of frames like those on which some weights were trained.

    Parameters
    ----------
    card : Card
        Card of the weights.
    side : int
        Side of a frame in camera pixels.

    Returns
    -------
    EmitterTrainingSettings
        Settings with the limits in the card, and the default limits for others.
    """
    ranges = card.ranges
    given: dict[str, float] = {}
    if "psf_fwhm_px" in ranges:
        low, high = ranges["psf_fwhm_px"]
        given |= {"psf_sigma_min": low / 2.3548, "psf_sigma_max": high / 2.3548}
    if "density_per_px2" in ranges:
        given |= {"density_max": ranges["density_per_px2"][1]}
    if "photons" in ranges:
        low, high = ranges["photons"]
        given |= {"photons_min": low, "photons_max": high}
    return EmitterTrainingSettings(side_px=side, **given)  # type: ignore[arg-type]

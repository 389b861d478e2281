"""Truths of simulated movies with what another network makes of the movies."""

from __future__ import annotations

import numpy as np
import torch

from napari_sofinet.localization.fitting import Noise
from napari_sofinet.networks.deepstorm import FINENESS
from napari_sofinet.networks.normalization import normalize
from napari_sofinet.networks.pixel_statistics import raw_statistics
from napari_sofinet.networks.prior_estimate import (
    EMITTER_INPUTS,
    PICTURE_FINENESS,
    PICTURE_INPUTS,
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
"""Correlation of a first guess with the truth from which on there is something to be known."""
ATTEMPTS, ATTEMPT_SEED = 4, 50_000_000
LEAST_SIGNAL = 4.0
"""Emitters with less light over its noise are not drawn: they would be guesses into noise."""
SPARSE, ALONE = 0.004, 0.0008
"""Most emitters per camera px² of sparse frames, and of those in which each is alone."""
MEASURED = {"gain": 0.15, "floor": 0.1, "sigma": 0.04}
"""How well noise and PSF of a real movie are known: standard deviations of logarithms."""


def sizes_for(card: Card) -> dict[str, int]:
    """Parameters of a `DiffusionNet` that start from the first guesses of some weights."""
    if card.network == "deepstorm":
        return {"inputs": EMITTER_INPUTS, "fineness": FINENESS, "guesses": 2}
    return {"inputs": PICTURE_INPUTS, "fineness": PICTURE_FINENESS}


def picture_conditions(
    net: torch.nn.Module, draw: Draw, count: int, side: int, frames: int, seed: int
) -> Samples:
    """Draw movies; ``frames`` of the result are conditions (B, C, Y, X).

    Movies from which the first guess learns nothing are drawn again: a network that has seen many
    draws structure into any field of noise, as likely as it was in the simulation. For the same
    reason some movies show nothing.
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
    """Draw frames of what some weights have learnt; as `picture_conditions`.

    Some are sparse, so that what looks like one emitter nearly always is one: how far a lone one
    may be is known from its light, and is hidden by a few that are none.
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
    """What frames some weights have learnt from."""
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

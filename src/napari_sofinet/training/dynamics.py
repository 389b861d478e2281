"""Localizations of moving structures, simulated without a camera, with pictures of the structures.

This widens the simulation of A. Saguy et al., "DBlink", Nature Methods 20, 1939 (2023): to any
speed, rotation in both directions about any point in the field, uncertainties of any size,
emitters that come back, and time series that begin or end at the picture. Lengths are in samples of
a quarter of a camera pixel, times in windows.
"""

from __future__ import annotations

import numpy as np
import torch

from napari_sofinet.localization.events import LocalizationEvents
from napari_sofinet.networks.decay_maps import TIMES, decay_maps_at, window_map, with_prior
from napari_sofinet.networks.deepstorm import FINENESS
from napari_sofinet.training.data import Samples
from napari_sofinet.training.distributions import log_uniform
from napari_sofinet.training.settings import DynamicsTrainingSettings
from napari_sofinet.training.structure_localizations import draw_localizations
from napari_sofinet.training.structure_motion import Motion
from napari_sofinet.training.structure_shapes import draw_structure, picture_at


def dynamics_samples(settings: DynamicsTrainingSettings, count: int, seed: int) -> Samples:
    """Draw decay maps of localizations and pictures of the structure.

    Half of the maps state whether lines or filled shapes are expected.

    Parameters
    ----------
    settings : DynamicsTrainingSettings
        Size of a picture and limits of what is drawn.
    count : int
        Number B of pictures.
    seed : int
        The same seed gives the same samples.

    Returns
    -------
    Samples
        Decay maps (B, 15, 4Y, 4X) and pictures (B, 4Y, 4X), 1 where structure is.
    """
    side = FINENESS * settings.side_px
    maps = np.empty((count, 2 * len(TIMES) + 1, side, side), np.float32)
    pictures = np.empty((count, side, side), np.float32)
    for b in range(count):
        rng = np.random.default_rng([seed, b, 19])
        kind = _kind(settings, rng)
        structure = draw_structure(kind, settings, side, rng)
        before, after = _durations(rng)
        move = Motion(side, settings.speed_max, rng)
        found = draw_localizations(structure, move, before, after, settings, side, rng)
        decayed = decay_maps_at(found.time, found.y, found.x, 0.0, side, side)
        maps[b] = with_prior(decayed, kind if rng.random() < 0.5 else "either")
        pictures[b] = structure.picture
    return Samples(torch.from_numpy(maps), torch.from_numpy(pictures), ())


def dynamics_sequences(settings: DynamicsTrainingSettings, count: int, seed: int) -> Samples:
    """Draw maps of consecutive windows and pictures of the structure in the middle of each.

    Parameters
    ----------
    settings : DynamicsTrainingSettings
        Size of a picture, number T of windows and limits of what is drawn.
    count : int
        Number B of sequences.
    seed : int
        The same seed gives the same samples.

    Returns
    -------
    Samples
        Numbers of localizations per sample and pictures, both (B, T, 4Y, 4X).
    """
    side, windows = FINENESS * settings.side_px, settings.windows
    maps = np.empty((count, windows, side, side), np.float32)
    pictures = np.empty_like(maps)
    half = windows / 2
    for b in range(count):
        rng = np.random.default_rng([seed, b, 23])
        structure = draw_structure(_kind(settings, rng), settings, side, rng)
        move = Motion(side, settings.speed_max, rng)
        found = draw_localizations(structure, move, half, half, settings, side, rng)
        order = np.argsort(found.time)
        ones = np.ones(len(order), np.float32)
        blinks = LocalizationEvents(found.time[order], found.y[order], found.x[order], ones)
        for k in range(windows):
            inside = blinks.during(k - half, k + 1 - half)
            maps[b, k] = window_map(inside, side, side)
            pictures[b, k] = picture_at(structure, move, k + 0.5 - half, side)
    return Samples(torch.from_numpy(maps), torch.from_numpy(pictures), ())


def _kind(settings: DynamicsTrainingSettings, rng: np.random.Generator) -> str:
    if settings.structure != "both":
        return settings.structure
    return "filaments" if rng.random() < 0.55 else "mitochondria"


def _durations(rng: np.random.Generator) -> tuple[float, float]:
    """Draw the windows of the movie before and after the picture, as far as they matter."""
    total = log_uniform(rng, 20, 600)
    fractions = rng.random(), rng.uniform(0.3, 0.7), 0.0, 1.0
    before = total * rng.choice(fractions, p=[0.5, 0.4, 0.05, 0.05])
    return min(before, 4 * TIMES[-1]), min(total - before, 4 * TIMES[-1])

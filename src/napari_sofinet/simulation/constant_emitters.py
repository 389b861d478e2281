"""Emitters in focus that do not blink: still structure, and labels that always shine a bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.simulation.labels import Labels
from napari_sofinet.simulation.motion import moved
from napari_sofinet.simulation.psf import Psf
from napari_sofinet.simulation.rendering import render
from napari_sofinet.simulation.settings import SimulationSettings
from napari_sofinet.simulation.structures import place

STILL_EMITTERS = 3000
"""Number of emitters that are enough for still structure."""


@dataclass(frozen=True)
class ConstantEmitters:
    """Emitters that shine in every frame.

    Parameters
    ----------
    positions_um : ndarray
        (n, 2) y, x in µm at time zero, from the centre of the first pixel.
    object : ndarray
        (n,) number of the object that each belongs to.
    photons : ndarray
        (n,) photons per frame.
    """

    positions_um: np.ndarray
    object: np.ndarray
    photons: np.ndarray

    def __len__(self) -> int:
        return len(self.photons)


def steady_spots(
    settings: SimulationSettings,
    emitters: Labels,
    photons: np.ndarray,
    psf: Psf,
    rng: np.random.Generator,
) -> ConstantEmitters:
    """Make the emitters that do not blink.

    Parameters
    ----------
    settings : SimulationSettings
        Structure, light of the still structure and steady fraction of the labels.
    emitters : Labels
        Emitters that blink, from the centre of the first pixel.
    photons : ndarray
        (n,) photons that each of them gives in a frame in which it is on.
    psf : Psf
        PSF in camera pixels.
    rng : numpy.random.Generator
        Source of randomness, for the still structure, which has as many objects as the one that
        blinks.

    Returns
    -------
    ConstantEmitters
        Still structure first, then the steady part of the labels.
    """
    p = settings.pixel_size_um
    parts = []
    if settings.background.still_photons:
        others = place(settings, rng)
        at = others.positions_um[:: len(others) // STILL_EMITTERS + 1] - p / 2
        shape = settings.rows, settings.columns
        mean = float(render(at / p, np.ones(len(at)), shape, psf).mean())
        if mean > 0:
            each = settings.background.still_photons / mean
            parts.append(ConstantEmitters(at, np.zeros(len(at)), np.full(len(at), each)))
    if settings.blinking.steady_share:
        parts.append(
            ConstantEmitters(
                emitters.positions_um, emitters.object, settings.blinking.steady_share * photons
            )
        )
    if not parts:
        return ConstantEmitters(np.empty((0, 2)), np.empty(0), np.empty(0))
    return ConstantEmitters(
        np.concatenate([part.positions_um for part in parts]),
        np.concatenate([part.object for part in parts]),
        np.concatenate([part.photons for part in parts]),
    )


def steady_light(
    settings: SimulationSettings, steady: ConstantEmitters, psf: Psf, first: int, last: int
) -> np.ndarray:
    """Return the light of emitters that do not blink.

    Parameters
    ----------
    settings : SimulationSettings
        Size and motion of the movie.
    steady : ConstantEmitters
        The emitters.
    psf : Psf
        PSF in camera pixels.
    first, last : int
        First frame, and the one after the last.

    Returns
    -------
    ndarray
        (last - first, Y, X) expected photons, or (1, Y, X) where nothing moves.
    """
    s, p = settings, settings.pixel_size_um
    shape = s.rows, s.columns
    if not s.motion.any:
        return render(steady.positions_um / p, steady.photons, shape, psf)
    light = np.empty((last - first, *shape))
    for t in range(first, last):
        time_s = np.full(len(steady), (t + 0.5) * s.frame_interval_s)
        y, x = steady.positions_um.T
        at = moved(s.motion, y, x, steady.object, time_s, s.centre_um)
        light[t - first] = render(np.stack(at, axis=1) / p, steady.photons, shape, psf)[0]
    return light

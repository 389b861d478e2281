"""Light in focus that does not blink: of still structure, and of labels that always shine a bit."""

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


@dataclass(frozen=True)
class ConstantEmitters:
    """Spots that give ``photons`` (n,) in every frame.

    ``positions_um`` (n, 2) are y, x at time zero, from the first pixel's centre; ``object`` (n,) is
    what each belongs to.
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
    """All that does not blink.

    Parameters
    ----------
    emitters
        The emitters that blink, from the first pixel's centre.
    photons
        (n,) what each gives in a frame that it is on; its steady part is a share of that.
    rng
        For the still structure, which has as many objects as the one that blinks.
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
    """Photons of frames first .. last-1: (last - first, Y, X), or (1, Y, X) if nothing moves."""
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

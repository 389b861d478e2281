"""Simulation of a movie with its ground truth."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from napari_sofinet.base.threads import thread_count
from napari_sofinet.simulation.background import background_image, fading
from napari_sofinet.simulation.blinking import blink, log_normal
from napari_sofinet.simulation.camera import Camera, make_camera
from napari_sofinet.simulation.constant_emitters import ConstantEmitters, steady_light, steady_spots
from napari_sofinet.simulation.labels import Labels
from napari_sofinet.simulation.presets import preset_settings
from napari_sofinet.simulation.psf import Psf, make_psf
from napari_sofinet.simulation.rendering import render
from napari_sofinet.simulation.settings import SimulationSettings
from napari_sofinet.simulation.structures import place
from napari_sofinet.simulation.truth import Truth

BLOCK_PIXELS = 2**20
"""Pixels of all frames of a block."""


@dataclass(frozen=True)
class Simulation:
    """Movie whose frames are made when they are needed, and are the same every time.

    Every frame has random numbers of its own, so that frames can be made in any order.

    Parameters
    ----------
    settings : SimulationSettings
        Complete description of the movie.
    truth : Truth
        Emitters and the times at which they shine.
    camera : Camera
        Sensor with its maps.
    psf : Psf
        PSF in camera pixels.
    background : ndarray
        (Y, X) photons per pixel and frame at time zero.
    steady : ConstantEmitters
        Emitters that do not blink.
    """

    settings: SimulationSettings
    truth: Truth
    camera: Camera
    psf: Psf
    background: np.ndarray = field(repr=False)
    steady: ConstantEmitters = field(repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of frames, rows and columns."""
        return self.settings.frames, self.settings.rows, self.settings.columns

    def light(self, first: int, last: int) -> np.ndarray:
        """Return the expected photons (last - first, Y, X) of some frames, float64.

        Parameters
        ----------
        first, last : int
            First frame, and the one after the last.

        Returns
        -------
        ndarray
            Photons before the camera.
        """
        s = self.settings
        shape = s.rows, s.columns
        events = self.truth.events.between(first, last)
        middle_s = (events.frame + 0.5) * s.frame_interval_s
        at = self.truth.positions_at(middle_s, events.emitter) / s.pixel_size_um
        photons = self.truth.photons[events.emitter] * events.fraction
        light = render(
            at, photons, shape, self.psf, frame=events.frame - first, frames=last - first
        )
        light += fading(s, first, last)[:, None, None] * self.background
        if len(self.steady):
            light += self._steady_light(first, last)
        return light

    def counts(self, first: int, last: int) -> np.ndarray:
        """Return some frames as the camera records them.

        Parameters
        ----------
        first, last : int
            First frame, and the one after the last.

        Returns
        -------
        ndarray
            (last - first, Y, X) counts, uint16, or uint8 for a camera of 8 bits.
        """
        light = self.light(first, last)
        out = np.empty(light.shape, self.camera.dtype)

        def expose(t: int) -> None:
            # The noise of a frame depends on its number only.
            rng = np.random.default_rng([self.settings.seed, 1, first + t])
            out[t] = self.camera.expose(light[t], rng)

        with ThreadPoolExecutor(thread_count()) as pool:
            list(pool.map(expose, range(len(light))))
        return out

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the movie (t, Y, X) in blocks of a few megabytes."""
        step = self._step
        for first in range(0, self.settings.frames, step):
            yield self.counts(first, min(first + step, self.settings.frames))

    @cached_property
    def frames(self) -> np.ndarray:
        """Whole movie (T, Y, X)."""
        return np.concatenate(list(self.blocks()))

    def lazy(self) -> Any:
        """Return the whole movie (T, Y, X) as a dask array that makes its chunks when needed."""
        import dask.array as da

        step, total = self._step, self.settings.frames
        dtype = self.camera.dtype
        lengths = tuple(min(step, total - first) for first in range(0, total, step))
        chunks = (lengths, (self.settings.rows,), (self.settings.columns,))

        def make(block_info: Any = None) -> np.ndarray:
            (first, last), *_ = block_info[None]["array-location"]
            return self.counts(first, last)

        return da.map_blocks(make, chunks=chunks, dtype=dtype, meta=np.empty((0, 0, 0), dtype))

    @property
    def _step(self) -> int:
        return max(BLOCK_PIXELS // (self.settings.rows * self.settings.columns), 1)

    def _steady_light(self, first: int, last: int) -> np.ndarray:
        if self.settings.motion.any:
            return steady_light(self.settings, self.steady, self.psf, first, last)
        return self._steady_image

    @cached_property
    def _steady_image(self) -> np.ndarray:
        return steady_light(self.settings, self.steady, self.psf, 0, 1)


def simulate(
    settings: SimulationSettings | str | None = None, seed: int | None = None
) -> Simulation:
    """Simulate a movie.

    Parameters
    ----------
    settings : SimulationSettings or str, optional
        Complete description of the movie, or the name of a preset; by default the default settings.
        The same settings give the same movie.
    seed : int, optional
        Seed; by default that of the settings, and 1 for a preset.

    Returns
    -------
    Simulation
        The movie, whose frames are not made yet: ``frames`` makes all of them, ``blocks()`` one
        block after the other and ``lazy()`` chunks when they are needed. ``truth`` tells what the
        movie shows.

    Raises
    ------
    InputError
        There is no such preset, or a file of positions, an image, a PSF or dark frames cannot be
        used.

    Examples
    --------
    >>> from napari_sofinet.simulation import simulate
    >>> simulation = simulate("deepstorm-kde", seed=3)
    >>> simulation.counts(0, 2).shape
    (2, 20, 20)
    >>> len(simulation.truth.positions_um)
    10
    """
    if isinstance(settings, str):
        settings = preset_settings(settings, 1 if seed is None else seed)
    s = settings or SimulationSettings()
    if seed is not None:
        s = s.model_copy(update={"seed": seed})
    # Independent streams: a longer movie or another camera leaves the structure as it was.
    structure, still, blinking, backdrop, sensor = (
        np.random.default_rng([s.seed, 0, k]) for k in range(5)
    )
    p = s.pixel_size_um
    labels = place(s, structure)
    # The corner of the field is that of pixel (0, 0), half a pixel from its centre.
    positions = labels.positions_um - p / 2
    n = len(positions)
    photons = np.full(n, s.blinking.photons)
    if s.blinking.spread and s.blinking.model != "dna-paint":
        photons *= log_normal(n, s.blinking.spread, blinking)
    events = blink(s.blinking, n, s.frames, s.frame_interval_s, blinking)
    psf = make_psf(s.optics, p)
    return Simulation(
        s,
        Truth(positions, photons, labels.object, events, s),
        make_camera(s.camera, (s.rows, s.columns), sensor),
        psf,
        background_image(s, positions / p, backdrop),
        steady_spots(s, Labels(positions, labels.object), photons, psf, still),
    )

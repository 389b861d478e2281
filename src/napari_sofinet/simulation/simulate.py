"""A movie with its truth, from one seeded settings model."""

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


@dataclass(frozen=True)
class Simulation:
    """A movie that is made when and where it is looked at, always the same.

    Every frame has its own random numbers, so frames may be asked for in any order.
    """

    settings: SimulationSettings
    truth: Truth
    camera: Camera
    psf: Psf
    background: np.ndarray = field(repr=False)
    steady: ConstantEmitters = field(repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return self.settings.frames, self.settings.rows, self.settings.columns

    def light(self, first: int, last: int) -> np.ndarray:
        """Expected photons (t, Y, X) of frames first .. last-1, float64."""
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
        """Frames first .. last-1 as the camera gives them, uint16 (uint8 for 8 bits)."""
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
        """The movie in blocks of a few megabytes."""
        step = self._step
        for first in range(0, self.settings.frames, step):
            yield self.counts(first, min(first + step, self.settings.frames))

    @cached_property
    def frames(self) -> np.ndarray:
        """The whole movie (T, Y, X)."""
        return np.concatenate(list(self.blocks()))

    def lazy(self) -> Any:
        """The whole movie as a dask array, whose chunks are made when they are looked at."""
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
    settings
        The whole description of the movie, or the name of a preset; the same settings give the
        same movie.
    seed
        Used in place of the settings' own.

    Returns
    -------
    The movie, not yet made: ``frames`` makes all of it, ``lazy()`` chunk by chunk, ``blocks()`` one
    after the other; ``truth`` is what it shows.

    Raises
    ------
    InputError
        Files of positions, images, PSFs or dark frames that cannot be used; an unknown preset.
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
    # The field's corner is the corner of pixel (0, 0), half a pixel from its centre.
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

"""A movie of blinking microtubules with its truth, from one seeded settings model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sofinet.io.atomic import written_whole
from napari_sofinet.settings import Settings, parameter
from napari_sofinet.simulation.blinking import Events, two_state
from napari_sofinet.simulation.camera import draw_scmos
from napari_sofinet.simulation.optics import render_gaussian
from napari_sofinet.simulation.structures import label, microtubules

if TYPE_CHECKING:
    from pathlib import Path


class SimulationSettings(Settings):
    """A movie of microtubules, described completely; the defaults are the thesis' easiest case."""

    rows: int = parameter(128, "Rows of the camera image.", unit="px", ge=8, le=4096)
    columns: int = parameter(128, "Columns of the camera image.", unit="px", ge=8, le=4096)
    frames: int = parameter(100, "Number of frames.", ge=1, le=1_000_000)
    pixel_size_um: float = parameter(
        0.1, "Size of a camera pixel in the sample.", unit="um", gt=0, le=10
    )
    frame_interval_s: float = parameter(0.01, "Time from frame to frame.", unit="s", gt=0)
    psf_fwhm_um: float = parameter(
        0.22, "Width of the microscope's Gaussian PSF.", unit="um", gt=0, le=10
    )
    filaments: int = parameter(15, "Number of microtubules in the field.", ge=0, le=1000)
    emitters_per_um: float = parameter(
        50.0, "Emitters along a microtubule.", unit="1/um", ge=0, le=1000
    )
    on_time_s: float = parameter(0.01, "Mean time an emitter shines.", unit="s", gt=0)
    off_time_s: float = parameter(0.6, "Mean time an emitter is dark.", unit="s", gt=0)
    photons: float = parameter(
        100.0, "Photons an emitter gives in a whole frame.", unit="photons", ge=0, le=1e6
    )
    background_photons: float = parameter(
        1.2,
        "Background light per pixel and frame (one emitter peaks 15 times higher).",
        unit="photons",
        ge=0,
        le=1e6,
    )
    seed: int = parameter(1, "Seed: the same seed gives the same movie.", ge=0)


@dataclass(frozen=True)
class Truth:
    """What a simulated movie shows.

    ``positions_um`` (n, 2) are y, x with the centre of camera pixel (0, 0) at (0, 0); ``photons``
    (n,) what an emitter gives in a whole frame; ``events`` when it shone.
    """

    positions_um: np.ndarray
    photons: np.ndarray
    events: Events
    settings: SimulationSettings

    def save(self, path: str | Path) -> None:
        """Write the truth as an npz file in the project's public format."""
        with written_whole(path) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file,
                positions_um=self.positions_um,
                photons=self.photons,
                frame=self.events.frame,
                emitter=self.events.emitter,
                fraction=self.events.fraction,
                settings=np.array(self.settings.model_dump_json()),
            )


@dataclass(frozen=True)
class Simulation:
    """Counts (T, Y, X) uint16 of a simulated movie, and its truth."""

    frames: np.ndarray
    truth: Truth


def simulate(settings: SimulationSettings | None = None) -> Simulation:
    """Simulate a movie of blinking microtubules seen by an sCMOS camera.

    Parameters
    ----------
    settings
        The whole description of the movie; the same settings give the same movie.

    Notes
    -----
    Filaments are worm-like chains, emitters blink as telegraphs with exponential dwell times exact
    inside frames, the PSF is a Gaussian integrated over pixels.
    """
    s = settings or SimulationSettings()
    rng = np.random.default_rng(s.seed)
    shape = s.rows, s.columns
    field_um = s.rows * s.pixel_size_um, s.columns * s.pixel_size_um
    # The field's corner is the corner of pixel (0, 0), half a pixel from its centre.
    positions = label(microtubules(field_um, s.filaments, rng), s.emitters_per_um, rng)
    positions -= s.pixel_size_um / 2
    events = two_state(len(positions), s.frames, s.frame_interval_s, s.on_time_s, s.off_time_s, rng)
    camera = draw_scmos(shape, rng)
    counts = np.empty((s.frames, *shape), np.uint16)
    for first in range(0, s.frames, 64):
        last = min(first + 64, s.frames)
        a, b = np.searchsorted(events.frame, (first, last))
        light = render_gaussian(
            positions[events.emitter[a:b]] / s.pixel_size_um,
            s.photons * events.fraction[a:b],
            shape,
            s.psf_fwhm_um / s.pixel_size_um,
            frame=events.frame[a:b] - first,
            frames=last - first,
        )
        counts[first:last] = camera.expose(light + s.background_photons, rng)
    photons = np.full(len(positions), s.photons)
    return Simulation(counts, Truth(positions, photons, events, s))


def ideal_image(
    truth: Truth,
    *,
    origin_um: tuple[float, float],
    pixel_size_um: float,
    shape: tuple[int, int],
    fwhm_um: float,
) -> np.ndarray:
    """Emitters of a truth as spots of a given width on any grid, float64 (Y, X), sum ≈ photons.

    Parameters
    ----------
    origin_um
        World coordinate y, x of sample (0, 0).
    pixel_size_um
        Spacing of samples.
    fwhm_um
        Width of the spots, e.g. half the PSF for the ideal second-order image.
    """
    at = (truth.positions_um - np.asarray(origin_um)) / pixel_size_um
    image: np.ndarray = render_gaussian(at, truth.photons, shape, fwhm_um / pixel_size_um)[0]
    return image

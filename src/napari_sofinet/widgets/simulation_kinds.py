"""What the simulation dock makes: movies of blinking emitters, and raw SIM stacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.progress import Report
from napari_sofinet.base.settings import Settings
from napari_sofinet.cli.simulate import simulate_command, simulate_stack_command
from napari_sofinet.simulation import PRESETS, SimulationSettings, preset_settings, simulate
from napari_sofinet.simulation.sim_settings import (
    SIM_PRESETS,
    SimStackSettings,
    sim_preset_settings,
)
from napari_sofinet.simulation.sim_simulate import TRUTH_PIXELS, TRUTH_PLANES, simulate_stack
from napari_sofinet.widgets.movie_files import save_simulation, save_stack
from napari_sofinet.widgets.placement import LayerData, contrast
from napari_sofinet.widgets.sources import TRUTH

UM = "micrometer"
PREVIEW_FRAMES = 20
SEEN_UM = 1.8, 0.8
"""Distances from a plane up to which points are seen in its exposure, and in its truth."""


@dataclass(frozen=True)
class Preview:
    """One image of a simulation with its truth.

    Parameters
    ----------
    frame, truth : ndarray
        Pictures (Y, X).
    frame_um, truth_um : (float, float)
        Their pixel sizes along y and x in µm.
    sentence : str
        What the user reads about it.
    """

    frame: np.ndarray
    truth: np.ndarray
    frame_um: tuple[float, float]
    truth_um: tuple[float, float]
    sentence: str


@dataclass(frozen=True)
class Kind:
    """Kind of simulated images.

    Parameters
    ----------
    noun : str
        "movie" or "stack".
    settings : type of Settings
        Model of its settings.
    presets : dict of str to callable
        Presets by name.
    preset : callable
        Returns the settings of a preset with a seed.
    preview : callable
        Returns one image of a simulation.
    layers : callable
        Returns the layers of the truth, and of the images, and a sentence about them.
    save : callable
        Writes images and truth to a path, and returns the files.
    command : callable
        Returns the command of a preset with settings.
    written : str
        Files that the command writes.
    """

    noun: str
    settings: type[Settings]
    presets: dict[str, Callable[[int], Any]]
    preset: Callable[[str, int], Settings]
    preview: Callable[[Any], Preview]
    layers: Callable[[Any], tuple[list[LayerData], str]]
    save: Callable[[Path, Any, Report], tuple[Path, ...]]
    command: Callable[[str, Any], str]
    written: str


def _movie_preview(settings: SimulationSettings) -> Preview:
    few = settings.model_copy(update={"frames": min(settings.frames, PREVIEW_FRAMES)})
    made = simulate(few)
    truth = made.truth.ideal()
    emitters, width = len(made.truth.photons), made.psf.fwhm_px
    what = "emitter" if emitters == 1 else "emitters"
    size = few.pixel_size_um
    assert truth.pixel_size_um is not None
    return Preview(
        made.counts(0, 1)[0],
        truth.image,
        (size, size),
        truth.pixel_size_um,
        f"{emitters} {what}, PSF {width:.2g} camera px wide.",
    )


def _movie_layers(settings: SimulationSettings) -> tuple[list[LayerData], str]:
    made = simulate(settings)
    truth, name, size = made.truth.ideal(), name_of(settings), settings.pixel_size_um
    assert truth.pixel_size_um is not None
    under: LayerData = (
        truth.image,
        _truth_options(name, contrast(truth.image))
        | {"scale": truth.pixel_size_um, "units": (UM, UM), "axis_labels": ("y", "x")},
        "image",
    )
    movie: LayerData = (
        made.lazy(),
        {
            "name": name,
            "scale": (settings.frame_interval_s, size, size),
            "units": ("second", UM, UM),
            "axis_labels": ("t", "y", "x"),
            "contrast_limits": contrast(made.counts(0, 1)[0]),
            "metadata": {"sofinet_simulation": settings.model_dump(mode="json")},
        },
        "image",
    )
    frames, rows, columns = made.shape
    return [under, movie], (
        f"{frames} frames of {rows} x {columns} px; the truth is in a hidden layer below."
    )


def _stack_preview(settings: SimStackSettings) -> Preview:
    made = simulate_stack(settings)
    middle, fine = settings.planes // 2, settings.pixel_um / TRUTH_PIXELS
    points, far = (
        len(made.positions_um),
        np.abs(made.positions_um[:, 0] - middle * settings.plane_um),
    )
    seen, sharp = (replace(made, positions_um=made.positions_um[far < reach]) for reach in SEEN_UM)
    return Preview(
        seen.images([middle])[0, 0],
        sharp.truth([middle])[TRUTH_PLANES // 2],
        (settings.pixel_um, settings.pixel_um),
        (fine, fine),
        f"{points} {'point' if points == 1 else 'points'}; an exposure of the middle plane.",
    )


def _stack_layers(settings: SimStackSettings) -> tuple[list[LayerData], str]:
    made = simulate_stack(settings)
    images, truth = made.images(), made.truth()
    name, size, plane = name_of(settings), settings.pixel_um, settings.plane_um
    fine = (plane / TRUTH_PLANES, size / TRUTH_PIXELS, size / TRUTH_PIXELS)
    exposures, planes, rows, columns = images.shape
    axes = {"units": ("pixel", UM, UM, UM), "axis_labels": ("exposure", "z", "y", "x")}
    under: LayerData = (
        truth[None],
        _truth_options(name, contrast(truth, volume=True))
        | axes
        | {
            # One sample that is shown for all exposures.
            "scale": (exposures, *fine),
            "translate": ((exposures - 1) / 2, -fine[0], 0, 0),
        },
        "image",
    )
    limits = contrast(images[0], volume=True)
    stack: LayerData = (
        images,
        axes
        | {
            "name": name,
            "scale": (1, plane, size, size),
            "contrast_limits": limits,
            "metadata": {"sofinet_simulation": settings.model_dump(mode="json")},
        },
        "image",
    )
    return [under, stack], (
        f"{planes} planes x {exposures} exposures of {rows} x {columns} px; the truth is in a "
        "hidden layer below."
    )


def _truth_options(name: str, limits: tuple[float, float]) -> dict[str, Any]:
    return {
        "name": f"truth of {name}",
        "colormap": "inferno",
        "contrast_limits": limits,
        "metadata": {TRUTH: True},
        "visible": False,
    }


def name_of(settings: Settings) -> str:
    """Return the name of a simulated movie or stack."""
    if isinstance(settings, SimulationSettings):
        return f"simulated {settings.structure.kind} {settings.seed}"
    assert isinstance(settings, SimStackSettings)
    return f"simulated SIM {settings.structure} {settings.seed}"


MOVIES = Kind(
    "movie",
    SimulationSettings,
    PRESETS,
    preset_settings,
    _movie_preview,
    _movie_layers,
    save_simulation,
    simulate_command,
    "movie.tif and truth.npz",
)
STACKS = Kind(
    "stack",
    SimStackSettings,
    SIM_PRESETS,
    sim_preset_settings,
    _stack_preview,
    _stack_layers,
    save_stack,
    simulate_stack_command,
    "stack.tif and truth.ome.tif",
)

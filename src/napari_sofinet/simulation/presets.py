"""Named kinds of movies.

Each name and seed gives one complete description of a movie. The docstrings of their functions are
shown to users.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import flatten_settings
from napari_sofinet.simulation.drawn_settings import draw_filaments, draw_universal
from napari_sofinet.simulation.rounded_draws import log_uniform, uniform
from napari_sofinet.simulation.sample_settings import BlinkingSettings, StructureSettings
from napari_sofinet.simulation.settings import (
    BackgroundSettings,
    CameraSettings,
    MotionSettings,
    OpticsSettings,
    SimulationSettings,
)

KOMEN_PHOTONS = 100.0, 80.0, 60.0, 40.0
KOMEN_OFF_TIMES_S = 0.6, 1.2, 2.4
KOMEN_BACKGROUND = 0.176 / 15
"""Background relative to the photons of an emitter: a fifteenth of the 17.6 % that its own pixel
receives."""


def microtubules(seed: int) -> SimulationSettings:
    """Eight microtubules whose dyes blink fast: easy for most methods."""
    return SimulationSettings(seed=seed)


def komen2024(seed: int) -> SimulationSettings:
    """Microtubules in one of 12 conditions: 100 to 40 photons, mean off-times 0.6 to 2.4 s."""
    return komen2024_condition(seed, seed % 12)


def komen2024_condition(seed: int, condition: int) -> SimulationSettings:
    """Return one of the 12 conditions of `komen2024`.

    Parameters
    ----------
    seed : int
        Seed of the movie and of the number of filaments.
    condition : int
        0 is the easiest, 11 the hardest.

    Returns
    -------
    SimulationSettings
        Settings of the movie.

    Examples
    --------
    >>> komen2024_condition(seed=1, condition=11).blinking.photons
    40.0
    """
    photons = KOMEN_PHOTONS[condition // 3]
    rng = np.random.default_rng([seed, 2])
    return SimulationSettings(
        seed=seed,
        structure=StructureSettings(count=int(rng.integers(4, 21))),
        blinking=BlinkingSettings(photons=photons, off_time_s=KOMEN_OFF_TIMES_S[condition % 3]),
        background=BackgroundSettings(photons=KOMEN_BACKGROUND * photons),
    )


def dblink_filaments(seed: int) -> SimulationSettings:
    """Moving filaments in sparse blinks: 32 x 32 px of 160 nm, 3000 frames."""
    rng = np.random.default_rng([seed, 2])
    return _dblink(
        seed,
        rng,
        StructureSettings(
            count=int(rng.integers(3, 12)), emitters_per_um=25, persistence_um=5, length_um=12
        ),
        speed_px=0.002,
    )


def dblink_mitochondria(seed: int) -> SimulationSettings:
    """Swaying, drifting mitochondria in sparse blinks: 32 x 32 px of 160 nm, 3000 frames."""
    rng = np.random.default_rng([seed, 2])
    structure = StructureSettings(
        kind="mitochondria", count=int(rng.integers(2, 6)), size_um=0.5, emitters_per_um2=200
    )
    return _dblink(seed, rng, structure, speed_px=0.05 * 20 / 3000, wobble_um=0.1)


def _dblink(
    seed: int,
    rng: np.random.Generator,
    structure: StructureSettings,
    speed_px: float,
    wobble_um: float = 0.0,
) -> SimulationSettings:
    speed = speed_px * 0.16 / 0.01  # px per frame to um/s
    return SimulationSettings(
        rows=32,
        columns=32,
        frames=3000,
        seed=seed,
        structure=structure,
        blinking=BlinkingSettings(on_time_s=0.01, off_time_s=5.0, photons=1000, spread=0.4),
        optics=OpticsSettings(psf_fwhm_um=0.3, magnification=100),
        background=BackgroundSettings(photons=10),
        camera=CameraSettings(pixel_um=16),
        motion=MotionSettings(
            drift_y_um_per_s=uniform(rng, -speed, speed),
            drift_x_um_per_s=uniform(rng, -speed, speed),
            rotation_deg_per_s=uniform(rng, -0.02, 0.02),
            wobble_um=wobble_um,
        ),
    )


def deepstorm_kde(seed: int) -> SimulationSettings:
    """Ten steady emitters on a disc, 100 frames of 20 x 20 px, 200 photons each per frame."""
    return SimulationSettings(
        rows=20,
        columns=20,
        frames=100,
        seed=seed,
        structure=StructureSettings(kind="points", count=10, size_um=14 * 0.1083),
        blinking=BlinkingSettings(model="steady", photons=200),
        optics=OpticsSettings(psf_fwhm_um=0.92 * 2.3548 * 0.1083, magnification=60),
        background=BackgroundSettings(photons=0),
        camera=CameraSettings(pixel_um=6.498, read_noise_e=5**0.5, pixel_spread=0),
    )


def argolight(seed: int) -> SimulationSettings:
    """Ten pairs of lines 100 nm wide, 390 to 120 nm apart, PSF 318 nm, 500 frames."""
    return SimulationSettings(
        rows=64,
        columns=160,
        frames=500,
        seed=seed,
        structure=StructureSettings(kind="argolight", emitters_per_um=150),
        blinking=BlinkingSettings(photons=300),
        optics=OpticsSettings(psf_fwhm_um=0.318),
        background=BackgroundSettings(photons=10, structured=0.5, scale_um=4),
    )


def universal(seed: int) -> SimulationSettings:
    """Any structure under any microscope, as networks for general use are trained on."""
    rng = np.random.default_rng([seed, 2])
    return draw_universal(rng, seed, 128, 128, int(log_uniform(rng, 8, 200)))


def filaments(seed: int) -> SimulationSettings:
    """Microtubules under many microscopes, as networks for filaments are trained on."""
    rng = np.random.default_rng([seed, 2])
    return draw_filaments(rng, seed, 128, 128, int(log_uniform(rng, 8, 200)))


def draw_komen2024(
    rng: np.random.Generator, seed: int, rows: int, columns: int, frames: int
) -> SimulationSettings:
    """Draw one of the 12 conditions of `komen2024` in a field of any size.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    seed : int
        Seed of the movie.
    rows, columns, frames : int
        Size of the movie.

    Returns
    -------
    SimulationSettings
        Settings of one movie.
    """
    settings = komen2024_condition(seed, int(rng.integers(12)))
    # As many filaments per length of the border, since they are longer than the field.
    count = max(round(int(rng.integers(4, 21)) * np.sqrt(rows * columns) / 128), 1)
    structure = settings.structure.model_copy(update={"count": count})
    return settings.model_copy(
        update={"rows": rows, "columns": columns, "frames": frames, "structure": structure}
    )


PRESETS: dict[str, Callable[[int], SimulationSettings]] = {
    "microtubules": microtubules,
    "komen2024": komen2024,
    "dblink-filaments": dblink_filaments,
    "dblink-mitochondria": dblink_mitochondria,
    "deepstorm-kde": deepstorm_kde,
    "argolight": argolight,
    "filaments": filaments,
    "universal": universal,
}


def preset_settings(
    name: str, seed: int = 1, changes: dict[str, Any] | None = None
) -> SimulationSettings:
    """Return the settings of a preset, some of them changed.

    Parameters
    ----------
    name : str
        One of `PRESETS`.
    seed : int, default 1
        Seed of the movie; presets also draw some of their settings by it.
    changes : dict, optional
        Values of settings by their dotted names.

    Returns
    -------
    SimulationSettings
        Settings of the movie.

    Raises
    ------
    InputError
        There is no such preset or setting, or a value is outside its limits.

    Examples
    --------
    >>> settings = preset_settings("argolight", changes={"frames": 100, "blinking.photons": 50})
    >>> settings.rows, settings.columns, settings.frames
    (64, 160, 100)
    """
    from pydantic import ValidationError

    from napari_sofinet.base.settings import explain

    if name not in PRESETS:
        raise InputError(f"There is no preset {name!r}; choose one of {', '.join(PRESETS)}.")
    if not 0 <= seed < 2**32:
        raise InputError(f"The seed must be 0 to {2**32 - 1}, not {seed}.")
    settings = PRESETS[name](seed)
    if not changes:
        return settings
    tree = settings.model_dump()
    known = flatten_settings(settings)
    for key, value in changes.items():
        if key not in known:
            raise InputError(f"There is no setting called {key}.")
        *groups, last = key.split(".")
        node = tree
        for group in groups:
            node = node[group]
        node[last] = value
    try:
        return SimulationSettings.model_validate(tree)
    except ValidationError as error:
        raise InputError(explain(error)) from None

"""Settings of simulated SIM stacks, and their presets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import Settings, build, flatten_settings, parameter
from napari_sofinet.structured_illumination.settings import USUAL_PLANE_UM, IlluminationSettings


class SimStackSettings(Settings):
    """A raw stack of structured illumination with its truth."""

    seed: int = parameter(
        1, "The same seed gives the same stack.", label="Random seed", basic=True, ge=0, lt=2**32
    )
    structure: Literal["chromatin", "sphere", "filaments", "membranes", "volumes", "points"] = (
        parameter(
            "chromatin",
            "Structure of the sample: random walks like chromatin, a ball of points, filaments, "
            "closed membranes, filled bodies, or points at random.",
            basic=True,
        )
    )
    count: int = parameter(
        1,
        "Number of walks, filaments, membranes or bodies; of points for a ball and for points.",
        label="Number of objects",
        basic=True,
        ge=1,
        le=100_000,
    )
    rows: int = parameter(256, "Rows of an image.", unit="px", ge=16, le=4096)
    columns: int = parameter(256, "Columns of an image.", unit="px", ge=16, le=4096)
    planes: int = parameter(40, "Number of planes.", basic=True, ge=1, le=500)
    pixel_um: float = parameter(
        6.5 / 60,
        "Size of a camera pixel in the sample.",
        label="Pixel size",
        unit="µm",
        gt=0.01,
        le=1,
    )
    photons: float = parameter(
        1000.0,
        "Photons in the brightest pixel of all exposures.",
        label="Photons at most",
        unit="photons",
        basic=True,
        gt=0,
        le=1e6,
    )
    background: float = parameter(
        0.0, "Photons of an even background.", unit="photons", ge=0, le=1e6
    )
    offset: float = parameter(100.0, "Counts without light.", unit="counts", ge=0, le=10_000)
    read_noise_e: float = parameter(
        1.5, "Standard deviation of the read noise.", label="Read noise", unit="e", ge=0, le=100
    )
    angle_deg: float = parameter(
        0.0, "Angle of the pattern.", label="Angle", unit="°", ge=-180, le=180
    )
    shift_um: float = parameter(
        0.0, "Shift of the pattern.", label="Shift", unit="µm", ge=-10, le=10
    )
    polarisation: Literal["plane", "axial"] = parameter(
        "plane",
        "Polarisation of the three beams of a hexagonal pattern: in their plane (dark spots) or "
        "along the optical axis (bright spots).",
    )
    illumination: IlluminationSettings = IlluminationSettings()

    @property
    def plane_um(self) -> float:
        """Distance of planes in um."""
        return self.illumination.plane_um or USUAL_PLANE_UM


def sim_chromatin(seed: int) -> SimStackSettings:
    """A raw SIM stack (hexagonal, 7 x 40 images) of chromatin: a random walk of 137 points."""
    return _drawn(seed, "chromatin", 1)


def sim_spheres(seed: int) -> SimStackSettings:
    """A raw SIM stack (hexagonal, 7 x 40 images) of a ball of 1000 to 17,000 points."""
    return _drawn(seed, "sphere", 1000 * int(np.random.default_rng([seed, 3]).integers(1, 18)))


def sim_mixed(seed: int) -> SimStackSettings:
    """A raw SIM stack (hexagonal, 7 x 40 images) of one of many kinds of structure."""
    rng = np.random.default_rng([seed, 3])
    kinds = {
        "chromatin": (1, 4),
        "sphere": (1000, 17_000),
        "filaments": (5, 60),
        "membranes": (1, 20),
        "volumes": (1, 12),
        "points": (20, 3000),
    }
    kind = str(rng.choice(list(kinds)))
    low, high = kinds[kind]
    return _drawn(seed, kind, int(np.exp(rng.uniform(np.log(low), np.log(high)))))


def _drawn(seed: int, structure: Any, count: int) -> SimStackSettings:
    """Return settings whose pattern has any angle and phase, as in a real microscope."""
    rng = np.random.default_rng([seed, 4])
    return SimStackSettings(
        seed=seed,
        structure=structure,
        count=count,
        photons=float(round(2.0 ** rng.uniform(6, 11))),
        angle_deg=round(rng.uniform(0, 60), 1),
        shift_um=round(rng.uniform(0, 0.3), 3),
    )


SIM_PRESETS: dict[str, Callable[[int], SimStackSettings]] = {
    "sim-chromatin": sim_chromatin,
    "sim-spheres": sim_spheres,
    "sim-mixed": sim_mixed,
}
"""Kinds of raw SIM stacks by name."""


def sim_preset_settings(
    name: str, seed: int = 1, changes: dict[str, Any] | None = None
) -> SimStackSettings:
    """Return the settings of a preset of `SIM_PRESETS`, some of them changed.

    Parameters
    ----------
    name : str
        Name of the preset.
    seed : int, default 1
        Seed of the stack; some settings are drawn by it.
    changes : dict, optional
        Values of settings by their dotted names.

    Raises
    ------
    InputError
        There is no such preset or setting, or a value is outside its limits.
    """
    if name not in SIM_PRESETS:
        raise InputError(f"There is no preset {name!r}; choose one of {', '.join(SIM_PRESETS)}.")
    if not 0 <= seed < 2**32:
        raise InputError(f"The seed must be 0 to {2**32 - 1}, not {seed}.")
    settings = SIM_PRESETS[name](seed)
    return build(SimStackSettings, flatten_settings(settings) | (changes or {}))

"""The command line that makes a simulated movie."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from napari_sofinet.options import text_of
from napari_sofinet.settings import flatten_settings
from napari_sofinet.simulation.presets import preset_settings

if TYPE_CHECKING:
    from napari_sofinet.simulation.settings import SimulationSettings


def command_for(preset: str, settings: SimulationSettings) -> str:
    """A `sofinet simulate` command: the preset, and what differs from it."""
    words = ["sofinet", "simulate", preset, "-o", "movie.tif", "--truth", "truth.npz"]
    words += ["--seed", str(settings.seed)]
    usual = flatten_settings(preset_settings(preset, settings.seed))
    for name, value in flatten_settings(settings).items():
        if value != usual[name]:
            words += [f"--{name.replace('_', '-')}", text_of(value)]
    return shlex.join(words)

"""Presets from which simulated movies for training are drawn."""

from __future__ import annotations

from napari_sofinet.simulation.drawn_settings import draw_filaments, draw_universal
from napari_sofinet.simulation.presets import draw_komen2024

PRESET_DRAWS = {
    "universal": draw_universal,
    "filaments": draw_filaments,
    "komen2024": draw_komen2024,
}

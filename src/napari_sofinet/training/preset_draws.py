"""Presets that simulated movies for training are drawn from."""

from __future__ import annotations

from napari_sofinet.simulation.presets import draw_filaments, draw_komen2024, draw_universal

PRESET_DRAWS = {
    "universal": draw_universal,
    "filaments": draw_filaments,
    "komen2024": draw_komen2024,
}

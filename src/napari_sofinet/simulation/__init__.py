"""Movies with known ground truth: structures, blinking, optics, camera and motion."""

from napari_sofinet.simulation.presets import PRESETS, preset_settings
from napari_sofinet.simulation.settings import SimulationSettings
from napari_sofinet.simulation.simulate import Simulation, simulate
from napari_sofinet.simulation.truth import Truth

__all__ = ["PRESETS", "Simulation", "SimulationSettings", "Truth", "preset_settings", "simulate"]

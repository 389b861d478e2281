"""Movies with known truth: structures, blinking, optics and camera."""

from napari_sofinet.simulation.simulate import (
    Simulation,
    SimulationSettings,
    Truth,
    ideal_image,
    simulate,
)

__all__ = ["Simulation", "SimulationSettings", "Truth", "ideal_image", "simulate"]

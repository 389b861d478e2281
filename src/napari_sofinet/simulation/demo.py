"""Movie of the demonstration: simulated microtubules, made without a download."""

from __future__ import annotations

from napari_sofinet.simulation.sample_settings import StructureSettings
from napari_sofinet.simulation.settings import SimulationSettings
from napari_sofinet.simulation.simulate import Simulation, simulate

DEMO = SimulationSettings(frames=500, seed=7, structure=StructureSettings(count=10))
"""Settings of the movie: 128 x 128 px of 100 nm, 500 frames of 10 ms."""


def demo_movie() -> Simulation:
    """Simulate the movie of the demonstration with its truth, the same everywhere."""
    return simulate(DEMO)

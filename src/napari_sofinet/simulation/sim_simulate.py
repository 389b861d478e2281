"""Simulation of raw SIM stacks with the picture that an ideal microscope would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_sofinet.simulation.sim_rendering import render_confocal, render_exposures
from napari_sofinet.simulation.sim_settings import SimStackSettings
from napari_sofinet.simulation.sim_structures import STRUCTURES, Box

TRUTH_PLANES, TRUTH_PIXELS = 3, 2
"""Planes of the truth per plane of the stack, and pixels per camera pixel along y and x."""
LARGEST_COUNT = 65535


@dataclass(frozen=True)
class SimulatedStack:
    """A simulated raw SIM stack.

    Parameters
    ----------
    settings : SimStackSettings
        Complete description.
    positions_um : ndarray
        (N, 3) positions of the points along z, y and x in um, from the centre of pixel (0, 0) of
        the first plane.
    """

    settings: SimStackSettings
    positions_um: np.ndarray = field(repr=False)

    def images(self, planes: Sequence[int] | None = None) -> np.ndarray:
        """Return the exposures (P, Z, Y, X) as the camera records them, uint16.

        Parameters
        ----------
        planes : sequence of int, optional
            Neighbouring planes; by default all. Of some alone the brightest pixel, which the
            photons refer to, is that of these, and the noise is another.
        """
        s = self.settings
        at = np.arange(s.planes) if planes is None else np.asarray(planes)
        pattern = s.illumination.nominal_pattern(
            s.angle_deg, (s.shift_um, s.shift_um), s.polarisation == "axial"
        )
        geometry = s.illumination.geometry(s.pixel_um)
        depths = geometry.exposure_depths_um(pattern.exposures)[:, None]
        depths = depths + at * geometry.plane_um
        light = render_exposures(
            self.positions_um,
            np.ones(len(self.positions_um)),
            pattern,
            s.illumination.optics(),
            s.pixel_um,
            depths,
            (s.rows, s.columns),
        )
        rng = np.random.default_rng([s.seed, 1])
        brightest = float(light.max())
        light *= s.photons / brightest if brightest > 0 else 0.0
        out = np.empty(light.shape, np.uint16)
        for j, exposure in enumerate(light):  # one at a time, as noise takes memory
            counts = rng.poisson(np.maximum(exposure, 0) + s.background) + s.offset
            counts = counts + rng.normal(0, s.read_noise_e, exposure.shape)
            out[j] = np.clip(np.rint(counts), 0, LARGEST_COUNT)
        return out

    def truth(self, planes: Sequence[int] | None = None) -> np.ndarray:
        """Return the picture (3 Z, 2 Y, 2 X) of an ideal confocal microscope, float32.

        Its light has the wavelength over the square root of 2 (Boland et al. (2021)); plane 3 z + 1
        is plane z of the stack. The brightest sample is 1.

        Parameters
        ----------
        planes : sequence of int, optional
            Neighbouring planes of the stack; by default all.
        """
        s = self.settings
        first, count = (0, s.planes) if planes is None else (planes[0], len(planes))
        optics = s.illumination.optics()
        depths = first + (np.arange(TRUTH_PLANES * count) - 1) / TRUTH_PLANES
        picture = render_confocal(
            self.positions_um,
            np.ones(len(self.positions_um)),
            optics.with_wavelength(optics.wavelength_um / float(np.sqrt(2))),
            s.pixel_um / TRUTH_PIXELS,
            depths * s.plane_um,
            (TRUTH_PIXELS * s.rows, TRUTH_PIXELS * s.columns),
        )
        return picture / max(float(picture.max()), 1e-30)


def simulate_stack(settings: SimStackSettings) -> SimulatedStack:
    """Simulate a raw SIM stack.

    Parameters
    ----------
    settings : SimStackSettings
        Complete description of the stack.

    Returns
    -------
    SimulatedStack
        The stack, whose images are not made yet.

    Examples
    --------
    >>> from napari_sofinet.simulation.sim_settings import sim_preset_settings
    >>> small = {"rows": 32, "columns": 32, "planes": 4}
    >>> simulate_stack(sim_preset_settings("sim-chromatin", 1, small)).images().shape
    (7, 4, 32, 32)
    """
    s = settings
    box = Box(s.planes * s.plane_um, s.rows * s.pixel_um, s.columns * s.pixel_um)
    rng = np.random.default_rng([s.seed, 0])
    return SimulatedStack(s, STRUCTURES[s.structure](rng, box, s.count))

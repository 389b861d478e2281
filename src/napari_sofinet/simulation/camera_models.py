"""Typical properties of the cameras that can be simulated."""

from __future__ import annotations

from typing import NamedTuple


class CameraModel(NamedTuple):
    """Properties of a camera, named as in `CameraSettings`.

    Parameters
    ----------
    quantum_efficiency : float
        Fraction of the photons that become electrons.
    offset : float
        Counts in the dark.
    gain : float
        Counts per electron, after electron multiplication.
    read_noise_e : float
        Read noise in electrons (rms) that leave the electron multiplication.
    em_gain : float
        Electron multiplication; 1 is none.
    pixel_spread : float
        Standard deviation of the gain from pixel to pixel over its mean.
    pixel_um : float, default 6.5
        Size of a pixel on the chip in µm.
    bits : int, default 16
        Bits of a count.
    """

    quantum_efficiency: float
    offset: float
    gain: float
    read_noise_e: float
    em_gain: float
    pixel_spread: float
    pixel_um: float = 6.5
    bits: int = 16


MODELS = {
    "scmos": CameraModel(1.0, 100, 1.0, 1.2, 1, 0.02),
    "orca-flash4": CameraModel(0.82, 100, 2.17, 1.4, 1, 0.01),
    "orca-fusion-bt": CameraModel(0.95, 100, 4.2, 0.7, 1, 0.005),
    "prime-95b": CameraModel(0.95, 100, 0.85, 1.6, 1, 0.01, 11.0),
    "ixon-897": CameraModel(0.92, 200, 18.0, 89.0, 300, 0.0, 16.0),
    "ideal": CameraModel(1.0, 0, 1.0, 0.0, 1, 0.0),
}
"""Cameras that many microscopes have, by name. 'scmos' counts detected photons."""

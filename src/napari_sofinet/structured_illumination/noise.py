"""Noise of exposures, from frequencies that the microscope cannot pass."""

from __future__ import annotations

import numpy as np
import scipy.fft as fft

from napari_sofinet.structured_illumination.bands import separation
from napari_sofinet.structured_illumination.geometry import StackGeometry
from napari_sofinet.structured_illumination.optics import Optics
from napari_sofinet.structured_illumination.pattern import Pattern

MIDDLE = 0.1, 0.5
"""Frequencies over the cutoff between which the power of the sample is estimated."""
WEAKEST = 0.02
"""Least power of the sample over that of the noise at these frequencies that is assumed."""
PLANES = 16
"""Planes, evenly spaced, that are looked at."""


def noise_variance(exposures: np.ndarray, optics: Optics, geometry: StackGeometry) -> float:
    """Return the variance of noise per pixel and exposure.

    It is the mean power at frequencies above the cutoff of the microscope, where there is nothing
    but noise. Pixels must be at most wavelength / (4 NA), so that the corners of the spectrum hold
    such frequencies.

    Parameters
    ----------
    exposures : ndarray
        (P, Z, Y, X) exposures.
    optics : Optics
        The microscope.
    geometry : StackGeometry
        Sampling.

    Returns
    -------
    float
        Variance in the square of the unit of the exposures.
    """
    rows, columns = exposures.shape[-2:]
    ky = fft.fftfreq(rows, geometry.pixel_um)[:, None]
    kx = fft.rfftfreq(columns, geometry.pixel_um)
    beyond = ky**2 + kx**2 > (1.03 * optics.cutoff_per_um) ** 2
    if not beyond.any():
        return 0.0
    # Jumps at the borders of a field have power at all frequencies, which a window takes away.
    window = np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[1:-1]
    window = window.astype(np.float32)
    step = max(exposures.shape[1] // PLANES, 1)
    power = [
        np.mean(np.abs(fft.rfft2(plane * window, workers=1)[..., beyond]) ** 2)
        for plane in np.moveaxis(exposures[:, ::step], 1, 0)
    ]
    return float(np.mean(power) / np.sum(window.astype(float) ** 2))


def noise_over_signal(
    exposures: np.ndarray,
    variance: float,
    pattern: Pattern,
    optics: Optics,
    geometry: StackGeometry,
) -> float:
    """Return the power of noise in the wide-field band over that of the sample.

    Parameters
    ----------
    exposures : ndarray
        (P, Z, Y, X) exposures.
    variance : float
        Variance of the noise per pixel and exposure.
    pattern : Pattern
        The pattern.
    optics : Optics
        The microscope.
    geometry : StackGeometry
        Sampling.

    Returns
    -------
    float
        The ratio for one coefficient of the spectrum, as `WienerFilter` takes it; 50 at most.
    """
    first = np.abs(separation(pattern)[0]) ** 2
    wide = np.tensordot(separation(pattern)[0].real.astype(np.float32), exposures, axes=1)
    _, rows, columns = wide.shape
    ky = fft.fftfreq(rows, geometry.pixel_um)[:, None]
    kx = fft.rfftfreq(columns, geometry.pixel_um)
    k = np.sqrt(ky**2 + kx**2) / optics.cutoff_per_um
    band = (k > MIDDLE[0]) & (k < MIDDLE[1])
    # In focus, the transfer of a plane falls about linearly with the frequency.
    power = np.mean(np.abs(fft.rfft2(wide, workers=1)[..., band]) ** 2 / (1 - k[band]) ** 2)
    noise = variance * first.sum() * rows * columns
    return float(
        noise / max(power - noise * np.mean(1 / (1 - k[band]) ** 2), WEAKEST * noise, 1e-30)
    )

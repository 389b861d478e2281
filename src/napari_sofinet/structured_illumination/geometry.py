"""Sampling of SIM stacks, and exposures brought to the depth of their plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft as fft


@dataclass(frozen=True)
class StackGeometry:
    """Sampling of a SIM stack.

    Parameters
    ----------
    pixel_um, plane_um : float
        Pixel size, and distance of planes, in um.
    continuous : bool
        Whether the sample moves on evenly from exposure to exposure, rather than only from plane to
        plane. A plane then lies at the middle of its exposures.
    """

    pixel_um: float
    plane_um: float
    continuous: bool

    def exposure_depths_um(self, exposures: int) -> np.ndarray:
        """Return the depth of each exposure (P,) relative to its plane in um."""
        if not self.continuous:
            return np.zeros(exposures)
        return (np.arange(exposures) - (exposures - 1) / 2) / exposures * self.plane_um

    def spectra_at_planes(self, exposures: np.ndarray) -> np.ndarray:
        """Return the spectra along z of exposures as if all were taken at the depth of the plane.

        Parameters
        ----------
        exposures : ndarray
            (P, Z, Y, X) images; along z they are taken as periodic.

        Returns
        -------
        ndarray
            (P, Z, Y, X) complex64, in the order of `scipy.fft.fft` along z.
        """
        spectra = fft.fft(np.asarray(exposures, np.float32), axis=1, workers=1)
        kz = fft.fftfreq(exposures.shape[1], self.plane_um)
        depths = self.exposure_depths_um(len(exposures))
        ramp = np.exp(-2j * np.pi * np.outer(depths, kz)).astype(np.complex64)
        return np.asarray(spectra * ramp[:, :, None, None])

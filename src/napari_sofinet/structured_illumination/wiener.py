"""Classical reconstruction of SIM stacks: bands put in place, joined with a Wiener filter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.fft as fft

from napari_sofinet.structured_illumination.bands import separation
from napari_sofinet.structured_illumination.geometry import StackGeometry
from napari_sofinet.structured_illumination.optics import Optics, defocused_psf
from napari_sofinet.structured_illumination.pattern import Pattern

FINE = 2
"""Output samples per camera pixel."""
Step = Callable[[float], None]


@dataclass(frozen=True)
class WienerFilter:
    """Filter that turns exposures of one size into a reconstruction.

    It is made once for a size and pattern and then applied to any number of stacks.

    Parameters
    ----------
    pattern : Pattern
        The pattern, with the phases of the field's pixel (0, 0).
    optics : Optics
        The microscope.
    geometry : StackGeometry
        Sampling.
    shape : (int, int, int)
        Planes, rows and columns with their margins.
    noise : float
        Noise over signal: the power of noise in a band over that of the sample.
    """

    pattern: Pattern
    optics: Optics
    geometry: StackGeometry
    shape: tuple[int, int, int]
    noise: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "_transfers", self._make_transfers())

    def apply(
        self,
        exposures: np.ndarray,
        corner_um: tuple[float, float] = (0.0, 0.0),
        step: Step = lambda done: None,
    ) -> np.ndarray:
        """Return the reconstruction (Z, 2 Y, 2 X) float32 of exposures (P, Z, Y, X).

        Parameters
        ----------
        exposures : ndarray
            (P, Z, Y, X) photons or counts above the offset.
        corner_um : (float, float), optional
            Place of pixel (0, 0) of the exposures in the field of the pattern, in um.
        step : callable, optional
            Called with the part that is done, 0 to 1; raise `Cancelled` in it to stop.
        """
        transfers, joint = self._transfers  # type: ignore[attr-defined]
        along = self.geometry.spectra_at_planes(exposures)
        matrix = separation(self.pattern).astype(np.complex64)
        joined = np.zeros(joint.shape, np.complex64)
        for b, transfer in enumerate(transfers):
            step(b / len(transfers))
            band = np.tensordot(matrix[b], along, axes=1)
            if b:
                turns = self.pattern.frequencies_per_um[b - 1] @ np.asarray(corner_um)
                band *= np.complex64(np.exp(-2j * np.pi * turns))
            # The other side of a grating is the mirrored one, which the real part below adds.
            joined += (2 if b else 1) * np.conj(transfer) * self._in_place(band, b)
        joined /= joint
        out = fft.ifftn(joined, axes=(0, 1, 2), workers=1, overwrite_x=True).real
        return np.asarray(out * FINE**2, np.float32)

    def noise_gain(self) -> float:
        """Return the standard deviation of noise in a sample of the result, over that per pixel."""
        transfers, joint = self._transfers  # type: ignore[attr-defined]
        rows = (np.abs(separation(self.pattern)) ** 2).sum(1)
        total = sum(
            (2 if b else 1) * rows[b] * float((np.abs(transfer / joint) ** 2).sum())
            for b, transfer in enumerate(transfers)
        )
        return float(np.sqrt(total / np.prod(self.shape)))

    def _in_place(self, band: np.ndarray, b: int) -> np.ndarray:
        """Return the spectrum of a band on the fine grid, moved by the frequency of its grating."""
        _, rows, columns = self.shape
        spectrum = fft.fftshift(fft.fft2(band, workers=1), axes=(1, 2))
        fine = np.zeros((len(band), FINE * rows, FINE * columns), np.complex64)
        top, left = (FINE * n // 2 - n // 2 for n in (rows, columns))
        fine[:, top : top + rows, left : left + columns] = spectrum
        fine = fft.ifftshift(fine, axes=(1, 2))
        if not b:
            return np.asarray(fine)
        wave = np.conj(self._wave(b - 1, from_middle=False))
        return np.asarray(fft.fft2(fft.ifft2(fine, workers=1) * wave, workers=1))

    def _wave(self, h: int, from_middle: bool) -> np.ndarray:
        """Return the wave of a grating on the fine grid (2 Y, 2 X)."""
        _, rows, columns = self.shape
        step = self.geometry.pixel_um / FINE
        y, x = np.arange(FINE * rows) * step, np.arange(FINE * columns) * step
        if from_middle:
            y, x = (fft.fftfreq(FINE * n, 1 / (FINE * n)) * step for n in (rows, columns))
        fy, fx = self.pattern.frequencies_per_um[h]
        wave = np.exp(2j * np.pi * fy * y)[:, None] * np.exp(2j * np.pi * fx * x)
        return np.asarray(wave, np.complex64)

    def _make_transfers(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Return transfer functions of the bands in place, and the denominator of the filter."""
        planes, rows, columns = self.shape
        step = self.geometry.pixel_um / FINE
        z = fft.fftfreq(planes, 1 / planes) * self.geometry.plane_um
        psf = defocused_psf(self.optics, (FINE * rows, FINE * columns), step, z)
        psf *= self.optics.light_sheet(z)[:, None, None]
        psf /= psf.sum()
        transfers = [np.asarray(fft.fftn(psf, workers=1), np.complex64)]
        for h, axial in enumerate(self.pattern.axial_per_um):
            wave = np.conj(self._wave(h, from_middle=True))
            depth = np.cos(2 * np.pi * axial * z)[:, None, None]
            transfers.append(np.asarray(fft.fftn(psf * depth * wave, workers=1), np.complex64))
        # Bands count by their noise. Those of the other side of a grating are the mirrored ones.
        noise = (np.abs(separation(self.pattern)) ** 2).sum(1)
        joint = np.abs(transfers[0]) ** 2
        for h, transfer in enumerate(transfers[1:], 1):
            power = np.abs(transfer) ** 2 * np.float32(noise[0] / noise[h])
            transfer *= np.float32(noise[0] / noise[h])
            joint += power + _mirrored(power)
        # Amounts are kept: the filter leaves the mean as it is.
        kept = joint.flat[0] / (joint.flat[0] + self.noise)
        joint = (joint + self.noise) * kept / self._apodization()
        return transfers, np.asarray(joint, np.float32)

    def _apodization(self) -> np.ndarray:
        """Return the weight of frequencies, which falls to zero where the bands end."""
        planes, rows, columns = self.shape
        step = self.geometry.pixel_um / FINE
        kz = fft.fftfreq(planes, self.geometry.plane_um)[:, None, None]
        ky = fft.fftfreq(FINE * rows, step)[:, None]
        kx = fft.fftfreq(FINE * columns, step)
        finest = np.linalg.norm(self.pattern.frequencies_per_um, axis=1).max()
        lateral = self.optics.cutoff_per_um + float(finest)
        axial = self.optics.axial_cutoff_per_um + float(np.abs(self.pattern.axial_per_um).max())
        axial += 0.44 / self.optics.sheet_fwhm_um
        distance = np.sqrt((ky**2 + kx**2) / lateral**2 + (kz / axial) ** 2)
        return np.asarray(np.cos(np.pi / 2 * np.minimum(distance, 1)) ** 2 + 1e-6)


def _mirrored(power: np.ndarray) -> np.ndarray:
    """Return a spectrum (Z, Y, X) at the opposite frequencies."""
    return np.roll(power[::-1, ::-1, ::-1], 1, axis=(0, 1, 2))

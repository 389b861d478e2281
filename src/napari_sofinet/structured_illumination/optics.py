"""Transfer functions of a microscope in three dimensions, from its numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.fft as fft

from napari_sofinet.base.errors import InputError


@dataclass(frozen=True)
class Optics:
    """A fluorescence microscope.

    Parameters
    ----------
    numerical_aperture, refractive_index : float
        Numerical aperture of the objective, and refractive index of the medium.
    wavelength_um : float
        Wavelength of the emission in um.
    sheet_fwhm_um : float
        Thickness (FWHM) of a Gaussian light sheet in the plane of focus in um; infinite where the
        whole depth is illuminated.

    Raises
    ------
    InputError
        The aperture is not below the refractive index, or a length is not positive.
    """

    numerical_aperture: float = 1.1
    refractive_index: float = 1.33
    wavelength_um: float = 0.525
    sheet_fwhm_um: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < self.numerical_aperture < self.refractive_index:
            raise InputError(
                f"The numerical aperture {self.numerical_aperture:g} must lie between 0 and the "
                f"refractive index {self.refractive_index:g}."
            )
        if not (self.wavelength_um > 0 and self.sheet_fwhm_um > 0):
            raise InputError("Wavelength and thickness of the light sheet must be above 0.")

    @property
    def cutoff_per_um(self) -> float:
        """Highest lateral frequency that passes, 2 NA / wavelength, in cycles per um."""
        return 2 * self.numerical_aperture / self.wavelength_um

    @property
    def axial_cutoff_per_um(self) -> float:
        """Highest axial frequency that passes without a light sheet, in cycles per um."""
        n, aperture = self.refractive_index, self.numerical_aperture
        return float(n - np.sqrt(n**2 - aperture**2)) / self.wavelength_um

    def with_wavelength(self, wavelength_um: float) -> Optics:
        """Return the same microscope at another wavelength."""
        return replace(self, wavelength_um=wavelength_um)

    def light_sheet(self, z_um: np.ndarray) -> np.ndarray:
        """Return the brightness of the light sheet at distances from its middle, 1 at most."""
        return np.asarray(np.exp(-4 * np.log(2) * (np.asarray(z_um) / self.sheet_fwhm_um) ** 2))


def defocused_psf(
    optics: Optics, shape: tuple[int, int], pixel_um: float, z_um: np.ndarray
) -> np.ndarray:
    """Return the image of a point at some distances from the plane of focus.

    The scalar field of a uniform pupil: ``|FFT(exp(2 pi i z sqrt((n/lambda)^2 - k^2)))|^2`` for k
    up to NA/lambda (Goodman, Introduction to Fourier Optics). It does not contain the light sheet.

    Parameters
    ----------
    optics : Optics
        The microscope.
    shape : (int, int)
        Rows and columns.
    pixel_um : float
        Pixel size in um, at most wavelength / (4 NA) so that no frequency is lost.
    z_um : ndarray
        (Z,) distances in um.

    Returns
    -------
    ndarray
        (Z, Y, X) float32, each with a sum of 1, the point at index (0, 0); periodic.

    Raises
    ------
    InputError
        Pixels are too large.
    """
    largest = 1 / (2 * optics.cutoff_per_um)
    if pixel_um > 1.001 * largest:
        raise InputError(
            f"Pixels of {1000 * pixel_um:.0f} nm are too large for this microscope; it resolves "
            f"detail that needs {1000 * largest:.0f} nm or less. Check pixel size, numerical "
            "aperture and wavelength."
        )
    ky = fft.fftfreq(shape[0], pixel_um)[:, None]
    kx = fft.fftfreq(shape[1], pixel_um)[None]
    squared = ky**2 + kx**2
    inside = squared < (optics.cutoff_per_um / 2) ** 2
    along_z = np.sqrt(
        np.maximum((optics.refractive_index / optics.wavelength_um) ** 2 - squared, 0)
    )
    # Above and below focus the image is the same.
    distances, which = np.unique(np.round(np.abs(z_um), 9), return_inverse=True)
    # Phases relative to the middle of the pupil keep numbers small.
    path = 2 * np.pi * (along_z[inside] - along_z[0, 0])
    out = np.empty((len(distances), *shape), np.float32)
    pupil = np.zeros(shape, np.complex64)
    for k, z in enumerate(distances):
        pupil[inside] = np.exp(1j * (z * path))
        field = fft.ifft2(pupil, workers=1)
        psf = field.real**2 + field.imag**2
        out[k] = psf / psf.sum()
    return out[which]


def transfer_functions(
    optics: Optics, shape: tuple[int, int], pixel_um: float, z_um: np.ndarray
) -> np.ndarray:
    """Return the transfer functions of images of points at some distances from focus.

    Parameters
    ----------
    optics : Optics
        The microscope.
    shape : (int, int)
        Rows and columns of the images.
    pixel_um : float
        Pixel size in um.
    z_um : ndarray
        (Z,) distances in um.

    Returns
    -------
    ndarray
        (Z, Y, X // 2 + 1) float32, in the order of `scipy.fft.rfft2`, times the brightness of the
        light sheet; 1 at frequency 0 in focus.
    """
    out = np.empty((len(z_um), shape[0], shape[1] // 2 + 1), np.float32)
    sheet = optics.light_sheet(np.asarray(z_um))
    for k, z in enumerate(z_um):
        psf = defocused_psf(optics, shape, pixel_um, np.array([z]))[0]
        out[k] = sheet[k] * fft.rfft2(psf, workers=1).real  # the pupil is symmetric
    return out


def confocal_psf(
    optics: Optics, shape: tuple[int, int], pixel_um: float, z_um: np.ndarray
) -> np.ndarray:
    """Return the PSF of an ideal confocal microscope: the square of `defocused_psf`.

    Excitation and emission have the same wavelength and the pinhole is closed.

    Parameters
    ----------
    optics : Optics
        The microscope; its light sheet does not count.
    shape : (int, int)
        Rows and columns.
    pixel_um : float
        Pixel size in um.
    z_um : ndarray
        (Z,) distances from focus in um.

    Returns
    -------
    ndarray
        (Z, Y, X) float32, with a sum of 1 in focus; the point at index (0, 0); periodic.
    """
    focus = np.square(defocused_psf(optics, shape, pixel_um, np.zeros(1)))
    squared = np.square(defocused_psf(optics, shape, pixel_um, np.asarray(z_um)))
    return np.asarray(squared / focus.sum(), np.float32)

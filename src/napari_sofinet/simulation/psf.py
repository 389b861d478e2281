"""Point spread functions, integrated over camera pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.tiff_file import read_image
from napari_sofinet.simulation.settings import OpticsSettings

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
AIRY_HALF = 1.61633995
"""Argument v at which (2 J1(v) / v)² is one half."""
FINENESS = 9  # samples of a table per camera pixel; odd, so that a pixel is centred on a sample
GAUSSIAN_REACH = 5.0  # standard deviations; 1e-6 of the energy is lost
WIDEST_PICTURE_PX = 150  # to each side; a larger table takes gigabytes
AIRY_REACH = 5.0  # widths (FWHM); 4 % of the energy lies beyond, as it does for a real lens


@dataclass(frozen=True)
class Psf:
    """PSF of unit energy in camera pixels, a Gaussian unless there is a table.

    Parameters
    ----------
    fwhm_px : float
        Full width at half maximum in camera pixels.
    table : ndarray, optional
        (n, n) energy in a camera pixel, n odd: entry (i, j) is of a pixel whose centre lies
        (i - n // 2, j - n // 2) / 9 pixels beside the emitter.

    Examples
    --------
    >>> Psf(fwhm_px=2.0).reach_px
    5
    """

    fwhm_px: float
    table: np.ndarray | None = None

    @property
    def reach_px(self) -> int:
        """Number of pixels on each side of that of an emitter that receive its light."""
        if self.table is not None:
            return (len(self.table) // 2) // FINENESS
        return int(np.ceil(GAUSSIAN_REACH * self.fwhm_px / FWHM_PER_SIGMA + 0.5))


def make_psf(settings: OpticsSettings, pixel_size_um: float) -> Psf:
    """Make the PSF of a microscope.

    Parameters
    ----------
    settings : OpticsSettings
        Shape and width of the PSF.
    pixel_size_um : float
        Size of a camera pixel in the sample in µm.

    Returns
    -------
    Psf
        The PSF in camera pixels.

    Raises
    ------
    InputError
        The picture of a PSF cannot be used.
    """
    fwhm_px = settings.fwhm_um / pixel_size_um
    if settings.psf == "gaussian":
        return Psf(fwhm_px)
    if settings.psf == "airy":
        return Psf(fwhm_px, airy_table(round(fwhm_px, 3)))  # widths recur in training
    return image_psf(settings, pixel_size_um)


@lru_cache(maxsize=32)
def airy_table(fwhm_px: float) -> np.ndarray:
    """Return the table of an Airy pattern (Born and Wolf, 8.5.2), see `Psf`.

    Parameters
    ----------
    fwhm_px : float
        Full width at half maximum in camera pixels.

    Returns
    -------
    ndarray
        (n, n) energy in a camera pixel; of the whole pattern it is 1.
    """
    from scipy.special import j1

    reach = int(np.ceil(AIRY_REACH * fwhm_px))
    half = (reach + 1) * FINENESS + FINENESS // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1] / FINENESS
    a = 2 * AIRY_HALF / fwhm_px
    v = np.maximum(a * np.hypot(y, x), 1e-9)
    density = a**2 / (4 * np.pi) * (2 * j1(v) / v) ** 2
    return _over_pixels(density / FINENESS**2)


def image_psf(settings: OpticsSettings, pixel_size_um: float) -> Psf:
    """Make a PSF from a measured one in a TIFF file.

    Parameters
    ----------
    settings : OpticsSettings
        File and the size of its pixels.
    pixel_size_um : float
        Size of a camera pixel in the sample in µm.

    Returns
    -------
    Psf
        A PSF with a table; its width is that of the Gaussian of equal peak.

    Raises
    ------
    InputError
        There is no file, or it is no picture of a PSF, too large or dark in its middle.
    """
    if not settings.psf_file:
        raise InputError("The PSF 'image' needs a file; give optics.psf_file.")
    path = Path(settings.psf_file)
    picture = _read_picture(path)
    step = pixel_size_um / settings.psf_file_pixel_um / FINENESS
    widest = max(picture.shape) // 2
    if widest > WIDEST_PICTURE_PX * FINENESS * step:
        raise InputError(
            f"{path.name} would cover {2 * widest / step / FINENESS:.0f} camera px, more than "
            f"{2 * WIDEST_PICTURE_PX}; crop it, or give the size of its pixels as "
            "optics.psf_file_pixel_um."
        )
    fine = _resampled(picture, step)
    if not fine.sum() > 0:
        raise InputError(f"{path.name} is dark in its middle; put the centre of the PSF there.")
    fine /= fine.sum()
    peak_per_px2 = fine.max() * FINENESS**2
    fwhm_px = FWHM_PER_SIGMA / np.sqrt(2 * np.pi * peak_per_px2)
    return Psf(float(fwhm_px), _over_pixels(fine))


def _read_picture(path: Path) -> np.ndarray:
    """Read the picture of a PSF; raise `InputError` where it cannot be one."""
    if not path.is_file():
        raise InputError(f"There is no file {path}; give another optics.psf_file.")
    picture = read_image(path)
    if (
        picture.ndim != 2
        or picture.shape[0] % 2 == 0
        or picture.shape[1] % 2 == 0
        or not np.isfinite(picture).all()
        or picture.min() < 0
        or picture.sum() <= 0
    ):
        raise InputError(
            f"{path.name} is no PSF; give a 2-D TIFF, odd in rows and columns, not negative and "
            "not empty."
        )
    return picture


def _resampled(picture: np.ndarray, step: float) -> np.ndarray:
    """Sample a picture around its middle, ``step`` of its pixels apart, with a margin of zeros."""
    from scipy.ndimage import map_coordinates

    middle = np.array(picture.shape) // 2
    half = int(max(middle) / step) + FINENESS
    half = (half // FINENESS + 1) * FINENESS + FINENESS // 2
    at = np.arange(-half, half + 1) * step
    grid = np.meshgrid(at + middle[0], at + middle[1], indexing="ij")
    fine = map_coordinates(picture, grid, order=1, mode="constant")
    return np.asarray(np.maximum(fine, 0))


def _over_pixels(fine: np.ndarray) -> np.ndarray:
    """Return the energy in the camera pixel centred on each sample."""
    from scipy.ndimage import uniform_filter

    return np.asarray(uniform_filter(fine, FINENESS, mode="constant")) * FINENESS**2

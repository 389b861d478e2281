"""Light of grid points in pixels, and products of pairs of pixels, along one axis.

The PSF is a Gaussian integrated over pixels, so that everything separates into y and x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

SMALLEST = 1e-9
"""Smaller products are set to zero: single precision computes very slowly below 1e-38."""


@dataclass(frozen=True)
class Axis:
    """Pixels of a tile along one axis, and the grid points whose light reaches them.

    Parameters
    ----------
    pixels : int
        Number of camera pixels.
    fine : int
        Grid points per camera pixel.
    margin_px : int
        Camera pixels by which the grid goes on beyond the tile on both sides.
    """

    pixels: int
    fine: int
    margin_px: int

    @property
    def points(self) -> int:
        """Number of grid points."""
        return self.fine * (self.pixels + 2 * self.margin_px)

    @property
    def positions_px(self) -> np.ndarray:
        """Positions of the grid points in camera pixels from the centre of the first pixel."""
        return (np.arange(self.points) + 0.5) / self.fine - 0.5 - self.margin_px


def pixel_light(axis: Axis, sigma_px: float, shift_px: float = 0.0) -> np.ndarray:
    """Return the fraction of a grid point's light that each pixel receives.

    Parameters
    ----------
    axis : Axis
        Pixels and grid points.
    sigma_px : float
        Standard deviation of the PSF in camera pixels.
    shift_px : float, optional
        Displacement of the sample in camera pixels.

    Returns
    -------
    ndarray
        (pixels, points) float64.

    Examples
    --------
    >>> light = pixel_light(Axis(pixels=9, fine=1, margin_px=0), sigma_px=1.0)
    >>> light[4].round(3)[3:6]
    array([0.242, 0.383, 0.242])
    """
    away = np.arange(axis.pixels)[:, None] - axis.positions_px - shift_px
    return np.asarray(ndtr((away + 0.5) / sigma_px) - ndtr((away - 0.5) / sigma_px))


def pair_products(light: np.ndarray) -> np.ndarray:
    """Return the products of the light in all pairs of pixels (or of patterns of pixels).

    Parameters
    ----------
    light : ndarray
        (pixels, points).

    Returns
    -------
    ndarray
        (pixels**2, points).
    """
    pixels, points = light.shape
    products = (light[:, None] * light[None]).reshape(pixels * pixels, points)
    return np.where(np.abs(products) < SMALLEST, 0.0, products)


def passed_band(axis: Axis, sigma_px: float, least: float) -> np.ndarray:
    """Return patterns of pixels that hold nearly all light of the grid points along one axis.

    A PSF passes low frequencies only: of the finest patterns of pixels it leaves less than the
    noise. Leaving them out loses nothing and saves most of the work.

    Parameters
    ----------
    axis : Axis
        Pixels and grid points.
    sigma_px : float
        Standard deviation of the PSF in camera pixels.
    least : float
        Smallest power of a pattern, over that of the strongest one.

    Returns
    -------
    ndarray
        (pixels, patterns) float64 of orthonormal columns.

    Examples
    --------
    >>> passed_band(Axis(pixels=20, fine=4, margin_px=5), sigma_px=1.35, least=1e-3).shape
    (20, 13)
    """
    patterns, strength, _ = np.linalg.svd(pixel_light(axis, sigma_px), full_matrices=False)
    return np.asarray(patterns[:, strength**2 >= least * strength[0] ** 2])


def sieve(axis: Axis, sigma_px: float) -> np.ndarray:
    """Return the blur by a Gaussian along the grid, a matrix (points, points).

    Estimating the amounts before such a blur (method of sieves: Snyder and Miller, IEEE Trans.
    Nucl. Sci. 32, 3864 (1985)) keeps smooth structure from breaking into dots.

    Parameters
    ----------
    axis : Axis
        Pixels and grid points.
    sigma_px : float
        Standard deviation in camera pixels; 0 blurs nothing.
    """
    if sigma_px * axis.fine < 0.05:
        return np.eye(axis.points)
    edges = np.arange(axis.points)[:, None] - np.arange(axis.points)
    wide = sigma_px * axis.fine
    kernel = ndtr((edges + 0.5) / wide) - ndtr((edges - 0.5) / wide)
    return np.where(kernel < SMALLEST, 0.0, kernel)

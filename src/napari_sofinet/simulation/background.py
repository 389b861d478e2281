"""Light that does not blink: even, in patches, from out of focus, and from still structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sofinet.simulation.psf import FWHM_PER_SIGMA, Psf
from napari_sofinet.simulation.rendering import render

if TYPE_CHECKING:
    from napari_sofinet.simulation.settings import SimulationSettings


def background_image(
    settings: SimulationSettings, positions_px: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Background (rows, columns) in photons per pixel and frame at time zero.

    ``positions_px`` are the emitters, whose light out of focus is part of it. Its mean is
    ``background.photons``, whatever it is made of.
    """
    s = settings.background
    shape = settings.rows, settings.columns
    image = np.full(shape, 1 - s.structured - s.out_of_focus)
    scale_px = s.scale_um / settings.pixel_size_um
    if s.structured:
        image += s.structured * _patches(shape, scale_px, rng)
    if s.out_of_focus:
        image += s.out_of_focus * _out_of_focus(positions_px, shape, scale_px)
    return s.photons * image


def fading(settings: SimulationSettings, first: int, last: int) -> np.ndarray:
    """What bleaching leaves of the background in frames first .. last-1."""
    half_life = settings.background.half_life_s
    if half_life is None:
        return np.ones(last - first)
    middle = (np.arange(first, last) + 0.5) * settings.frame_interval_s
    return np.asarray(0.5 ** (middle / half_life))


def _patches(shape: tuple[int, int], scale_px: float, rng: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    # Of patches larger than the field a slope would be left, and then rounding errors.
    sigma = min(scale_px / 2, max(shape) / 2)
    noise = gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    noise -= noise.mean()
    noise /= noise.std() or 1.0
    field = np.exp(0.8 * noise)
    return np.asarray(field / field.mean())


def _out_of_focus(positions_px: np.ndarray, shape: tuple[int, int], scale_px: float) -> np.ndarray:
    if not len(positions_px):
        return np.ones(shape)
    # A blur this wide needs no more than some thousand spots.
    some = positions_px[:: len(positions_px) // 3000 + 1]
    image: np.ndarray = render(
        some, np.ones(len(some)), shape, Psf(max(FWHM_PER_SIGMA * scale_px / 2, 1.0))
    )[0]
    mean = float(image.mean())
    return image / mean if mean > 0 else np.ones(shape)

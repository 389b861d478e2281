"""Background that does not blink: even, in patches, and from out of focus."""

from __future__ import annotations

import numpy as np

from napari_sofinet.simulation.settings import SimulationSettings


def background_image(
    settings: SimulationSettings, positions_px: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Make the background at time zero.

    Parameters
    ----------
    settings : SimulationSettings
        Composition of the background; its mean is ``background.photons`` in any case.
    positions_px : ndarray
        (n, 2) positions y, x of the emitters in camera pixels, whose light from out of focus is a
        part of the background.
    rng : numpy.random.Generator
        Source of randomness, for patches.

    Returns
    -------
    ndarray
        (rows, columns) photons per pixel and frame.
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
    """Return the fraction of the background that bleaching leaves.

    Parameters
    ----------
    settings : SimulationSettings
        Half-life of the background and time from frame to frame.
    first, last : int
        First frame, and the one after the last.

    Returns
    -------
    ndarray
        (last - first,) fraction in the middle of each frame.

    Examples
    --------
    >>> from napari_sofinet.simulation import SimulationSettings
    >>> from napari_sofinet.simulation.settings import BackgroundSettings
    >>> settings = SimulationSettings(background=BackgroundSettings(half_life_s=0.02))
    >>> fading(settings, 0, 3).round(3)
    array([0.841, 0.595, 0.42 ])
    """
    half_life = settings.background.half_life_s
    if half_life is None:
        return np.ones(last - first)
    middle = (np.arange(first, last) + 0.5) * settings.frame_interval_s
    return np.asarray(0.5 ** (middle / half_life))


def _patches(shape: tuple[int, int], scale_px: float, rng: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    # Larger patches would be a mere slope in the field, and still larger ones rounding errors.
    sigma = min(scale_px / 2, max(shape) / 2)
    noise = gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    noise -= noise.mean()
    noise /= noise.std() or 1.0
    field = np.exp(0.8 * noise)
    return np.asarray(field / field.mean())


def _out_of_focus(positions_px: np.ndarray, shape: tuple[int, int], scale_px: float) -> np.ndarray:
    if not len(positions_px):
        return np.ones(shape)
    from scipy.ndimage import gaussian_filter

    # A blur this wide needs no more than fractions of whole pixels.
    corner = np.floor(positions_px).astype(np.int64)
    fraction = positions_px - corner
    image = np.zeros(shape)
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        pixel = corner + np.array((dy, dx))
        inside = np.all((pixel >= 0) & (pixel < shape), axis=1)
        weight = np.abs(1 - dy - fraction[:, 0]) * np.abs(1 - dx - fraction[:, 1])
        np.add.at(image, tuple(pixel[inside].T), weight[inside])
    image = gaussian_filter(image, max(scale_px / 2, 0.5))
    mean = float(image.mean())
    return image / mean if mean > 0 else np.ones(shape)

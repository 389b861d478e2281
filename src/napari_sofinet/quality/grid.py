"""Bringing two pictures onto one grid."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from napari_sofinet.base.errors import InputError
from napari_sofinet.quality.picture import Picture


def relative_grid(
    picture: Picture, reference: Picture
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Pixel and origin of the picture in pixels of the reference, None where a file is silent."""
    if picture.pixel_px is None or picture.origin_px is None:
        return None, None
    step, start = reference.pixel_px, reference.origin_px
    if step is None or start is None:
        if reference.image.shape == picture.image.shape:
            return None, None
        # A plain image of the camera, which is what a wide-field reference is.
        step, start = (1.0, 1.0), (0.0, 0.0)
    (py, px), (oy, ox) = picture.pixel_px, picture.origin_px
    if (step, start) == (picture.pixel_px, picture.origin_px):
        return None, None
    return (py / step[0], px / step[1]), ((oy - start[0]) / step[0], (ox - start[1]) / step[1])


def on_one_grid(
    picture: Picture,
    reference: Picture,
    pixel: tuple[float, float] | None,
    origin: tuple[float, float] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """The picture where the reference covers it, and the reference there."""
    rows, columns = reference.image.shape
    if pixel is None:
        times = [a / b for a, b in zip(picture.image.shape, (rows, columns), strict=True)]
        if times[0] != times[1]:
            raise InputError(
                f"{picture.name} and {reference.name} have different shapes and no common grid; "
                "give pictures of one size."
            )
        pixel = 1 / times[0], 1 / times[0]
        origin = (pixel[0] - 1) / 2, (pixel[1] - 1) / 2
    assert origin is not None
    y, x = (
        o + p * np.arange(n) for o, p, n in zip(origin, pixel, picture.image.shape, strict=True)
    )
    inside_y, inside_x = (y >= 0) & (y <= rows - 1), (x >= 0) & (x <= columns - 1)
    if inside_y.sum() < 7 or inside_x.sum() < 7:
        raise InputError(f"{picture.name} and {reference.name} hardly overlap.")
    at = np.meshgrid(y[inside_y], x[inside_x], indexing="ij")
    part = picture.image[np.ix_(inside_y, inside_x)]
    return part, map_coordinates(reference.image, at, order=1)

"""Resampling of pictures so that their samples coincide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from napari_sofinet.base.errors import InputError
from napari_sofinet.quality.picture import Picture

LARGEST_SIDE = 4096  # samples of a common grid
LEAST_OVERLAP = 7  # samples along each axis


@dataclass(frozen=True)
class Grid:
    """Regular grid of samples.

    Attributes
    ----------
    origin : tuple of float
        Position (y, x) of sample (0, 0).
    pixel : tuple of float
        Distance of samples along y and x, in the unit of ``origin``.
    shape : tuple of int
        Number of samples along y and x.
    """

    origin: tuple[float, float]
    pixel: tuple[float, float]
    shape: tuple[int, int]


def grid_of(picture: Picture) -> Grid:
    """Return the grid of a picture.

    Parameters
    ----------
    picture : Picture
        Any picture; without a grid its samples count as camera pixels.

    Returns
    -------
    Grid
        In camera pixels, or in the unit of the picture's origin.
    """
    rows, columns = picture.image.shape
    return Grid(picture.origin_px or (0.0, 0.0), picture.pixel_px or (1.0, 1.0), (rows, columns))


def common_grid(pictures: list[Picture]) -> Grid:
    """Return the finest of the pictures' grids over the area that all of them cover.

    Parameters
    ----------
    pictures : list of Picture
        At least one. Where a picture has no grid, its samples count as camera pixels.

    Returns
    -------
    Grid
        In camera pixels, or in the unit of the pictures' origins.

    Raises
    ------
    InputError
        If the pictures have no area in common, or if it has more than 4096 samples along a side.
    """
    starts, ends, steps = [], [], []
    for grid in map(grid_of, pictures):
        start, step = np.array(grid.origin), np.array(grid.pixel)
        starts.append(start)
        ends.append(start + step * (np.array(grid.shape) - 1))
        steps.append(step)
    low, high, step = np.max(starts, axis=0), np.min(ends, axis=0), np.min(steps, axis=0)
    if np.any(high - low < step):
        raise InputError("The pictures have no area in common.")
    shape = np.floor((high - low) / step + 1e-6).astype(int) + 1
    if shape.max() > LARGEST_SIDE:
        raise InputError(
            f"The common area has {shape[0]} x {shape[1]} samples; compare a smaller part, at most "
            f"{LARGEST_SIDE} samples a side."
        )
    return Grid(
        (float(low[0]), float(low[1])),
        (float(step[0]), float(step[1])),
        (int(shape[0]), int(shape[1])),
    )


def on_grid(picture: Picture, grid: Grid) -> np.ndarray:
    """Return a picture resampled on a grid by linear interpolation.

    Parameters
    ----------
    picture : Picture
        Picture on any grid; NaN counts as 0.
    grid : Grid
        Grid in the same unit as that of the picture.

    Returns
    -------
    ndarray
        Image of shape ``grid.shape``, float32. Outside the picture its edge is repeated.
    """
    own = grid_of(picture)
    axes = [
        (grid.origin[k] + grid.pixel[k] * np.arange(grid.shape[k]) - own.origin[k]) / own.pixel[k]
        for k in (0, 1)
    ]
    image = np.nan_to_num(picture.image)
    at = np.meshgrid(*axes, indexing="ij")
    return np.asarray(map_coordinates(image, at, order=1, mode="nearest"), np.float32)


def relative_grid(
    picture: Picture, reference: Picture
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Return the grid of a picture in samples of its reference.

    Parameters
    ----------
    picture : Picture
        Compared picture.
    reference : Picture
        Reference picture.

    Returns
    -------
    pixel : tuple of float or None
        Distance (y, x) of the picture's samples in samples of the reference; None if both have the
        same grid or if the picture's grid is not known.
    origin : tuple of float or None
        Position (y, x) of the picture's sample (0, 0) in samples of the reference; None in the same
        cases as ``pixel``.
    """
    if picture.pixel_px is None or picture.origin_px is None:
        return None, None
    step, start = reference.pixel_px, reference.origin_px
    if step is None or start is None:
        if reference.image.shape == picture.image.shape:
            return None, None
        # A plain image from the camera, as wide-field references are.
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
    """Return a picture where its reference covers it, and the reference resampled there.

    Parameters
    ----------
    picture : Picture
        Picture whose samples are kept.
    reference : Picture
        Picture that is interpolated linearly.
    pixel, origin : tuple of float or None
        Grid of the picture in samples of the reference, from `relative_grid`. Without it both are
        taken to show the same area, and the number of samples must differ by one factor.

    Returns
    -------
    image, reference_image : ndarray
        Images of the same shape.

    Raises
    ------
    InputError
        If the shapes of pictures without a grid do not fit, or if the two hardly overlap.
    """
    rows, columns = reference.image.shape
    if pixel is None:
        times = [a / b for a, b in zip(picture.image.shape, (rows, columns), strict=True)]
        if times[0] != times[1]:
            raise InputError(
                f"{picture.name} and {reference.name} have different shapes and no common grid; "
                "use pictures of the same size."
            )
        pixel = 1 / times[0], 1 / times[0]
        origin = (pixel[0] - 1) / 2, (pixel[1] - 1) / 2
    assert origin is not None
    y, x = (
        o + p * np.arange(n) for o, p, n in zip(origin, pixel, picture.image.shape, strict=True)
    )
    inside_y, inside_x = (y >= 0) & (y <= rows - 1), (x >= 0) & (x <= columns - 1)
    if inside_y.sum() < LEAST_OVERLAP or inside_x.sum() < LEAST_OVERLAP:
        raise InputError(f"{picture.name} and {reference.name} hardly overlap.")
    at = np.meshgrid(y[inside_y], x[inside_x], indexing="ij")
    part = picture.image[np.ix_(inside_y, inside_x)]
    return part, map_coordinates(reference.image, at, order=1)

"""Options that place the layer of a result exactly over its movie."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image

from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.widgets.tables import TableLayer

LayerData = tuple[Any, dict[str, Any], str]
"""Array, options and kind of a layer, as napari's readers return them."""


def place(
    layer: Image | TableLayer, result: Reconstruction, time_axis: int | None = None
) -> dict[str, Any]:
    """Return options that place a reconstruction exactly over the layer it was made from.

    Parameters
    ----------
    layer : Image or TableLayer
        Layer of the movie.
    result : Reconstruction
        Picture or time series.
    time_axis : int, optional
        Index of the layer's axis that is time. Each picture of a time series is placed at the
        middle of its frames.

    Returns
    -------
    dict
        Units, axis labels, and either scale and translation or an affine matrix.
    """
    if result.time_series is not None and time_axis is not None:
        return _place_time_series(layer, result, result.time_series, time_axis)
    lead = [0.0] * (layer.ndim - 2)

    def world(y: float, x: float) -> np.ndarray:
        return np.asarray(layer.data_to_world([*lead, y, x]))[-2:]

    (y, x), (dy, dx) = result.origin_px, result.pixel_px
    corner = world(y, x)
    down, right = world(y + dy, x) - corner, world(y, x + dx) - corner
    options: dict[str, Any] = {
        "units": layer.units[-2:],
        "axis_labels": layer.axis_labels[-2:],
    }
    if down[1] == 0 and right[0] == 0:
        return options | {"scale": (down[0], right[1]), "translate": tuple(corner)}
    matrix = np.eye(3)
    matrix[:2] = np.stack([down, right, corner], axis=1)
    return options | {"affine": matrix}


def _place_time_series(
    layer: Image | TableLayer, result: Reconstruction, times: tuple[float, float], time_axis: int
) -> dict[str, Any]:
    """Return options on all axes of a layer; axes that the result lacks are one sample long."""
    (y, x), (dy, dx), (first, step) = result.origin_px, result.pixel_px, times
    data_scale, data_place = np.ones(layer.ndim), np.zeros(layer.ndim)
    data_scale[-2:], data_place[-2:] = (dy, dx), (y, x)
    data_scale[time_axis], data_place[time_axis] = step, first
    corner = np.asarray(layer.data_to_world(data_place))
    matrix = np.eye(layer.ndim + 1)
    for axis in range(layer.ndim):
        ahead = data_place.copy()
        ahead[axis] += data_scale[axis]
        matrix[:-1, axis] = np.asarray(layer.data_to_world(ahead)) - corner
    matrix[:-1, -1] = corner
    options: dict[str, Any] = {"units": layer.units, "axis_labels": layer.axis_labels}
    scale = np.diag(matrix)[:-1]
    if np.allclose(matrix[:-1, :-1], np.diag(scale)):
        return options | {"scale": tuple(scale), "translate": tuple(corner)}
    return options | {"affine": matrix}


def on_axes_of(layer: Image | TableLayer, image: np.ndarray, time_axis: int | None) -> np.ndarray:
    """Return an image with all axes of the layer it was made from.

    Parameters
    ----------
    layer : Image or TableLayer
        Layer of the movie.
    image : ndarray
        Picture (Y, X) or time series (T, Y, X).
    time_axis : int or None
        Index of the layer's axis that is time.

    Returns
    -------
    ndarray
        Time series with axes of length one for the layer's other axes; a picture is returned
        unchanged.
    """
    if image.ndim == 2 or time_axis is None:
        return image
    shape = [1] * layer.ndim
    shape[time_axis], shape[-2:] = image.shape[0], image.shape[1:]
    return image.reshape(shape)


def picture_options(
    layer: Image | TableLayer, result: Reconstruction, title: str, time_axis: int | None = None
) -> dict[str, Any]:
    """Return options for the layer of a reconstruction.

    Parameters
    ----------
    layer : Image or TableLayer
        Layer of the movie.
    result : Reconstruction
        Picture or time series.
    title : str
        Words before the name of the movie in the name of the layer.
    time_axis : int, optional
        Index of the layer's axis that is time.

    Returns
    -------
    dict
        Position, name, colormap and contrast limits, and metadata if the result has a recipe.
    """
    options = place(layer, result, time_axis) | {
        "name": f"{title} {layer.name}",
        "colormap": "inferno",
        "contrast_limits": contrast(result.image, result.axes == "ZYX"),
    }
    if result.recipe is not None:
        options["metadata"] = result_metadata(result)
    return options


def result_metadata(result: Reconstruction) -> dict[str, Any]:
    """Return the metadata of all layers of a result.

    Parameters
    ----------
    result : Reconstruction
        Any result.

    Returns
    -------
    dict
        The recipe as plain data, None without one, and the result itself.
    """
    recipe = None if result.recipe is None else result.recipe.model_dump(mode="json")
    return {"sofinet": recipe, "sofinet_result": result}


def contrast(image: np.ndarray, volume: bool = False) -> tuple[float, float]:
    """Return contrast limits of an image.

    Parameters
    ----------
    image : ndarray
        Picture (Y, X), or time series of which the middle picture is used. Large pictures are
        sampled at about 260,000 points, which is enough and much faster.
    volume : bool, optional
        Whether the first axis is the depth, of which the brightest plane is used.

    Returns
    -------
    tuple of float
        The 1st and the 99.8th percentile; that of the brighter samples if nearly all are equal; 0
        and 1 if all are equal or no value is finite.

    Examples
    --------
    >>> contrast(np.zeros((5, 5)))
    (0.0, 1.0)
    >>> contrast(np.pad([[0.25]], 30))
    (0.0, 0.25)
    """
    if image.ndim > 2:
        image = image[_brightest(image) if volume else len(image) // 2]
    step = max(int(np.sqrt(image.size / 2**18)), 1)
    seen = image[::step, ::step]
    seen = seen[np.isfinite(seen)]
    if not seen.size:
        return 0.0, 1.0
    low, high = np.percentile(seen, (1, 99.8))
    if high <= low and (seen > low).any():
        high = np.percentile(seen[seen > low], 99.8)
    return float(low), float(high if high > low else low + 1)


def _brightest(stack: np.ndarray) -> int:
    """Return the plane with the brightest parts, of a few rows and columns of each."""
    step = max(int(np.sqrt(stack[0].size / 2**12)), 1)
    return int(np.argmax([np.percentile(plane[::step, ::step], 99) for plane in stack]))

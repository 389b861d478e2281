"""Layers of a reconstruction: its maps and its localisations, each where it belongs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_info
from napari.viewer import Viewer

from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.widgets.layers import (
    contrast,
    on_axes_of,
    picture_options,
    place,
    result_metadata,
)
from napari_sofinet.widgets.table_reader import MOST_POINTS, points_options
from napari_sofinet.widgets.tables import TableLayer

LayerData = tuple[Any, dict[str, Any], str]
CAMERA_GRID = Reconstruction({"image": np.zeros((1, 1), np.float32)})
"""Stands for whatever is given in camera pixels."""


def title_of(result: Reconstruction) -> str:
    """Return the words before the movie's name in a layer's: SOFI's order, or a network's weights.

    Parameters
    ----------
    result : Reconstruction
        Of any method; "picture" without a recipe.

    Returns
    -------
    str
        E.g. ``"SOFI3"`` or ``"sofinet-universal"``.
    """
    if result.recipe is None:
        return "picture"
    step = result.recipe.reconstruct
    if "order" in step.settings:
        return f"SOFI{step.settings['order']}"
    return Path(str(step.settings.get("weights", step.method))).stem


def layers_over(
    source: Image | TableLayer, result: Reconstruction, time_axis: int | None
) -> list[LayerData]:
    """Return the layers of a result's maps, which lie over the layer it was made from.

    Parameters
    ----------
    source : Image or TableLayer
        The movie's layer.
    result : Reconstruction
        One picture or a time series.
    time_axis : int or None
        Index of the axis of ``source`` that is time.

    Returns
    -------
    list of (array, options, kind)
        As napari's readers give them: the picture is last, so that it lies on top.
    """
    options = picture_options(source, result, title_of(result), time_axis)
    return [
        (on_axes_of(source, image, time_axis), named, "image")
        for image, named in _each_map(result, options)
    ]


def layers_of_file(result: Reconstruction, name: str) -> list[LayerData]:
    """Return the layers of a saved result: they lie over its movie as our reader opens that.

    Parameters
    ----------
    result : Reconstruction
        As `Reconstruction.load` gives it.
    name : str
        Name of the picture's layer.

    Returns
    -------
    list of (array, options, kind)
        As napari's readers give them: the picture is last, so that it lies on top.
    """
    maps = {key: _with_all_axes(result, image) for key, image in result.maps.items()}
    result = replace(result, maps=maps)
    options = _place_in_file(result) | {
        "name": name,
        "colormap": "inferno",
        "contrast_limits": contrast(result.image),
        "metadata": result_metadata(result),
    }
    return [(image, named, "image") for image, named in _each_map(result, options)]


def add_points(
    viewer: Viewer,
    source: Image | TableLayer,
    table: LocalizationTable,
    feature_pixel: float,
    **options: Any,
) -> None:
    """Add the points of a table over the layer it is from; say so where they are too many.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where they are shown.
    source : Image or TableLayer
        Layer in whose camera pixels the table is.
    table : LocalizationTable
        Its rows become the points.
    feature_pixel : float
        Size of a camera pixel in the unit of the points' features.
    **options
        Other options of the layer: its name, its metadata.
    """
    if len(table) > MOST_POINTS:
        show_info(
            f"{len(table)} localisations are more than napari moves as points; save the "
            "picture's layer as .csv or .hdf5 to use them."
        )
        return
    viewer.add_points(
        np.stack([table.y_px, table.x_px], axis=1),
        **points_options(table, feature_pixel),
        **place(source, CAMERA_GRID),
        **options,
    )


def _each_map(
    result: Reconstruction, options: dict[str, Any]
) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """Maps with their options: the first is shown, the others are there to be shown."""
    first = next(iter(result.maps))
    found = []
    for name, image in reversed(result.maps.items()):
        named = dict(options)
        if name != "image":
            named["name"] = f"{options['name']} {name}"
        if name != first:
            named |= {
                "contrast_limits": contrast(image),
                "colormap": "viridis",
                "visible": False,
            }
        found.append((image, named))
    return found


def _with_all_axes(result: Reconstruction, image: np.ndarray) -> np.ndarray:
    """An image with its axes of length one, which TIFF files do not keep."""
    missing = len(result.axes) - image.ndim
    return image.reshape((1,) * missing + image.shape) if missing > 0 else image


def _place_in_file(result: Reconstruction) -> dict[str, Any]:
    """Place in the world of the file: camera pixel (0, 0) of frame 0 is at 0."""
    known = result.pixel_size_um is not None
    pixel = result.pixel_size_um if known else result.pixel_px
    origin = result.origin_um if known else result.origin_px
    assert pixel is not None
    assert origin is not None
    scale, translate = list(pixel), list(origin)
    units = ["micrometer" if known else "pixel"] * 2
    for axis in reversed(result.axes[:-2]):
        step, first, unit = _times(result) if axis == "T" else (1.0, 0.0, "pixel")
        scale.insert(0, step)
        translate.insert(0, first)
        units.insert(0, unit)
    return {
        "scale": tuple(scale),
        "translate": tuple(translate),
        "units": tuple(units),
        "axis_labels": tuple(result.axes.lower()),
    }


def _times(result: Reconstruction) -> tuple[float, float, str]:
    """Step and start of a time series, in seconds where the time of a frame is known."""
    first, step = result.time_series or (0.0, 1.0)
    interval = None if result.recipe is None else result.recipe.open.frame_interval_s
    if interval is None:
        return step, first, "pixel"
    return step * interval, first * interval, "second"

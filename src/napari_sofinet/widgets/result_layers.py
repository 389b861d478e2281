"""Layers of a reconstruction: its maps and its localizations."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image, Points
from napari.viewer import Viewer

from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.widgets.doubt_map import CLEAR_TO_CYAN, LIMITS, relative_uncertainty
from napari_sofinet.widgets.held_film import HeldFilm
from napari_sofinet.widgets.layer_names import map_name, picture_name
from napari_sofinet.widgets.measurement_layers import MADE_HERE, WITH_BAR
from napari_sofinet.widgets.notices import tell
from napari_sofinet.widgets.placement import (
    LayerData,
    contrast,
    on_axes_of,
    picture_options,
    place,
    result_metadata,
)
from napari_sofinet.widgets.table_reader import MOST_POINTS, points_options
from napari_sofinet.widgets.tables import TableLayer
from napari_sofinet.widgets.volumes import on_stack_axes, place_volume

CAMERA_GRID = Reconstruction({"image": np.zeros((1, 1), np.float32)})
"""Reconstruction on the grid of the camera, to place points that are in camera pixels."""
CONTENT = "sofinet_content"
"""Key in the metadata of the layers of a result: what they show."""
UNCERTAINTY = "uncertainty %"
TITLES = {"uncertainty": "±", "standard_deviation": "± SD"}
"""Names of maps beside which the relative uncertainty is shown; other maps have their own names."""


def layers_over(
    source: Image | TableLayer, result: Reconstruction, time_axis: int | None
) -> list[LayerData]:
    """Return layers for the maps of a result, placed over the layer it was made from.

    Parameters
    ----------
    source : Image or TableLayer
        Layer of the movie.
    result : Reconstruction
        Picture or time series. Of a time series each frame that was used shows the picture nearest
        in time.
    time_axis : int or None
        Index of the axis of ``source`` that is time.

    Returns
    -------
    list of (array, options, kind)
        Layers as napari's readers return them: hidden maps, the picture, and over it, hidden, where
        not to believe it.
    """
    options = picture_options(source, result, "", time_axis)
    options |= {
        "name": picture_name(result.recipe, source.name),
        "metadata": result_metadata(result),
    }
    volume = result.axes == "ZYX" and isinstance(source, Image)
    if volume:
        options |= place_volume(source, result)
    times, hold = result.time_series, None
    if times is not None and time_axis is not None:
        frames = _frames_used(source, result, time_axis)
        hold = partial(HeldFilm, axis=time_axis, times=times, frames=frames)
        on_frames = replace(result, time_series=(float(frames[0]), 1.0))
        options |= place(source, on_frames, time_axis)
    layers = []
    for image, named, kind in _each_map(result, options):
        content = named["metadata"][CONTENT]
        if content != "image":
            title = TITLES.get(content, content.replace("_", " "))
            named["name"] = map_name(title, result.recipe, source.name)
        if volume:
            image = on_stack_axes(source, result, image)
        else:
            image = on_axes_of(source, image, time_axis)
        layers.append((hold(image) if hold else image, named, kind))
    return layers


def _frames_used(
    source: Image | TableLayer, result: Reconstruction, time_axis: int
) -> tuple[int, int]:
    chosen = None if result.recipe is None else result.recipe.open.frames
    shape = source.shape if isinstance(source, TableLayer) else source.data.shape
    return chosen or (0, int(shape[time_axis]))


def picture_of(viewer: Viewer, result: Reconstruction) -> str | None:
    """Return the layer that shows the picture of a result.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that has the layers.
    result : Reconstruction
        Any result.

    Returns
    -------
    str or None
        Name of the layer; None if there is none.
    """
    for layer in viewer.layers:
        found = layer.metadata.get("sofinet_result")
        if found is result and layer.metadata.get(CONTENT) == next(iter(result.maps)):
            return str(layer.name)
    return None


def layers_of_file(result: Reconstruction, name: str) -> list[LayerData]:
    """Return layers for a saved result, placed over its movie as this plugin opens it.

    Parameters
    ----------
    result : Reconstruction
        Result from `Reconstruction.load`.
    name : str
        Name for the layer of the picture.

    Returns
    -------
    list of (array, options, kind)
        Layers as napari's readers return them, the picture last so that it lies on top.
    """
    maps = {key: _with_all_axes(result, image) for key, image in result.maps.items()}
    result = replace(result, maps=maps)
    times, frames = result.time_series, _frames_in_file(result)
    held = result if frames is None else replace(result, time_series=(float(frames[0]), 1.0))
    options = _place_in_file(held) | {
        "name": name,
        "colormap": "inferno",
        "contrast_limits": contrast(result.image, result.axes == "ZYX"),
        "metadata": result_metadata(result),
    }
    layers = _each_map(result, options)
    if frames is None or times is None:
        return layers
    axis = result.axes.index("T")
    return [(HeldFilm(data, axis, times, frames), named, kind) for data, named, kind in layers]


def _frames_in_file(result: Reconstruction) -> tuple[int, int] | None:
    """Return the frames of the movie that a film was made from; None for others."""
    if result.time_series is None or result.recipe is None:
        return None
    opened = result.recipe.open
    return opened.frames or (0, int(opened.shape[0]))


def add_points(
    viewer: Viewer,
    source: Image | TableLayer,
    table: LocalizationTable,
    feature_pixel: float,
    **options: Any,
) -> Points | None:
    """Add the points of a table over its movie, or tell the user that there are too many.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that gets the layer.
    source : Image or TableLayer
        Layer of the movie, in whose camera pixels the positions are.
    table : LocalizationTable
        Table whose rows become points.
    feature_pixel : float
        Size of a camera pixel in the unit that the features of the points have.
    **options
        More options of `napari.viewer.Viewer.add_points`.

    Returns
    -------
    Points or None
        The layer; None if there are too many.
    """
    if len(table) > MOST_POINTS:
        tell(
            f"{len(table)} localisations are too many for napari to show as points; save the layer "
            "of the picture as .csv or .hdf5 to use them."
        )
        return None
    return viewer.add_points(
        np.stack([table.y_px, table.x_px], axis=1),
        **points_options(table, feature_pixel),
        **place(source, CAMERA_GRID),
        **options,
    )


def _each_map(result: Reconstruction, options: dict[str, Any]) -> list[LayerData]:
    """Return maps with their options; all but the first are hidden."""
    first = next(iter(result.maps))
    found: list[LayerData] = []
    for name, image in reversed(result.maps.items()):
        named = options | {"metadata": options["metadata"] | {CONTENT: name}}
        if name != "image":
            named["name"] = f"{TITLES.get(name, name)} {options['name']}"
        if name != first:
            named |= {
                "contrast_limits": contrast(image, result.axes == "ZYX"),
                "colormap": "viridis",
                "visible": False,
            }
            named["metadata"] = named["metadata"] | {WITH_BAR: True}
        found.append((image, named, "image"))
    relative = relative_uncertainty(result, options["contrast_limits"][1])
    if relative is not None:
        over = {
            "name": f"{UNCERTAINTY} {options['name']}",
            "contrast_limits": LIMITS,
            "colormap": CLEAR_TO_CYAN,
            "blending": "translucent",
            "visible": False,
            "metadata": options["metadata"]
            | {CONTENT: UNCERTAINTY, MADE_HERE: True, WITH_BAR: True},
        }
        found.append((relative, options | over, "image"))
    return found


def _with_all_axes(result: Reconstruction, image: np.ndarray) -> np.ndarray:
    """Return an image with its axes of length one, which TIFF files do not keep."""
    missing = len(result.axes) - image.ndim
    return image.reshape((1,) * missing + image.shape) if missing > 0 else image


def _place_in_file(result: Reconstruction) -> dict[str, Any]:
    """Return options that place camera pixel (0, 0) of frame 0 at 0."""
    known = result.pixel_size_um is not None
    pixel = result.pixel_size_um if known else result.pixel_px
    origin = result.origin_um if known else result.origin_px
    assert pixel is not None
    assert origin is not None
    scale, translate = list(pixel), list(origin)
    units = ["micrometer" if known else "pixel"] * 2
    for axis in reversed(result.axes[:-2]):
        step, first, unit = _times(result) if axis == "T" else _depths(result)
        scale.insert(0, step)
        translate.insert(0, first)
        units.insert(0, unit)
    return {
        "scale": tuple(scale),
        "translate": tuple(translate),
        "units": tuple(units),
        "axis_labels": tuple(result.axes.lower()),
    }


def _depths(result: Reconstruction) -> tuple[float, float, str]:
    """Return distance, position of the first and unit of the planes of a volume."""
    if result.plane_um is None:
        return 1.0, 0.0, "pixel"
    return result.plane_um, result.first_plane_um, "micrometer"


def _times(result: Reconstruction) -> tuple[float, float, str]:
    """Return step, start and unit of a time series, in seconds if the time per frame is known."""
    first, step = result.time_series or (0.0, 1.0)
    interval = None if result.recipe is None else result.recipe.open.frame_interval_s
    if interval is None:
        return step, first, "pixel"
    return step * interval, first * interval, "second"

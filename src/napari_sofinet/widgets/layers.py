"""Between napari layers and the core's movies and reconstructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from napari.components import LayerList
from napari.layers import Image, Shapes

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_input import MethodInput
from napari_sofinet.data.open_movie import check_dtype, open_movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.io.scale import UM_PER
from napari_sofinet.widgets.tables import TableLayer


def follow(layers: LayerList, refresh: Callable[..., None]) -> None:
    """Refresh now, and whenever layers come, go or change places."""
    for event in (layers.events.inserted, layers.events.removed, layers.events.reordered):
        event.connect(refresh)
    refresh()


def stack_axes(layer: Image | TableLayer) -> list[tuple[int, str, int]]:
    """Axes of a layer before y and x that are longer than one: index, label, length."""
    if layer.rgb:
        raise InputError(f"{layer.name} is a colour (RGB) picture; choose a layer of grey values.")
    shape = _data(layer).shape
    labels = layer.axis_labels
    return [(i, labels[i], int(n)) for i, n in enumerate(shape[:-2]) if n > 1]


def likely_time_axis(axes: list[tuple[int, str, int]]) -> int | None:
    """The axis that is called time, else the longest."""
    named = [i for i, label, _ in axes if label.lower() in ("t", "time", "frame", "frames")]
    longest = max(axes, key=lambda axis: axis[2], default=None)
    return named[0] if named else longest[0] if longest else None


def input_of(
    layer: Image | TableLayer,
    time_axis: int | None = None,
    position: dict[int, int] | None = None,
    pixel_size_um: float | None = None,
) -> MethodInput:
    """The movie that a layer shows, see `movie_of`, or the table that it carries."""
    if not isinstance(layer, TableLayer):
        return movie_of(layer, time_axis, position, pixel_size_um)
    table = layer.input()
    # What its pixels were when they were made counts, also where it was assumed.
    size = table.camera_pixel_um or pixel_size_um or layer_pixel_um(layer)
    return replace(table, camera_pixel_um=size, frame_interval_s=layer.interval_s)


def movie_of(
    layer: Image,
    time_axis: int | None = None,
    position: dict[int, int] | None = None,
    pixel_size_um: float | None = None,
) -> Movie:
    """The movie that an image layer shows, read lazily.

    Parameters
    ----------
    layer
        Image layer of at least three axes; one that our reader made keeps its file.
    time_axis
        Index of the axis that is time; guessed by `likely_time_axis` where None.
    position
        Index along each of the other axes before y and x (channel, plane); 0 where absent.
    pixel_size_um
        Given by the user; else from the layer's scale where its units are lengths.
    """
    axes = stack_axes(layer)
    time_axis = likely_time_axis(axes) if time_axis is None else time_axis
    if time_axis is None:
        raise InputError(f"{layer.name} is a single image; choose a layer that is a movie.")
    data = _data(layer)
    check_dtype(np.dtype(data.dtype))
    where = tuple(
        slice(None) if i == time_axis else (position or {}).get(i, 0) for i in range(data.ndim - 2)
    )
    size = pixel_size_um or layer_pixel_um(layer)
    file = layer.metadata.get("sofinet_movie")
    if isinstance(file, Movie) and getattr(data, "name", None) == file.frames.name:
        return replace(file, pixel_size_um=size) if size else file
    array = data if data.ndim == 3 else data[where]
    return open_movie(array, size, frame_interval_s=_interval_s(layer, time_axis), name=layer.name)


def _interval_s(layer: Image, time_axis: int) -> float | None:
    factor = {"second": 1.0, "millisecond": 1e-3}.get(str(layer.units[time_axis]))
    return float(abs(layer.scale[time_axis])) * factor if factor else None


def layer_pixel_um(layer: Image | TableLayer) -> float | None:
    """Camera pixel in um from a layer's scale, None where its units are no lengths."""
    factor = um_per_unit(layer)
    return float(abs(layer.scale[-1])) * factor if factor else None


def um_per_unit(layer: Image | TableLayer) -> float | None:
    """Micrometres of one unit of a layer's x axis, None where that is no length."""
    return UM_PER.get(str(layer.units[-1]))


def place(
    layer: Image | TableLayer, result: Reconstruction, time_axis: int | None = None
) -> dict[str, Any]:
    """Layer options that put a reconstruction exactly over the layer it was made from.

    A picture of a film stands at the middle of its frames on the layer's axis of time.
    """
    if result.time_series is not None and time_axis is not None:
        return _place_film(layer, result, result.time_series, time_axis)
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


def _place_film(
    layer: Image | TableLayer, result: Reconstruction, film: tuple[float, float], time_axis: int
) -> dict[str, Any]:
    """Place on all axes of a layer; those that a film lacks are one sample long."""
    (y, x), (dy, dx), (first, step) = result.origin_px, result.pixel_px, film
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
    """A film (T, Y, X) with axes of length one where the layer has more; a picture as it is."""
    if image.ndim == 2 or time_axis is None:
        return image
    shape = [1] * layer.ndim
    shape[time_axis], shape[-2:] = image.shape[0], image.shape[1:]
    return image.reshape(shape)


def picture_options(
    layer: Image | TableLayer, result: Reconstruction, title: str, time_axis: int | None = None
) -> dict[str, Any]:
    """Options of the layer of a reconstruction's image: place, name, contrast, recipe."""
    options = place(layer, result, time_axis) | {
        "name": f"{title} {layer.name}",
        "colormap": "inferno",
        "contrast_limits": contrast(result.image),
    }
    if result.recipe is not None:
        options["metadata"] = result_metadata(result)
    return options


def result_metadata(result: Reconstruction) -> dict[str, Any]:
    """Metadata of all layers of a result: the result itself, and its recipe."""
    recipe = None if result.recipe is None else result.recipe.model_dump(mode="json")
    return {"sofinet": recipe, "sofinet_result": result}


def contrast(image: np.ndarray) -> tuple[float, float]:
    """Limits from at most a quarter of a million samples: all of a large image take too long.

    Of a film the picture in the middle counts.
    """
    image = image[len(image) // 2] if image.ndim > 2 else image
    step = max(int(np.sqrt(image.size / 2**18)), 1)
    seen = image[::step, ::step]
    seen = seen[np.isfinite(seen)]
    if not seen.size:
        return 0.0, 1.0
    low, high = np.percentile(seen, (1, 99.8))
    return float(low), float(high if high > low else low + 1)


def roi_of(shapes: Shapes, layer: Image | TableLayer) -> tuple[tuple[int, int], tuple[int, int]]:
    """Camera pixels of a layer whose centres lie in the selected (else the last) shape's box.

    Raises
    ------
    InputError
        There is no shape, or it holds no pixel of the layer.
    """
    if not len(shapes.data):
        raise InputError(f"Draw a rectangle in the layer {shapes.name} first.")
    index = max(shapes.selected_data) if shapes.selected_data else len(shapes.data) - 1
    corners = []
    for vertex in shapes.data[index]:
        point = np.asarray(shapes.data_to_world(vertex))[-2:]
        lead = np.zeros(layer.ndim - 2)
        corners.append(np.asarray(layer.world_to_data([*lead, *point]))[-2:])
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    height, width = _data(layer).shape[-2:]
    first = np.clip(np.ceil(low - 1e-6), 0, (height, width)).astype(int)
    last = np.clip(np.floor(high + 1e-6) + 1, 0, (height, width)).astype(int)
    if np.any(last <= first):
        raise InputError(f"The rectangle in {shapes.name} lies outside {layer.name}; move it.")
    return (int(first[0]), int(last[0])), (int(first[1]), int(last[1]))


def _data(layer: Image | TableLayer) -> Any:
    if isinstance(layer, TableLayer):
        return layer  # has the shape of its movie
    return layer.data[0] if layer.multiscale else layer.data

"""Movies and regions of layers."""

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
from napari_sofinet.io.scale import UM_PER
from napari_sofinet.widgets.flat_layers import hide_while_removed
from napari_sofinet.widgets.held_film import HeldFilm, film_itself
from napari_sofinet.widgets.tables import TableLayer


def follow(layers: LayerList, refresh: Callable[..., None]) -> None:
    """Call a function now, and whenever layers are added, removed or moved.

    Parameters
    ----------
    layers : LayerList
        Layers of a viewer.
    refresh : callable
        Function that is called with the event, or without arguments the first time.
    """
    hide_while_removed(layers)
    for event in (layers.events.inserted, layers.events.removed, layers.events.reordered):
        event.connect(refresh)
    refresh()


OPEN_A_MOVIE = "Open a movie: drop a TIFF file into the window."


def why_no_movie(layers: LayerList) -> str:
    """Return why none of the open layers is a movie, and what to do.

    Parameters
    ----------
    layers : LayerList
        Layers of a viewer, none of which is a movie.

    Returns
    -------
    str
        One or two sentences, about the topmost picture if there is one.
    """
    for layer in reversed(layers):
        if isinstance(layer, Image) and layer.rgb:
            return (
                f"{layer.name} is a colour (RGB) picture; a movie of grey values is needed. "
                f"{OPEN_A_MOVIE}"
            )
        if isinstance(layer, Image):
            return f"{layer.name} is a single picture without a time axis. {OPEN_A_MOVIE}"
    return OPEN_A_MOVIE


def stack_axes(layer: Image | TableLayer) -> list[tuple[int, str, int]]:
    """Return the axes of a layer before y and x that are longer than one.

    Parameters
    ----------
    layer : Image or TableLayer
        Layer of any number of axes.

    Returns
    -------
    list of (int, str, int)
        Index, label and length of each axis.

    Raises
    ------
    InputError
        If the layer is a color picture.
    """
    if layer.rgb:
        raise InputError(f"{layer.name} is a colour (RGB) picture; choose a layer of grey values.")
    shape = _data(layer).shape
    labels = layer.axis_labels
    return [(i, labels[i], int(n)) for i, n in enumerate(shape[:-2]) if n > 1]


def likely_time_axis(axes: list[tuple[int, str, int]]) -> int | None:
    """Return the axis that is most likely time.

    Parameters
    ----------
    axes : list of (int, str, int)
        Index, label and length of each axis, from `stack_axes`.

    Returns
    -------
    int or None
        Index of the first axis with a label such as "t" or "frames", else of the longest axis;
        None if there is no axis.

    Examples
    --------
    >>> likely_time_axis([(0, "z", 40), (1, "t", 20)])
    1
    """
    named = [i for i, label, _ in axes if label.lower() in ("t", "time", "frame", "frames")]
    longest = max(axes, key=lambda axis: axis[2], default=None)
    return named[0] if named else longest[0] if longest else None


def input_of(
    layer: Image | TableLayer,
    time_axis: int | None = None,
    position: dict[int, int] | None = None,
    pixel_size_um: float | None = None,
) -> MethodInput:
    """Return the movie of a layer, or its table of localizations.

    Parameters
    ----------
    layer : Image or TableLayer
        Layer to be reconstructed.
    time_axis, position, pixel_size_um
        As for `movie_of`. Of a table only ``pixel_size_um`` is used, and only if the table does
        not have the size itself.

    Returns
    -------
    Movie or LocalizationTable
        Input of a method.

    Raises
    ------
    InputError
        If the layer is neither a movie nor an unchanged or shortened table.
    """
    if not isinstance(layer, TableLayer):
        return movie_of(layer, time_axis, position, pixel_size_um)
    table = layer.input()
    # The size that was used when the table was made comes first, even if it was assumed.
    size = table.camera_pixel_um or pixel_size_um or layer_pixel_um(layer)
    return replace(table, camera_pixel_um=size, frame_interval_s=layer.interval_s)


def movie_of(
    layer: Image,
    time_axis: int | None = None,
    position: dict[int, int] | None = None,
    pixel_size_um: float | None = None,
) -> Movie:
    """Return the movie of an image layer, which is read only when its frames are needed.

    Parameters
    ----------
    layer : Image
        Layer of at least three axes. One that was opened by this plugin keeps its file.
    time_axis : int, optional
        Index of the axis that is time; by default chosen by `likely_time_axis`.
    position : dict of int to int, optional
        Index along each of the other axes before y and x (channel, plane), 0 by default.
    pixel_size_um : float, optional
        Size of a camera pixel in µm; by default from the scale of the layer if its units are
        lengths.

    Returns
    -------
    Movie
        Movie (T, Y, X).

    Raises
    ------
    InputError
        If the layer is a single image or a color picture, or has values that are no counts.
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
    step = layer.data.step if isinstance(layer.data, HeldFilm) else 1.0
    return float(abs(layer.scale[time_axis])) * step * factor if factor else None


def layer_pixel_um(layer: Image | TableLayer) -> float | None:
    """Return the size of a camera pixel from the scale of a layer.

    Parameters
    ----------
    layer : Image or TableLayer
        Layer of a movie.

    Returns
    -------
    float or None
        Size along x in µm; None if the units of the layer are no lengths.
    """
    factor = um_per_unit(layer)
    return float(abs(layer.scale[-1])) * factor if factor else None


def um_per_unit(layer: Image | TableLayer) -> float | None:
    """Return the length of one world unit of a layer.

    Parameters
    ----------
    layer : Image or TableLayer
        Any layer.

    Returns
    -------
    float or None
        Length along x in µm; None if the unit is no length.
    """
    return UM_PER.get(str(layer.units[-1]))


def roi_of(shapes: Shapes, layer: Image | TableLayer) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the camera pixels of a layer whose centers lie in the box around a shape.

    Parameters
    ----------
    shapes : Shapes
        Layer whose last selected shape is used, or the last one if none is selected.
    layer : Image or TableLayer
        Layer of the movie.

    Returns
    -------
    rows, columns : tuple of int
        First pixel and the one behind the last.

    Raises
    ------
    InputError
        If there is no shape, or if it contains no pixel of the layer.
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
        return layer  # it has the shape of its movie
    return layer.data[0] if layer.multiscale else film_itself(layer.data)

"""Raw SIM stacks of layers, and the place of the volumes that are made from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from napari.layers import Image

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_movie import check_dtype
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.sim_stack import SimStack, open_sim_stack, plane_spacing
from napari_sofinet.io.scale import UM_PER
from napari_sofinet.widgets.layers import layer_pixel_um, stack_axes

STACK = "sofinet_stack"
"""Key in the metadata of layers of four axes that show a file: the file as a `SimStack`."""
DEPTH = "z", "plane", "planes", "depth"
MICROMETRE = "micrometer"


def sim_stack_of(layer: Image, pixel_size_um: float | None = None) -> SimStack:
    """Return the raw SIM stack that a layer shows, whose images are read when they are needed.

    Parameters
    ----------
    layer : Image
        Layer (images, Y, X), or one with an axis of exposures and one of planes. One that was
        opened by this plugin keeps its file.
    pixel_size_um : float, optional
        Size of a camera pixel in µm; by default from the scale of the layer.

    Returns
    -------
    SimStack
        All images of the layer.

    Raises
    ------
    InputError
        The layer is a single picture, has too many axes or colours.
    """
    axes = stack_axes(layer)
    if not 1 <= len(axes) <= 2:
        raise InputError(
            f"{layer.name} has {len(axes) + 2} axes longer than one; a raw SIM stack has one axis "
            "of images, or one of exposures and one of planes, besides y and x."
        )
    size = pixel_size_um or layer_pixel_um(layer)
    plane_um = _plane_um(layer)
    data = layer.data[0] if layer.multiscale else layer.data
    stack = _of_file(layer, data)
    if stack is None:
        check_dtype(np.dtype(data.dtype))
        shape = (*(length for _, _, length in axes), *data.shape[-2:])
        stack = open_sim_stack(data.reshape(shape), size, name=layer.name)
    movie = replace(stack.movie, pixel_size_um=size) if size else stack.movie
    return replace(stack, movie=movie, plane_um=plane_um or stack.plane_um)


def _of_file(layer: Image, data: Any) -> SimStack | None:
    """Return the stack in the file that a layer still shows; None for other layers."""
    kept = layer.metadata.get(STACK)
    if isinstance(kept, tuple) and kept[0] == getattr(data, "name", None):
        stack: SimStack = kept[1]
        return stack
    file = layer.metadata.get("sofinet_movie")
    if isinstance(file, Movie) and getattr(data, "name", None) == file.frames.name and file.path:
        channel = getattr(file.source, "channel", None)
        return open_sim_stack(file.path, file.pixel_size_um, channel or None)
    return None


def depth_axis(layer: Image) -> int | None:
    """Return the index of a layer's axis that is named as the depth; None if there is none."""
    found = [i for i, label, _ in stack_axes(layer) if label.lower() in DEPTH]
    return found[0] if found else None


def _plane_um(layer: Image) -> float | None:
    axis = depth_axis(layer)
    factor = None if axis is None else UM_PER.get(str(layer.units[axis]))
    return None if axis is None or not factor else float(abs(layer.scale[axis])) * factor


def unsaid_plane_um(stack: SimStack) -> float | None:
    """Return the distance of planes in µm that a layer tells, but not its file.

    Settings must name it so that a recipe gives the same volume again.
    """
    told = plane_spacing(stack.path)
    if stack.plane_um is None or (told is not None and np.isclose(told, stack.plane_um, rtol=1e-6)):
        return None
    return stack.plane_um


def plane_axis(layer: Image, result: Reconstruction) -> int | None:
    """Return the index of a raw stack's axis along which its planes lie.

    Parameters
    ----------
    layer : Image
        Layer of the raw stack.
    result : Reconstruction
        Volume that was made from it.

    Returns
    -------
    int or None
        None of a layer with a single axis of images.
    """
    axes = stack_axes(layer)
    if len(axes) != 2:
        return None
    planes = int(result.details.get("planes", 0))
    fitting = [index for index, _, length in axes if length == planes]
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    order = "" if result.recipe is None else str(result.recipe.reconstruct.settings.get("order"))
    return fitting[1 if order.startswith("planes") else 0]


def place_volume(layer: Image, result: Reconstruction) -> dict[str, Any]:
    """Return options that place a volume over the raw stack it was made from.

    Parameters
    ----------
    layer : Image
        Layer of the raw stack.
    result : Reconstruction
        Volume (Z, Y, X).

    Returns
    -------
    dict
        Units, axis labels and either scale and translation or an affine matrix, on the axes of
        `on_stack_axes`. Each plane lies at the depth of its plane of the stack, and is shown for
        every exposure; over a layer with a single axis of images, planes lie at their depth in µm.
    """
    (y, x), (dy, dx) = result.origin_px, result.pixel_px
    axis = plane_axis(layer, result)
    if axis is None:
        return _in_depth(layer, result)
    at, step = np.zeros(layer.ndim), np.ones(layer.ndim)
    at[-2:], step[-2:] = (y, x), (dy, dx)
    for index, _, length in stack_axes(layer):
        at[index], step[index] = (length - 1) / 2, length  # one sample for all exposures
    planes = result.details["planes"]
    step[axis] = planes / len(result.image)
    at[axis] = result.first_plane_um / (result.plane_um or 1.0) * step[axis]
    corner = np.asarray(layer.data_to_world(at))
    matrix = np.eye(layer.ndim + 1)
    for index in range(layer.ndim):
        ahead = at.copy()
        ahead[index] += step[index]
        matrix[:-1, index] = np.asarray(layer.data_to_world(ahead)) - corner
    matrix[:-1, -1] = corner
    options: dict[str, Any] = {"units": layer.units, "axis_labels": layer.axis_labels}
    scale = np.diag(matrix)[:-1]
    if np.allclose(matrix[:-1, :-1], np.diag(scale)):
        return options | {"scale": tuple(scale), "translate": tuple(corner)}
    return options | {"affine": matrix}


def _in_depth(layer: Image, result: Reconstruction) -> dict[str, Any]:
    """Return options (Z, Y, X) over a layer whose other axis is no depth."""
    (y, x), (dy, dx) = result.origin_px, result.pixel_px
    lead = [0.0] * (layer.ndim - 2)
    corner = np.asarray(layer.data_to_world([*lead, y, x]))[-2:]
    down = np.asarray(layer.data_to_world([*lead, y + dy, x]))[-2:] - corner
    right = np.asarray(layer.data_to_world([*lead, y, x + dx]))[-2:] - corner
    matrix = np.eye(4)
    matrix[0, 0], matrix[0, 3] = result.plane_um or 1.0, result.first_plane_um
    matrix[1:3, 1], matrix[1:3, 2], matrix[1:3, 3] = down, right, corner
    options: dict[str, Any] = {
        # The unit of the images, as napari drops all units where those of two layers differ.
        "units": layer.units[-3:],
        "axis_labels": ("z", *layer.axis_labels[-2:]),
    }
    if down[1] == 0 and right[0] == 0:
        return options | {"scale": tuple(np.diag(matrix)[:3]), "translate": tuple(matrix[:3, 3])}
    return options | {"affine": matrix}


def on_stack_axes(layer: Image, result: Reconstruction, image: Any) -> Any:
    """Return a volume (Z, Y, X) with an axis for each of the raw stack's layer."""
    axis = plane_axis(layer, result)
    if axis is None:
        return image
    shape = [1] * layer.ndim
    shape[axis], shape[-2:] = image.shape[0], image.shape[1:]
    return image.reshape(shape)


def set_plane_distance(layer: Image, plane_um: float) -> None:
    """Give a layer whose axis of depth has no length the distance of its planes in µm."""
    axis = depth_axis(layer)
    if axis is None or UM_PER.get(str(layer.units[axis])):
        return
    scale, units = list(layer.scale), [str(unit) for unit in layer.units]
    scale[axis], units[axis] = plane_um, MICROMETRE
    layer.scale, layer.units = scale, units

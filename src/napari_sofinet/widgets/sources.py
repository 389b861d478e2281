"""Pictures of layers, with their position in world coordinates, to be measured and compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Image

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.recipe import Recipe
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table_frames import frames_of_step
from napari_sofinet.io.scale import UM_PER
from napari_sofinet.quality.picture import AVERAGE, Picture, mean_of_movie
from napari_sofinet.quality.volume import Volume
from napari_sofinet.widgets.held_film import film_itself
from napari_sofinet.widgets.layers import movie_of, stack_axes, um_per_unit
from napari_sofinet.widgets.volumes import depth_axis

TRUTH = "sofinet_truth"
"""Key in the metadata of layers that show the truth of a simulation."""


@dataclass(frozen=True, eq=False)
class Source:
    """Content of a layer that a thread may read.

    Attributes
    ----------
    key : int
        Number that identifies the layer.
    name : str
        Name of the layer.
    data : array
        Array of the layer, whose identity tells whether it has changed.
    movie : Movie or None
        Movie that the layer shows; None for a single picture.
    pixel_um : float or None
        Size of a sample in µm; None if the units of the layer are no lengths.
    pixel : tuple of float
        Distance (y, x) of samples in world coordinates.
    origin : tuple of float
        Position (y, x) of sample (0, 0) in world coordinates.
    recipe : Recipe, optional
        Record of how the picture was made.
    truth : bool, optional
        Whether the layer shows the truth of a simulation.
    """

    key: int
    name: str
    data: Any
    movie: Movie | None
    pixel_um: float | None
    pixel: tuple[float, float]
    origin: tuple[float, float]
    recipe: Recipe | None = None
    truth: bool = False
    depth: Depth | None = None


@dataclass(frozen=True)
class Depth:
    """The planes of a layer that shows a volume.

    Attributes
    ----------
    shown : int
        Plane at the slider.
    step, origin : float
        Distance of planes, and position of the first, in world coordinates.
    plane_um : float or None
        Distance of planes in µm; None if the unit is no length.
    """

    shown: int
    step: float
    origin: float
    plane_um: float | None


def volume_axis(layer: Image) -> int | None:
    """Return the axis of depth of a layer that shows a volume, and not a movie or a raw stack."""
    axes = stack_axes(layer)
    if len(axes) != 1 or not isinstance(layer, Image):
        return None
    result = layer.metadata.get("sofinet_result")
    if isinstance(result, Reconstruction):
        return axes[0][0] if result.axes == "ZYX" else None
    return depth_axis(layer)


def _depth_of(layer: Image, point: Sequence[float]) -> Depth | None:
    axis = volume_axis(layer)
    if axis is None:
        return None
    at = [0.0] * layer.ndim
    first = float(layer.data_to_world(at)[axis])
    at[axis] = 1.0
    step = abs(float(layer.data_to_world(at)[axis]) - first)
    factor = UM_PER.get(str(layer.units[axis]))
    result = layer.metadata.get("sofinet_result")
    known = step * factor if factor else getattr(result, "plane_um", None)
    return Depth(plane_shown(layer, point), step, first, known)


def plane_shown(layer: Image, point: Sequence[float]) -> int:
    """Return the plane of a volume at a point of the viewer's sliders; 0 of other layers."""
    axis = volume_axis(layer)
    if axis is None or len(point) < layer.ndim:
        return 0
    at = np.asarray(layer.world_to_data(point[-layer.ndim :]))[axis]
    return int(np.clip(round(float(at)), 0, layer.data.shape[axis] - 1))


def source_of(layer: Image, point: Sequence[float] = ()) -> Source:
    """Return the content of a layer for a thread.

    Parameters
    ----------
    layer : Image
        Picture, movie or volume of grey values.
    point : sequence of float, optional
        Position of the viewer's sliders, which tells the plane of a volume that is shown.

    Returns
    -------
    Source
        Content of the layer; nothing is read yet.

    Raises
    ------
    InputError
        If the layer cannot be used as a movie though it has more than two axes.
    """
    lead = [0.0] * (layer.ndim - 2)

    def world(y: float, x: float) -> np.ndarray:
        return np.asarray(layer.data_to_world([*lead, y, x]))[-2:]

    corner, depth = world(0, 0), _depth_of(layer, point)
    step = float(abs(world(1, 0) - corner)[0]), float(abs(world(0, 1) - corner)[1])
    factor = um_per_unit(layer)
    return Source(
        id(layer),
        layer.name,
        layer.data[0] if layer.multiscale else film_itself(layer.data),
        movie_of(layer) if stack_axes(layer) and depth is None else None,
        step[1] * factor if factor else None,
        step,
        (float(corner[0]), float(corner[1])),
        getattr(layer.metadata.get("sofinet_result"), "recipe", None),
        TRUTH in layer.metadata,
        depth,
    )


def same_while_unchanged(layer: Image, point: Sequence[float]) -> tuple[int, bytes, int]:
    """Return what differs if a layer is given other data or another scale, or shows another plane.

    Parameters
    ----------
    layer : Image
        Any layer; napari gives its docks another object for it, and for its data, each time.
    point : sequence of float
        Position of the viewer's sliders.

    Returns
    -------
    tuple of (int, bytes, int)
        Numbers that identify the array, the scale and the plane.
    """
    return id(film_itself(layer.data)), layer.scale.tobytes(), plane_shown(layer, point)


def volume_of(source: Source) -> Volume:
    """Return the volume of a source with its place in µm, if the scale is known.

    Raises
    ------
    InputError
        The layer shows no volume.
    """
    depth = source.depth
    if depth is None:
        raise InputError(f"{source.name} is no volume.")
    shape = [n for n in source.data.shape[:-2] if n > 1]
    image = np.asarray(source.data).reshape((*shape, *source.data.shape[-2:]))
    if source.pixel_um is None or depth.plane_um is None:
        return Volume(image, source.name)
    lateral, axial = source.pixel_um / source.pixel[1], depth.plane_um / depth.step
    y, x = (lateral * at for at in source.origin)
    step = depth.plane_um, lateral * source.pixel[0], source.pixel_um
    return Volume(image, source.name, step, (axial * depth.origin, y, x))


class Means:
    """Pictures of sources; the mean of each movie is computed only once."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Any, Picture]] = {}

    def keep(self, layers: Iterable[Image]) -> None:
        """Forget the means of all other layers.

        Parameters
        ----------
        layers : iterable of Image
            Layers whose means are kept.
        """
        keys = {id(layer) for layer in layers}
        self._kept = {key: value for key, value in self._kept.items() if key in keys}

    def picture(self, source: Source) -> Picture:
        """Return the picture of a source; may take long, so it belongs into a thread.

        Parameters
        ----------
        source : Source
            Picture or movie.

        Returns
        -------
        Picture
            Picture, of a movie the mean over its frames. Its grid is in world coordinates.
        """
        if source.depth is not None:
            picture = Picture(np.asarray(volume_of(source).image[source.depth.shown], np.float64))
        elif source.movie is None:
            picture = Picture(np.asarray(source.data, np.float64).reshape(source.data.shape[-2:]))
        else:
            known = self._kept.get(source.key)
            if known is None or known[0] is not source.data:
                self._kept[source.key] = known = (source.data, mean_of_movie(source.movie))
            picture = known[1]
        if source.movie is not None:
            picture = replace(picture, movie=source.movie.name)
        if source.recipe is not None:
            made_by, opened = source.recipe.reconstruct.method, source.recipe.open
            picture = replace(
                picture,
                made_by=made_by,
                wide_field=made_by == AVERAGE,
                movie=opened.name,
                frames=frames_of_step(opened),
            )
        return replace(
            picture,
            name=source.name,
            of_truth=source.truth,
            pixel_um=source.pixel_um,
            pixel_px=source.pixel,
            origin_px=source.origin,
        )

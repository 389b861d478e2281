"""Pictures of layers, with their position in world coordinates, to be measured and compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Image

from napari_sofinet.data.movie import Movie
from napari_sofinet.data.recipe import Recipe
from napari_sofinet.data.table_frames import frames_of_step
from napari_sofinet.quality.picture import AVERAGE, Picture, mean_of_movie
from napari_sofinet.widgets.held_film import film_itself
from napari_sofinet.widgets.layers import movie_of, stack_axes, um_per_unit

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


def source_of(layer: Image) -> Source:
    """Return the content of a layer for a thread.

    Parameters
    ----------
    layer : Image
        Picture or movie of grey values.

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

    corner = world(0, 0)
    step = float(abs(world(1, 0) - corner)[0]), float(abs(world(0, 1) - corner)[1])
    factor = um_per_unit(layer)
    return Source(
        id(layer),
        layer.name,
        layer.data[0] if layer.multiscale else film_itself(layer.data),
        movie_of(layer) if stack_axes(layer) else None,
        step[1] * factor if factor else None,
        step,
        (float(corner[0]), float(corner[1])),
        getattr(layer.metadata.get("sofinet_result"), "recipe", None),
        TRUTH in layer.metadata,
    )


def same_while_unchanged(layer: Image) -> tuple[int, bytes]:
    """Return what differs if a layer is given other data or another scale.

    Parameters
    ----------
    layer : Image
        Any layer; napari gives its docks another object for it, and for its data, each time.

    Returns
    -------
    tuple of (int, bytes)
        Numbers that identify the array and the scale.
    """
    return id(film_itself(layer.data)), layer.scale.tobytes()


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
        if source.movie is None:
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

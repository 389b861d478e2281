"""Which layers are results of which movie."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any
from weakref import ref

from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_sofinet.data.recipe import OpenStep
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.widgets.tables import TableLayer

OVER = "sofinet_over"
"""Key in the metadata of layers that were made from a layer: its unique number."""
PART = "sofinet_part"
"""Key in the metadata of results: time axis, and index along each other axis of their movie."""
FRAMES = "sofinet_frames"
"""Key in the metadata of results: weak reference to the data that their movie's layer had."""


def part_of(time_axis: int | None, position: dict[int, int]) -> Hashable:
    """Return a part of a movie, see `PART`.

    Parameters
    ----------
    time_axis : int or None
        Index of the axis that is time.
    position : dict of int to int
        Index along each other axis before y and x.

    Returns
    -------
    hashable
        The same for equal parts.
    """
    return time_axis, tuple(sorted(position.items()))


def link_to(source: Image | TableLayer, part: Any) -> dict[str, Any]:
    """Return the metadata that tell what a result was made from.

    Parameters
    ----------
    source : Image or TableLayer
        Layer of the movie, or of a table in the shape of its movie.
    part : Any
        Part of the movie, see `PART`.

    Returns
    -------
    dict
        Metadata for each layer of the result.
    """
    layer = layer_of(source)
    return {OVER: layer.unique_id, PART: part, FRAMES: ref(layer.data)}


def results_of(viewer: Viewer, layer: Layer, part: Any) -> list[Reconstruction]:
    """Return the results that were made from a part of a layer as it is now.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that has the layers.
    layer : Layer
        Layer of the movie.
    part : Any
        Part of the movie, see `PART`.

    Returns
    -------
    list of Reconstruction
        Results of any settings that still have a layer, without those that were made before the
        data of ``layer`` were replaced.
    """
    found = {}
    for other in viewer.layers:
        frames = other.metadata.get(FRAMES)
        result = other.metadata.get("sofinet_result")
        if (
            movie_under(other) == layer.unique_id
            and other.metadata.get(PART) == part
            and frames is not None
            and frames() is layer.data
            and isinstance(result, Reconstruction)
        ):
            found[id(result)] = result
    return list(found.values())


def layer_of(source: Image | TableLayer) -> Layer:
    """Return the layer itself.

    Parameters
    ----------
    source : Image or TableLayer
        Layer of a movie, or of a table in the shape of its movie.

    Returns
    -------
    Layer
        Layer in the viewer.
    """
    return source.layer if isinstance(source, TableLayer) else source


def movie_under(layer: Layer) -> Hashable | None:
    """Return the unique number of the layer that a layer was made from.

    Parameters
    ----------
    layer : Layer
        Any layer.

    Returns
    -------
    hashable or None
        The number; None for layers that were not made from another.
    """
    under: Hashable | None = layer.metadata.get(OVER)
    return under


def is_movie(layer: Layer) -> bool:
    """Return whether a layer is a movie, not a film that was made from one.

    Parameters
    ----------
    layer : Layer
        Any layer.

    Returns
    -------
    bool
        Whether it is an image of grey values with more than two axes and no result.
    """
    return (
        isinstance(layer, Image) and layer.ndim > 2 and not layer.rgb and movie_under(layer) is None
    )


def same_run(
    viewer: Viewer, source: Image | TableLayer, result: Reconstruction, part: Any
) -> list[Layer]:
    """Return the layers of an earlier result of the same movie, frames and settings.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that has the layers.
    source : Image or TableLayer
        Layer that the result was made from.
    result : Reconstruction
        New result.
    part : Any
        Part of the movie, see `PART`.

    Returns
    -------
    list of Layer
        Layers, the lowest first; empty if there are none.
    """
    under = layer_of(source).unique_id
    return [
        layer
        for layer in viewer.layers
        if movie_under(layer) == under
        and layer.metadata.get(PART) == part
        and _same(layer.metadata.get("sofinet_result"), result)
    ]


def _same(old: Any, new: Reconstruction) -> bool:
    if not isinstance(old, Reconstruction) or old.recipe is None or new.recipe is None:
        return False
    a, b = old.recipe.reconstruct, new.recipe.reconstruct
    run = (a.method, a.settings, a.weights_sha256) == (b.method, b.settings, b.weights_sha256)
    return run and _frames(old.recipe.open) == _frames(new.recipe.open)


def _frames(step: OpenStep) -> OpenStep:
    """Return what was read, without what the user may have renamed or typed since."""
    unknown = {"name": "", "pixel_size_um": None, "frame_interval_s": None}
    return step.model_copy(update=unknown)

"""Maps of resolution and of error, for a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari.layers import Image
from napari.viewer import Viewer

from napari_sofinet.base.errors import InputError
from napari_sofinet.quality.grid import grid_of
from napari_sofinet.quality.resolution_map import resolution_map
from napari_sofinet.quality.scores import compare_squirrel, squirrel_sentence
from napari_sofinet.widgets.measurement_layers import add_error_map, add_resolution_map
from napari_sofinet.widgets.sources import Means, source_of

AddMap = Callable[[Viewer], str]
"""Function that adds a map as a layer, and returns a sentence about it."""


def resolution_task(layer: Image, means: Means, point: Sequence[float]) -> Callable[[], AddMap]:
    """Return a function that measures the resolution of tiles, and may run in a thread.

    Parameters
    ----------
    layer : Image
        Layer to measure; it is read here, in the thread of the GUI.
    means : Means
        Means of movies, which the function completes.
    point : sequence of float
        Position of the viewer's sliders, at which volumes are looked at.

    Returns
    -------
    callable
        Function without arguments that returns an `AddMap`.

    Raises
    ------
    InputError
        If the layer cannot be used.
    """
    source = source_of(layer, point)

    def work() -> AddMap:
        tiles = resolution_map(means.picture(source))

        def add(viewer: Viewer) -> str:
            add_resolution_map(viewer, layer, tiles)
            return tiles.note

        return add

    return work


def error_task(
    layer: Image, reference: Image | None, means: Means, point: Sequence[float]
) -> Callable[[], AddMap]:
    """Return a function that computes the error against a reference, and may run in a thread.

    Parameters
    ----------
    layer : Image
        Layer to measure; it is read here, in the thread of the GUI.
    reference : Image or None
        Layer to compare with.
    means : Means
        Means of movies, which the function completes.
    point : sequence of float
        Position of the viewer's sliders, at which volumes are looked at.

    Returns
    -------
    callable
        Function without arguments that returns an `AddMap`.

    Raises
    ------
    InputError
        If there is no other layer, or if one cannot be used.
    """
    if reference is None or reference == layer:
        raise InputError("Choose another layer as the reference.")
    sources = source_of(layer, point), source_of(reference, point)

    def work() -> AddMap:
        picture, wide = (means.picture(source) for source in sources)
        found = compare_squirrel(picture, wide)

        def add(viewer: Viewer) -> str:
            add_error_map(viewer, found.error_map, (layer, reference), grid_of(wide))
            return squirrel_sentence(found)

        return add

    return work

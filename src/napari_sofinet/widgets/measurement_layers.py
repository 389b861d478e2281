"""Layers that the docks for comparing and measuring add, and the layers that they offer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_sofinet.quality.grid import Grid
from napari_sofinet.quality.resolution_map import ResolutionMap

MADE_HERE = "sofinet_comparison"  # key in the metadata of the layers that these docks add


def measurable_layers(layers: Iterable[Layer]) -> list[Image]:
    """Return the layers that can be measured and compared.

    Parameters
    ----------
    layers : iterable of Layer
        Layers of a viewer.

    Returns
    -------
    list of Image
        Images and movies of grey values that these docks did not add themselves, in the same order.
    """
    return [
        layer
        for layer in layers
        if isinstance(layer, Image) and not layer.rgb and MADE_HERE not in layer.metadata
    ]


def add_on_grid(
    viewer: Viewer, image: np.ndarray, name: str, grid: Grid, units: Any, **options: Any
) -> Image:
    """Add a layer whose samples lie on a grid.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that gets the layer.
    image : ndarray
        Image (Y, X) or (Y, X, 3).
    name : str
        Name of the layer.
    grid : Grid
        Grid in world coordinates.
    units : sequence
        Units of y and x.
    **options
        More options of `napari.viewer.Viewer.add_image`.

    Returns
    -------
    Image
        The layer.
    """
    return viewer.add_image(
        image,
        name=name,
        scale=grid.pixel,
        translate=grid.origin,
        units=units,
        metadata={MADE_HERE: True},
        **options,
    )


def add_resolution_map(viewer: Viewer, layer: Image, found: ResolutionMap) -> None:
    """Add a map of the resolution, half transparent over its picture, with a color bar.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that gets the layer.
    layer : Image
        Layer that was measured.
    found : ResolutionMap
        Resolution of its tiles.
    """
    scale, start = layer.scale[-2:], layer.translate[-2:]
    y, x = start + scale * found.origin
    dy, dx = scale * found.step
    made = add_on_grid(
        viewer,
        found.values,
        f"resolution ({found.unit}) {layer.name}",
        Grid((y, x), (dy, dx), (found.values.shape[0], found.values.shape[1])),
        layer.units[-2:],
        colormap="viridis",
        blending="translucent",
        opacity=0.6,
    )
    show_color_bar(made)


def add_difference(viewer: Viewer, image: np.ndarray, name: str, grid: Grid, units: Any) -> None:
    """Add the difference of two layers with a color bar.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that gets the layer.
    image : ndarray
        Difference (Y, X) from -1 to 1.
    name : str
        Names of the compared layers, to be written behind "difference".
    grid : Grid
        Grid of the image in world coordinates.
    units : sequence
        Units of y and x.
    """
    options = {"colormap": "PiYG", "contrast_limits": (-1, 1)}
    show_color_bar(add_on_grid(viewer, image, f"difference {name}", grid, units, **options))


def add_error_map(viewer: Viewer, error_map: np.ndarray, name: str, grid: Grid, units: Any) -> None:
    """Add the error map of SQUIRREL with a color bar.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that gets the layer.
    error_map : ndarray
        Error (Y, X) in counts of the reference.
    name : str
        Names of the compared layers, to be written behind "SQUIRREL error".
    grid : Grid
        Grid of the reference in world coordinates.
    units : sequence
        Units of y and x.
    """
    made = add_on_grid(viewer, error_map, f"SQUIRREL error {name}", grid, units, colormap="magma")
    show_color_bar(made)


def show_color_bar(layer: Image) -> None:
    """Show a color bar on a layer if this version of napari can.

    Parameters
    ----------
    layer : Image
        Layer whose colors stand for numbers.
    """
    bar = getattr(layer, "colorbar", None)
    if bar is not None:
        bar.visible = True

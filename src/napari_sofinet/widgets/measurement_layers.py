"""Layers that the docks for comparing and measuring add, and the layers that they offer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from napari.components import LayerList
from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.quality.grid import Grid
from napari_sofinet.quality.resolution_map import ResolutionMap
from napari_sofinet.widgets.layer_names import run_name

MADE_HERE = "sofinet_comparison"  # key in the metadata of the layers that these docks add

WITH_BAR = "sofinet_color_bar"
"""Key in the metadata of layers whose colors stand for numbers."""

BAR: dict[str, dict[str, Any]] = {
    "name_overlay": {"font_size": 8},
    "colorbar": {"position": "bottom_left"},
}
"""Options of the name and the color bar of a layer, which would overlap in one corner."""


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


def add_difference(
    viewer: Viewer, image: np.ndarray, pair: tuple[Image, Image], grid: Grid
) -> Image:
    """Add the difference of two layers with a color bar.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that gets the layer.
    image : ndarray
        Difference (Y, X) from -1 to 1.
    pair : (Image, Image)
        The compared layers.
    grid : Grid
        Grid of the image in world coordinates.

    Returns
    -------
    Image
        The layer.
    """
    first, second = _short_names(pair)
    made = add_on_grid(
        viewer,
        image,
        f"difference {first} − {second} (each scaled to 0–1)",
        grid,
        pair[0].units[-2:],
        colormap="PiYG",
        contrast_limits=(-1, 1),
    )
    show_color_bar(made)
    return made


def add_error_map(
    viewer: Viewer, error_map: np.ndarray, pair: tuple[Image, Image], grid: Grid
) -> Image:
    """Add the error map of SQUIRREL with a color bar.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that gets the layer.
    error_map : ndarray
        Error (Y, X) in the unit of the reference.
    pair : (Image, Image)
        The tested layer and its reference.
    grid : Grid
        Grid of the reference in world coordinates.

    Returns
    -------
    Image
        The layer.
    """
    first, second = _short_names(pair)
    unit = "counts" if pair[1].ndim > 2 else "brightness"
    made = add_on_grid(
        viewer,
        error_map,
        f"SQUIRREL error {first}, reference {second} ({unit})",
        grid,
        pair[0].units[-2:],
        colormap="magma",
    )
    show_color_bar(made)
    return made


def _short_names(pair: tuple[Image, Image]) -> tuple[str, str]:
    """Return methods and frames of two results, or their whole names if those are the same."""
    results = [layer.metadata.get("sofinet_result") for layer in pair]
    short = [
        run_name(result.recipe) if isinstance(result, Reconstruction) else layer.name
        for layer, result in zip(pair, results, strict=True)
    ]
    first, second = short if short[0] != short[1] else [layer.name for layer in pair]
    return first, second


def show_color_bar(layer: Image) -> None:
    """Show a color bar with the name of the layer if this version of napari can.

    Both are hidden with the layer and removed with it.

    Parameters
    ----------
    layer : Image
        Layer whose colors stand for numbers, with their unit in its name.
    """
    for name, options in BAR.items():
        overlay = getattr(layer, name, None)
        if overlay is not None:
            for option, value in options.items():
                setattr(overlay, option, value)
            overlay.visible = True


def follow_color_bars(layers: LayerList) -> None:
    """Show color bars of layers that are added, as when a saved result is opened.

    Parameters
    ----------
    layers : LayerList
        Layers of a viewer; those that were given before are left as they are.
    """
    layers.events.inserted.connect(_show_bar_of_new)  # napari connects a function only once


def _show_bar_of_new(event: Any) -> None:
    if WITH_BAR in event.value.metadata:
        show_color_bar(event.value)

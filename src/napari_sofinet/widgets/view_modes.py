"""Ways to look at two layers: side by side, by turns, or on both sides of a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from napari.components import LayerList
from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_sofinet.quality.drawing import shortened
from napari_sofinet.quality.figure import displayed, swiped
from napari_sofinet.quality.grid import Grid
from napari_sofinet.widgets.measurement_layers import MADE_HERE, add_on_grid
from napari_sofinet.widgets.result_links import OVER

SWIPE = "swipe"
SIDE_LETTERS = 28
"""Letters of a name on one side of the line."""
LINE_SHARE = 300
"""The line is this fraction of the picture's width."""
LINE = 255, 221, 0


class PairView:
    """Shows some layers alone, and restores the viewer afterwards.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that has the layers.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._visible: dict[Layer, bool] | None = None
        self._order: list[Layer] | None = None
        self._named: list[Any] = []

    @property
    def grid(self) -> Any:
        """Grid of the viewer, which napari 0.9 moved to its canvas."""
        canvas = getattr(self.viewer, "canvas", None)
        return self.viewer.grid if canvas is None else canvas.grid

    def show_alone(self, layers: Iterable[Layer]) -> None:
        """Hide all other layers until `restore`.

        Parameters
        ----------
        layers : iterable of Layer
            Layers to show.
        """
        shown = list(layers)
        if self._visible is None:
            self._visible = {layer: layer.visible for layer in self.viewer.layers}
        for layer in self.viewer.layers:
            _set_visible(layer, layer in shown)

    def show_names(self, layers: Iterable[Layer]) -> None:
        """Write the names of layers on them until `restore`, if this version of napari can.

        Parameters
        ----------
        layers : iterable of Layer
            Layers whose names are shown.
        """
        self._named = [
            layer.name_overlay
            for layer in layers
            if hasattr(layer, "name_overlay") and not layer.name_overlay.visible
        ]
        for name in self._named:
            name.visible = True

    def start_side_by_side(self, first: Image, second: Image) -> None:
        """Show two layers in a row, which the camera moves together.

        Parameters
        ----------
        first, second : Image
            Layers to show on the left and on the right.
        """
        self.show_alone([first, second])
        self.show_names([first, second])
        layers = self.viewer.layers
        self._order = list(layers)
        # The grid starts with the lowest layer; the hidden layers share the two places.
        for layer in (first, second):
            layers.move(layers.index(layer), len(layers))
        self.grid.shape, self.grid.stride, self.grid.enabled = (1, 2), 1, True
        self.viewer.reset_view()

    def stop_side_by_side(self) -> None:
        """Show all layers at their own places again."""
        self.grid.enabled = False
        self.restore()
        self.viewer.reset_view()

    def restore(self) -> None:
        """Restore the visibility, the order and the names of the layers that are still there."""
        layers = self.viewer.layers
        for layer, visible in (self._visible or {}).items():
            if layer in layers:
                _set_visible(layer, visible)
        self._visible = None
        for name in self._named:
            name.visible = False
        self._named = []
        if self._order is not None:
            known = [layer for layer in self._order if layer in layers]
            _put_in_order(layers, [*known, *(new for new in layers if new not in known)])
            self._order = None


def _set_visible(layer: Layer, visible: bool) -> None:
    """Show or hide a layer; napari draws anew even where nothing changes."""
    if layer.visible != visible:
        layer.visible = visible


def _put_in_order(layers: LayerList, wanted: list[Layer]) -> None:
    """Move the layers that are not in their places, each of which napari draws anew."""
    for place, layer in enumerate(wanted):
        now = layers.index(layer)
        if now != place:
            layers.move(now, place)


class MapView:
    """Shows a map of two pictures alone, and the other pictures again when it is removed.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that has the layers.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._map: Image | None = None
        self._hidden: list[Layer] = []
        viewer.layers.events.removed.connect(self._layer_removed)

    def show(self, made: Image) -> None:
        """Hide all other pictures, which would show beyond the edges of the map.

        Parameters
        ----------
        made : Image
            New map. It takes the place of one of the same name.
        """
        layers = self.viewer.layers
        same = [x for x in layers if x != made and MADE_HERE in x.metadata and _alike(x, made)]
        visible = [x for x in layers if x != made and isinstance(x, Image) and x.visible]
        pictures = [x for x in visible if MADE_HERE not in x.metadata or OVER in x.metadata]
        self._hidden += [x for x in pictures if x not in self._hidden]
        for layer in visible:
            layer.visible = False
        self._map = made
        for layer in same:
            name = layer.name
            layers.remove(layer)
            made.name = name

    def restore(self) -> None:
        """Hide the map and show the other pictures again."""
        if self._map is not None:
            if self._map in self.viewer.layers:
                self._map.visible = False
            for layer in self._hidden:
                layer.visible = True  # one that was removed does not mind
        self._map, self._hidden = None, []

    def _layer_removed(self, event: Any) -> None:
        if self._map is not None and self._map not in self.viewer.layers:
            self.restore()


def _alike(old: Layer, new: Layer) -> bool:
    return old.name == re.sub(r" \[\d+\]$", "", new.name)


class SwipeLayer:
    """Layer that shows one picture on the left of a line and another on its right.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that gets the layer.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._sides: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def was_deleted(self) -> bool:
        """Whether the user has removed the layer."""
        return self._sides is not None and SWIPE not in self.viewer.layers

    def show(
        self, left: np.ndarray, right: np.ndarray, fraction: float, grid: Grid, units: Any
    ) -> Image:
        """Add the layer, leaving the selection of layers as it is.

        Parameters
        ----------
        left, right : ndarray
            Color images (Y, X, 3) on the same grid.
        fraction : float
            Position of the line from 0 to 1 of the width.
        grid : Grid
            Grid of both images in world coordinates.
        units : sequence
            Units of y and x.

        Returns
        -------
        Image
            The layer.
        """
        self._sides = left, right
        selected = set(self.viewer.layers.selection)
        layer = add_on_grid(
            self.viewer, _with_line(left, right, fraction), SWIPE, grid, units, rgb=True
        )
        self.viewer.layers.selection = selected
        return layer

    def move(self, fraction: float) -> None:
        """Move the line.

        Parameters
        ----------
        fraction : float
            Position of the line from 0 to 1 of the width.
        """
        if self._sides is not None and SWIPE in self.viewer.layers:
            self.viewer.layers[SWIPE].data = _with_line(*self._sides, fraction)

    def remove(self) -> None:
        """Remove the layer if it is there."""
        if SWIPE in self.viewer.layers:
            self.viewer.layers.remove(SWIPE)
        self._sides = None


class SideNames:
    """Names of two layers on the canvas, on the left and on the right of a line.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer whose text overlay is used.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._before: tuple[str, Any, bool] | None = None

    @property
    def overlay(self) -> Any:
        """Text overlay of the viewer, which napari 0.9 moved to its canvas."""
        overlays = getattr(getattr(self.viewer, "canvas", None), "overlays", None)
        return self.viewer.text_overlay if overlays is None else overlays.text

    def show(self, left: str, right: str) -> None:
        """Write the names until `hide`.

        Parameters
        ----------
        left, right : str
            Names of the layers.
        """
        overlay = self.overlay
        if self._before is None:
            self._before = overlay.text, overlay.position, overlay.visible
        names = (shortened(name, SIDE_LETTERS) for name in (left, right))
        overlay.text = "   |   ".join(names)
        overlay.position, overlay.visible = "top_center", True

    def hide(self) -> None:
        """Write again what was written before."""
        if self._before is not None:
            overlay = self.overlay
            overlay.text, overlay.position, overlay.visible = self._before
            self._before = None


def coloring(layer: Image) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that colors images like a layer, also after the layer has changed.

    Parameters
    ----------
    layer : Image
        Layer with a colormap and contrast limits.

    Returns
    -------
    callable
        Function that takes an image (Y, X) and returns its colors (Y, X, 3) as bytes.
    """
    colormap = layer.colormap
    # The limits of a movie are for single frames, too wide for their mean.
    limits = None if layer.ndim > 2 else tuple(layer.contrast_limits)

    def color(image: np.ndarray) -> np.ndarray:
        shown = displayed(image, limits)
        colors = np.asarray(255 * colormap.map(shown.ravel())[:, :3], np.uint8)
        return colors.reshape(*image.shape, 3)

    return color


def _with_line(left: np.ndarray, right: np.ndarray, fraction: float) -> np.ndarray:
    """Return two color images on both sides of a line, which is drawn unless it is at an edge."""
    image = swiped(left, right, fraction)
    columns = image.shape[1]
    at, width = round(fraction * columns), max(columns // LINE_SHARE, 1)
    if 0 < at < columns:
        image[:, at - width // 2 : at - width // 2 + width] = LINE
    return image

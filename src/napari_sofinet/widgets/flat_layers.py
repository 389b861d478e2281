"""Removal of layers where napari would crash."""

from __future__ import annotations

from typing import Any

from napari.components import LayerList
from napari.layers import Shapes
from qtpy.QtCore import QTimer

DRAWN_AFTER_MS = 100


def hide_while_removed(layers: LayerList) -> None:
    """Hide layers for a moment while one with more axes, or one with shapes, is removed.

    napari 0.9.2 with emulated OpenGL (Mesa's llvmpipe, as on remote desktops) draws once more while
    the removal of the last layer with a time axis lowers the number of axes, and ends with a
    segmentation fault if a picture (Y, X) is visible then. The same happens if a layer of shapes,
    even an empty one, is removed over any picture. It draws without error when the pictures are
    hidden and shown again after that drawing.

    Parameters
    ----------
    layers : LayerList
        Layers of a viewer; those that were given before are left as they are.
    """
    layers.events.removing.connect(_hide_flat)  # napari connects a function only once


def _hide_flat(event: Any) -> None:
    layers: LayerList = event.source
    removed = layers[event.index]
    others = [layer for layer in layers if layer is not removed]
    as_deep = any(layer.ndim >= removed.ndim for layer in others)
    if as_deep and not isinstance(removed, Shapes):
        return
    flat = [layer for layer in others if layer.visible]
    for layer in flat:
        layer.visible = False

    def show() -> None:
        for layer in flat:
            if layer in layers:
                layer.visible = True

    if flat:
        QTimer.singleShot(DRAWN_AFTER_MS, show)

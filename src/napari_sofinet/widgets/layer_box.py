"""Choice of a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from napari.layers import Layer
from qtpy.QtWidgets import QWidget

from napari_sofinet.widgets.narrow_box import NarrowBox

WHOLE_IMAGE = "whole image"


class LayerBox(NarrowBox):
    """Choice of a layer, which is kept when layers are renamed, moved or added.

    Parameters
    ----------
    tool_tip : str, optional
        Help for the mouse pointer.
    parent : QWidget, optional
        Widget that the choice belongs to.
    """

    def __init__(self, tool_tip: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(tool_tip)

    def offer(self, layers: Sequence[Layer | None], refresh: Callable[..., None]) -> None:
        """Offer layers, and signal a change if the chosen one is no longer among them.

        Parameters
        ----------
        layers : sequence of Layer or None
            Layers in the order of the list; None stands for the whole image.
        refresh : callable
            Function that is called when one of them is renamed.
        """
        current = self.currentData()
        self.blockSignals(True)
        self.clear()
        for layer in layers:
            self.addItem(WHOLE_IMAGE if layer is None else layer.name, layer)
            if layer is not None:
                layer.events.name.connect(refresh)
        if current in layers:
            self.setCurrentIndex(layers.index(current))
        self.blockSignals(False)
        if self.currentData() is not current:
            self.currentIndexChanged.emit(self.currentIndex())

    def layer(self) -> Any:
        """Return the chosen layer.

        Returns
        -------
        Layer or None
            None if the whole image is chosen, or if there is no layer.
        """
        return self.currentData()

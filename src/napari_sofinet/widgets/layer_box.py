"""A choice among the layers of the viewer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from napari.layers import Layer
from qtpy.QtWidgets import QComboBox, QWidget

from napari_sofinet.widgets.form import narrow

WHOLE_IMAGE = "whole image"


class LayerBox(QComboBox):
    """A choice among layers, which stays where they are renamed, moved or joined by others.

    Parameters
    ----------
    tool_tip : str, optional
        Shown under the mouse.
    parent : QWidget, optional
        Where it lies.
    """

    def __init__(self, tool_tip: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(tool_tip)
        narrow(self)

    def offer(self, layers: Sequence[Layer | None], refresh: Callable[..., None]) -> None:
        """Offer layers, and signal where the choice is no longer among them.

        Parameters
        ----------
        layers : sequence of Layer or None
            None stands for the whole image.
        refresh : callable
            Called when one of them is renamed.
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
        """Return the chosen layer; None for the whole image, or where there is none."""
        return self.currentData()

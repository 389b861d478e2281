"""The choice of two layers that are compared."""

from __future__ import annotations

from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import Signal

from napari_sofinet.base.errors import InputError
from napari_sofinet.widgets.narrow_box import NarrowBox
from napari_sofinet.widgets.result_layers import CONTENT, TITLES
from napari_sofinet.widgets.rows import Rows


class PairChooser(Rows):
    """Rows of a form with two layers, which stay different as long as there are two pictures.

    Signals: ``changed`` when another layer is chosen.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that has the layers.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.first_box, self.second_box = NarrowBox(), NarrowBox()
        for box in (self.first_box, self.second_box):
            box.currentTextChanged.connect(self.changed)
        self.second_box.setToolTip("The reference: wide field, or the truth of a simulation.")
        self.addRow("First", self.first_box)
        self.addRow("Second", self.second_box)

    def offer(self, layers: list[Image]) -> None:
        """Offer layers; a choice that is gone is replaced by one of the uppermost layers.

        Maps of uncertainty can be chosen, but are not chosen by themselves.

        Parameters
        ----------
        layers : list of Image
            Layers to choose from, the lowest first.
        """
        names = [layer.name for layer in layers]
        usual = [layer.name for layer in layers if layer.metadata.get(CONTENT) not in TITLES]
        first, second = before = self.names()
        if first not in names or first == second:
            first = next(reversed(usual or names), "")
        if second not in names or second == first:
            second = next((name for name in reversed(usual) if name != first), first)
        for box, name in ((self.first_box, first), (self.second_box, second)):
            box.blockSignals(True)
            box.clear()
            box.addItems(names)
            box.setCurrentText(name)
            box.blockSignals(False)
        if before != (first, second):
            self.changed.emit()

    def names(self) -> tuple[str, str]:
        """Return the names of the two layers.

        Returns
        -------
        first, second : str
            Names, which are empty if there is no layer.
        """
        return self.first_box.currentText(), self.second_box.currentText()

    def choose(self, first: str, second: str) -> None:
        """Choose two layers.

        Parameters
        ----------
        first, second : str
            Names of the layers.
        """
        for box, name in ((self.first_box, first), (self.second_box, second)):
            box.setCurrentText(name)

    def pair(self) -> tuple[Image, Image]:
        """Return the two layers.

        Returns
        -------
        first, second : Image
            Two different layers.

        Raises
        ------
        InputError
            If no two different layers are chosen.
        """
        first, second = self.names()
        if not first or not second or first == second:
            raise InputError("Choose two different layers to compare.")
        return self.viewer.layers[first], self.viewer.layers[second]

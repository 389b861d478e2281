"""Choice among the weights of some networks."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_sofinet.networks.about_weights import about_weights
from napari_sofinet.networks.weights import available, read_card
from napari_sofinet.widgets.narrow_box import NarrowBox

OTHER = "other file …"


class WeightsList(NarrowBox):
    """List of the weights that fit; the data of an entry are the name of the weights or a file.

    Parameters
    ----------
    networks : sequence of str
        Names of the networks whose weights are offered.
    nothing : str, optional
        First entry, which stands for no weights.
    """

    def __init__(self, networks: Sequence[str], nothing: str = "") -> None:
        super().__init__()
        self.networks = networks
        if nothing:
            self.addItem(nothing, "")
        self._fixed = self.count()
        self.addItem(OTHER, OTHER)
        self.refresh()
        self.activated.connect(self._browse)

    def showPopup(self) -> None:
        """Look for weights that were trained in the meantime before the list is shown."""
        self.refresh()
        super().showPopup()

    def refresh(self) -> None:
        """Offer weights that were trained in the meantime."""
        for network in self.networks:
            for name, path in available(network).items():
                if self.findData(name) < 0:
                    self._offer(name)
                    about = about_weights(read_card(path))
                    self.setItemData(self.findData(name), about, Qt.ItemDataRole.ToolTipRole)

    def choose(self, name: str) -> None:
        """Choose weights, which are added if they are not in the list.

        Parameters
        ----------
        name : str
            Name of the weights or a file; empty for no weights.
        """
        if self.findData(name) < 0:
            self._offer(name)
        self.setCurrentIndex(self.findData(name))

    def _offer(self, name: str) -> None:
        self.insertItem(self.count() - 1, name, name)

    def _browse(self, index: int) -> None:
        if self.itemData(index) != OTHER:
            return
        name, _filter = QFileDialog.getOpenFileName(
            self, "Choose weights", "", "Weights (*.safetensors)"
        )
        if name:
            self.choose(name)
        else:
            self.setCurrentIndex(0)

"""Choice of the weights of a network."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFileDialog, QLineEdit, QStyle

from napari_sofinet.networks.about_weights import about_weights
from napari_sofinet.networks.weights import available, read_card


class WeightsBox(QComboBox):
    """Choice of a network's weights: shipped ones, own ones, or any other file.

    Parameters
    ----------
    network : str
        Name of the network.
    """

    def __init__(self, network: str) -> None:
        super().__init__()
        self.network = network
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        line = self.lineEdit()
        if line is not None:
            browse = line.addAction(
                self.style().standardIcon(QStyle.StandardPixmap.SP_DirOpenIcon),
                QLineEdit.ActionPosition.TrailingPosition,
            )
            browse.triggered.connect(self._browse)
        self.currentTextChanged.connect(self._show_start)
        self.refresh()

    def showPopup(self) -> None:
        """Look for weights that were trained in the meantime before the list is shown."""
        self.refresh()
        super().showPopup()

    def refresh(self) -> None:
        """Update the list of weights without changing the choice."""
        current = self.currentText()
        self.blockSignals(True)
        self.clear()
        for name, path in available(self.network).items():
            self.addItem(name)
            self.setItemData(
                self.count() - 1, about_weights(read_card(path)), Qt.ItemDataRole.ToolTipRole
            )
        self.setCurrentText(current)
        self.blockSignals(False)
        self._show_start(self.currentText())

    def _show_start(self, name: str) -> None:
        """Show the start of a name where it is longer than the field, but the end of a path."""
        line = self.lineEdit()
        if line is not None and not line.isModified() and self.findText(name) >= 0:
            line.setCursorPosition(0)

    def _browse(self) -> None:
        name, _filter = QFileDialog.getOpenFileName(
            self, "Choose weights", "", "Weights (*.safetensors)"
        )
        if name:
            self.setCurrentText(name)

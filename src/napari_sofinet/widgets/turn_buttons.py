"""Buttons that turn the view of volumes."""

from __future__ import annotations

from functools import partial

from napari.viewer import Viewer
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

VIEWS = {
    "xy": (-3, -2, -1),
    "xz": (-2, -3, -1),
    "yz": (-1, -3, -2),
}
"""Order of the last three axes: that of the slider, then those shown downwards and to the right."""
TIPS = {
    "xy": "Look along z, as usual.",
    "xz": "Look from the side along y, with z downwards.",
    "yz": "Look from the side along x, with z downwards.",
}


class TurnButtons(QWidget):
    """Three buttons for the views from above and from two sides.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer whose view is turned.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.buttons = {name: QPushButton(name) for name in VIEWS}
        for name, button in self.buttons.items():
            button.setToolTip(TIPS[name])
            button.clicked.connect(partial(self.turn, name))
            row.addWidget(button)

    def turn(self, name: str, *_: object) -> None:
        """Turn the view.

        Parameters
        ----------
        name : {"xy", "xz", "yz"}
            Axes that are shown.
        """
        count = self.viewer.dims.ndim
        if count < 3:
            return
        order = (*range(count - 3), *(count + axis for axis in VIEWS[name]))
        self.viewer.dims.ndisplay = 2
        self.viewer.dims.order = order
        self.viewer.reset_view()

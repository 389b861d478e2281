"""Slider over samples of a reconstruction."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget


class SampleSlider(QWidget):
    """Slider that shows one sample at a time in a layer, hidden as long as there are none.

    An axis of the layer with napari's own slider would be shared with the frames of the movie.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Viewer that gets the layer.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self._samples: np.ndarray | None = None
        self._options: dict[str, Any] = {}
        self._layer: Image | None = None
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip(
            "All samples fit the movie equally well; trust the structures that all of them show."
        )
        self.slider.valueChanged.connect(self._show)
        self.label = QLabel()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.label)
        row.addWidget(self.slider, 1)
        self.hide()

    def browse(self, samples: np.ndarray, options: dict[str, Any]) -> None:
        """Offer samples; the first is shown when the slider is moved.

        Parameters
        ----------
        samples : ndarray
            Samples (K, Y, X).
        options : dict
            Options of the layer that shows them.
        """
        self._samples, self._options, self._layer = samples, options, None
        self.slider.blockSignals(True)
        self.slider.setRange(0, len(samples) - 1)
        self.slider.setValue(0)
        self.slider.blockSignals(False)
        self.label.setText(f"{len(samples)} samples")
        self.show()

    def _show(self, number: int) -> None:
        if self._samples is None:
            return
        self.label.setText(f"Sample {number + 1} of {len(self._samples)}")
        picture = self._samples[number]
        if self._layer is None or self._layer not in self.viewer.layers:
            chosen = set(self.viewer.layers.selection)  # the user may be drawing in one of them
            self._layer = self.viewer.add_image(picture, **self._options)
            self.viewer.layers.selection = chosen
        else:
            self._layer.data = picture
            self._layer.visible = True

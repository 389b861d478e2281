"""A slider over samples of what the truth may be."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget


class SampleSlider(QWidget):
    """Shows one sample at a time in a layer over the movie; hidden until there are any.

    Not napari's own slider over an axis: that would move through the movie's frames too.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self._samples: np.ndarray | None = None
        self._options: dict[str, Any] = {}
        self._layer: Image | None = None
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip(
            "Every sample fits the movie as well as the others: what they share can be believed."
        )
        self.slider.valueChanged.connect(self._show)
        self.label = QLabel()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.label)
        row.addWidget(self.slider, 1)
        self.hide()

    def browse(self, samples: np.ndarray, options: dict[str, Any]) -> None:
        """Offer samples (K, Y, X); ``options`` are those of a layer of the picture."""
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
            chosen = set(self.viewer.layers.selection)  # one may be drawing in it
            self._layer = self.viewer.add_image(picture, **self._options)
            self.viewer.layers.selection = chosen
        else:
            self._layer.data = picture
            self._layer.visible = True

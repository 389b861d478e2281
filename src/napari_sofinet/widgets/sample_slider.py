"""Slider over samples of a reconstruction."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from napari_sofinet.widgets.layer_names import told_apart


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
        self._picture: Layer | None = None
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

    def browse(self, samples: np.ndarray, options: dict[str, Any], picture: Layer) -> None:
        """Offer samples; the first is shown when the slider is moved.

        Parameters
        ----------
        samples : ndarray
            Samples (K, Y, X).
        options : dict
            Options of the layer that shows them.
        picture : Layer
            Layer of the picture, over which that layer is placed. A layer that shows samples over
            the same picture is used again.
        """
        if picture != self._picture:
            self._layer = None
        self._samples, self._options, self._picture = samples, options, picture
        self.slider.blockSignals(True)
        self.slider.setRange(0, len(samples) - 1)
        self.slider.setValue(0)
        self.slider.blockSignals(False)
        self.label.setText(f"{len(samples)} samples")
        self.show()
        if self._layer is not None and self._layer in self.viewer.layers:
            self._show(0)

    def _show(self, number: int) -> None:
        if self._samples is None:
            return
        self.label.setText(f"Sample {number + 1} of {len(self._samples)}")
        picture = self._samples[number]
        if self._layer is None or self._layer not in self.viewer.layers:
            layers = self.viewer.layers
            chosen = set(layers.selection)  # the user may be drawing in one of them
            name = told_apart(self._options["name"], [layer.name for layer in layers])
            self._layer = self.viewer.add_image(picture, **self._options | {"name": name})
            if self._picture in layers:
                layers.move(layers.index(self._layer), layers.index(self._picture) + 1)
            layers.selection = chosen
        else:
            self._layer.data = picture
            self._layer.visible = True

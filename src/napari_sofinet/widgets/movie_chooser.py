"""Choice of a movie and of the part of it that is used."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from napari.layers import Image, Layer, Shapes
from napari.viewer import Viewer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings_text import with_decimal_point
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_input import MethodInput
from napari_sofinet.data.selection import Roi
from napari_sofinet.widgets.layer_box import LayerBox
from napari_sofinet.widgets.layers import (
    input_of,
    layer_pixel_um,
    likely_time_axis,
    roi_of,
    stack_axes,
)
from napari_sofinet.widgets.narrow_box import NarrowBox
from napari_sofinet.widgets.pixel_scale import set_pixel_size
from napari_sofinet.widgets.rows import Rows
from napari_sofinet.widgets.tables import TableLayer, as_movie_layer
from napari_sofinet.widgets.volumes import sim_stack_of

FEW = 20
"""Number of frames that a network needs for a picture."""


class MovieChooser(Rows):
    """Rows of a form with a movie, its time axis, frames, region of interest and pixel size.

    Signals: ``changed`` (the layer) when another layer is chosen or its data change. A layer with
    localizations is passed as a `TableLayer`.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that has the movie.
    """

    changed = Signal(object)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self._pixel_shown: tuple[str, float | None] = ("", None)
        self._scaling = False
        self.of_stacks = False
        self.layer_box = LayerBox()
        self.layer_box.currentIndexChanged.connect(self._layer_changed)
        self.axis_box = NarrowBox()
        self.axis_box.setToolTip("Axis of the layer that is time.")
        self.axis_box.currentIndexChanged.connect(self._axis_changed)
        self.other_axes = Rows()
        self.positions: dict[int, QSpinBox] = {}
        frames = self._frames()
        self.left_out = QLineEdit()
        self.left_out.setPlaceholderText("none")
        self.left_out.setToolTip(
            "Frames to leave out, e.g. 0-9, 57 for the first ten and frame 57, as napari's slider "
            "counts them (from 0)."
        )
        self.roi_box = LayerBox("Shapes layer with a rectangle, of which only the pixels are used.")
        self.pixel_edit = QLineEdit()
        self.pixel_edit.setPlaceholderText("not known")
        self.pixel_edit.setToolTip("Size of a camera pixel in the sample, saved with the result.")
        self.pixel_edit.editingFinished.connect(self.apply_pixel_size)
        self.addRow("Movie", self.layer_box)
        self.addRow("Time axis", self.axis_box)
        self.addRow(self.other_axes)
        self._frame_rows = frames
        self.addRow("Frames", frames)
        self.addRow("Leave out frames", self.left_out)
        self.addRow("ROI", self.roi_box)
        self.addRow("Pixel size (µm)", self.pixel_edit)

    def _frames(self) -> QVBoxLayout:
        """Return rows with the first and the last frame."""
        self.first, self.last = QSpinBox(), QSpinBox()
        self.first.setToolTip("First frame to use, as napari's slider counts them (from 0).")
        self.last.setToolTip("Last frame to use.")
        self.few_button = QPushButton(f"First {FEW}")
        self.few_button.setToolTip(
            f"Use the first {FEW} frames, which are enough for a network, or all again. More "
            "frames give less noise, but blur what moves meanwhile."
        )
        self.few_button.clicked.connect(self._take_few_or_all)
        self.few_button.hide()
        row = QHBoxLayout()
        for part, stretch in ((self.first, 1), (QLabel("to"), 0), (self.last, 1)):
            row.addWidget(part, stretch)
        for box in (self.first, self.last):
            box.valueChanged.connect(self._name_button)
            box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)  # room for many digits
            box.setStyleSheet("padding: 1px 2px;")
        rows = QVBoxLayout()
        rows.addLayout(row)
        rows.addWidget(self.few_button)
        return rows

    def offer(self, sources: list[Layer], refresh: Callable[..., None]) -> None:
        """Offer layers as movies, and all Shapes layers as regions of interest.

        Parameters
        ----------
        sources : list of Layer
            Layers that can be chosen as the movie.
        refresh : callable
            Function that is called when a layer is renamed.
        """
        shapes = [layer for layer in self.viewer.layers if isinstance(layer, Shapes)]
        for layer in sources:
            if isinstance(layer, Image):
                for event in (layer.events.data, layer.events.scale, layer.events.units):
                    event.connect(self._layer_edited)
        self.layer_box.offer(sources, refresh)
        self.roi_box.offer([None, *shapes], refresh)

    def take_stacks(self, stacks: bool) -> None:
        """Choose whole raw SIM stacks instead of frames of movies.

        Parameters
        ----------
        stacks : bool
            Whether the rows that choose frames are hidden.
        """
        self.of_stacks = stacks
        for row in (self.axis_box, self.other_axes, self._frame_rows, self.left_out):
            self.setRowVisible(row, not stacks)
        label = self.labelForField(self.layer_box)
        if isinstance(label, QLabel):
            label.setText("Raw stack" if stacks else "Movie")

    def layer(self) -> Image | TableLayer | None:
        """Return the chosen layer.

        Returns
        -------
        Image, TableLayer or None
            A layer with localizations is returned in the shape of its movie; None if nothing is
            chosen.
        """
        layer = self.layer_box.layer()
        return as_movie_layer(layer) if layer in self.viewer.layers else None

    def time_axis(self) -> int | None:
        """Return the chosen time axis.

        Returns
        -------
        int or None
            Index of the axis among those of the layer; None if nothing is chosen.
        """
        axis: int | None = self.axis_box.currentData()
        return axis

    def movie(self) -> MethodInput:
        """Return the chosen part of the movie.

        Returns
        -------
        Movie, SimStack or LocalizationTable
            Input of a method.

        Raises
        ------
        InputError
            If nothing is chosen, or if a choice does not fit the movie.
        """
        layer = self.layer()
        if layer is None:
            raise InputError("Choose a movie first; drop a TIFF file into the window.")
        if self.of_stacks and isinstance(layer, Image):
            return sim_stack_of(layer, self._pixel_size()).select(None, self._roi(layer))
        position = {axis: box.value() for axis, box in self.positions.items()}
        movie = input_of(layer, self.time_axis(), position, self._pixel_size())
        first, last = self.first.value(), self.last.value()
        if last < first:
            raise InputError(f"The last frame, {last}, is before the first, {first}.")
        roi = self._roi(layer)
        whole = first == 0 and last == self.last.maximum()
        movie = movie.select(None if whole else (first, last + 1), roi)
        left_out = self.left_out.text().strip()
        if not left_out or not isinstance(movie, Movie):
            return movie
        return movie.leave_out(ranges_in(left_out, self.last.maximum() + 1))

    def _roi(self, layer: Image | TableLayer) -> Roi | None:
        shapes = self.roi_box.layer()
        return None if shapes is None else roi_of(shapes, layer)

    def apply_pixel_size(self) -> None:
        """Give the layer of the movie, and all that lies on it, the typed pixel size."""
        layer = self.layer()
        try:
            size = self._pixel_size()
        except InputError:
            return  # it is reported when the movie is used
        if size is None or size == self._pixel_shown[1] or not isinstance(layer, Image):
            return
        self._pixel_shown = (self.pixel_edit.text().strip(), size)
        self._scaling = True  # a layer that was edited elsewhere would be chosen anew
        try:
            set_pixel_size(self.viewer, layer, size)
        finally:
            self._scaling = False

    def take_from(self, other: MovieChooser) -> None:
        """Choose the same layer, frames, region and pixel size as another chooser.

        Parameters
        ----------
        other : MovieChooser
            Chooser of the same viewer.
        """
        for box, like in ((self.layer_box, other.layer_box), (self.axis_box, other.axis_box)):
            box.setCurrentIndex(box.findText(like.currentText()))
        for axis, position in other.positions.items():
            if axis in self.positions:
                self.positions[axis].setValue(position.value())
        for number, as_other in ((self.first, other.first), (self.last, other.last)):
            number.setValue(as_other.value())
        self.roi_box.setCurrentIndex(self.roi_box.findText(other.roi_box.currentText()))
        for line, as_line in (
            (self.left_out, other.left_out),
            (self.pixel_edit, other.pixel_edit),
        ):
            line.setText(as_line.text())

    def _layer_edited(self, event: Any) -> None:
        if self._scaling:
            return
        if event.source is self.layer_box.layer():
            self._layer_changed()

    def _layer_changed(self, index: int = 0) -> None:
        layer = self.layer()
        if layer is None:
            return
        axes = stack_axes(layer)
        self.axis_box.blockSignals(True)
        self.axis_box.clear()
        for index, label, length in axes:
            self.axis_box.addItem(f"{label} ({length})", index)
        time = self.axis_box.findData(likely_time_axis(axes))
        label, length = self.axis_box.itemText(time), axes[time][2] if axes else 0
        if label.startswith("-"):  # napari's name of an axis without a name
            self.axis_box.setItemText(time, f"frames ({length})")
        self.axis_box.setCurrentIndex(time)
        self.axis_box.blockSignals(False)
        self.axis_box.setEnabled(len(axes) > 1)
        size = layer_pixel_um(layer)
        # Shown with six digits; used with all of them unless it was edited.
        self._pixel_shown = ("" if size is None else f"{size:.6g}", size)
        self.pixel_edit.setText(self._pixel_shown[0])
        self.changed.emit(layer)
        self._axis_changed()

    def _axis_changed(self, index: int = 0) -> None:
        layer = self.layer()
        if layer is None:
            return
        chosen = self.time_axis()
        self.left_out.clear()
        self.left_out.setEnabled(isinstance(layer, Image))  # not of tables
        while self.other_axes.rowCount():
            self.other_axes.removeRow(0)
        self.positions.clear()
        for axis, label, length in stack_axes(layer):
            if axis == chosen:
                first, end = getattr(layer, "frames_seen", (0, length))
                for box, value in ((self.first, first), (self.last, end - 1)):
                    box.setRange(0, length - 1)
                    box.setValue(value)
                self.few_button.setEnabled(length > FEW)
            else:
                box = QSpinBox()
                box.setRange(0, length - 1)
                shown = layer.world_to_data(self.viewer.dims.point[-layer.ndim :])[axis]
                box.setValue(round(float(shown)))
                self.other_axes.addRow(f"{label} (of {length})", box)
                self.positions[axis] = box

    def _few(self) -> bool:
        return (self.first.value(), self.last.value()) == (0, FEW - 1) != (0, self.last.maximum())

    def _take_few_or_all(self) -> None:
        last = self.last.maximum() if self._few() else FEW - 1
        self.first.setValue(0)
        self.last.setValue(last)

    def _name_button(self) -> None:
        self.few_button.setText("All" if self._few() else f"First {FEW}")

    def _pixel_size(self) -> float | None:
        text = with_decimal_point(self.pixel_edit.text().strip())
        if text == self._pixel_shown[0]:
            return self._pixel_shown[1]
        try:
            size = float(text) if text else None
        except ValueError:
            raise InputError(f"The pixel size must be a number in µm, not {text!r}.") from None
        if size is not None and not 0 < size < 1e6:
            raise InputError(f"The pixel size must be positive, not {text} µm.")
        return size


def ranges_in(text: str, total: int) -> list[tuple[int, int]]:
    """Read frames and ranges of frames with commas between them.

    Parameters
    ----------
    text : str
        E.g. "0-9, 57", both ends included, or "0:10,57" as on the command line.
    total : int
        Number of frames of the movie.

    Returns
    -------
    list of (int, int)
        First frame of each range and the one after the last.

    Raises
    ------
    InputError
        If the text is something else, or a range is empty or not in the movie.

    Examples
    --------
    >>> ranges_in("0-9, 57", 60), ranges_in("0:10", 60)
    ([(0, 10), (57, 58)], [(0, 10)])
    """
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:([-–:])(\d+))?", part.strip())
        if match is None:
            raise InputError(
                f"Frames to leave out are given as ranges, e.g. 0-9, 57, not {text[:40]!r}."
            )
        first, sign, last = match.groups(default="")
        start, end = int(first), int(last or first) + (sign != ":")
        if not start < end <= total:
            what = f"Frames {start}-{end - 1}" if last else f"Frame {start}"
            raise InputError(f"{what} cannot be left out of frames 0 to {total - 1}.")
        found.append((start, end))
    return found

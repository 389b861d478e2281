"""What the dock widgets that reconstruct a movie share."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Layer, Shapes
from napari.utils import progress
from napari.utils.notifications import show_error, show_info, show_warning
from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import flatten_settings
from napari_sofinet.cli.command_text import reconstruct_command
from napari_sofinet.data.open_input import MethodInput
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.io import saved_settings
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.run import Device
from napari_sofinet.widgets.form import SettingsForm, narrow
from napari_sofinet.widgets.layers import (
    contrast,
    follow,
    input_of,
    layer_pixel_um,
    likely_time_axis,
    on_axes_of,
    picture_options,
    place,
    roi_of,
    stack_axes,
)
from napari_sofinet.widgets.table_reader import MOST_POINTS, points_options
from napari_sofinet.widgets.tables import TableLayer, as_movie_layer
from napari_sofinet.widgets.worker import MethodWorker, TaskWorker, WorkingWidget

WHOLE_IMAGE = "whole image"
NO_PRESET = saved_settings.DEFAULTS


class MethodWidget(WorkingWidget):
    """Choose a movie, press Reconstruct, get a picture that lies exactly over it.

    The work runs in a thread: idle → running (Reconstruct has turned into Cancel) → idle, with
    the result, the reason of the failure, or nothing when it was cancelled.

    Parameters
    ----------
    napari_viewer
        Where the movie is.
    method
        One of `METHODS`, whose settings the form shows.
    """

    title = ""
    known_notes: tuple[str, ...] = ()
    """Notes that stand in the widget anyway and need no warning."""

    def __init__(self, napari_viewer: Viewer, method: Method) -> None:
        super().__init__("Reconstruct")
        self.viewer = napari_viewer
        self.method = method
        self._preview: Image | None = None
        self._source: Image | TableLayer | None = None
        self._time_axis: int | None = None
        self._pixel_shown: tuple[str, float | None] = ("", None)
        self._bar: progress | None = None
        self._build()
        follow(self.viewer.layers, self._refresh_layers)
        self._refresh_presets()

    # -- what the user sees ---------------------------------------------------------------------

    def _build(self) -> None:
        self.layer_box = QComboBox()
        self.layer_box.currentIndexChanged.connect(self._layer_changed)
        self.axis_box = QComboBox()
        self.axis_box.setToolTip("Which axis of the layer is time.")
        self.axis_box.currentIndexChanged.connect(self._axis_changed)
        self.other_axes = QFormLayout()
        self.positions: dict[int, QSpinBox] = {}
        self.first, self.last = QSpinBox(), QSpinBox()
        self.first.setToolTip("First frame to use; frames count from 0.")
        self.last.setToolTip("The frame after the last one to use.")
        self.roi_box = QComboBox()
        self.roi_box.setToolTip("A rectangle in a Shapes layer: only its pixels are used.")
        self.pixel_edit = QLineEdit()
        self.pixel_edit.setPlaceholderText("not known")
        self.pixel_edit.setToolTip("Size of a camera pixel in the sample, for the saved file.")
        self.form = SettingsForm(self.method.settings)
        self.preset_box = QComboBox()
        self.preset_box.activated.connect(self._load_preset)
        self.save_preset = QPushButton("Save…")
        self.save_preset.clicked.connect(self._save_preset)
        self.delete_preset = QPushButton("Delete")
        self.delete_preset.clicked.connect(self._delete_preset)
        self.run_button.clicked.connect(self.run_or_cancel)
        self.copy_button = QPushButton("Copy as command")
        self.copy_button.setToolTip("The same reconstruction for a terminal or a batch script.")
        self.copy_button.clicked.connect(self.copy_command)
        for box in (self.layer_box, self.axis_box, self.roi_box, self.preset_box):
            narrow(box)
        self._lay_out()

    def _lay_out(self) -> None:
        frames, preset = QHBoxLayout(), QHBoxLayout()
        for row, widgets in (
            (frames, (self.first, QLabel("to"), self.last)),
            (preset, (self.preset_box, self.save_preset, self.delete_preset)),
        ):
            for widget in widgets:
                row.addWidget(widget, 1 if isinstance(widget, (QSpinBox, QComboBox)) else 0)
        top = QFormLayout()
        top.addRow("Movie", self.layer_box)
        top.addRow("Time axis", self.axis_box)
        top.addRow(self.other_axes)
        top.addRow("Frames", frames)
        top.addRow("ROI", self.roi_box)
        top.addRow("Pixel size (µm)", self.pixel_edit)
        top.addRow("Preset", preset)
        self.above_form, self.above_below = QVBoxLayout(), QVBoxLayout()
        self.below = QHBoxLayout()
        self.below.addWidget(self.copy_button)
        self._fill_dock(
            (top, self.above_form, self.form),
            (self.run_button, self.progress_bar, self.status, self.above_below, self.below),
        )

    def _refresh_layers(self, event: Any = None) -> None:
        images = self.sources()
        shapes = [layer for layer in self.viewer.layers if isinstance(layer, Shapes)]
        for layer in [*images, *shapes]:
            layer.events.name.connect(self._refresh_layers)
        for layer in images:
            if not isinstance(layer, Image):
                continue
            for event in (layer.events.data, layer.events.scale, layer.events.units):
                event.connect(self._layer_edited)
        _offer(self.layer_box, images)
        _offer(self.roi_box, [None, *shapes])
        self.run_button.setEnabled(bool(images) or self.worker is not None)
        if not images:
            self.status.setText("Open a movie: drop a TIFF file into the window.")
        elif self.worker is None and self.status.text().startswith("Open a movie"):
            self.status.setText("")

    def _layer_edited(self, event: Any) -> None:
        if event.source is self.layer_box.currentData():
            self._layer_changed()

    def _layer_changed(self, index: int = 0) -> None:
        layer = self._layer()
        if layer is None:
            return
        axes = stack_axes(layer)
        self.axis_box.blockSignals(True)
        self.axis_box.clear()
        for index, label, length in axes:
            self.axis_box.addItem(f"{label} ({length})", index)
        self.axis_box.setCurrentIndex(self.axis_box.findData(likely_time_axis(axes)))
        self.axis_box.blockSignals(False)
        self.axis_box.setEnabled(len(axes) > 1)
        size = layer_pixel_um(layer)
        # Shown shortened; used in full unless it was edited.
        self._pixel_shown = ("" if size is None else f"{size:.6g}", size)
        self.pixel_edit.setText(self._pixel_shown[0])
        notes = getattr(layer.metadata.get("sofinet_movie"), "notes", ())
        self.status.setText(" ".join(notes))
        self._axis_changed()

    def _axis_changed(self, index: int = 0) -> None:
        layer = self._layer()
        if layer is None:
            return
        axes = stack_axes(layer)
        chosen = self.axis_box.currentData()
        while self.other_axes.rowCount():
            self.other_axes.removeRow(0)
        self.positions = {}
        for axis, label, length in axes:
            if axis == chosen:
                for box, value in ((self.first, 0), (self.last, length)):
                    box.setRange(0, length)
                    box.setValue(value)
            else:
                box = QSpinBox()
                box.setRange(0, length - 1)
                shown = layer.world_to_data(self.viewer.dims.point[-layer.ndim :])[axis]
                box.setValue(round(float(shown)))
                self.other_axes.addRow(f"{label} (of {length})", box)
                self.positions[axis] = box

    def sources(self) -> list[Layer]:
        """Layers that can be reconstructed."""
        return [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Image) and layer.ndim > 2 and not layer.rgb
        ]

    def _layer(self) -> Image | TableLayer | None:
        layer = self.layer_box.currentData()
        return as_movie_layer(layer) if layer in self.viewer.layers else None

    # -- presets and command --------------------------------------------------------------------

    def _refresh_presets(self, current: str = NO_PRESET) -> None:
        self.preset_box.clear()
        self.preset_box.addItems([NO_PRESET, *saved_settings.names(self.method.name)])
        self.preset_box.setCurrentText(current)
        self.delete_preset.setEnabled(current != NO_PRESET)

    def _load_preset(self) -> None:
        name = self.preset_box.currentText()
        self.delete_preset.setEnabled(name != NO_PRESET)
        try:
            default = name == NO_PRESET
            self.form.set_settings(
                self.method.settings()
                if default
                else saved_settings.load(self.method.name, name, self.method.settings)
            )
        except InputError as error:
            show_error(str(error))

    def _save_preset(self) -> None:
        name, agreed = QInputDialog.getText(self, "Save preset", "Name of the preset:")
        if agreed:
            self.keep_preset(name)

    def keep_preset(self, name: str) -> None:
        """Keep what the form says under a name."""
        try:
            saved_settings.save(self.method.name, name, self.form.settings())
        except InputError as error:
            show_error(str(error))
        else:
            self._refresh_presets(name.strip())

    def _delete_preset(self) -> None:
        saved_settings.delete(self.method.name, self.preset_box.currentText())
        self._refresh_presets()

    def copy_command(self) -> None:
        """Put the command line that does the same on the clipboard."""
        try:
            text, hint = reconstruct_command(self.method.name, self._movie(), self.form.settings())
        except InputError as error:
            show_error(str(error))
            return
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
        show_info(hint)

    # -- the work -------------------------------------------------------------------------------

    def run_or_cancel(self) -> None:
        """Start a reconstruction, or cancel the one that runs."""
        if self.worker is not None:
            self._cancel()
            return
        try:
            movie, settings = self._movie(), self.form.settings()
        except InputError as error:
            show_error(str(error))
            return
        self._source, self._time_axis = self._layer(), self.axis_box.currentData()
        values = flatten_settings(settings)
        self._start(MethodWorker(movie, self.method.name, values, self.device()))

    def device(self) -> Device:
        """Where networks run."""
        return "auto"

    def _movie(self) -> MethodInput:
        layer = self._layer()
        if layer is None:
            raise InputError("Choose a movie first; drop a TIFF file into the window.")
        position = {axis: box.value() for axis, box in self.positions.items()}
        movie = input_of(layer, self.axis_box.currentData(), position, self._pixel_size())
        frames = self.first.value(), self.last.value()
        roi = None
        if self.roi_box.currentData() is not None:
            roi = roi_of(self.roi_box.currentData(), layer)
        whole = frames == (0, self.last.maximum())
        return movie.select(None if whole else frames, roi)

    def _pixel_size(self) -> float | None:
        text = self.pixel_edit.text().strip().replace(",", ".")
        if text == self._pixel_shown[0]:
            return self._pixel_shown[1]
        try:
            size = float(text) if text else None
        except ValueError:
            raise InputError(f"The pixel size must be a number in µm, not {text!r}.") from None
        if size is not None and not 0 < size < 1e6:
            raise InputError(f"The pixel size must be positive, not {text} µm.")
        return size

    def _start(self, worker: MethodWorker) -> None:
        self._begin(worker, f"{self.title} {worker.movie.name}")
        worker.preview.connect(self._show_preview)
        worker.returned.connect(self._show_result)
        worker.start()

    def _begin(self, worker: TaskWorker, title: str) -> None:
        """Show how far the work is, here and among napari's own activities."""
        self._show_work(worker)
        self.status.setText("Reading …")
        self._bar = progress(total=1000, desc=title)

    def _show_progress(self, fraction: float, message: str) -> None:
        passed = time.monotonic() - self._started
        remaining = passed * (1 - fraction) / fraction if fraction > 0.02 and passed > 1 else None
        left = "" if remaining is None else f", {_duration(remaining)} left"
        super()._show_progress(fraction, f"{message}{left}")
        if self._bar is not None:
            # Last, since napari lets other events in, and the result may be among them.
            self._bar.update(int(1000 * fraction) - self._bar.n)

    def _show_preview(self, result: Reconstruction) -> None:
        source = self._source
        if source is None or self.worker is None:
            return
        if self._preview is None or self._preview not in self.viewer.layers:
            options = picture_options(source, result, f"{self.title} preview")
            chosen = set(self.viewer.layers.selection)  # one may be drawing in it
            self._preview = self.viewer.add_image(result.image, **options)
            self.viewer.layers.selection = chosen
        else:
            self._preview.data = result.image
            self._preview.contrast_limits = contrast(result.image)

    def _show_result(self, result: Reconstruction) -> None:
        self._remove_preview()
        if self._source is None:
            return
        self.add_pictures(self._source, result)
        self._tell(result)

    def _tell(self, result: Reconstruction) -> None:
        """Say how long a result took, and its notes."""
        for note in result.notes:
            if note not in self.known_notes:
                show_warning(note)
        seconds = time.monotonic() - self._started
        self.status.setText(" ".join((f"Done in {_duration(seconds)}.", *result.notes)))

    def add_pictures(self, source: Image, result: Reconstruction) -> str:
        """Show a result over its movie: the picture on top, the other maps there to be shown.

        Returns the picture's name among the layers.
        """
        shown = ""
        for name, image in reversed(result.maps.items()):
            options = picture_options(source, result, title_of(result), self._time_axis)
            if name != "image":
                options |= {
                    "name": f"{options['name']} {name}",
                    "contrast_limits": contrast(image),
                    "colormap": "viridis",
                    "visible": False,
                }
            shown = self.viewer.add_image(
                on_axes_of(source, image, self._time_axis), **options
            ).name
        table = result.localizations
        if table is not None and len(table):
            self._add_points(source, result, table)
        return str(shown)

    def _add_points(self, source: Image, result: Reconstruction, table: LocalizationTable) -> None:
        """Localisations over their movie, there to be shown; too many stay a picture."""
        if isinstance(source, TableLayer):
            return  # they are what the picture was made from
        if len(table) > MOST_POINTS:
            show_info(
                f"{len(table)} localisations are more than napari moves as points; save the "
                "picture's layer as .csv or .hdf5 to use them."
            )
            return
        plane = replace(result, time_series=None, pixel_px=(1.0, 1.0), origin_px=(0.0, 0.0))
        self.viewer.add_points(
            np.stack([table.y_px, table.x_px], axis=1),
            **points_options(table, 1.0),
            **place(source, plane),
            name=f"{title_of(result)} {source.name} localisations",
            metadata={"sofinet_table": table, "sofinet_result": result},
            visible=result.time_series is None,
        )

    def _failed(self, error: Exception) -> None:
        self._remove_preview()
        super()._failed(error)
        if isinstance(error, InputError):
            show_error(str(error))

    def _tell_cancelled(self) -> None:
        self._remove_preview()
        super()._tell_cancelled()

    def _stop(self) -> None:
        super()._stop()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _allow_work(self) -> None:
        # A moment later, so that a double click on Cancel does not start the work again.
        QTimer.singleShot(200, lambda: self._refresh_layers() if _alive(self) else None)

    def _remove_preview(self) -> None:
        if self._preview is not None and self._preview in self.viewer.layers:
            self.viewer.layers.remove(self._preview)
        self._preview = None


def title_of(result: Reconstruction) -> str:
    """What stands before the movie's name in a layer's: SOFI's order, or a network's weights."""
    if result.recipe is None:
        return "picture"
    step = result.recipe.reconstruct
    if "order" in step.settings:
        return f"SOFI{step.settings['order']}"
    return Path(str(step.settings.get("weights", step.method))).stem


def _offer(box: QComboBox, layers: list[Any]) -> None:
    """Offer layers (None is the whole image), keeping the choice where it is still there."""
    current = box.currentData()
    box.blockSignals(True)
    box.clear()
    for layer in layers:
        box.addItem(WHOLE_IMAGE if layer is None else layer.name, layer)
    if current in layers:
        box.setCurrentIndex(layers.index(current))
    box.blockSignals(False)
    if box.currentData() is not current:
        box.currentIndexChanged.emit(box.currentIndex())


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def _alive(widget: QWidget) -> bool:
    try:
        widget.objectName()
    except RuntimeError:  # Qt has deleted it
        return False
    return True

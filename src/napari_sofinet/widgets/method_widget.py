"""Base of the docks that reconstruct a movie."""

from __future__ import annotations

import time
from typing import Any

from napari.layers import Image, Layer
from napari.utils import progress
from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QApplication,
    QGridLayout,
    QHBoxLayout,
    QInputDialog,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import duration
from napari_sofinet.base.settings import Settings, flatten_settings
from napari_sofinet.cli.command_text import reconstruct_command
from napari_sofinet.data.open_input import MethodInput
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.io import saved_settings
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.run import Device
from napari_sofinet.widgets.form import SettingsForm
from napari_sofinet.widgets.layers import follow, why_no_movie
from napari_sofinet.widgets.movie_chooser import MovieChooser
from napari_sofinet.widgets.narrow_box import NarrowBox
from napari_sofinet.widgets.placement import contrast, picture_options
from napari_sofinet.widgets.result_files import saving_of
from napari_sofinet.widgets.result_stack import ResultStack
from napari_sofinet.widgets.save_dialog import SaveButton, Saving
from napari_sofinet.widgets.tables import TableLayer
from napari_sofinet.widgets.worker import MethodWorker, TaskWorker, WorkingWidget

NO_PRESET = saved_settings.DEFAULTS
BAR_MS = 200
"""Time between two steps of the bar among napari's activities."""


class MethodWidget(WorkingWidget):
    """Dock that reconstructs a movie and shows the picture exactly over it.

    The work runs in a thread. Meanwhile the button Reconstruct says Cancel; in the end the dock
    shows the result, the reason of a failure, or that the work was cancelled.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Viewer that has the movie.
    method : Method
        Method whose settings the form shows.
    """

    title = ""
    known_notes: tuple[str, ...] = ()
    """Notes that the dock shows anyway, so that they are not said again."""

    def __init__(self, napari_viewer: Viewer, method: Method) -> None:
        super().__init__("Reconstruct")
        self.viewer = napari_viewer
        self.method = method
        self._preview: Image | None = None
        self._preview_steps = 0
        self._source: Image | TableLayer | None = None
        self._time_axis: int | None = None
        self._position: dict[int, int] = {}
        self._bar: progress | None = None
        self._bar_title = ""
        # napari handles other events whenever its bar changes, so no other work may depend on it.
        self._bar_timer = QTimer(self)
        self._bar_timer.setInterval(BAR_MS)
        self._bar_timer.timeout.connect(self._move_bar)
        self._last: Saving | None = None
        self._hint = ""
        self._told: Layer | None = None
        self._starts_work: list[QPushButton] = []
        self._build()
        follow(self.viewer.layers, self._refresh_layers)
        self._refresh_presets()

    # -- parts of the dock ----------------------------------------------------------------------

    def _build(self) -> None:
        self.chooser = MovieChooser(self.viewer)
        self.chooser.changed.connect(self._movie_changed)
        self.layer_box, self.axis_box = self.chooser.layer_box, self.chooser.axis_box
        self.first, self.last = self.chooser.first, self.chooser.last
        self.roi_box, self.pixel_edit = self.chooser.roi_box, self.chooser.pixel_edit
        self.positions = self.chooser.positions
        self.form = SettingsForm(self.method.settings)
        self.preset_box = NarrowBox()
        self.preset_box.activated.connect(self._load_preset)
        self.save_preset = QPushButton("Save as…")
        self.save_preset.setToolTip("Keep these settings as a preset under a name of its own.")
        self.save_preset.clicked.connect(self._save_preset)
        self.delete_preset = QPushButton("Delete")
        self.delete_preset.clicked.connect(self._delete_preset)
        self.run_button.clicked.connect(self.run_or_cancel)
        self.results = ResultStack(self.viewer)
        self.copy_button = QPushButton("Copy as command")
        self.copy_button.setToolTip(
            "Copy a command that does the same reconstruction in a terminal or a script."
        )
        self.copy_button.clicked.connect(self.copy_command)
        self.save_button = SaveButton("Save…", self._last_result, self.status)
        self.save_button.setToolTip("Save the last result of this dock, with its scale and recipe.")
        self.save_button.setEnabled(False)
        self._lay_out()

    def _lay_out(self) -> None:
        preset, beneath = QVBoxLayout(), QHBoxLayout()
        preset.addWidget(self.preset_box)
        preset.addLayout(beneath)
        beneath.addWidget(self.save_preset)
        beneath.addWidget(self.delete_preset)
        self.chooser.addRow("Preset", preset)
        self.above_form, self.above_below = QVBoxLayout(), QVBoxLayout()
        self.below, run = QGridLayout(), QHBoxLayout()
        run.addWidget(self.run_button, 1)
        run.addWidget(self.save_button)
        self.below.addWidget(self.copy_button, 0, 1)
        self._fill_dock(
            (self.chooser, self.above_form, self.form),
            (self.results, self.above_below),
            (self.progress_bar, run, self.below),
        )

    def _refresh_layers(self, event: Any = None) -> None:
        images = self.sources()
        self.chooser.offer(images, self._refresh_layers)
        self.run_button.setEnabled(bool(images) or self.worker is not None)
        self.copy_button.setEnabled(bool(images))
        self._allow_starts()
        if self.worker is not None:
            return  # what it says stays
        shown = self.status.text()
        if images and shown == self._hint:
            self.status.setText("")
        elif not images and (event is not None or shown in ("", self._hint)):
            self._hint = why_no_movie(self.viewer.layers)
            self.status.setText(self._hint)

    def _movie_changed(self, layer: Image | TableLayer) -> None:
        chosen = self.chooser.layer_box.layer()
        if self.worker is None and chosen is not self._told:
            self._told = chosen
            notes = getattr(layer.metadata.get("sofinet_movie"), "notes", ())
            self.status.setText(" ".join(notes))

    def _add_button(self, button: QPushButton) -> None:
        """Add a button that starts work, which is disabled meanwhile and without a movie."""
        self._starts_work.append(button)
        self._allow_starts()
        beside = self.below.count() == 1
        self.below.addWidget(
            button, 0 if beside else self.below.rowCount(), 0, 1, 1 if beside else 2
        )

    def _allow_starts(self) -> None:
        for button in self._starts_work:
            button.setEnabled(self.worker is None and bool(self.sources()))

    def sources(self) -> list[Layer]:
        """Return the layers that can be reconstructed.

        Returns
        -------
        list of Layer
            Image layers of grey values with more than two axes.
        """
        return [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Image) and layer.ndim > 2 and not layer.rgb
        ]

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
            self.status.setText(str(error))

    def _save_preset(self) -> None:
        name, agreed = QInputDialog.getText(self, "Save preset", "Name of the preset:")
        if agreed:
            self.keep_preset(name)

    def keep_preset(self, name: str) -> None:
        """Save the settings in the form as a preset.

        Parameters
        ----------
        name : str
            Name of the preset.
        """
        try:
            saved_settings.save(self.method.name, name, self.form.settings())
        except InputError as error:
            self.status.setText(str(error))
        else:
            self._refresh_presets(name.strip())

    def _delete_preset(self) -> None:
        saved_settings.delete(self.method.name, self.preset_box.currentText())
        self._refresh_presets()

    def copy_command(self) -> None:
        """Copy a command that does the same reconstruction to the clipboard."""
        try:
            movie = self.chooser.movie()
            text, hint = reconstruct_command(self.method.name, movie, self._settings_for(movie))
        except InputError as error:
            self.status.setText(str(error))
            return
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
        self.status.setText(hint)

    # -- the work -------------------------------------------------------------------------------

    def run_or_cancel(self) -> None:
        """Start a reconstruction, or cancel the running one."""
        if self.worker is not None:
            self._cancel()
            return
        try:
            movie = self.chooser.movie()
            values = flatten_settings(self._settings_for(movie))
        except InputError as error:
            self.status.setText(str(error))
            return
        self._aim()
        self._start(MethodWorker(movie, self.method.name, values, self.device()))

    def _settings_for(self, movie: MethodInput) -> Settings:
        """Return the settings in the form, with what only the layer tells."""
        return self.form.settings()

    def _aim(self) -> None:
        """Remember the chosen part of the movie, and give its layer the typed pixel size."""
        self.chooser.apply_pixel_size()
        self._source, self._time_axis = self.chooser.layer(), self.chooser.time_axis()
        self._position = {axis: box.value() for axis, box in self.chooser.positions.items()}

    def device(self) -> Device:
        """Return the device that networks run on.

        Returns
        -------
        {"auto", "cpu", "cuda"}
            Here always "auto".
        """
        return "auto"

    def _start(self, worker: MethodWorker) -> None:
        self._begin(worker, f"{self.title} {worker.movie.name}")
        worker.preview.connect(self._show_preview)
        worker.returned.connect(self._show_result)
        worker.start()

    def _begin(self, worker: TaskWorker, title: str) -> None:
        """Show the progress of the work in the dock and among napari's activities."""
        self._show_work(worker)
        self.status.setText("Reading …")
        self._bar_title = title
        self._bar_timer.start()
        self._allow_starts()

    def _move_bar(self) -> None:
        """Add a bar to napari's activities, or move it to where the bar of the dock is."""
        if self._bar is None:
            bar = progress(total=self.progress_bar.maximum(), desc=self._bar_title)
            if self.worker is None:  # the work has ended meanwhile
                bar.close()
            else:
                self._bar = bar
        elif self.progress_bar.value() > self._bar.n:
            self._bar.update(self.progress_bar.value() - self._bar.n)

    def _show_preview(self, result: Reconstruction) -> None:
        source = self._source
        if source is None or self.worker is None:
            return
        self._preview_steps = int(result.details.get("steps", 0))
        if self._preview is None or self._preview not in self.viewer.layers:
            options = picture_options(source, result, f"{self.title} preview")
            chosen = set(self.viewer.layers.selection)  # the user may be drawing in one of them
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
        """Show how long the work took, and the notes of its result."""
        seconds = time.monotonic() - self._started
        notes = (note for note in result.notes if note not in self.known_notes)
        self.status.setText(" ".join((f"Done in {duration(seconds)}.", *notes)))

    def add_pictures(self, source: Image | TableLayer, result: Reconstruction) -> str:
        """Add the layers of a result over its movie.

        Parameters
        ----------
        source : Image or TableLayer
            Layer of the movie.
        result : Reconstruction
            Result whose picture is shown; its other maps are hidden.

        Returns
        -------
        str
            Name of the layer of the picture.
        """
        self._last = saving_of(result, source.name)
        self.save_button.setEnabled(True)
        return str(self.results.add(source, result, self._time_axis, self._position).name)

    def _last_result(self) -> Saving:
        """Return what the button Save… saves."""
        if self._last is None:
            raise InputError("There is no result to save yet; press Reconstruct first.")
        return self._last

    def _failed(self, error: Exception) -> None:
        self._remove_preview()
        super()._failed(error)

    def _tell_cancelled(self) -> None:
        layer = self._preview
        if not self.method.keeps_preview or layer is None or layer not in self.viewer.layers:
            self._remove_preview()
            super()._tell_cancelled()
            return
        self._preview = None
        stopped = f"stopped after {self._preview_steps} steps"
        layer.name = f"{layer.name.replace(' preview', '', 1)}, {stopped}"
        layer.metadata = layer.metadata | {"unfinished": stopped}
        self.status.setText(
            f"Cancelled; the layer '{layer.name}' keeps the unfinished picture, without a recipe."
        )

    def _stop(self) -> None:
        super()._stop()
        self._bar_timer.stop()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _allow_work(self) -> None:
        # Not at once, so that a double click on Cancel does not start the work again.
        QTimer.singleShot(200, lambda: self._refresh_layers() if _alive(self) else None)

    def _remove_preview(self) -> None:
        if self._preview is not None and self._preview in self.viewer.layers:
            self.viewer.layers.remove(self._preview)
        self._preview = None


def _alive(widget: QWidget) -> bool:
    try:
        widget.objectName()
    except RuntimeError:  # Qt has deleted it
        return False
    return True

"""Dock widget "Simulate movie"."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari import Viewer
from napari.layers import Image
from napari.utils.history import update_save_history
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QPushButton,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import Settings
from napari_sofinet.widgets.flat_layers import hide_while_removed
from napari_sofinet.widgets.form import SettingsForm
from napari_sofinet.widgets.layer_times import go_to
from napari_sofinet.widgets.narrow_box import NarrowBox
from napari_sofinet.widgets.placement import LayerData, contrast
from napari_sofinet.widgets.rows import Rows
from napari_sofinet.widgets.save_dialog import FileKind, ask_file, saved_sentence
from napari_sofinet.widgets.simulation_kinds import MOVIES, STACKS, Kind, Preview, name_of
from napari_sofinet.widgets.sources import TRUTH
from napari_sofinet.widgets.worker import TaskWorker, WorkingWidget, sentence_of

PAUSE_MS = 300
FRAME, TRUTH_LAYER = "simulated frame", "simulated truth"
FILE = FileKind("TIFF, its truth beside it", (".tif", ".tiff"))


class SimulationWidget(WorkingWidget):
    """Dock that simulates movies and raw SIM stacks with known truth.

    One frame and its truth are shown as a preview. They are computed in a thread as soon as the
    form has not changed for a moment, and dropped if the form changes meanwhile.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Viewer that gets the movie.
    """

    tab = "Simulate"

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__("Save movie and truth…")
        self.viewer = napari_viewer
        hide_while_removed(napari_viewer.layers)
        self._version = 0
        self._shown: dict[str, Image] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._make_preview)
        self._build()
        self._load_preset()

    def _build(self) -> None:
        self.preset_box = NarrowBox()
        every = {**MOVIES.presets, **STACKS.presets}
        for number, (name, make) in enumerate(every.items()):
            self.preset_box.addItem(name)
            self.preset_box.setItemData(number, make.__doc__, 3)  # the tool tip
        self.preset_box.activated.connect(self._load_preset)
        self.about = QLabel(wordWrap=True)
        self.kind: Kind = MOVIES
        self.form = SettingsForm(self.kind.settings)
        self.form.changed.connect(self._changed)
        self.add_button = QPushButton("Simulate movie")
        self.add_button.setToolTip(
            "Add the movie as a layer; its frames are computed when they are shown."
        )
        self.add_button.clicked.connect(self.add_movie)
        self.save_button = self.run_button
        self.save_button.clicked.connect(self._save_or_cancel)
        self.copy_button = QPushButton("Copy as command")
        self.copy_button.setToolTip("Copy a command that simulates the same movie in a terminal.")
        self.copy_button.clicked.connect(self.copy_command)
        top = Rows()
        self.again_button = QPushButton("Draw again")
        self.again_button.setToolTip("Load the preset again with the next seed.")
        self.again_button.clicked.connect(self._draw_again)
        top.addRow("Preset", self.again_button)
        top.addRow(self.preset_box)  # its names need the whole width
        below = QHBoxLayout()
        below.addWidget(self.add_button)
        below.addWidget(self.copy_button)
        self._fill_dock(
            (top, self.about, self.form),
            (),
            (self.progress_bar, below, self.save_button),
        )

    # -- settings -------------------------------------------------------------------------------

    def _load_preset(self, index: int = 0, seed: int = 1) -> None:
        name = self.preset_box.currentText()
        kind = STACKS if name in STACKS.presets else MOVIES
        if kind is not self.kind:
            self.kind = kind
            self.form = self.form.replaced(kind.settings)
            self.form.changed.connect(self._changed)
            self.add_button.setText(f"Simulate {kind.noun}")
            self.save_button.setText(f"Save {kind.noun} and truth…")
        self.about.setText(kind.presets[name].__doc__ or "")
        self.form.set_settings(kind.preset(name, seed))
        self._changed()

    def _draw_again(self) -> None:
        try:
            seed = int(getattr(self.settings(), "seed", 0))
        except InputError:
            seed = 0
        self._load_preset(seed=seed + 1)

    def settings(self) -> Settings:
        """Return the settings in the form.

        Returns
        -------
        Settings
            Settings of the movie or stack.

        Raises
        ------
        InputError
            If a text cannot be read or a value is not allowed.
        """
        return self.form.settings()

    def _changed(self) -> None:
        self._version += 1
        self._timer.start()

    def copy_command(self) -> None:
        """Copy a command that simulates the same movie to the clipboard."""
        try:
            text = self.kind.command(self.preset_box.currentText(), self.settings())
        except InputError as error:
            self.status.setText(str(error))
            return
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
        self.status.setText(
            f"The command was copied; it writes {self.kind.written} where it is run."
        )

    def stop_work(self) -> None:
        """Stop simulating."""
        self._timer.stop()
        super().stop_work()

    # -- preview --------------------------------------------------------------------------------

    def _make_preview(self) -> None:
        if self._short_work:
            self._timer.start()  # wait for the running one, then use the latest settings
            return
        try:
            settings = self.settings()
        except InputError as error:
            self.status.setText(str(error))
            return
        preview = self.kind.preview
        worker = TaskWorker(lambda report: preview(settings))
        worker.returned.connect(partial(self._show_preview, self._version))
        worker.errored.connect(partial(self._preview_failed, self._version))
        self._start_short(worker)

    @property
    def busy(self) -> bool:
        """Whether a frame or a movie is being computed or waiting."""
        return bool(self._short_work) or self._timer.isActive() or self.worker is not None

    def _show_preview(self, version: int, made: Preview) -> None:
        if version != self._version:
            return
        self.status.setText(made.sentence)
        self._show(FRAME, made.frame, made.frame_um, "gray")
        self._show(TRUTH_LAYER, made.truth, made.truth_um, "green")

    def _preview_failed(self, version: int, error: Exception) -> None:
        if version == self._version:
            self.status.setText(sentence_of(error))

    def _show(self, name: str, image: Any, scale: tuple[float, float], colormap: str) -> None:
        layer = self._shown.get(name)
        limits = contrast(image)
        if layer is not None and layer in self.viewer.layers:
            layer.data = image
            layer.scale = scale
            layer.contrast_limits = limits
            return
        chosen = set(self.viewer.layers.selection)
        self._shown[name] = self.viewer.add_image(
            image,
            name=name,
            scale=scale,
            units=("micrometer", "micrometer"),
            axis_labels=("y", "x"),
            colormap=colormap,
            contrast_limits=limits,
            metadata={TRUTH: True} if name == TRUTH_LAYER else {},
            blending="translucent_no_depth" if name == FRAME else "additive",
        )
        if chosen:
            self.viewer.layers.selection = chosen

    # -- the movie ------------------------------------------------------------------------------

    def add_movie(self) -> None:
        """Add the movie, whose frames are computed when they are shown, and its truth as layers."""
        try:
            settings = self.settings()
        except InputError as error:
            self.status.setText(str(error))
            return
        self.add_button.setEnabled(False)
        stack = self.kind is STACKS
        self.status.setText("Taking images …" if stack else "Placing and blinking emitters …")
        layers = self.kind.layers
        worker = TaskWorker(lambda report: layers(settings))
        worker.returned.connect(self._add_layers)
        worker.errored.connect(self._failed)
        worker.finished.connect(partial(self.add_button.setEnabled, True))
        self._start_short(worker)

    def _add_layers(self, made: tuple[list[LayerData], str]) -> None:
        layers, sentence = made
        for layer in self._shown.values():
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self._shown = {}
        for data, options, _ in layers:
            layer = self.viewer.add_image(data, **options)
        go_to(self.viewer, layer)
        self.status.setText(sentence)

    def _save_or_cancel(self) -> None:
        if self.worker is not None:
            self._cancel()
            return
        try:
            name = name_of(self.settings())
        except InputError as error:
            self.status.setText(str(error))
            return
        chosen = ask_file(self, f"Save the {self.kind.noun} and its truth", name, (FILE,))
        if chosen is not None:
            self.save(chosen[0])

    def save(self, path: Path) -> None:
        """Write the movie and its truth to files, in a thread.

        Parameters
        ----------
        path : Path
            File of the movie; the truth is written into the same folder.
        """
        try:
            settings = self.settings()
        except InputError as error:
            self.status.setText(str(error))
            return
        save = self.kind.save
        worker = TaskWorker(lambda report: save(path, settings, report))
        self._show_work(worker)
        worker.returned.connect(self._tell_saved)
        worker.start()

    def _tell_saved(self, written: tuple[Path, ...] | None) -> None:
        if written is not None:
            update_save_history(str(written[0]))
            self.status.setText(saved_sentence(written))

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
from napari_sofinet.cli.simulate import simulate_command
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.simulation import (
    PRESETS,
    Simulation,
    SimulationSettings,
    preset_settings,
    simulate,
)
from napari_sofinet.widgets.flat_layers import hide_while_removed
from napari_sofinet.widgets.form import SettingsForm
from napari_sofinet.widgets.layer_times import go_to
from napari_sofinet.widgets.movie_files import save_simulation
from napari_sofinet.widgets.narrow_box import NarrowBox
from napari_sofinet.widgets.placement import contrast
from napari_sofinet.widgets.rows import Rows
from napari_sofinet.widgets.save_dialog import FileKind, ask_file, saved_sentence
from napari_sofinet.widgets.sources import TRUTH
from napari_sofinet.widgets.worker import TaskWorker, WorkingWidget, sentence_of

PAUSE_MS = 300
PREVIEW_FRAMES = 20
FRAME, TRUTH_LAYER = "simulated frame", "simulated truth"
MOVIE = FileKind("TIFF movie, its truth beside it", (".tif", ".tiff"))


class SimulationWidget(WorkingWidget):
    """Dock that simulates movies with known truth.

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
        for number, (name, make) in enumerate(PRESETS.items()):
            self.preset_box.addItem(name)
            self.preset_box.setItemData(number, make.__doc__, 3)  # the tool tip
        self.preset_box.activated.connect(self._load_preset)
        self.about = QLabel(wordWrap=True)
        self.form = SettingsForm(SimulationSettings)
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
        self.about.setText(PRESETS[name].__doc__ or "")
        self.form.set_settings(preset_settings(name, seed))
        self._changed()

    def _draw_again(self) -> None:
        try:
            seed = self.settings().seed
        except InputError:
            seed = 0
        self._load_preset(seed=seed + 1)

    def settings(self) -> SimulationSettings:
        """Return the settings in the form.

        Returns
        -------
        SimulationSettings
            Settings of the movie.

        Raises
        ------
        InputError
            If a text cannot be read or a value is not allowed.
        """
        settings = self.form.settings()
        assert isinstance(settings, SimulationSettings)
        return settings

    def _changed(self) -> None:
        self._version += 1
        self._timer.start()

    def copy_command(self) -> None:
        """Copy a command that simulates the same movie to the clipboard."""
        try:
            text = simulate_command(self.preset_box.currentText(), self.settings())
        except InputError as error:
            self.status.setText(str(error))
            return
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
        self.status.setText(
            "The command was copied; it writes movie.tif and truth.npz where it is run."
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
        few = settings.model_copy(update={"frames": min(settings.frames, PREVIEW_FRAMES)})
        worker = TaskWorker(lambda report: _one_frame(few))
        worker.returned.connect(partial(self._show_preview, self._version))
        worker.errored.connect(partial(self._preview_failed, self._version))
        self._start_short(worker)

    @property
    def busy(self) -> bool:
        """Whether a frame or a movie is being computed or waiting."""
        return bool(self._short_work) or self._timer.isActive() or self.worker is not None

    def _show_preview(self, version: int, made: tuple[Simulation, Any, Reconstruction]) -> None:
        if version != self._version:
            return
        simulation, frame, truth = made
        emitters = len(simulation.truth.photons)
        width = simulation.psf.fwhm_px
        what = "emitter" if emitters == 1 else "emitters"
        self.status.setText(f"{emitters} {what}, PSF {width:.2g} camera px wide.")
        p = simulation.settings.pixel_size_um
        self._show(FRAME, frame, (p, p), "gray")
        assert truth.pixel_size_um is not None
        self._show(TRUTH_LAYER, truth.image, truth.pixel_size_um, "green")

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
        self.status.setText("Placing and blinking emitters …")
        worker = TaskWorker(lambda report: _movie(settings))
        worker.returned.connect(self._add_layers)
        worker.errored.connect(self._failed)
        worker.finished.connect(partial(self.add_button.setEnabled, True))
        self._start_short(worker)

    def _add_layers(self, made: tuple[Simulation, Any, Reconstruction]) -> None:
        simulation, movie, truth = made
        s = simulation.settings
        name = _name_of(s)
        p = s.pixel_size_um
        for layer in self._shown.values():
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self._shown = {}
        assert truth.pixel_size_um is not None
        self.viewer.add_image(
            truth.image,
            name=f"truth of {name}",
            scale=truth.pixel_size_um,
            units=("micrometer", "micrometer"),
            axis_labels=("y", "x"),
            colormap="inferno",
            contrast_limits=contrast(truth.image),
            metadata={TRUTH: True},
            visible=False,
        )
        layer = self.viewer.add_image(
            movie,
            name=name,
            scale=(s.frame_interval_s, p, p),
            units=("second", "micrometer", "micrometer"),
            axis_labels=("t", "y", "x"),
            contrast_limits=contrast(simulation.counts(0, 1)[0]),
            metadata={"sofinet_simulation": s.model_dump(mode="json")},
        )
        go_to(self.viewer, layer)
        frames, rows, columns = simulation.shape
        self.status.setText(
            f"{frames} frames of {rows} x {columns} px; the truth is in a hidden layer below."
        )

    def _save_or_cancel(self) -> None:
        if self.worker is not None:
            self._cancel()
            return
        try:
            name = _name_of(self.settings())
        except InputError as error:
            self.status.setText(str(error))
            return
        chosen = ask_file(self, "Save the movie and its truth", name, (MOVIE,))
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
        worker = TaskWorker(partial(save_simulation, path, settings))
        self._show_work(worker)
        worker.returned.connect(self._tell_saved)
        worker.start()

    def _tell_saved(self, written: tuple[Path, ...] | None) -> None:
        if written is not None:
            update_save_history(str(written[0]))
            self.status.setText(saved_sentence(written))


def _one_frame(settings: SimulationSettings) -> tuple[Simulation, Any, Reconstruction]:
    simulation = simulate(settings)
    return simulation, simulation.counts(0, 1)[0], simulation.truth.ideal()


def _movie(settings: SimulationSettings) -> tuple[Simulation, Any, Reconstruction]:
    simulation = simulate(settings)
    return simulation, simulation.lazy(), simulation.truth.ideal()


def _name_of(settings: SimulationSettings) -> str:
    return f"simulated {settings.structure.kind} {settings.seed}"

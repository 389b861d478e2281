"""Dock widget "Train or fine-tune"."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
)

from napari_sofinet.base.errors import Cancelled, InputError
from napari_sofinet.base.progress import Report
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods.registry import networks
from napari_sofinet.networks.weights import Card, available, need_torch, own_output
from napari_sofinet.training.settings import (
    LearningSettings,
    TrainingSettings,
    missing_notes,
)
from napari_sofinet.training.task import Task, task_of
from napari_sofinet.widgets.dock import Picture
from napari_sofinet.widgets.form import SettingsForm
from napari_sofinet.widgets.layers import follow, likely_time_axis, movie_of, stack_axes
from napari_sofinet.widgets.narrow_box import NarrowBox
from napari_sofinet.widgets.result_links import is_movie
from napari_sofinet.widgets.rows import Rows
from napari_sofinet.widgets.weights_list import WeightsList
from napari_sofinet.widgets.worker import TaskWorker, WorkingWidget, sentence_of

if TYPE_CHECKING:  # it imports PyTorch, which takes seconds
    from napari_sofinet.training.validation import Progress

GREY = "#909090"


class TrainWidget(WorkingWidget):
    """Dock that trains a network on simulated movies, or fine-tunes it on movies of fixed cells.

    The weights with the lowest loss on held-out data are kept, also after Cancel, and are offered
    under their name in the dock "Model reconstruction".

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Viewer that has the movies.
    """

    tab = "Train"

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__("Train")
        self.viewer = napari_viewer
        self._name = ""
        self._build()
        follow(self.viewer.layers, self._refresh_layers)

    def _build(self) -> None:
        self.network_box = NarrowBox()
        for network in networks().values():
            if network.task is not None:
                self.network_box.addItem(network.title, network.name)
        self.network_box.currentIndexChanged.connect(self._network_changed)
        self.name_edit = QLineEdit("my-model")
        self.name_edit.setToolTip("Name of the new weights in the list of weights.")
        self.movie_list = QListWidget()
        self.movie_list.setMaximumHeight(90)
        self.movie_list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.movie_list.setToolTip(
            "Ticked movies of fixed cells are used for training, with SOFI of all their frames as "
            "the target. If none is ticked, movies are simulated."
        )
        self.movie_list.itemChanged.connect(self._movies_changed)
        self.missing = QLabel(wordWrap=True)
        self.form = SettingsForm(TrainingSettings, chosen_from=self._lists())
        self.form.changed.connect(self._movies_changed)
        self.picture = Picture()
        self.picture.hide()
        self.run_button.clicked.connect(self.run_or_cancel)
        top = Rows()
        network = QLabel("Network")
        network.setBuddy(self.network_box)
        top.addRow(network)
        top.addRow(self.network_box)  # its names need the whole width
        top.addRow("Name", self.name_edit)
        top.addRow("Own movies", self.movie_list)
        self._fill_dock(
            (top, self.missing, self.form),
            (self.picture,),
            (self.progress_bar, self.run_button),
        )

    def _network_changed(self) -> None:
        self.form = self.form.replaced(self._task().settings, self._lists())
        self.form.changed.connect(self._movies_changed)
        self.movie_list.setEnabled(self._takes_movies())
        self._movies_changed()

    def _lists(self) -> dict[str, QComboBox]:
        """Return the lists of weights to start from, and of those that make pictures."""
        return {
            "start": WeightsList([self.network_box.currentData()], "nothing (a new network)"),
            "estimate": WeightsList(["sofinet", "deepstorm"]),
        }

    def _takes_movies(self) -> bool:
        return self._task().takes_movies

    def _task(self) -> Task:
        return task_of(networks()[self.network_box.currentData()])

    def _refresh_layers(self, event: Any = None) -> None:
        ticked = self._ticked()
        self.movie_list.blockSignals(True)
        self.movie_list.clear()
        for layer in self.viewer.layers:
            if is_movie(layer):
                item = QListWidgetItem(layer.name)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                item.setData(Qt.ItemDataRole.UserRole, layer)
                item.setCheckState(_TICKED if layer in ticked else Qt.CheckState.Unchecked)
                self.movie_list.addItem(item)
                layer.events.name.connect(self._refresh_layers)
        self.movie_list.blockSignals(False)
        self._movies_changed()

    def _ticked(self) -> list[Image]:
        """Return the ticked layers, which may have been renamed or removed since."""
        items = (self.movie_list.item(row) for row in range(self.movie_list.count()))
        return [
            item.data(Qt.ItemDataRole.UserRole)
            for item in items
            if item is not None and item.checkState() == _TICKED
        ]

    def _movies_changed(self, item: Any = None) -> None:
        self.missing.setText(f"{self._plan()} {self._about_movies()}")

    def _plan(self) -> str:
        """Return a sentence about what is trained, and for how long."""
        try:
            settings = self.form.settings()
        except InputError as error:
            return str(error)
        assert isinstance(settings, LearningSettings)
        minutes = settings.minutes
        time = "until the last step" if minutes is None else f"for {minutes:g} min"
        if settings.start:
            return f"{Path(settings.start).stem} is fine-tuned {time}."
        known = [name for name in available(self.network_box.currentData()) if "univ" in name]
        sooner = f" To start from {known[0]} takes less time." if known else ""
        return f"A new network is trained from nothing {time}.{sooner}"

    def _about_movies(self) -> str:
        if not self._takes_movies():
            return "This network is trained on simulations only."
        try:
            movies = self._movies()
        except InputError as error:
            return str(error)
        simulated = "No movie is ticked, so movies are simulated."
        return " ".join(missing_notes(movies)) if movies else simulated

    def _movies(self) -> list[Movie]:
        return [movie_of(layer, likely_time_axis(stack_axes(layer))) for layer in self._ticked()]

    def run_or_cancel(self) -> None:
        """Start training, or cancel the running one."""
        if self.worker is not None:
            self._cancel()
            return
        try:
            settings = self.form.settings()
            assert isinstance(settings, LearningSettings)
            movies = self._movies() if self._takes_movies() else []
            output = own_output(self.name_edit.text())
        except InputError as error:
            self.status.setText(str(error))
            return
        network = networks()[self.network_box.currentData()]
        self._name = output.stem

        def work(report: Report) -> tuple[Card | None, bool]:
            need_torch()
            from napari_sofinet.training.train import train  # torch takes long to import

            try:
                card = train(
                    network,
                    output,
                    settings,
                    movies,
                    report=report,
                    show=lambda progress: worker.preview.emit(_draw_progress(progress)),
                )
            except Cancelled:
                return None, output.exists()
            return card, True

        worker = TaskWorker(work)
        self._show_work(worker)
        self.status.setText("Starting …")
        worker.preview.connect(self._show_picture)
        worker.returned.connect(self._done)
        worker.start()

    def _show_picture(self, png: bytes) -> None:
        pixmap = QPixmap()
        pixmap.loadFromData(png)
        self.picture.setPixmap(pixmap)
        self.picture.show()

    def _done(self, result: tuple[Card | None, bool]) -> None:
        card, _ = result
        if card is not None:
            self.status.setText(
                f"{self._name} was trained for {card.minutes:g} min ({card.steps} steps). "
                f"{how_good(card)} It can be chosen in Model reconstruction."
            )

    def _tell_cancelled(self) -> None:
        self.status.setText(f"Cancelled. The best weights so far are being saved as {self._name} …")

    def _stopped(self) -> None:
        ended = self._stopping
        super()._stopped()
        if ended is None or self._stopping is not None or self.worker is not None:
            return
        if isinstance(ended.outcome, Exception):
            self.status.setText(sentence_of(ended.outcome))
        elif ended.outcome is not None and ended.outcome[1]:
            self.status.setText(
                f"Cancelled. Train continues from here; the best weights so far are kept as "
                f"{self._name}."
            )
        else:
            self.status.setText("Cancelled before there were any weights to keep.")


_TICKED = Qt.CheckState.Checked


def how_good(card: Card) -> str:
    """Return a sentence on the agreement of pictures with their targets in held-out movies.

    Parameters
    ----------
    card : Card
        Card of weights that were trained.

    Returns
    -------
    str
        Empty where the agreement was not measured.
    """
    figures = card.figures
    if "agreement" not in figures:
        return ""
    own = figures["agreement"]
    text = f"On the held-out part its pictures agree with the target by {own:.2f} (1 is perfect)"
    if "compared_with" not in figures:
        return f"{text}."
    other, name = figures["agreement_of_those"], figures["compared_with"]
    better = "better than" if own > other + 0.005 else "worse than" if own < other - 0.005 else "as"
    better = f"as good as {name}" if better == "as" else f"{better} {name}"
    return f"{text}, those of {name} by {other:.2f}: it is {better} here."


def _draw_progress(progress: Progress) -> bytes:
    """Draw the losses so far, and a crop of a movie with the picture of the network.

    Parameters
    ----------
    progress : Progress
        State of the training.

    Returns
    -------
    bytes
        Picture in PNG format.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.3, 3.0), dpi=100, layout="constrained", facecolor="none")
    axes: dict[str, Any] = figure.subplot_mosaic([["loss"] * 3, ["mean", "network", "target"]])
    curve = axes["loss"]
    if progress.trained:
        steps, losses = zip(*progress.trained, strict=True)
        curve.plot(steps, losses, color=GREY, linewidth=0.5, label="training")
    steps, losses = zip(*progress.held_out, strict=True)
    curve.plot(steps, losses, "o-", color="#4c9be8", markersize=3, label="held-out part")
    curve.set(xlabel="steps", ylabel="error (lower is better)", ylim=(0, None))
    curve.legend(fontsize=7, labelcolor=GREY, frameon=False)
    curve.set_facecolor("none")
    curve.tick_params(which="both", colors=GREY, labelsize=7)
    for text in (curve.xaxis.label, curve.yaxis.label):
        text.set(color=GREY, fontsize=8)
    for spine in curve.spines.values():
        spine.set_color(GREY)
    for name, image in (
        ("mean", progress.mean),
        ("network", progress.picture),
        ("target", progress.target),
    ):
        axes[name].imshow(image, cmap="inferno")
        axes[name].set_title(name, color=GREY, fontsize=8)
        axes[name].axis("off")
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()

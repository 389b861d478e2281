"""Dock widget "Train or fine-tune"."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_sofinet.errors import Cancelled, InputError
from napari_sofinet.networks.weights import need_torch, own_output
from napari_sofinet.training.settings import (
    LearningSettings,
    TrainingSettings,
    settings_of,
    what_is_missing,
)
from napari_sofinet.widgets.form import SettingsForm, narrow
from napari_sofinet.widgets.layers import likely_time_axis, movie_of, stack_axes
from napari_sofinet.widgets.worker import TaskWorker, WorkingWidget

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_sofinet.movie import Movie
    from napari_sofinet.networks.weights import Card
    from napari_sofinet.settings import Report
    from napari_sofinet.training.train import Progress

NETWORKS = {
    "Statistics network (sofinet)": "sofinet",
    "Recurrent network (ConvGRU)": "convgru",
    "U-Net baseline": "unet",
    "Localisation (Deep-STORM)": "deepstorm",
    "Film of a moving structure (DBlink)": "dblink",
    "What may be true: samples (diffusion)": "ddpm",
}
GREY = "#909090"


class TrainWidget(WorkingWidget):
    """Train a network on simulated movies, or fine-tune one on own movies of fixed cells.

    The weights that do best on what is held out are kept, also when it is cancelled, and appear
    under their name in "Model reconstruction".
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self._name = ""
        self._build()
        events = self.viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.connect(self._refresh_layers)
        self._refresh_layers()

    def _build(self) -> None:
        self.network_box = QComboBox()
        for title, name in NETWORKS.items():
            self.network_box.addItem(title, name)
        narrow(self.network_box)
        self.name_edit = QLineEdit("my-model")
        self.name_edit.setToolTip("The model's name in the list of weights.")
        self.movie_list = QListWidget()
        self.movie_list.setMaximumHeight(90)
        self.movie_list.setToolTip(
            "Ticked movies of fixed cells are trained on, against SOFI of all their frames. With "
            "none, movies are simulated."
        )
        self.movie_list.itemChanged.connect(self._movies_changed)
        self.missing = QLabel(wordWrap=True)
        self.form = SettingsForm(TrainingSettings)
        self.picture = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.picture.hide()
        self.run_button = QPushButton("Train")
        self.run_button.clicked.connect(self.run_or_cancel)
        self.progress_bar = QProgressBar()
        self.progress_bar.setRange(0, 1000)
        self.progress_bar.hide()
        self.status = QLabel(wordWrap=True)
        top = QFormLayout()
        top.addRow("Network", self.network_box)
        top.addRow("Name", self.name_edit)
        top.addRow("Own movies", self.movie_list)
        inside = QWidget()
        column = QVBoxLayout(inside)
        self.network_box.currentIndexChanged.connect(self._network_changed)
        column.addLayout(top)
        column.addWidget(self.missing)
        column.addWidget(self.form)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(inside)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        outer = QVBoxLayout(self)
        outer.addWidget(scroll, 1)
        for widget in (self.picture, self.run_button, self.progress_bar, self.status):
            outer.addWidget(widget)
        self.setMinimumWidth(330)

    def _network_changed(self) -> None:
        old = self.form
        self.form = SettingsForm(settings_of(self.network_box.currentData()))
        layout = old.parentWidget().layout()
        layout.replaceWidget(old, self.form)
        old.deleteLater()
        self.movie_list.setEnabled(self._takes_movies())
        self._movies_changed()

    def _takes_movies(self) -> bool:
        return settings_of(self.network_box.currentData()) is TrainingSettings

    def _refresh_layers(self, event: Any = None) -> None:
        ticked = [item.text() for item in self._items() if item.checkState() == _TICKED]
        self.movie_list.blockSignals(True)
        self.movie_list.clear()
        for layer in self.viewer.layers:
            if isinstance(layer, Image) and layer.ndim > 2 and not layer.rgb:
                item = QListWidgetItem(layer.name)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(_TICKED if layer.name in ticked else Qt.CheckState.Unchecked)
                self.movie_list.addItem(item)
        self.movie_list.blockSignals(False)
        self._movies_changed()

    def _items(self) -> list[QListWidgetItem]:
        items = (self.movie_list.item(row) for row in range(self.movie_list.count()))
        return [item for item in items if item is not None]

    def _movies_changed(self, item: Any = None) -> None:
        if not self._takes_movies():
            self.missing.setText("This network learns from simulated emitters only.")
            return
        try:
            movies = self._movies()
        except InputError as error:
            self.missing.setText(str(error))
            return
        simulated = "No own movie is ticked: movies are simulated."
        self.missing.setText(" ".join(what_is_missing(movies)) if movies else simulated)

    def _movies(self) -> list[Movie]:
        names = [item.text() for item in self._items() if item.checkState() == _TICKED]
        return [
            movie_of(
                self.viewer.layers[name], likely_time_axis(stack_axes(self.viewer.layers[name]))
            )
            for name in names
        ]

    def run_or_cancel(self) -> None:
        """Start training, or cancel the one that runs."""
        if self.worker is not None:
            self.worker.quit()
            self.run_button.setEnabled(False)
            self.status.setText("Cancelling …")
            return
        try:
            settings = self.form.settings()
            assert isinstance(settings, LearningSettings)
            movies = self._movies() if self._takes_movies() else []
            output = own_output(self.name_edit.text())
        except InputError as error:
            self.status.setText(str(error))
            show_error(str(error))
            return
        network = self.network_box.currentData()
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
                    show=lambda progress: worker.preview.emit(draw_progress(progress)),
                )
            except Cancelled:
                return None, output.exists()
            return card, True

        self.worker = worker = TaskWorker(work)
        self.run_button.setText("Cancel")
        self.progress_bar.setValue(0)
        self.progress_bar.show()
        self.status.setText("Beginning …")
        worker.progress.connect(self._show_progress)
        worker.preview.connect(self._show_picture)
        worker.returned.connect(self._done)
        worker.errored.connect(self._failed)
        worker.finished.connect(self._stop)
        self.destroyed.connect(worker.quit)
        worker.start()

    def _show_progress(self, fraction: float, message: str) -> None:
        self.progress_bar.setValue(int(1000 * fraction))
        if self.run_button.isEnabled():
            self.status.setText(message)

    def _show_picture(self, png: bytes) -> None:
        pixmap = QPixmap()
        pixmap.loadFromData(png)
        self.picture.setPixmap(pixmap)
        self.picture.show()

    def _done(self, result: tuple[Card | None, bool]) -> None:
        card, _ = result
        if card is not None:
            loss = card.figures["held_out_loss"]
            self.status.setText(
                f"{self._name} has learnt {card.steps} steps in {card.minutes:g} min; its loss on "
                f"what is held out is {loss:.4f}. It is in the list of Model reconstruction."
            )
            show_info(f"{self._name} can be used in Model reconstruction.")

    def _failed(self, error: Exception) -> None:
        known = isinstance(error, InputError)
        self.status.setText(
            str(error)
            if known
            else f"This is a bug of napari-sofinet: {type(error).__name__}: {error}"
        )
        if known:
            show_error(str(error))

    def _stop(self) -> None:
        # napari tells of an aborted worker's end only, not of what it returned.
        if self.worker is not None and self.worker.abort_requested:
            self.status.setText(
                "Cancelled. Train goes on from here; weights that were looked at already are kept "
                f"as {self._name}."
            )
        self.worker = None
        self.progress_bar.hide()
        self.run_button.setText("Train")
        self.run_button.setEnabled(True)


_TICKED = Qt.CheckState.Checked


def draw_progress(progress: Progress) -> bytes:
    """PNG of the losses so far, and of the mean, the network's picture and the target of a crop."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.3, 3.0), dpi=100, layout="constrained", facecolor="none")
    axes: dict[str, Any] = figure.subplot_mosaic([["loss"] * 3, ["mean", "network", "target"]])
    curve = axes["loss"]
    if progress.learnt:
        steps, losses = zip(*progress.learnt, strict=True)
        curve.plot(steps, losses, color=GREY, linewidth=0.5, label="learnt")
    steps, losses = zip(*progress.held_out, strict=True)
    curve.plot(steps, losses, "o-", color="#4c9be8", markersize=3, label="held out")
    curve.set(yscale="log", xlabel="steps", ylabel="loss")
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

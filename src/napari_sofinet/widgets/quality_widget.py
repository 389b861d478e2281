"""The dock widget "Resolution and quality"."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Shapes
from napari.utils.notifications import show_error, show_info
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.io.atomic import atomic_write
from napari_sofinet.metrics.decorrelation import decorrelation_map
from napari_sofinet.quality.picture import Picture
from napari_sofinet.quality.region_measurements import (
    Corners,
    Findings,
    agreement_of,
    profiles_of,
    resolution_of,
    samples,
    shortened,
    trace_of,
)
from napari_sofinet.quality.scores import compare_squirrel
from napari_sofinet.widgets.compare_widget import OWN_LAYERS, show_colour_bar
from napari_sofinet.widgets.curves import draw_figure, pixels_of, save_figure, show_pixels
from napari_sofinet.widgets.form import narrow
from napari_sofinet.widgets.latest_worker import Latest
from napari_sofinet.widgets.layers import follow
from napari_sofinet.widgets.sources import Means, Source, source_of

POLL_MS = 40
RESOLUTION, PROFILE, TRACE, AGREEMENT = range(4)
PLOT = 330, 220  # px
LAYER_COLUMN, LAYER_LETTERS = 90, 30  # px, and of a name in it
ROI = "region"


class QualityWidget(QWidget):
    """Draw a box or a line: numbers and curves of all chosen layers follow while it moves.

    The shape is looked at a few times a second and measured in a thread. What is asked for while
    the thread works waits, the latest only, until the numbers are shown; so they follow a box that
    does not rest, and in the end belong to its last place.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.findings: Findings | None = None
        self._asked: Any = None
        self._means = Means()
        self._latest = Latest(self)
        self._latest.done.connect(self._show)
        self._latest.failed.connect(self._show_failure)
        self._build()
        follow(napari_viewer.layers, self._refresh_layers)
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def _build(self) -> None:
        self.layer_list = QListWidget()
        self.layer_list.setToolTip("Ticked layers are measured; of a movie the mean of its frames.")
        self.layer_list.setMaximumHeight(110)
        self.box_button, self.line_button = QPushButton("Box"), QPushButton("Line")
        self.box_button.setToolTip("Add a box to move about, for resolution, trace and agreement.")
        self.line_button.setToolTip("Add a line to move about, for profiles.")
        self.box_button.clicked.connect(lambda: self.add_shape("rectangle"))
        self.line_button.clicked.connect(lambda: self.add_shape("line"))
        self.peaks = QSpinBox()
        self.peaks.setRange(1, 2)
        self.reference_box = QComboBox()
        self.reference_box.setToolTip("What the others are compared with: wide field or truth.")
        narrow(self.reference_box)
        self.tabs = QTabWidget()
        self.plots = []
        for title in ("Resolution", "Profile", "Trace", "Agreement"):
            page, plot = QWidget(), QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
            plot.setMinimumSize(*PLOT)
            column = QVBoxLayout(page)
            column.addWidget(plot)
            form = QFormLayout()
            if title == "Profile":
                form.addRow("Peaks", self.peaks)
            if title == "Agreement":
                form.addRow("Reference", self.reference_box)
            column.addLayout(form)
            self.plots.append(plot)
            self.tabs.addTab(page, title)
        self.table = QTableWidget(0, 4)
        self.table.setHorizontalHeaderLabels(["layer", "quantity", "value", "unit / reason"])
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        self.table.setColumnWidth(0, LAYER_COLUMN)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.copy_button, self.csv_button = QPushButton("Copy"), QPushButton("Save CSV…")
        self.figure_button, self.map_button = QPushButton("Save figure…"), QPushButton("Map")
        self.map_button.setToolTip(
            "Add a layer: resolution in tiles of the selected layer, or its error against the "
            "reference where the tab is Agreement."
        )
        self.copy_button.clicked.connect(self.copy)
        self.csv_button.clicked.connect(self._ask_csv)
        self.figure_button.clicked.connect(self._ask_figure)
        self.map_button.clicked.connect(self.add_map)
        self.status = QLabel(wordWrap=True)
        outer = QVBoxLayout(self)
        top, below = QHBoxLayout(), QHBoxLayout()
        for button in (self.box_button, self.line_button):
            top.addWidget(button)
        for button in (self.copy_button, self.csv_button, self.figure_button, self.map_button):
            below.addWidget(button)
        outer.addWidget(self.layer_list)
        outer.addLayout(top)
        outer.addWidget(self.tabs)
        outer.addWidget(self.table, 1)
        outer.addLayout(below)
        outer.addWidget(self.status)
        self.setMinimumWidth(360)

    # -- layers and shapes ----------------------------------------------------------------------

    def _refresh_layers(self, event: Any = None) -> None:
        # In the order of napari's list: the uppermost first.
        images = [
            layer
            for layer in reversed(self.viewer.layers)
            if isinstance(layer, Image) and not layer.rgb and OWN_LAYERS not in layer.metadata
        ]
        before = {
            self.layer_list.item(k).text(): self.layer_list.item(k).checkState()
            for k in range(self.layer_list.count())
        }
        chosen = self.reference_box.currentText()
        self.layer_list.clear()
        self.reference_box.clear()
        for layer in images:
            item = QListWidgetItem(layer.name)
            hidden = Qt.CheckState.Checked if layer.visible else Qt.CheckState.Unchecked
            item.setCheckState(before.get(layer.name, hidden))
            self.layer_list.addItem(item)
            layer.events.name.connect(self._refresh_layers)
        # A reference lies below what was made from it.
        self.reference_box.addItems([layer.name for layer in reversed(images)])
        self.reference_box.setCurrentText(chosen)
        self._means.keep(images)

    def chosen(self) -> list[Image]:
        """The ticked layers."""
        ticked = [
            item.text()
            for item in map(self.layer_list.item, range(self.layer_list.count()))
            if item.checkState() == Qt.CheckState.Checked
        ]
        return [self.viewer.layers[name] for name in ticked if name in self.viewer.layers]

    def add_shape(self, kind: str) -> None:
        """Add a box or a line in the middle of the chosen layers, to be moved with the mouse."""
        layers = self.chosen()
        if not layers:
            show_error("Tick a layer first; open a movie or a picture if there is none.")
            return
        low, high = layers[0].extent.world[:, -2:]
        middle, size = (low + high) / 2, (high - low) / 2
        if kind == "rectangle":
            data = np.array([middle - size / 2, middle + size / 2])
        else:
            data = np.array([middle - size / 4 * (0, 1), middle + size / 4 * (0, 1)])
        shapes = self._shapes()
        if shapes is None:
            width = float(size.max()) / 100
            shapes = self.viewer.add_shapes(
                name=ROI,
                ndim=2,
                units=layers[0].units[-2:],
                edge_color="cyan",
                face_color="transparent",
                edge_width=width,
            )
        shapes.add(data, shape_type=kind)
        shapes.selected_data = {len(shapes.data) - 1}
        self.viewer.layers.selection.active = shapes
        shapes.mode = "select"
        self.tabs.setCurrentIndex(PROFILE if kind == "line" else min(self.tabs.currentIndex(), 3))
        if kind == "rectangle" and self.tabs.currentIndex() == PROFILE:
            self.tabs.setCurrentIndex(RESOLUTION)

    def _shapes(self) -> Shapes | None:
        found = [layer for layer in self.viewer.layers if isinstance(layer, Shapes)]
        named = [layer for layer in found if layer.name == ROI]
        active = self.viewer.layers.selection.active
        return active if active in found else (named or found or [None])[-1]

    def _corners(self, line: bool) -> np.ndarray | None:
        """World coordinates (2, 2) of the chosen line, or of two corners of the chosen box."""
        shapes = self._shapes()
        if shapes is None:
            return None
        fitting = [k for k, kind in enumerate(shapes.shape_type) if (kind == "line") is line]
        if not fitting:
            return None
        selected = [k for k in fitting if k in shapes.selected_data]
        vertices = np.asarray(shapes.data[(selected or fitting)[-1]], float)
        world = np.array([shapes.data_to_world(v) for v in vertices])[:, -2:]
        return world if line else np.array([world.min(axis=0), world.max(axis=0)])

    # -- measuring ------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something is being measured."""
        return self._latest.busy

    def look(self) -> None:
        """Measure again if the shape, the layers or what is asked for have changed."""
        if not self.isVisible():
            return
        tab = self.tabs.currentIndex()
        corners = self._corners(line=tab == PROFILE)
        layers = self.chosen()
        reference = self.reference_box.currentText()
        asked = (
            tab,
            None if corners is None else corners.tobytes(),
            tuple((layer.name, id(layer.data), layer.scale.tobytes()) for layer in layers),
            self.peaks.value(),
            reference,
        )
        if asked == self._asked:
            return
        if self._latest.busy:
            self.status.setText("Measuring …")  # asked for again when this is shown
            return
        self._asked = asked
        if corners is None or not layers:
            what = "a line" if tab == PROFILE else "a box"
            self._clear(f"Tick layers and draw {what}; the buttons above make one.")
            return
        measure = self._task(tab, corners, layers, reference)

        def answer() -> tuple[Any, Any]:
            try:
                return asked, measure()
            except InputError as error:
                return asked, error

        self._latest.ask(answer)
        self.status.setText("Measuring …")

    def _task(
        self, tab: int, corners: np.ndarray, layers: list[Image], reference: str
    ) -> Callable[[], tuple[int, Findings, np.ndarray]]:
        """What the thread does; all that belongs to napari is asked for now."""
        boxes = {layer.name: _in_samples(layer, corners) for layer in layers}
        peaks = self.peaks.value()
        sources = {layer.name: source_of(layer) for layer in layers}
        if tab == AGREEMENT and reference not in sources:
            extra = next((x for x in self.viewer.layers if x.name == reference), None)
            if extra is not None:
                boxes[reference] = _in_samples(extra, corners)
                sources[reference] = source_of(extra)

        def measure() -> tuple[int, Findings, np.ndarray]:
            if tab == TRACE:
                found = trace_of(_traces(sources, boxes), sources)
            else:
                pictures = {
                    name: (self._means.picture(source), boxes[name])
                    for name, source in sources.items()
                }
                if tab == RESOLUTION:
                    found = resolution_of(pictures)
                elif tab == PROFILE:
                    found = profiles_of(pictures, peaks)
                else:
                    if reference not in pictures:
                        raise InputError("Choose a reference layer to compare with.")
                    found = agreement_of(pictures, reference)
            return tab, found, pixels_of(draw_figure(found.draw, *PLOT))

        return measure

    def _clear(self, sentence: str) -> None:
        self.findings = None
        self.table.setRowCount(0)
        for plot in self.plots:
            plot.clear()
        self.status.setText(sentence)

    def _show(self, answer: tuple[Any, Any]) -> None:
        asked, result = answer
        if asked != self._asked:
            return
        if isinstance(result, InputError):
            self._clear(str(result))
        else:
            self._show_findings(*result)
        self.look()

    def _show_findings(self, tab: int, findings: Findings, pixels: np.ndarray) -> None:
        self.findings = findings
        show_pixels(self.plots[tab], pixels)
        self.table.clearSpans()
        self.table.setRowCount(len(self.findings.rows))
        for i, row in enumerate(self.findings.rows):
            value = "–" if row.value is None else f"{row.value:.4g}"
            last = "; ".join(filter(None, (row.unit, row.note)))
            for j, text in enumerate((row.picture, row.quantity, value, last)):
                item = QTableWidgetItem(text if j else shortened(text, LAYER_LETTERS))
                item.setToolTip(text)
                self.table.setItem(i, j, item)
        self._join_names()
        self.status.setText("")

    def _join_names(self) -> None:
        """Show the name of a layer once for all its rows."""
        first = 0
        names = [row.picture for row in self.findings.rows] if self.findings else []
        for _, rows in groupby(names):
            many = len(list(rows))
            if many > 1:
                self.table.setSpan(first, 0, many, 1)
            first += many

    def _show_failure(self, error: Exception) -> None:
        self._clear(f"This is a bug of napari-sofinet: {type(error).__name__}: {error}")
        raise error

    # -- results --------------------------------------------------------------------------------

    def as_csv(self) -> str:
        """The table as text with commas."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["layer", "quantity", "value", "unit", "note"])
        for row in self.findings.rows if self.findings else ():
            value = "" if row.value is None else repr(row.value)
            writer.writerow([row.picture, row.quantity, value, row.unit, row.note])
        return text.getvalue()

    def copy(self) -> None:
        """Put the table on the clipboard, with tabs as spreadsheets like it."""
        rows = csv.reader(io.StringIO(self.as_csv()))
        QApplication.clipboard().setText("\n".join("\t".join(row) for row in rows))
        show_info("The table is on the clipboard.")

    def _ask_csv(self) -> None:
        self._save("Save the table", "quality.csv", "CSV (*.csv)", self.save_csv)

    def _ask_figure(self) -> None:
        kinds = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"
        self._save("Save the curves", "quality.png", kinds, self.save_figure)

    def _save(self, title: str, name: str, kinds: str, save: Callable[[str], None]) -> None:
        if self.findings is None:
            show_error("There is nothing to save yet; draw a box or a line.")
            return
        path, _ = QFileDialog.getSaveFileName(self, title, name, kinds)
        if not path:
            return
        try:
            save(path)
        except (InputError, OSError, ValueError) as error:
            show_error(f"{path} could not be written: {error}.")
        else:
            show_info(f"Saved {path}.")

    def save_csv(self, path: str) -> None:
        """Write the table; the file appears only when complete."""
        with atomic_write(Path(path)) as partial:
            Path(partial).write_text(self.as_csv(), encoding="utf-8", newline="")

    def save_figure(self, path: str) -> None:
        """Write the curves as PNG, SVG or PDF."""
        if self.findings is not None:
            save_figure(self.findings.draw, path)

    def add_map(self) -> None:
        """Add a map of resolution or of errors as a layer."""
        layers = self.chosen()
        active = self.viewer.layers.selection.active
        layer = active if active in layers else layers[0] if layers else None
        if layer is None:
            show_error("Tick a layer first.")
            return
        source = source_of(layer)
        agreement = self.tabs.currentIndex() == AGREEMENT
        reference = next(
            (x for x in self.viewer.layers if x.name == self.reference_box.currentText()), None
        )
        try:
            if not agreement:
                self._add_resolution_map(layer, self._means.picture(source))
            elif reference is None or reference is layer:
                show_error("Choose another layer as the reference.")
            else:
                self._add_error_map(layer, source, reference)
        except InputError as error:
            show_error(str(error))

    def _add_resolution_map(self, layer: Image, picture: Picture) -> None:
        side = min(picture.image.shape)
        tile = int(np.clip(side // 3, 100, 200))
        found, y, x = decorrelation_map(picture.image, tile, max(tile // 4, 1))
        if not np.isfinite(found).any():
            raise InputError(f"No tile of {layer.name} has a resolution; it may be too small.")
        scale = 1.0 if picture.pixel_um is None else 1000 * picture.pixel_um
        unit = "px" if picture.pixel_um is None else "nm"
        step = y[1] - y[0] if len(y) > 1 else tile, x[1] - x[0] if len(x) > 1 else tile
        own = layer.scale[-2:]
        made = self.viewer.add_image(
            scale * found,
            name=f"resolution ({unit}) {layer.name}",
            scale=own * step,
            translate=layer.translate[-2:] + own * (y[0], x[0]),
            units=layer.units[-2:],
            colormap="viridis",
            blending="translucent",
            opacity=0.6,
            metadata={OWN_LAYERS: True},
        )
        show_colour_bar(made)

    def _add_error_map(self, layer: Image, source: Any, reference: Image) -> None:
        found = compare_squirrel(
            self._means.picture(source), self._means.picture(source_of(reference))
        )
        made = self.viewer.add_image(
            found.error_map,
            name=f"SQUIRREL error {layer.name}",
            scale=reference.scale[-2:],
            translate=reference.translate[-2:],
            units=reference.units[-2:],
            colormap="magma",
            metadata={OWN_LAYERS: True},
        )
        show_colour_bar(made)
        note = f" {found.warning}" if found.warning else ""
        self.status.setText(f"RSP {found.rsp:.3f}, RSE {found.rse:.4g}.{note}")

    def event(self, event: QEvent | None) -> bool:
        """Qt's hook: a widget loses its parent when its dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._timer.stop()
            self._latest.close()
        return bool(super().event(event))


def _in_samples(layer: Image, world: np.ndarray) -> Corners:
    """World points (2, 2) in samples of a layer."""
    lead = [0.0] * (layer.ndim - 2)
    a, b = (np.asarray(layer.world_to_data([*lead, *point]))[-2:] for point in world)
    return (float(a[0]), float(a[1])), (float(b[0]), float(b[1]))


def _traces(
    sources: dict[str, Source], boxes: dict[str, Corners]
) -> dict[str, tuple[np.ndarray, float | None]]:
    traces = {}
    for name, source in sources.items():
        movie = source.movie
        if movie is not None:
            part = movie.select(roi=samples(boxes[name], movie.shape[1:]))
            trace = [block.mean(axis=(1, 2), dtype=np.float64) for block in time_blocks(part)]
            traces[name] = np.concatenate(trace), movie.frame_interval_s
    if not traces:
        raise InputError("Tick a movie to see its brightness over time.")
    return traces

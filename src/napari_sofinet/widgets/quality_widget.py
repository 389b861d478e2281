"""Dock widget "Resolution and quality"."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.quality.numbers_csv import Measurement, numbers_csv
from napari_sofinet.quality.region_measurements import Findings, rows_as_csv
from napari_sofinet.widgets.curves import show_pixels
from napari_sofinet.widgets.dock import Dock, Picture
from napari_sofinet.widgets.latest_worker import Latest
from napari_sofinet.widgets.layers import follow
from napari_sofinet.widgets.line_region import (
    draw_next_line,
    line_across_brightest,
    measured_region,
)
from napari_sofinet.widgets.map_task import AddMap, error_task, resolution_task
from napari_sofinet.widgets.measured_origins import measurement_of
from napari_sofinet.widgets.measurement_layers import measurable_layers
from napari_sofinet.widgets.narrow_box import NarrowBox
from napari_sofinet.widgets.number_tables import FindingsTable
from napari_sofinet.widgets.numbers_saving import figure_saving, numbers_saving
from napari_sofinet.widgets.quality_tips import TIPS
from napari_sofinet.widgets.region_layer import (
    add_region,
    prepare_shapes,
    shapes_prepared,
)
from napari_sofinet.widgets.region_task import (
    AGREEMENT,
    KINDS,
    PLOT_PX,
    PROFILE,
    RESOLUTION,
    VOLUME,
    kinds_for,
    plot_size,
    region_task,
)
from napari_sofinet.widgets.rows import Rows
from napari_sofinet.widgets.save_dialog import SaveButton, Saving
from napari_sofinet.widgets.sources import Means, same_while_unchanged
from napari_sofinet.widgets.worker import sentence_of

POLL_MS = 40
LINES = 2, 6
"""Least and most lines of the list of layers."""


class QualityWidget(Dock):
    """Measures a box or a line in all chosen layers while it is moved with the mouse.

    The region is read a few times a second and measured in a thread. A request that comes while
    the thread works waits until the numbers are shown, and only the latest one is kept. So the
    numbers follow a box that keeps moving, and belong to its last position in the end.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Viewer whose layers are measured.
    """

    tab = "Quality"

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.findings: Findings | None = None
        self.measurement: Measurement | None = None
        self._asked: Any = None
        self._note = ""
        self._shape_to_add: str | None = None
        self._means = Means()
        self._latest = Latest(self)
        self._latest.done.connect(self._show)
        self._latest.failed.connect(self._show_failure)
        self._maps = Latest(self)
        self._maps.done.connect(self._show_map)
        self._maps.failed.connect(self._map_failed)
        self._build()
        for name, tip in TIPS.items():
            getattr(self, name).setToolTip(tip)
        self._lay_out()
        follow(napari_viewer.layers, self._refresh_layers)
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()
        prepare_shapes()

    def _build(self) -> None:
        self.layer_list = QListWidget()
        self.layer_list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.layer_list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.box_button, self.line_button = QPushButton("Box"), QPushButton("Line")
        self.box_button.clicked.connect(lambda: self.add_shape("rectangle"))
        self.line_button.clicked.connect(lambda: self.add_shape("line"))
        self.peaks = QSpinBox()
        self.peaks.setRange(1, 2)
        self.reference_box = NarrowBox()
        self.tabs = QTabWidget()
        self.plots = [Picture(PLOT_PX) for _ in KINDS]
        self.table = FindingsTable()
        self.copy_button, self.map_button = QPushButton("Copy"), QPushButton("Map")
        self.csv_button = SaveButton("Save CSV…", self._csv_saving, self.status)
        self.figure_button = SaveButton("Save figure…", self._figure_saving, self.status)
        self.copy_button.clicked.connect(self.copy)
        self.map_button.clicked.connect(self.add_map)

    def _lay_out(self) -> None:
        rows = {"Profile": ("Peaks", self.peaks)}
        for kind, plot in zip(KINDS, self.plots, strict=True):
            page, form = QWidget(), Rows()
            if kind in rows:
                form.addRow(*rows[kind])
            column = QVBoxLayout(page)
            column.addWidget(plot)
            column.addLayout(form)
            self.tabs.addTab(page, kind)
        top, below = QHBoxLayout(), QHBoxLayout()
        for button in (self.box_button, self.line_button):
            top.addWidget(button)
        for button in (self.copy_button, self.csv_button, self.figure_button, self.map_button):
            below.addWidget(button)
        self.reference_row = Rows()
        self.reference_row.addRow("Reference", self.reference_box)
        self.tabs.currentChanged.connect(self._show_reference)
        self.layer_list.itemChanged.connect(self._offer_tabs)
        self._show_reference(self.tabs.currentIndex())
        self._fill_dock(
            (self.layer_list, top, self.tabs, self.reference_row, self.table),
            (),
            (below,),
            high=self.table,
        )

    def _offer_tabs(self, *_: Any) -> None:
        """Show the tabs of measurements that the open layers allow."""
        shown = kinds_for(measurable_layers(self.viewer.layers), self.chosen())
        for kind in range(len(KINDS)):
            self.tabs.setTabVisible(kind, kind in shown)

    def _show_reference(self, kind: int) -> None:
        self.reference_row.setRowVisible(0, kind in (AGREEMENT, VOLUME))

    # -- layers and regions ---------------------------------------------------------------------

    def _refresh_layers(self, event: Any = None) -> None:
        images = measurable_layers(self.viewer.layers)
        ticks = {item.text(): item.checkState() for item in self._items()}
        chosen = self.reference_box.currentText()
        self.layer_list.clear()
        self.reference_box.clear()
        for layer in reversed(images):  # the uppermost first, as in napari's list
            item = QListWidgetItem(layer.name)
            item.setToolTip(layer.name)
            usual = Qt.CheckState.Checked if layer.visible else Qt.CheckState.Unchecked
            item.setCheckState(ticks.get(layer.name, usual))
            self.layer_list.addItem(item)
            layer.events.name.connect(self._refresh_layers)
        lines, line = min(max(len(images), LINES[0]), LINES[1]), self.layer_list.sizeHintForRow(0)
        self.layer_list.setFixedHeight(lines * max(line, 16) + 2 * self.layer_list.frameWidth())
        # The lowest first: a reference usually lies below the pictures that were made from it.
        self.reference_box.addItems([layer.name for layer in images])
        self.reference_box.setCurrentText(chosen)
        self._means.keep(images)
        self._offer_tabs()

    def _items(self) -> list[QListWidgetItem]:
        return [self.layer_list.item(k) for k in range(self.layer_list.count())]

    def chosen(self) -> list[Image]:
        """Return the ticked layers.

        Returns
        -------
        list of Image
            Layers, the uppermost first.
        """
        names = [
            item.text() for item in self._items() if item.checkState() == Qt.CheckState.Checked
        ]
        return [self.viewer.layers[name] for name in names if name in self.viewer.layers]

    def add_shape(self, kind: str) -> None:
        """Add a box in the middle of the chosen layers, or a line across the brightest structure.

        After that one drag of the mouse draws another line instead.

        Parameters
        ----------
        kind : {"rectangle", "line"}
            Shape to add.
        """
        layers = self.chosen()
        if not layers:
            self.status.setText("Tick a layer first; open a movie or a picture if there is none.")
            return
        if not shapes_prepared():
            self._shape_to_add = kind  # `look` adds it
            self.status.setText("Preparing to draw; the first time this takes up to a minute …")
            return
        ends = line_across_brightest(self.viewer, layers[0]) if kind == "line" else None
        add_region(self.viewer, layers[0], kind, ends)
        if kind == "line":
            draw_next_line(self.viewer)
            self.tabs.setCurrentIndex(PROFILE)
        elif self.tabs.currentIndex() == PROFILE:
            self.tabs.setCurrentIndex(RESOLUTION)

    def _point(self) -> tuple[float, ...]:
        return tuple(float(at) for at in self.viewer.dims.point)

    def _reference(self) -> Image | None:
        name = self.reference_box.currentText()
        return self.viewer.layers[name] if name in self.viewer.layers else None

    # -- measuring ------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something is being measured, or a map made."""
        return self._latest.busy or self._maps.busy

    def look(self) -> None:
        """Measure again if the region, the layers or the kind of measurement have changed."""
        if not self.isVisible():
            return
        if self._shape_to_add is not None:
            if not shapes_prepared():
                return
            kind_to_add, self._shape_to_add = self._shape_to_add, None
            self.add_shape(kind_to_add)
        kind = self.tabs.currentIndex()
        corners, self._note = measured_region(self.viewer, line=kind == PROFILE)
        layers = self.chosen()
        asked = self._question(kind, corners, layers)
        if asked == self._asked:
            return
        if self._latest.busy:
            self.status.setText("Measuring …")  # `_show` looks again
            return
        if self._asked is not None and self._asked[0] != kind:
            self._clear("")  # the numbers are those of another tab
        self._asked = asked
        if corners is None or not layers:
            shape = "a line" if kind == PROFILE else "a box"
            self._clear(f"Tick layers and draw {shape}; the buttons above make one.")
            return
        reference, peaks = self._reference(), self.peaks.value()
        measure = region_task(
            kind, layers, corners, self._means, reference, peaks, asked[-1], self._point()
        )
        measurement = measurement_of(kind, layers, corners, reference, peaks)

        def answer() -> tuple[Any, Any]:
            try:
                return asked, (*measure(), measurement)
            except InputError as error:
                return asked, error

        self._latest.ask(answer)
        self.status.setText("Measuring …")

    def _question(self, kind: int, corners: np.ndarray | None, layers: list[Image]) -> Any:
        """Return all that the numbers depend on, and last the size of the plot."""
        return (
            kind,
            None if corners is None else corners.tobytes(),
            tuple((layer.name, *same_while_unchanged(layer, self._point())) for layer in layers),
            self.peaks.value(),
            self.reference_box.currentText(),
            plot_size(self.tabs.width()),
        )

    def _clear(self, sentence: str) -> None:
        self.findings = None
        self.table.clear_rows()
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
            self._show_findings(asked[0], *result)
        self.look()

    def _show_findings(
        self, kind: int, findings: Findings, pixels: np.ndarray, measurement: Measurement
    ) -> None:
        self.findings, self.measurement = findings, measurement
        show_pixels(self.plots[kind], pixels)
        self.table.show_rows(findings.rows)
        self.status.setText(self._note)

    def _show_failure(self, error: Exception) -> None:
        self._clear(f"This is a bug in napari-sofinet: {type(error).__name__}: {error}")
        raise error

    # -- results --------------------------------------------------------------------------------

    def as_csv(self) -> str:
        """Return the table with all that is needed to measure it again.

        Returns
        -------
        str
            Text with commas, see `numbers_csv`; empty without numbers.
        """
        if self.findings is None or self.measurement is None:
            return ""
        return numbers_csv(self.findings.rows, self.measurement)

    def copy(self) -> None:
        """Copy the table to the clipboard, with tabs between columns as spreadsheets expect."""
        rows = csv.reader(io.StringIO(rows_as_csv(self.findings.rows if self.findings else ())))
        QApplication.clipboard().setText("\n".join("\t".join(row) for row in rows))
        self.status.setText("The table is on the clipboard.")

    def _csv_saving(self) -> Saving:
        return numbers_saving(self.findings, self.measurement)

    def _figure_saving(self) -> Saving:
        return figure_saving(self.findings, self.measurement)

    def add_map(self) -> None:
        """Add a map of the resolution or, in the tab Agreement, of the error as a layer."""
        layers = self.chosen()
        active = self.viewer.layers.selection.active
        layer = active if active in layers else layers[0] if layers else None
        if layer is None:
            self.status.setText("Tick a layer first.")
            return
        try:
            if self.tabs.currentIndex() == AGREEMENT:
                work = error_task(layer, self._reference(), self._means, self._point())
            else:
                work = resolution_task(layer, self._means, self._point())
        except InputError as error:
            self.status.setText(str(error))
            return
        self.map_button.setEnabled(False)
        self.status.setText("Making the map …")
        self._maps.ask(work)

    def _show_map(self, add: AddMap) -> None:
        self.map_button.setEnabled(True)
        self.status.setText(add(self.viewer))

    def _map_failed(self, error: Exception) -> None:
        self.map_button.setEnabled(True)
        self.status.setText(sentence_of(error))
        if not isinstance(error, InputError):
            raise error

    def stop_work(self) -> None:
        """Stop looking at the region and measuring it."""
        super().stop_work()
        self._timer.stop()
        self._latest.close()
        self._maps.close()

"""Dock widget "Localisations"."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from napari import Viewer
from napari.layers import Points
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QGroupBox,
    QLabel,
    QLineEdit,
    QVBoxLayout,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.io.scale import LARGEST_PIXEL_UM
from napari_sofinet.methods.table import DEFAULT_PIXEL_NM, DEFAULT_PIXEL_PX
from napari_sofinet.widgets.curves import show_pixels
from napari_sofinet.widgets.dock import Picture
from napari_sofinet.widgets.layer_box import LayerBox
from napari_sofinet.widgets.layers import follow
from napari_sofinet.widgets.narrow_box import NarrowBox
from napari_sofinet.widgets.placement import picture_options
from napari_sofinet.widgets.result_files import saving_of_table
from napari_sofinet.widgets.result_layers import add_points
from napari_sofinet.widgets.rows import Rows
from napari_sofinet.widgets.save_dialog import SaveButton, Saving
from napari_sofinet.widgets.table_filter import TableFilter, in_a_row, number_in
from napari_sofinet.widgets.table_reader import contrast_of_spots
from napari_sofinet.widgets.table_work import Made, make
from napari_sofinet.widgets.tables import TableLayer, table_layers
from napari_sofinet.widgets.worker import TaskWorker, WorkingWidget

PAUSE_MS = 150
SPOTS = {
    "Gaussian of the uncertainty": "gaussian",
    "localisations per pixel": "histogram",
    "no picture": "",
}
MOST_HIDDEN = 20_000
"""Points up to which those that are not kept are hidden: for more it takes too long."""
NM, PER_PIXEL = "nm", "per camera pixel"
HINT = "Open a table of localisations first: drop its file into the window."


class TableWidget(WorkingWidget):
    """Dock that filters localizations, corrects their drift and draws them.

    The localizations that pass the filter are counted while the user types. The rest is done in a
    thread; it ends with new layers, the reason of a failure, or nothing if it was cancelled.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Viewer that has the layer of the table.
    """

    tab = "Localisations"

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__("Add as layers")
        self.viewer = napari_viewer
        self._source: TableLayer | None = None
        self._filtered: Points | None = None  # layer of which only the kept points are shown
        self._size = 0.0
        self._before: tuple[str, ...] = ()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self.count)
        self._build()
        follow(napari_viewer.layers, self._refresh_layers)

    # -- parts of the dock ----------------------------------------------------------------------

    def _build(self) -> None:
        self.table_box = LayerBox("Points of a table, or a picture that was made from one.")
        self.table_box.currentIndexChanged.connect(self._table_changed)
        self.pixel_edit = QLineEdit()
        self.pixel_edit.setPlaceholderText("not known")
        self.pixel_edit.setToolTip(
            "Size of a camera pixel, if the table is in pixels and does not tell it."
        )
        self.pixel_edit.textChanged.connect(lambda *_: self._describe())
        self.filter = TableFilter()
        self.filter.changed.connect(self._timer.start)
        self.kept = self.filter.kept
        self.drift_box = QCheckBox("Correct drift")
        self.drift_box.setToolTip(
            "Estimate the drift by aligning pictures of blocks of frames, and remove it."
        )
        self.block = QLineEdit()
        self.block.setPlaceholderText("automatic")
        self.block.setToolTip(
            "Frames of a block: short blocks follow fast drift, long ones have less noise."
        )
        self.drift_box.toggled.connect(self.block.setEnabled)
        self.block.setEnabled(False)
        self.curve, self.drift_text = Picture(), QLabel(wordWrap=True)
        self._build_picture()
        self.run_button.setToolTip(
            "Add the picture, and the points that are kept if any were left out or moved."
        )
        self.run_button.clicked.connect(self.run_or_cancel)
        self.save_button = SaveButton("Save…", self._saving, self.status)
        self.save_button.setToolTip(
            "Save the localisations that are kept, without drift if it is corrected, or their "
            "picture."
        )
        self._lay_out()

    def _build_picture(self) -> None:
        self.spots_box = NarrowBox()
        self.spots_box.addItems(list(SPOTS))
        self.spots_box.setToolTip(
            "What is drawn for each localisation: a spot as wide as its uncertainty, or one count "
            "in its pixel."
        )
        self.spots_box.currentTextChanged.connect(lambda *_: self._enable())
        self.samples = QLineEdit()
        self.samples.setToolTip(
            "Size of the pixels of the picture in nm, or their number per camera pixel."
        )
        self.unit_box = NarrowBox()
        self.unit_box.addItems([NM, PER_PIXEL])
        self.unit_box.currentTextChanged.connect(self._unit_changed)
        self._unit_changed(NM)

    def _lay_out(self) -> None:
        top = Rows()
        top.addRow("Table", self.table_box)
        top.addRow("Pixel size (µm)", self.pixel_edit)
        drift_box, draw_box = QGroupBox("Drift"), QGroupBox("Picture")
        column = QVBoxLayout(drift_box)
        block = Rows()
        block.addRow(self.drift_box)
        block.addRow("Frames per block", self.block)
        column.addLayout(block)
        for label in (self.curve, self.drift_text):
            column.addWidget(label)
            label.hide()
        rows = Rows(draw_box)
        rows.addRow("Spots", self.spots_box)
        rows.addRow("Pixels", in_a_row(self.samples, self.unit_box))
        self._fill_dock(
            (top, self.filter, drift_box, draw_box),
            (),
            (self.progress_bar, in_a_row(self.run_button, self.save_button)),
        )

    def _refresh_layers(self, event: Any = None) -> None:
        layers = table_layers(self.viewer.layers)
        for layer in layers:
            if isinstance(layer, Points):
                layer.events.data.connect(self._points_changed)
        self.table_box.offer(layers, self._refresh_layers)
        if not layers:
            self._table_changed()

    def _points_changed(self, event: Any) -> None:
        if event.source is self.table_box.layer():
            self._timer.start()

    def _table_changed(self, index: int = 0) -> None:
        """Show another table; the limits that were typed stay."""
        self._show_all()
        if self.worker is None:
            self.status.setText("")  # what is written there is about the table before
        for label in (self.curve, self.drift_text):
            label.hide()
        layer = self.table_box.layer()
        size = None if layer is None else TableLayer(layer).carried.camera_pixel_um
        self.pixel_edit.blockSignals(True)
        self.pixel_edit.setText("" if size is None else f"{size:.6g}")
        self.pixel_edit.setEnabled(layer is not None and size is None)
        self.pixel_edit.blockSignals(False)
        self._describe()

    def _describe(self) -> None:
        """Show the range of each column of the table."""
        try:
            table = self._sized(self.table_layer().carried)
        except InputError as error:
            self.kept.setText(str(error))
            return
        self.filter.describe(table)
        known = table.camera_pixel_um is not None
        item = self.unit_box.model().item(0)
        item.setEnabled(known)
        if not known:
            self.unit_box.setCurrentText(PER_PIXEL)
        self._timer.stop()
        self.count()

    def _unit_changed(self, unit: str) -> None:
        self.samples.setText(f"{DEFAULT_PIXEL_NM if unit == NM else 1 / DEFAULT_PIXEL_PX:g}")

    def _enable(self) -> None:
        drawn = bool(SPOTS[self.spots_box.currentText()])
        self.samples.setEnabled(drawn)
        self.unit_box.setEnabled(drawn)

    def count(self) -> None:
        """Show how many localizations are kept, only those among the points, or why none."""
        try:
            chosen = self.table_layer()
            kept = self.filter.count(self._sized(chosen.table()))
        except InputError as error:
            self.kept.setText(str(error))
            return
        layer = chosen.layer
        if isinstance(layer, Points) and len(layer.data) == len(kept) <= MOST_HIDDEN:
            if self._filtered is not layer:
                self._filtered, self._size = layer, layer.size.max(initial=0)
            # napari draws those of a layer without time even if they are not among its shown ones.
            layer.size = np.where(kept, self._size, 0)

    def _show_all(self) -> None:
        """Show all points of the layer again of which some were hidden."""
        if self._filtered is not None and self._filtered in self.viewer.layers:
            self._filtered.size = self._size
        self._filtered = None

    def stop_work(self) -> None:
        """Stop counting, and show all points again."""
        super().stop_work()
        self._timer.stop()
        self._show_all()

    # -- settings -------------------------------------------------------------------------------

    def table_layer(self) -> TableLayer:
        """Return the chosen layer.

        Returns
        -------
        TableLayer
            Layer with its table.

        Raises
        ------
        InputError
            If there is none.
        """
        layer = self.table_box.layer()
        if layer is None or layer not in self.viewer.layers:
            raise InputError(HINT)
        return TableLayer(layer)

    def _sized(self, table: LocalizationTable) -> LocalizationTable:
        """Return a table with the typed size of a camera pixel if it does not have its own."""
        if table.camera_pixel_um is not None or not self.pixel_edit.text().strip():
            return table
        size = number_in(self.pixel_edit, "pixel size")
        if not 0 < size <= LARGEST_PIXEL_UM:
            raise InputError(f"A camera pixel of {size:g} µm is impossible; give e.g. 0.1.")
        return table.with_pixel(size)

    def settings(self, table: LocalizationTable) -> dict[str, Any]:
        """Return the settings in the form.

        Parameters
        ----------
        table : LocalizationTable
            Table to be drawn.

        Returns
        -------
        dict
            Settings of the method "table"; ``render`` is empty if no picture is wanted.

        Raises
        ------
        InputError
            If a text is no number.
        """
        drift = "no"
        if self.drift_box.isChecked():
            block = self.block.text().strip()
            drift = str(int(number_in(self.block, "block"))) if block else "auto"
        render = SPOTS[self.spots_box.currentText()]
        distance = number_in(self.samples, "size or number of pixels") if render else None
        by_nm = self.unit_box.currentText() == NM
        return {
            "where": " and ".join(self.filter.conditions(table)),
            "drift": drift,
            "render": render,
            "pixel_nm": distance if by_nm else None,
            "fineness": None if by_nm else distance,
        }

    # -- the work -------------------------------------------------------------------------------

    def _input(self) -> tuple[TableLayer, LocalizationTable, dict[str, Any]]:
        """Return the chosen layer, its table and the settings; `InputError` if one is missing."""
        layer = self.table_layer()
        table = replace(self._sized(layer.input()), frame_interval_s=layer.interval_s)
        return layer, table, self.settings(table)

    def _saving(self) -> Saving:
        """Return what the button Save… saves: what the form describes."""
        layer, table, settings = self._input()
        return saving_of_table(table, settings, layer.name)

    def run_or_cancel(self) -> None:
        """Start making the layers, or cancel the running work."""
        if self.worker is not None:
            self._cancel()
            return
        try:
            layer, table, settings = self._input()
        except InputError as error:
            self.status.setText(str(error))
            return
        self._source, self._before = layer, table.notes
        worker = TaskWorker(partial(make, table, settings))
        self._show_work(worker)
        self.status.setText("Working …")
        worker.returned.connect(self._show)
        worker.start()

    def _show(self, made: Made | None) -> None:
        source = self._source
        if made is None or source is None:
            return
        if source.layer not in self.viewer.layers:
            self.status.setText(f"{source.name} was removed; nothing was added.")
            return
        self._show_drift(made)
        if made.picture is not None:
            options = picture_options(source, made.picture, _title(source, made))
            options["contrast_limits"] = contrast_of_spots(made.picture.image)
            self.viewer.add_image(made.picture.image, **options)
        if made.changed:
            add_points(
                self.viewer,
                source,
                made.table,
                made.table.camera_pixel_um or 1.0,
                name=f"{source.name} {'kept' if made.way is None else 'without drift'}",
                metadata=_metadata(source, made),
                visible=made.picture is None,
            )
        notes = made.table.notes if made.picture is None else made.picture.notes
        new = [note for note in notes if note not in self._before]
        seconds = time.monotonic() - self._started
        self.status.setText(" ".join((f"Done in {seconds:.1f} s.", *new)))

    def _show_drift(self, made: Made) -> None:
        for label in (self.curve, self.drift_text):
            label.setVisible(made.way is not None)
        if made.way is None or made.curve is None:
            return
        show_pixels(self.curve, made.curve)
        pixel = made.table.camera_pixel_um
        y, x = np.ptp(made.way, axis=0) * (1 if pixel is None else 1000 * pixel)
        unit = "camera px" if pixel is None else "nm"
        self.drift_text.setText(f"Largest drift: {y:.3g} {unit} along y, {x:.3g} {unit} along x.")


def _title(source: TableLayer, made: Made) -> str:
    """Return the words before the name of the table in the name of its picture."""
    kept, all_of_it = len(made.table), len(source.input())
    words = ["picture"] if kept == all_of_it else [f"picture, {kept} of {all_of_it}"]
    return " ".join([*words, "of" if made.way is None else "without drift of"])


def _metadata(source: TableLayer, made: Made) -> dict[str, Any]:
    """Return the metadata of the layer of points."""
    known = {"sofinet_table": made.table, "sofinet_interval_s": source.interval_s}
    return known if made.picture is None else known | {"sofinet_result": made.picture}

"""Tables of numbers in docks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from napari_sofinet.quality.drawing import shortened
from napari_sofinet.quality.region_measurements import Row

NAME_LETTERS = 44
"""Letters of a layer's name in its row."""
NEEDS_TRUTH = "Needs the truth as the second layer."
HIGHER, LOWER = "Higher is better", "Lower is better"
SCORES = {
    "pearson": ("Pearson", HIGHER, "Correlation of both layers, at most 1."),
    "rsp": (
        "RSP",
        HIGHER,
        "Correlation with a wide field after blurring (SQUIRREL).",
    ),
    "rse": (
        "RSE",
        LOWER,
        "Error after blurring, in units of the second layer: counts of a movie.",
    ),
    "ssim_fitted": ("SSIM, fitted", HIGHER, "Similarity of small windows after scaling."),
    "mse": ("MSE, fitted", LOWER, "Mean squared error after scaling; the second layer spans 1."),
    "tpr": ("true positives", HIGHER, "Fraction of the structure that is shown (Li mask)."),
    "tnr": ("true negatives", HIGHER, "Fraction of the background that is empty (Li mask)."),
    "false_filament_share": (
        "false lines",
        LOWER,
        "Fraction of the first layer's lines that the second lacks.",
    ),
    "frc_nm": ("FRC (nm)", "Lower is finer", "Finest detail on which both layers agree."),
    "frc_px": ("FRC (samples)", "Lower is finer", "Finest detail on which both layers agree."),
}
"""Names, directions and explanations of scores, by their keys in the result of `compare`."""
OF_THE_TRUTH = "ssim_fitted", "mse", "tpr", "tnr", "false_filament_share"
"""Scores that mean something only if the second layer is the truth."""


class NumberTable(QTableWidget):
    """Table that can be read but not edited.

    Parameters
    ----------
    headings : sequence of str
        Names of the columns.
    """

    def __init__(self, headings: Sequence[str]) -> None:
        super().__init__(0, len(headings))
        self.setHorizontalHeaderLabels(list(headings))
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.verticalHeader().hide()

    def clear_rows(self) -> None:
        """Remove all rows."""
        self.setRowCount(0)

    def _write(self, row: int, column: int, text: str, tool_tip: str) -> None:
        item = QTableWidgetItem(text)
        item.setToolTip(tool_tip)
        self.setItem(row, column, item)


class ScoreTable(NumberTable):
    """Agreement of two layers: one row per score, all of them visible without scrolling."""

    def __init__(self) -> None:
        super().__init__(("score", "value", "meaning"))
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._fit_height()

    def show_scores(self, scores: dict[str, Any], truth: bool = True) -> None:
        """Show scores in the order of `SCORES`.

        Parameters
        ----------
        scores : dict
            Result of `napari_sofinet.quality.scores.compare`.
        truth : bool, optional
            Whether the second layer may be the truth; else scores that need it are left out.
        """
        # A length is shown in samples only if their size is not known.
        in_samples = scores.get("frc_nm") is None and scores.get("frc_px") is not None
        hidden = "frc_nm" if in_samples else "frc_px"
        known = [key for key in SCORES if key in scores and key != hidden]
        self.setRowCount(len(known))
        for i, key in enumerate(known):
            title, direction, explanation = SCORES[key]
            of_truth = key in OF_THE_TRUTH
            meaning = f"{direction}. {explanation}"
            tip = f"{meaning} {NEEDS_TRUTH}" if of_truth else meaning
            left_out = of_truth and not truth
            value = "–" if left_out else _number(scores[key])
            for column, text in enumerate((title, value, NEEDS_TRUTH if left_out else meaning)):
                self._write(i, column, text, tip)
        self._fit_height()

    def clear_rows(self) -> None:
        """Remove all rows."""
        super().clear_rows()
        self._fit_height()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Adapt the height to the width, at which the text is wrapped."""
        super().resizeEvent(event)
        self._fit_height()

    def _fit_height(self) -> None:
        self.resizeRowsToContents()
        rows = self.verticalHeader().length() if self.rowCount() else 0
        head = self.horizontalHeader().sizeHint().height()
        self.setFixedHeight(head + rows + 2 * self.frameWidth())


class FindingsTable(NumberTable):
    """Measurements of regions of several layers: a row with the layer's name, and its numbers."""

    def __init__(self) -> None:
        super().__init__(("quantity", "value", "unit / reason"))
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show the rows of a measurement.

        Parameters
        ----------
        rows : sequence of Row
            Rows of one layer must follow each other; its name is shown once, above them.
        """
        self.clearSpans()
        groups = [(name, list(same)) for name, same in groupby(rows, lambda row: row.picture)]
        self.setRowCount(len(rows) + len(groups))
        at = 0
        for name, same in groups:
            self._write(at, 0, shortened(name, NAME_LETTERS), name)
            item = self.item(at, 0)
            font = item.font()
            font.setBold(True)
            item.setFont(font)
            self.setSpan(at, 0, 1, self.columnCount())
            for below, row in enumerate(same, start=1):
                last = "; ".join(filter(None, (row.unit, row.note)))
                for j, text in enumerate((row.quantity, _number(row.value), last)):
                    self._write(at + below, j, text, text)
            at += len(same) + 1


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"

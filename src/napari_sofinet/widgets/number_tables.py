"""Tables of numbers in docks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from napari_sofinet.quality.drawing import shortened
from napari_sofinet.quality.region_measurements import Row

LAYER_COLUMN, LAYER_LETTERS = 90, 30  # px, and of a name in it
SCORES = {
    "pearson": ("Pearson", "Correlation of the brightness of both layers, from -1 to 1."),
    "rsp": (
        "RSP (SQUIRREL)",
        "Pearson correlation after the first layer was blurred and scaled to the second.",
    ),
    "rse": (
        "RSE (SQUIRREL), counts of the second",
        "Root mean square of the differences that remain after this.",
    ),
    "ssim_fitted": (
        "SSIM, fitted",
        "Similarity of small windows after the first layer was scaled to the second; at most 1.",
    ),
    "tpr": (
        "true positive rate (Li mask)",
        "Fraction of the foreground of the second layer that is foreground in the first.",
    ),
    "tnr": (
        "true negative rate (Li mask)",
        "Fraction of the background of the second layer that is background in the first.",
    ),
    "false_filament_share": (
        "fraction of false lines (Li mask)",
        "Fraction of the length of the first layer's lines where the second has no line.",
    ),
    "frc_nm": ("FRC with the second (nm)", "Finest detail on which both layers agree."),
    "frc_px": ("FRC with the second (samples)", "Finest detail on which both layers agree."),
}
"""Names and explanations of scores, by their keys in the result of `compare`."""


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
    """Agreement of two layers: one row per score."""

    def __init__(self) -> None:
        super().__init__(("score", "value"))
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)

    def show_scores(self, scores: dict[str, Any]) -> None:
        """Show scores in the order of `SCORES`.

        Parameters
        ----------
        scores : dict
            Result of `napari_sofinet.quality.scores.compare`.
        """
        # A length is shown in samples only if their size is not known.
        in_samples = scores.get("frc_nm") is None and scores.get("frc_px") is not None
        hidden = "frc_nm" if in_samples else "frc_px"
        known = [key for key in SCORES if key in scores and key != hidden]
        self.setRowCount(len(known))
        for i, key in enumerate(known):
            title, explanation = SCORES[key]
            self._write(i, 0, title, explanation)
            self._write(i, 1, _number(scores[key]), explanation)


class FindingsTable(NumberTable):
    """Measurements of regions of several layers: one row per number."""

    def __init__(self) -> None:
        super().__init__(("layer", "quantity", "value", "unit / reason"))
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        self.setColumnWidth(0, LAYER_COLUMN)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show the rows of a measurement.

        Parameters
        ----------
        rows : sequence of Row
            Rows of one layer must follow each other; its name is shown once.
        """
        self.clearSpans()
        self.setRowCount(len(rows))
        for i, row in enumerate(rows):
            last = "; ".join(filter(None, (row.unit, row.note)))
            self._write(i, 0, shortened(row.picture, LAYER_LETTERS), row.picture)
            for j, text in enumerate((row.quantity, _number(row.value), last), start=1):
                self._write(i, j, text, text)
        first = 0
        for _, same in groupby(row.picture for row in rows):
            count = len(list(same))
            if count > 1:
                self.setSpan(first, 0, count, 1)
            first += count


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"

"""Limits for the localizations that are kept."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QHBoxLayout, QLabel, QLineEdit, QWidget

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings_text import with_decimal_point
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.widgets.rows import RowLabel, Rows


class TableFilter(QGroupBox):
    """Box with limits for photons, uncertainty and frames, and the number of rows within them.

    Signals: ``changed`` when a limit changes.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("Localisations to keep")
        self.least_photons, self.most_photons = QLineEdit(), QLineEdit()
        self.most_uncertainty = QLineEdit()
        self.first, self.last = QLineEdit(), QLineEdit()
        self.first.setToolTip("First frame to keep, counted from 0.")
        self.last.setToolTip("Last frame to keep.")
        self.most_uncertainty.setToolTip("Largest standard deviation of a position along an axis.")
        photons = self.least_photons, self.most_photons
        for edit in (*photons, self.most_uncertainty, self.first, self.last):
            edit.textChanged.connect(lambda *_: self.changed.emit())
        self.uncertainty_label = RowLabel("Uncertainty")
        self.kept = QLabel(wordWrap=True)
        rows = Rows(self)
        rows.addRow("Photons", in_a_row(self.least_photons, QLabel("to"), self.most_photons))
        rows.addRow(self.uncertainty_label, in_a_row(QLabel("at most"), self.most_uncertainty))
        rows.addRow("Frames", in_a_row(self.first, QLabel("to"), self.last))
        rows.addRow(self.kept)

    def describe(self, table: LocalizationTable) -> None:
        """Show the range of each column of a table as its limits, unless others were typed.

        Parameters
        ----------
        table : LocalizationTable
            Table to be filtered; limits of columns that it lacks are disabled.
        """
        unit = "px" if table.camera_pixel_um is None else "nm"
        self.uncertainty_label.setText(f"Uncertainty ({unit})")
        in_unit = 1000 * (table.camera_pixel_um or 0.001)
        columns = (
            (table.photons, self.least_photons, self.most_photons, 1.0),
            (table.uncertainty_px, None, self.most_uncertainty, in_unit),
            (table.frame, self.first, self.last, 1),
        )
        for values, least, most, factor in columns:
            seen = () if values is None else values[np.isfinite(values)]
            for edit, extreme in ((least, np.min), (most, np.max)):
                if edit is not None:
                    edit.setEnabled(len(seen) > 0)
                    before = edit.placeholderText()
                    end = _number(extreme(seen) * factor) if len(seen) else "not known"
                    edit.setPlaceholderText(end)
                    if edit.text() in ("", before):
                        edit.blockSignals(True)
                        edit.setText(end if len(seen) else "")
                        edit.blockSignals(False)

    def count(self, table: LocalizationTable) -> np.ndarray:
        """Show how many rows of a table are kept, and the reason if there are none.

        Parameters
        ----------
        table : LocalizationTable
            Table to be filtered.

        Returns
        -------
        ndarray of bool, shape (N,)
            Whether each row is kept.

        Raises
        ------
        InputError
            If a limit is no number.
        """
        conditions = self.conditions(table)
        kept = np.asarray(table.meets(*conditions))
        left = int(np.count_nonzero(kept))
        text = f"{left:,} of {len(table):,} localisations"
        if not left and len(table):
            text = f"{text}. {table.why_none(*conditions)}"
        self.kept.setText(text)
        return kept

    def conditions(self, table: LocalizationTable) -> list[str]:
        """Return the limits as conditions.

        Parameters
        ----------
        table : LocalizationTable
            Table to be filtered; limits of columns that it lacks are left out.

        Returns
        -------
        list of str
            Conditions as `LocalizationTable.filter` takes them.

        Raises
        ------
        InputError
            If a limit is no number.
        """
        uncertainty = "uncertainty_px" if table.camera_pixel_um is None else "uncertainty_nm"
        limits = (
            ("photons", ">=", self.least_photons, table.photons),
            ("photons", "<=", self.most_photons, table.photons),
            (uncertainty, "<=", self.most_uncertainty, table.uncertainty_px),
            ("frame", ">=", self.first, table.frame),
            ("frame", "<=", self.last, table.frame),
        )
        return [
            f"{name} {sign} {number_in(edit, name.split('_')[0]):.10g}"
            for name, sign, edit, values in limits
            if values is not None and edit.text().strip() not in ("", edit.placeholderText())
        ]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def number_in(edit: QLineEdit, name: str) -> float:
    """Return the number in a text field.

    Parameters
    ----------
    edit : QLineEdit
        Field, whose text may have a decimal comma.
    name : str
        Name of the number for the message.

    Returns
    -------
    float
        Finite number.

    Raises
    ------
    InputError
        If the text is no finite number.
    """
    text = with_decimal_point(edit.text().strip())
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise InputError(f"The {name} must be a number, not {text[:40]!r}.")
    return number


def in_a_row(*widgets: QWidget) -> QHBoxLayout:
    """Return a layout with widgets in a row, in which labels take no more space than they need.

    Parameters
    ----------
    *widgets : QWidget
        Widgets from left to right.

    Returns
    -------
    QHBoxLayout
        The row.
    """
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget, 0 if isinstance(widget, QLabel) else 1)
    return row

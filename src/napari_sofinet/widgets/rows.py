"""Rows of a form, aligned with those of other forms in the dock."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFormLayout, QLabel, QSizePolicy, QWidget

LABEL = "Pixel size (µm)"
"""Text as wide as the column of labels."""


class Rows(QFormLayout):
    """Form whose labels are equally wide in all forms; longer labels are wrapped.

    Parameters
    ----------
    parent : QWidget, optional
        Widget that gets the form as its layout.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setHorizontalSpacing(6)
        self.setVerticalSpacing(4)
        if parent is not None:
            self.setContentsMargins(6, 4, 6, 4)

    def addRow(self, *parts: Any) -> None:
        """Add a row.

        Parameters
        ----------
        *parts : str, QWidget or QLayout
            A label and its field, or one part that takes the whole row.
        """
        if len(parts) == 2 and isinstance(parts[0], str):
            label = RowLabel(parts[0])
            if isinstance(parts[1], QWidget):
                label.setBuddy(parts[1])
            parts = (label, parts[1])
        super().addRow(*parts)


class RowLabel(QLabel):
    """Label of a row, as wide as all others.

    Parameters
    ----------
    text : str
        Text, which is wrapped.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text, wordWrap=True)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        """Return the size at the width that all labels have."""
        width = self.fontMetrics().horizontalAdvance(LABEL) + 10
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        """Return the same size, since the label is never narrower."""
        return self.sizeHint()

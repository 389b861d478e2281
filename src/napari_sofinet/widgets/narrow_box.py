"""Choice among long names in a narrow dock."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Qt
from qtpy.QtGui import QPaintEvent
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QWidget

BESIDE_TEXT_PX = 12
"""Space beside the entries of an open list, apart from its scroll bar."""


class NarrowBox(QComboBox):
    """Choice that does not widen its dock: a name that is too long ends with an ellipsis.

    The whole name is in the tool tip, and in the list when it is open.

    Parameters
    ----------
    parent : QWidget, optional
        Widget that the choice belongs to.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)

    def shown(self) -> str:
        """Return the text in the field.

        Returns
        -------
        str
            The chosen entry, with an ellipsis if there is too little room.
        """
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        part = QStyle.SubControl.SC_ComboBoxEditField
        box = QStyle.ComplexControl.CC_ComboBox
        room = self.style().subControlRect(box, option, part, self).width()
        elide = Qt.TextElideMode.ElideRight
        return str(self.fontMetrics().elidedText(self.currentText(), elide, room))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the field with the text that fits."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self.shown()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def tip(self) -> str:
        """Return the tool tip, below the whole name if the field cannot show it.

        Returns
        -------
        str
            Plain or rich text.
        """
        if self.shown() == self.currentText():
            return str(self.toolTip())
        name, help = escape(self.currentText(), quote=False), self.toolTip()
        return f"{name}<br>{help}" if help else name

    def showPopup(self) -> None:
        """Open the list, as wide as its entries."""
        view = self.view()
        if view is not None:
            width = view.sizeHintForColumn(0) + view.verticalScrollBar().sizeHint().width()
            view.setMinimumWidth(max(width + BESIDE_TEXT_PX, self.width()))
        super().showPopup()

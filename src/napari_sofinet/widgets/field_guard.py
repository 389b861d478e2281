"""Fields of docks that change only when the user clicks into them."""

from __future__ import annotations

from html import escape
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QTextDocument
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QScrollBar,
    QTabBar,
    QToolTip,
    QWidget,
)

from napari_sofinet.widgets.narrow_box import NarrowBox

NUMBERS = (QAbstractSpinBox, QAbstractSlider)
CHOICES = (QComboBox, QTabBar)
FIELD_PX = 50
TIP_PX = 340
"""Widest text of a tool tip."""


class FieldGuard(QObject):
    """Keeps the mouse wheel and dropped text from the fields of a dock, and wraps its tool tips.

    The wheel scrolls what the field lies in. It changes a number only in a field that was clicked
    and still has the focus, and never a choice: after choosing, the pointer usually still rests
    there. Parts that are added to the dock later are guarded as well.

    Parameters
    ----------
    dock : QWidget
        Dock whose fields are guarded.
    """

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._clicked: QWidget | None = None
        self._watch(dock)

    def _watch(self, widget: QObject) -> None:
        widget.installEventFilter(self)
        for child in widget.findChildren(QWidget):
            child.installEventFilter(self)
            _calm(child)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Filter the events of all parts of the dock.

        Parameters
        ----------
        watched : QObject
            Part of the dock.
        event : QEvent
            Event of this part.

        Returns
        -------
        bool
            Whether the event must not reach the part.
        """
        if event is None or watched is None:
            return False
        kind: Any = event.type()
        if kind == QEvent.Type.ChildAdded:
            child = event.child()
            if child.isWidgetType():
                self._watch(child)
        elif not isinstance(watched, QWidget):
            return False
        elif kind in (QEvent.Type.Polish, QEvent.Type.Show):  # the part is complete by then
            _calm(watched)
        elif kind == QEvent.Type.MouseButtonPress:
            self._clicked = _field_of(watched)
        elif kind == QEvent.Type.Wheel and _is_field(watched) and not self._may_turn(watched):
            event.ignore()  # so that Qt passes it on to the parent, at last to the scroll area
            return True
        elif kind == QEvent.Type.ToolTip:
            return _show_tip(watched, event)
        return False

    def _may_turn(self, field: QWidget) -> bool:
        window = field.window()
        focus = None if window is None else window.focusWidget()
        return isinstance(field, NUMBERS) and field is self._clicked and field is focus


_BOXES = (QAbstractSpinBox, QComboBox, QLineEdit)


def _is_field(widget: QWidget) -> bool:
    return isinstance(widget, (*NUMBERS, *CHOICES)) and not isinstance(widget, QScrollBar)


def _field_of(widget: QWidget) -> QWidget | None:
    """Return the field that a widget is or is a part of."""
    part: QWidget | None = widget
    while part is not None and not _is_field(part):
        part = part.parentWidget()
    return part


def _calm(widget: QWidget) -> None:
    """Let a widget neither take the focus by the wheel nor text that is dropped on it.

    Qt would make fields wide enough for the largest number or for many letters.
    """
    if widget.focusPolicy() == Qt.FocusPolicy.WheelFocus:
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    if isinstance(widget, QLineEdit):
        widget.setAcceptDrops(False)
    if isinstance(widget, _BOXES) and not widget.minimumWidth():
        widget.setMinimumWidth(FIELD_PX)


def _show_tip(widget: QWidget, event: Any) -> bool:
    """Show the tool tip of a widget or of an item in it, if there is one."""
    text = widget.tip() if isinstance(widget, NarrowBox) else widget.toolTip()
    view = widget.parentWidget()
    if isinstance(view, QAbstractItemView) and widget is view.viewport():
        index = view.indexAt(event.pos())
        text = (
            index.data(Qt.ItemDataRole.ToolTipRole) if index.isValid() else ""
        ) or view.toolTip()
    if not text:
        return False
    QToolTip.showText(event.globalPos(), wrapped(text), widget)
    return True


def wrapped(text: str) -> str:
    """Return a tool tip that is wrapped where it would be wider than `TIP_PX`.

    Parameters
    ----------
    text : str
        Plain or rich text.

    Returns
    -------
    str
        Rich text.
    """
    rich = text if Qt.mightBeRichText(text) else escape(text, quote=False).replace("\n", "<br>")
    document = QTextDocument()
    document.setDefaultFont(QToolTip.font())
    document.setHtml(rich)
    if document.idealWidth() <= TIP_PX:
        return f"<span>{rich}</span>"
    return f"<table width='{TIP_PX}'><tr><td>{rich}</td></tr></table>"

"""Base of all docks: how they are laid out and where they appear in the window."""

from __future__ import annotations

from collections.abc import Iterable

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPixmap, QWheelEvent
from qtpy.QtWidgets import (
    QDockWidget,
    QFrame,
    QLabel,
    QLayout,
    QScrollArea,
    QSizePolicy,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from napari_sofinet.widgets.dock_place import NARROWEST_PX, WIDEST_PX, DockPlace
from napari_sofinet.widgets.field_guard import FieldGuard

BESIDE_BAR_PX = 8
"""Space that a style may leave beside a scroll bar."""
MARGIN_PX = 6
STYLE = "QAbstractSpinBox { min-width: 45px; }"
"""napari's own fields for numbers are too wide for narrow docks."""
LINES = 2, 9
"""Least and most lines of the status."""


class Dock(QWidget):
    """Dock of this plugin, whose form scrolls above buttons that stay where they are.

    Docks of this plugin are opened as tabs of each other. The mouse wheel scrolls the form and
    changes no field.
    """

    viewer: Viewer
    tab = ""
    """Short title, for the tab."""

    def __init__(self) -> None:
        super().__init__()
        self.status = StatusText()
        self.setStyleSheet(STYLE)
        self._guard = FieldGuard(self)
        self._place: DockPlace | None = None

    def _fill_dock(
        self,
        scrolled: Iterable[QWidget | QLayout],
        results: Iterable[QWidget | QLayout] = (),
        buttons: Iterable[QWidget | QLayout] = (),
        high: QWidget | None = None,
    ) -> None:
        """Lay out some parts in a scroll area, then results and the status, and buttons below.

        ``high`` is the part that gets the room that is left. Text and results grow upwards, so
        that the buttons do not move.
        """
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 4, 0)
        add_parts(column, scrolled)
        if high is None:
            column.addStretch(1)
        else:
            column.setStretchFactor(high, 1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        outer.addWidget(Column(inside), 1)
        add_parts(outer, results)
        outer.addWidget(self.status)
        add_parts(outer, buttons)

    def sizeHint(self) -> QSize:
        """Return the narrowest width, so that the picture keeps as much as possible."""
        return QSize(self.minimumSizeHint().width(), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """Return the size that all parts need."""
        return super().minimumSizeHint().expandedTo(QSize(NARROWEST_PX, 0))

    def event(self, event: QEvent | None) -> bool:
        """Find a place in the window when the dock is opened, and stop working when it is closed.

        Its widget loses its parent then.
        """
        if event is not None and event.type() == QEvent.Type.ParentChange:
            parent = self.parent()
            if isinstance(parent, QDockWidget) and self._place is None:
                self._place = DockPlace(parent, Dock, self.tab, self.viewer)
                self._place.window_closed.connect(self.close_with_window)
            elif parent is None:
                self.stop_work()
        return bool(super().event(event))

    def stop_work(self) -> None:
        """Stop all timers and threads; the dock or the window is closed."""

    def close_with_window(self) -> None:
        """Stop working before the window is deleted."""
        self.stop_work()


def add_parts(layout: QVBoxLayout, parts: Iterable[QWidget | QLayout]) -> None:
    """Add widgets and layouts to a layout.

    Parameters
    ----------
    layout : QVBoxLayout
        Layout that gets them.
    parts : iterable of QWidget or QLayout
        From top to bottom.
    """
    for part in parts:
        if isinstance(part, QLayout):
            layout.addLayout(part)
        else:
            layout.addWidget(part)


class Column(QScrollArea):
    """Scroll area as wide as its content, up to a limit."""

    def __init__(self, inside: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setWidget(inside)  # whose events are seen from then on

    def minimumSizeHint(self) -> QSize:
        """Return the width of the content and of the scroll bar."""
        bar = self.verticalScrollBar().sizeHint().width() + BESIDE_BAR_PX
        width = self.widget().minimumSizeHint().width() + bar
        return QSize(min(width, WIDEST_PX - 2 * MARGIN_PX), super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Adapt the width when the content changes, as it does with the method."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))


class StatusText(QTextBrowser):
    """Text of a few lines that can be selected; it scrolls if there are more."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet("QTextBrowser { background: transparent; border: none; padding: 0; }")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.document().setDocumentMargin(2)
        self.document().documentLayout().documentSizeChanged.connect(
            lambda *_: self.updateGeometry()
        )

    def text(self) -> str:
        """Return the text as it was set.

        Returns
        -------
        str
            The text.
        """
        return self._text

    def setText(self, text: str | None) -> None:
        """Show another text.

        Parameters
        ----------
        text : str
            Plain or rich text.
        """
        self._text = text or ""
        super().setText(self._text)

    def sizeHint(self) -> QSize:
        """Return the height of the text, within limits."""
        line = self.fontMetrics().lineSpacing()
        least, most = (line * count + 4 for count in LINES)
        height = int(self.document().size().height()) + 1
        return QSize(NARROWEST_PX, max(least, min(height, most)))

    def minimumSizeHint(self) -> QSize:
        """Return the least size, at which the text scrolls."""
        return QSize(50, self.fontMetrics().lineSpacing() * LINES[0] + 4)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Scroll; Qt would make the text larger while Ctrl is held."""
        if event is not None and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            event.ignore()
        else:
            super().wheelEvent(event)


class Picture(QLabel):
    """Picture that becomes smaller where the dock is narrower.

    Parameters
    ----------
    room : tuple of int, optional
        Width and height in px that are kept free as long as there is no picture.
    """

    def __init__(self, room: tuple[int, int] = (1, 0)) -> None:
        super().__init__()
        self._room = room
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def minimumSizeHint(self) -> QSize:
        """Return a size that fits into every dock."""
        return QSize(100, self.heightForWidth(NARROWEST_PX - 60))

    def hasHeightForWidth(self) -> bool:
        """Return True, since the picture keeps its aspect."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height at a width.

        Parameters
        ----------
        width : int
            Width in px.

        Returns
        -------
        int
            Height in px.
        """
        picture = self.pixmap()
        full = self._room if picture.isNull() else (picture.width(), picture.height())
        return round(full[1] * min(1.0, width / full[0]))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the picture as large as it fits."""
        picture: QPixmap = self.pixmap()
        if picture.isNull():
            return
        size = picture.size()
        if size.width() > self.width() or size.height() > self.height():
            size.scale(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        x, y = (self.width() - size.width()) // 2, (self.height() - size.height()) // 2
        painter.drawPixmap(x, y, size.width(), size.height(), picture)

"""Place of a dock in the window: among the tabs of the others, with the picture kept in view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar, QWidget

NARROWEST_PX, USUAL_PX, WIDEST_PX = 300, 380, 460
LEAST_PX = 50
"""Least size that napari gives its docks; their contents need more."""
TITLE_PX = 30
"""Greatest height of a dock's title."""
LAYOUT_MS = 20
"""Time in which the window has laid out its docks again."""
SETTLING_MS = 1500
"""Time in which the window has taken its new shape."""


def open_dock(viewer: Viewer, title: str) -> Any:
    """Open a dock of this plugin, or show one that is open already.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer of the window.
    title : str
        Name of the dock in the menu.

    Returns
    -------
    QWidget
        Content of the dock, which is the uppermost of its tabs.
    """
    dock, content = viewer.window.add_plugin_dock_widget("napari-sofinet", title)
    # napari leaves one that is there already as it is: hidden, or under other tabs.
    dock.show()
    dock.raise_()
    return content


class DockPlace(QObject):
    """Places a dock when it is opened: as a tab of the others, beside at least half of the window.

    A picture that was seen as a whole is fitted to the smaller canvas; a zoomed one stays.

    Signals: ``window_closed`` before the window is deleted.

    Parameters
    ----------
    dock : QDockWidget
        Dock that is being opened.
    kind : type of QWidget
        Class of the contents of docks that share their place.
    title : str
        Title of the tab; empty for that of the dock.
    viewer : napari.viewer.Viewer
        Viewer of the window.
    """

    window_closed = Signal()
    # Of the class, as Qt still passes on events when Python has cleared the instance at the end.
    _content: QWidget | None = None
    _whole, _closing = False, False

    def __init__(self, dock: QDockWidget, kind: type[QWidget], title: str, viewer: Viewer) -> None:
        super().__init__(dock)
        self.dock, self.kind, self.viewer = dock, kind, viewer
        self._first, self._width = False, 0
        self._soon = self._later(self._show)
        self._sizing = self._later(self._size, LAYOUT_MS)
        self._fitting = self._later(self._fit)
        self._shrinking = self._later(self._shrink)
        self._settling = self._later(self._size, SETTLING_MS)
        if title:
            dock.setWindowTitle(title)
        dock.dockLocationChanged.connect(self._take)

    def _later(self, call: Callable[[], None], interval: int = 0) -> QTimer:
        timer = QTimer(self, singleShot=True, interval=interval)
        timer.timeout.connect(call)
        return timer

    def width(self) -> int:
        """Return the width of the dock, or the one that it is about to get.

        Returns
        -------
        int
            Width in px; 0 if it is not yet known.
        """
        return self._width if self._settling.isActive() else self.dock.width()

    def _take(self) -> None:
        """Become a tab of the other docks; the layout is not yet applied."""
        self.dock.dockLocationChanged.disconnect(self._take)
        window = self.dock.parentWidget()
        if not isinstance(window, QMainWindow):
            return
        window.installEventFilter(self)
        if self.dock.isFloating():
            return
        area = window.dockWidgetArea(self.dock)
        others = [
            other
            for other in window.findChildren(QDockWidget)
            if other is not self.dock
            and isinstance(other.widget(), self.kind)
            and not other.isFloating()
            and window.dockWidgetArea(other) == area
        ]
        self._style()
        self._whole = sees_all(self.viewer, window)
        centre = window.centralWidget()
        if centre is not None:
            centre.installEventFilter(self)
            self._settling.start()
        if others:
            before = others[-1].findChild(DockPlace)
            self._width = others[-1].width() if before is None else before.width()
            window.tabifyDockWidget(others[-1], self.dock)
        self._first = area in _SIDES and not self._width
        self._soon.start()

    def _style(self) -> None:
        """Give all parts the style of the window, without which they are wider."""
        content = self._content = self.dock.widget()
        if content is not None:
            for part in content.findChildren(QWidget):
                part.ensurePolished()
            content.updateGeometry()
            content.installEventFilter(self)

    def _show(self) -> None:
        """Show the tab; its size follows when the window has taken up the new least sizes."""
        self._shrink()
        window = self.dock.parentWidget()
        if window is not None:
            _write_out(window)
        self.dock.raise_()
        self._sizing.start()

    def _size(self) -> None:
        """Give the first dock its width, and keep it for the others."""
        window = self.dock.window()
        if not isinstance(window, QMainWindow) or not self.dock.isVisible():
            return
        self._shrink()
        if self._first:
            self._first = False
            self._share(window)
        elif self._width and window.dockWidgetArea(self.dock) in _SIDES:
            window.resizeDocks([self.dock], [self._width], Qt.Orientation.Horizontal)

    def _share(self, window: QMainWindow) -> None:
        """Take what the picture can spare of half of the window, which is widened if need be."""
        centre, screen = window.centralWidget(), window.screen()
        if centre is None or screen is None:
            return
        beside = window.width() - centre.width() - self.dock.width()
        free = screen.availableGeometry()
        movable = window.windowState() & (_MAXIMIZED | _FULL_SCREEN) == _NO_STATE
        wanted = min(2 * (beside + NARROWEST_PX), free.width())
        if movable and window.width() < wanted:
            window.resize(wanted, window.height())
            if window.frameGeometry().right() > free.right():
                window.move(max(free.right() - wanted, free.left()), window.y())
        spare = window.width() // 2 - beside
        self._width = max(NARROWEST_PX, min(spare, USUAL_PX))
        window.resizeDocks([self.dock], [self._width], Qt.Orientation.Horizontal)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow the size of the canvas and the least size of the dock's content."""
        if event is None:
            return False
        if isinstance(watched, QMainWindow):
            self._watch_window(event)
        elif watched is self._content:
            if event.type() == QEvent.Type.LayoutRequest:
                self._shrinking.start()
        elif event.type() == QEvent.Type.Resize and self._whole and self._settling.isActive():
            self._fitting.start()
        return False

    def _watch_window(self, event: QEvent) -> None:
        """Tell when the window is closed, which the user may still refuse at the event Close."""
        if event.type() == QEvent.Type.Close:
            self._closing = True
        elif event.type() == QEvent.Type.Hide and self._closing and not event.spontaneous():
            self._closing = False
            self.window_closed.emit()

    def _shrink(self) -> None:
        """Let the dock be as small as its content, since Qt keeps the largest it ever was."""
        content = self.dock.widget()
        if content is not None:
            least = content.minimumSizeHint()
            kept = self.dock.minimumSize()
            if kept.width() > least.width() or kept.height() > least.height() + TITLE_PX:
                self.dock.setMinimumSize(LEAST_PX, LEAST_PX)
                if self._settling.isActive() and not self._sizing.isActive():
                    self._sizing.start()

    def _fit(self) -> None:
        """Fit a picture that is no longer seen as a whole."""
        window = self.dock.window()
        if isinstance(window, QMainWindow) and not sees_all(self.viewer, window):
            self.viewer.reset_view()


_SIDES = (Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea)
_MAXIMIZED, _FULL_SCREEN = Qt.WindowState.WindowMaximized, Qt.WindowState.WindowFullScreen
_NO_STATE = Qt.WindowState.WindowNoState


def _write_out(window: QWidget) -> None:
    """Let the tabs of docks have their whole titles, and arrows where there are too many."""
    direct = Qt.FindChildOption.FindDirectChildrenOnly
    for bar in window.findChildren(QTabBar, options=direct):
        bar.setElideMode(Qt.TextElideMode.ElideNone)
        bar.setUsesScrollButtons(True)


def sees_all(viewer: Viewer, window: QMainWindow) -> bool:
    """Return whether all layers are seen as a whole.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer with the layers.
    window : QMainWindow
        Window of the viewer.

    Returns
    -------
    bool
        Whether nothing reaches beyond the canvas; False if there is no layer.
    """
    if not viewer.layers or viewer.dims.ndisplay != 2:
        return False
    canvas, centre = getattr(viewer, "canvas", None), window.centralWidget()
    if canvas is not None:
        size = np.asarray(canvas.size, float)
    elif centre is not None:  # before napari 0.9
        size = np.array([centre.height(), centre.width()], float)
    else:
        return False
    low, high = np.asarray(viewer.layers.extent.world)[:, list(viewer.dims.displayed)]
    camera = getattr(viewer, "scene", viewer).camera  # napari 0.9 moved it
    reach = size / camera.zoom / 2
    middle = np.asarray(camera.center)[-2:]
    return bool(np.all(low >= middle - reach) and np.all(high <= middle + reach))

"""A napari window that a script drives through a dock widget, and pictures of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
from PIL import Image
from qtpy.QtTest import QTest

if TYPE_CHECKING:
    from napari_sofinet.widgets.worker import WorkingWidget

IMAGES = Path(__file__).parent / "images"


def window(*paths: str) -> napari.Viewer:
    """A window of the size of the pictures, with some files opened in it."""
    viewer = napari.Viewer()
    viewer.window.resize(1360, 900)
    for path in paths:
        viewer.open(path, plugin="napari-sofinet")
    QTest.qWait(1000)  # a dock keeps a picture in view only if it was seen as a whole
    return viewer


def dock(viewer: napari.Viewer, title: str) -> Any:
    """Open a dock of the plugin as the menu Plugins does, and wait until it has its place."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-sofinet", title)
    QTest.qWait(2000)
    return widget


def finished(widget: WorkingWidget, most_s: float = 900) -> None:
    """Let the window work until the widget has no more to do."""
    waited = 0.0
    while widget.worker is not None and waited < most_s:
        QTest.qWait(50)
        waited += 0.05
    QTest.qWait(2000)


def shot(viewer: napari.Viewer, name: str) -> None:
    """Keep a picture of the window, of few colours."""
    QTest.qWait(400)
    pixels = viewer.screenshot(canvas_only=False, flash=False)
    picture = Image.fromarray(pixels).convert("RGB").quantize(128)
    picture.save(IMAGES / f"{name}.png", optimize=True)

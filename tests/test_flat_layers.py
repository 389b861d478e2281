"""A movie can be removed under its result."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from napari_sofinet.widgets.flat_layers import hide_while_removed

REMOVE = """
import os
import napari
import numpy as np
from qtpy.QtTest import QTest
from napari_sofinet.widgets.compare_widget import CompareWidget

viewer = napari.Viewer()
movie = viewer.add_image(np.random.random((50, 64, 64)))
picture = viewer.add_image(np.random.random((127, 127)), scale=(0.5, 0.5))
viewer.window.add_dock_widget(CompareWidget(viewer))
QTest.qWait(300)
viewer.layers.remove(movie)
QTest.qWait(600)
print("visible", picture.visible, flush=True)
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("QT_QPA_PLATFORM") == "offscreen" or "DISPLAY" not in os.environ,
    reason="needs a screen",
)
def test_napari_survives_the_removal_of_the_movie():
    done = subprocess.run(
        [sys.executable, "-c", REMOVE], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "visible True" in done.stdout


def test_layers_are_hidden_only_when_the_axes_become_fewer(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    hide_while_removed(viewer.layers)
    hide_while_removed(viewer.layers)
    movies = [viewer.add_image(np.zeros((3, 8, 8))) for _ in range(2)]
    shown, hidden = (viewer.add_image(np.zeros((8, 8)), visible=v) for v in (True, False))
    changes = []
    shown.events.visible.connect(lambda: changes.append(shown.visible))
    viewer.layers.remove(movies[0])
    assert not changes
    viewer.layers.remove(movies[1])
    qtbot.waitUntil(lambda: len(changes) == 2)
    assert changes == [False, True]
    assert not hidden.visible

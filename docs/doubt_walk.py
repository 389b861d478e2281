"""Screenshot of posterior samples in the dock widget Model reconstruction.

    QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1600x1200x24 +extension GLX" \
        python docs/doubt_walk.py MOVIE [WEIGHTS]

MOVIE: 20 frames of it are used.
"""

from __future__ import annotations

import os
import sys

from driving import dock, finished, shot, window
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest


def main() -> None:
    viewer = window(sys.argv[1])
    widget = dock(viewer, "Model reconstruction")
    widget.network_box.setCurrentIndex(widget.network_box.findData("ddpm"))
    widget.form.editors["weights"].setCurrentText(
        sys.argv[2] if len(sys.argv) > 2 else "ddpm-universal"
    )
    widget.last.setValue(19)
    QTest.mouseClick(widget.run_button, Qt.MouseButton.LeftButton)
    QTest.qWait(2000)
    finished(widget)
    print(widget.status.text())
    for layer in viewer.layers:
        layer.visible = layer.name.startswith("± SD")
    widget.sample_slider.slider.setValue(3)
    viewer.canvas.grid.enabled = True
    viewer.reset_view()
    shot(viewer, "doubt-1")
    viewer.close()
    os._exit(0)


if __name__ == "__main__":
    main()

"""Screenshots of the dock widgets Model reconstruction and Train or fine-tune, driven by a script.

    QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1600x1200x24 +extension GLX" \
        python docs/model_walk.py MOVIE OWN_MOVIE

MOVIE: of rings, frames 100 to 119 are used; OWN_MOVIE: of a fixed cell, trained on for a minute.
"""

from __future__ import annotations

import os
import sys
import tempfile

from driving import dock, finished, shot, window
from qtpy.QtCore import Qt


def model(path: str) -> None:
    viewer = window(path)
    widget = dock(viewer, "Model reconstruction")
    widget.first.setValue(100)
    widget.last.setValue(119)
    widget.run_or_cancel()
    finished(widget)
    shot(viewer, "models-1-reconstruct")
    widget.compare_with_sofi()
    finished(widget)
    shot(viewer, "models-2-sofi-beside-it")
    viewer.close()


def train(path: str) -> None:
    viewer = window(path)
    widget = dock(viewer, "Train or fine-tune")
    widget.movie_list.item(0).setCheckState(Qt.CheckState.Checked)
    widget.form.editors["start"].choose("sofinet-universal")
    widget.form.editors["minutes"].setText("1")
    for name, value in (("side_px", 28), ("batch", 4), ("validate_every", 5)):
        widget.form.editors[name].setValue(value)
    widget.run_or_cancel()
    finished(widget)
    shot(viewer, "models-3-train")
    print(widget.status.text())
    viewer.close()


if __name__ == "__main__":
    os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp()
    model(sys.argv[1])
    train(sys.argv[2])

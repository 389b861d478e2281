"""Screenshot of FluoGAN in the dock Model reconstruction, driven by a script.

QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1600x1200x24 +extension GLX" \
    python docs/fluogan_walk.py
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from driving import dock, finished, shot, window
from qtpy.QtTest import QTest

from napari_sofinet.simulation import preset_settings, simulate
from napari_sofinet.simulation.writing import write_movie

SMALL = {"rows": 24, "columns": 40, "frames": 300, "blinking.photons": 150.0}


def main() -> None:
    os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.tif"
        write_movie(path, simulate(preset_settings("argolight", 1, SMALL)))
        viewer = window(str(path))
        widget = dock(viewer, "Model reconstruction")
        widget.network_box.setCurrentIndex(widget.network_box.findData("fluogan"))
        widget.form.editors["critic_steps"].setValue(10)
        widget.run_or_cancel()
        while not any("preview" in layer.name for layer in viewer.layers):
            QTest.qWait(100)
        shot(viewer, "fluogan-1-preview")
        finished(widget)
        shot(viewer, "fluogan-2-picture")
        viewer.close()


if __name__ == "__main__":
    main()

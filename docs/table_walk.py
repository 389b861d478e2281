"""Screenshots of the dock widget Localisations, and of a time series from a table.

    QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1600x1200x24 +extension GLX" \
        python docs/table_walk.py TABLE

TABLE: localisations with photons that drift, e.g. ThunderSTORM's.
"""

from __future__ import annotations

import sys

import numpy as np
from driving import dock, finished, shot, window
from napari.layers import Points
from qtpy.QtTest import QTest

from napari_sofinet.simulation import preset_settings, simulate


def localisations(path: str) -> None:
    viewer = window(path)
    widget = dock(viewer, "Localisations")
    widget.filter.least_photons.setText("2000")
    widget.filter.most_uncertainty.setText("7")
    widget.drift_box.setChecked(True)
    widget.samples.setText("10")
    widget.run_or_cancel()
    finished(widget)
    shot(viewer, "localizations-1-widget")
    print(widget.kept.text(), widget.drift_text.text(), widget.status.text(), sep="\n")
    viewer.close()


def time_series() -> None:
    """Moving filaments: found by deepstorm, then the time series of the points."""
    viewer = window()
    settings = preset_settings("dblink-filaments", 4)
    movie = simulate(settings)
    pixel = settings.pixel_size_um
    viewer.add_image(
        movie.counts(0, settings.frames),
        name="moving filaments",
        scale=(settings.frame_interval_s, pixel, pixel),
        units=("second", "micrometer", "micrometer"),
        axis_labels=("t", "y", "x"),
    )
    QTest.qWait(1000)
    widget = dock(viewer, "Model reconstruction")
    for network in ("deepstorm", "dblink"):
        widget.network_box.setCurrentIndex(widget.network_box.findData(network))
        widget.layer_box.setCurrentIndex(widget.layer_box.count() - 1)
        widget.run_or_cancel()
        finished(widget)
        print(widget.layer_box.currentText(), widget.status.text())
    points = next(layer for layer in viewer.layers if isinstance(layer, Points))
    points.opacity, points.size, points.face_color = 0.5, 0.25, "cyan"
    viewer.layers.move(viewer.layers.index(points), len(viewer.layers))
    # Those of the 250 frames around the picture alone.
    frame = points.features["frame"]
    points.shown = np.asarray((frame > 1375) & (frame < 1625))
    viewer.dims.set_point(0, 1500 * settings.frame_interval_s)
    viewer.reset_view()
    shot(viewer, "localizations-2-film")
    print(widget.status.text())
    viewer.close()


if __name__ == "__main__":
    localisations(sys.argv[1])
    time_series()

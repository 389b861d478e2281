"""Make every screenshot of the documentation: a real napari window, driven through its widgets.

    docs/make

Needs a display (docs/make starts a virtual one). The window has a fixed size and the movie a fixed
seed, so that pictures change only when the program does.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_sofinet.cli.main import main as sofinet

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES = Path(__file__).parent / "images"


def wait(until: Callable[[], bool] = lambda: False, seconds: float = 0.7) -> float:
    """Let the window work until something is true; return the longest pause in s."""
    end, longest = time.monotonic() + seconds, 0.0
    while not until() and time.monotonic() < end:
        start = time.monotonic()
        QApplication.processEvents()
        longest = max(longest, time.monotonic() - start)
        time.sleep(0.002)
    return longest


def main() -> None:
    folder = Path(sys.argv[1])
    sofinet(["demo", "-o", str(folder)])
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 820)
    viewer.open(folder / "movie.tif", plugin="napari-sofinet")
    wait()

    def shoot(name: str) -> None:
        wait()
        picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False))
        few = picture.convert("RGB").quantize(256, kmeans=2, dither=Image.Dither.NONE)
        few.save(IMAGES / name, optimize=True)

    shoot("1-movie.png")
    start = time.monotonic()
    _, widget = viewer.window.add_plugin_dock_widget("napari-sofinet", "SOFI reconstruction")
    print(f"dock widget opens in {time.monotonic() - start:.2f} s")
    shoot("2-widget.png")
    widget.run_button.click()
    pause = wait(lambda: widget.worker is None, 30)
    print(f"longest pause of the window during the run {1000 * pause:.0f} ms")
    shoot("3-sofi.png")
    p = float(viewer.layers["movie"].scale[-1])
    box = p * np.array([[40, 30], [40, 75], [85, 75], [85, 30]])
    viewer.add_shapes(
        [box],
        name="box",
        edge_width=0.5 * p,
        face_color="transparent",
        edge_color="white",
        units=viewer.layers["movie"].units[-2:],
    )
    widget.roi_box.setCurrentText("box")
    widget.form.editors["order"].setValue(4)
    widget.form.advanced.expand(animate=False)
    widget.run_button.click()
    wait(lambda: widget.worker is None, 30)
    shoot("4-order-4-in-a-box.png")
    viewer.layers.clear()
    for dock in list(viewer.window.dock_widgets):
        viewer.window.remove_dock_widget(viewer.window.dock_widgets[dock])
    _, widget = viewer.window.add_plugin_dock_widget("napari-sofinet", "Simulate movie")
    widget.form.editors["structure.kind"].setCurrentText("mitochondria")
    wait(lambda: "simulated truth" in viewer.layers, 10)
    viewer.reset_view()
    shoot("5-simulate.png")
    viewer.close()


if __name__ == "__main__":
    main()

"""Walk through the widgets Compare and Resolution and quality, for the pictures of quality.md.

    QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1600x1200x24 +extension GLX" \
        python docs/quality_walk.py

Everything is done as a hand does it: buttons are clicked, the box and the line dragged with the
mouse in a real window. The movie has a fixed seed and the window a fixed size. The numbers that the
widgets show are printed, and those of the table of traps.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from napari._app_model import get_app_model
from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_sofinet.cli.main import main as sofinet
from napari_sofinet.quality.grid import Grid, on_grid
from napari_sofinet.quality.picture import Picture, open_picture, open_truth
from napari_sofinet.quality.scores import compare as compare_pictures
from napari_sofinet.quality.scores import compare_squirrel, measure_resolution

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images"
WINDOW = 1360, 860
MOVIE, SOFI, MEAN, TRUTH = "movie", "SOFI", "average", "truth"
LARGEST_FILE = 240_000
Place = tuple[float, float]  # y, x in um


def wait(until: Callable[[], bool] = lambda: False, seconds: float = 0.7) -> None:
    """Let the window work until something is true; at most some seconds."""
    end = time.monotonic() + seconds
    while not until() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def keep(pixels: np.ndarray, name: str) -> None:
    """Write a picture; of few colours where the file were large."""
    picture = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    path = IMAGES / f"quality-{name}.png"
    picture.save(path, optimize=True)
    if path.stat().st_size > LARGEST_FILE:
        picture.quantize(256, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def click(button: Any) -> None:
    """Press and let go."""
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def tell(title: str, table: Any) -> None:
    """Print what a table of a widget shows."""
    print(f"-- {title}")
    for i in range(table.rowCount()):
        items = [table.item(i, j) for j in range(table.columnCount())]
        # Rows of one layer share the cell of its name.
        print("   " + " | ".join("" if item is None else item.text() for item in items))


class Walk:
    """A napari window and what a hand does in it."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(*WINDOW)
        self.canvas = self.viewer.window._qt_viewer.canvas  # noqa: SLF001
        wait()

    def dock(self, title: str) -> Any:
        """Open a widget from the menu Plugins, in the place of the one before."""
        for name in list(self.viewer.window.dock_widgets):
            self.viewer.window.remove_dock_widget(self.viewer.window.dock_widgets[name])
        _, widget = self.viewer.window.add_plugin_dock_widget("napari-sofinet", title)
        wait()
        self.viewer.reset_view()
        return widget

    def shoot(self, name: str) -> None:
        """Keep a picture of the window."""
        wait()
        keep(self.viewer.screenshot(canvas_only=False, flash=False), name)

    def at(self, place: Place) -> QPoint:
        """Return the canvas position of a point of the sample."""
        view = self.canvas.view
        x, y, _, w = (view.transform * view.scene.transform).map([place[1], place[0]])
        return QPoint(round(x / w), round(y / w))

    def drag(self, start: Place, end: Place) -> None:
        """Press the mouse at one place, move to another, let go."""
        native, left = self.canvas.native, Qt.MouseButton.LeftButton
        first, last = self.at(start), self.at(end)
        QTest.mouseMove(native, first)
        wait(seconds=0.1)
        QTest.mousePress(native, left, pos=first)
        for fraction in np.linspace(0, 1, 12)[1:]:
            QTest.mouseMove(native, first + (last - first) * float(fraction))
            wait(seconds=0.04)
        QTest.mouseRelease(native, left, pos=last)
        wait(seconds=0.2)


def make_layers(walk: Walk) -> None:
    """Simulate a movie, reconstruct it, average it; give the layers short names."""
    layers = walk.viewer.layers
    simulate = walk.dock("Simulate movie")
    wait(lambda: "simulated truth" in layers, 20)
    walk.viewer.reset_view()
    walk.shoot("1-simulate")
    click(simulate.add_button)
    wait(lambda: len(layers) == 2 and not simulate.busy, 20)
    layers[0].name, layers[1].name = TRUTH, MOVIE
    sofi = walk.dock("SOFI reconstruction")
    click(sofi.run_button)
    wait(lambda: len(layers) == 3 and sofi.worker is None, 60)
    layers[-1].name = SOFI
    layers.selection.active = layers[MOVIE]
    # Right click on the layer > Projections > mean projection.
    get_app_model().commands.execute_command("napari.layer.project_mean").result()
    layers[-1].name = MEAN
    layers[MEAN].visible = True  # it is hidden as the movie is
    layers[MEAN].reset_contrast_limits()  # "auto-contrast: once"
    layers.move(layers.index(layers[MEAN]), layers.index(layers[SOFI]))
    layers.selection.active = layers[SOFI]
    walk.viewer.canvas.overlays.scale_bar.visible = True
    walk.viewer.reset_view()
    walk.shoot("2-layers")


def compare(walk: Walk) -> None:
    """Look at SOFI picture and average in three ways, then let numbers speak."""
    layers = walk.viewer.layers
    widget = walk.dock("Compare")

    def settle() -> None:
        wait(lambda: not widget.busy and widget.status.text() != "Working …", 30)

    widget.first_box.setCurrentText(SOFI)
    widget.second_box.setCurrentText(MEAN)
    click(widget.side_button)
    walk.shoot("3-side-by-side")
    click(widget.swipe_button)
    wait(lambda: "swipe" in layers, 20)
    walk.shoot("4-swipe")
    click(widget.blink_button)
    shown = []
    for name in (SOFI, MEAN):
        for _ in range(20):  # the picture must be taken before it blinks
            wait(lambda name=name: layers[name].visible, 5)
            pixels = walk.viewer.screenshot(canvas_only=True, flash=False)
            if layers[name].visible:
                break
        shown.append(pixels[:700])
    keep(np.hstack(shown), "5-blink")
    click(widget.blink_button)
    widget.second_box.setCurrentText(TRUTH)
    click(widget.score_button)
    settle()
    tell("scores against the truth", widget.table)
    print(widget.status.text())
    walk.shoot("6-scores")
    widget.second_box.setCurrentText(MEAN)
    click(widget.squirrel_button)
    settle()
    print(widget.status.text())
    walk.shoot("7-squirrel")
    layers.remove(layers[-1])
    click(widget.score_button)
    settle()
    tell("scores against the average", widget.table)


def measure(walk: Walk) -> None:
    """Drag a box and a line over the pictures and read what they show."""
    layers = walk.viewer.layers
    for name in (TRUTH, MOVIE):
        layers[name].visible = False
    widget = walk.dock("Resolution and quality")

    def settle() -> None:
        wait(seconds=0.2)
        wait(lambda: not widget.busy and widget.status.text() != "Measuring …", 30)

    def tick(*names: str) -> None:
        for k in range(widget.layer_list.count()):
            item = widget.layer_list.item(k)
            state = "Checked" if item.text() in names else "Unchecked"
            item.setCheckState(getattr(Qt.CheckState, state))

    tick(SOFI, MOVIE)
    click(widget.box_button)
    wait(lambda: "region" in layers, 120)  # the first shape waits for a compiler
    settle()
    corners = layers["region"].data[-1]
    walk.drag(tuple(corners.mean(axis=0)), (7.6, 6.0))
    settle()
    tell("box", widget.table)
    walk.shoot("8-resolution")
    tick(SOFI, MEAN)
    widget.tabs.setCurrentIndex(3)
    widget.reference_box.setCurrentText(TRUTH)
    settle()
    tell("agreement in the box", widget.table)
    walk.shoot("9-agreement")
    tick(MOVIE)
    widget.tabs.setCurrentIndex(2)
    settle()
    tell("trace", widget.table)
    walk.shoot("10-trace")
    tick(SOFI, MEAN, TRUTH)
    click(widget.line_button)
    settle()
    walk.drag((7.1, 4.75), (7.1, 7.85))  # draws another line
    widget.peaks.setValue(2)
    settle()
    print(layers["region"].data[-1])
    tell("profile", widget.table)
    walk.shoot("11-profile")


def figure(walk: Walk) -> None:
    """Write the figure of the two layers, with the box enlarged."""
    widget = walk.dock("Compare")
    path = IMAGES / "quality-12-figure.png"
    widget.save_figure(str(path))
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((960, 960))
    keep(np.asarray(picture), "12-figure")


def traps() -> None:
    """Print the table of numbers that disagree."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        movie, truth = str(folder / "movie.tif"), folder / "truth.npz"
        sofinet(["simulate", "microtubules", "-o", movie, "--truth", str(truth)])
        for method, frames in (("average", 20), ("average", 100), ("sofi", 20), ("sofi", 100)):
            path = folder / f"{method}.ome.tif"
            sofinet(["reconstruct", method, movie, "-o", str(path), "--frames", f"0:{frames}"])
            picture = open_picture(path)
            show(f"{method}, {frames} frames", picture, truth)
            if method == "average":
                show(f"the same, enlarged 2 x, {frames} frames", enlarged(picture), truth)
        # The last one was SOFI of 100 frames. How far can anything agree with a noisy average?
        ideal = replace(open_truth(truth, picture), name="the truth")
        for one in (picture, ideal):
            resolution = measure_resolution(one)["resolution_nm"]
            found = compare_squirrel(one, open_picture(movie))
            print(f"{one.name}: decorrelation {resolution:.0f} nm, RSP {found.rsp:.3f}")


def enlarged(picture: Picture) -> Picture:
    """A picture of twice the samples, linear in between."""
    rows, columns = picture.image.shape
    assert picture.pixel_um is not None
    grid = Grid((0.0, 0.0), (0.5, 0.5), (2 * rows - 1, 2 * columns - 1))
    image, half = on_grid(picture, grid), picture.pixel_um / 2
    return Picture(image, picture.name, None, half, grid.pixel, grid.origin)


def show(title: str, picture: Picture, truth: Path) -> None:
    """Print what is said of one picture."""
    # Without its mean: a camera's offset would be compared too.
    zero = replace(picture, image=picture.image - picture.image.mean())
    found = measure_resolution(picture) | compare_pictures(zero, open_truth(truth, zero))
    keys = ("resolution_nm", "frc_nm", "pearson", "tpr", "tnr")
    values = ("none" if found[key] is None else f"{found[key]:.3g}" for key in keys)
    print(title, *values, found.get("frc_reason", ""), sep=" | ")


def main() -> None:
    """Walk."""
    walk = Walk()
    make_layers(walk)
    compare(walk)
    measure(walk)
    figure(walk)
    walk.viewer.close()
    traps()


if __name__ == "__main__":
    main()

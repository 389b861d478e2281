"""How long the window stands still while each dock is used, and in which function.

    QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1600x1200x24 +extension GLX" \
        python benchmarks/window_blocks.py [STEP ...] [--least 50] [--frames 1000] [--side 256]

A thread posts an event to the window each 10 ms. Each line gives a step and each time of at least
``--least`` ms in which none was answered: how long it was, how long the thread of the window
computed meanwhile (the rest it waited, e.g. for other threads or programs), and the innermost
function of this plugin and of any package that was running then, as seen most often. A line
without a function of this plugin is napari's or Qt's own.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

TICK_S = 0.01
OURS = f"{os.sep}napari_sofinet{os.sep}"


@dataclass
class Block:
    """One time in which the window stood still."""

    step: str
    seconds: float
    computed: float
    stacks: Counter[tuple[str, str]] = field(default_factory=Counter)

    def where(self) -> tuple[str, str]:
        """Return the function of this plugin and of any package that were seen most often."""
        own = Counter({pair: count for pair, count in self.stacks.items() if pair[0]})
        most = (own or self.stacks).most_common(1)
        return most[0][0] if most else ("", "")


class Watchdog(QObject):
    """Finds the times in which the thread of the window handles no events.

    Parameters
    ----------
    least_s : float
        Shortest time that is recorded, in s.
    """

    asked = Signal(float)

    def __init__(self, least_s: float) -> None:
        super().__init__()
        self.least_s = least_s
        self.step = "start"
        self.blocks: list[Block] = []
        self._main = threading.get_ident()
        self._clock = time.pthread_getcpuclockid(self._main)
        self._answered = threading.Event()
        self._ended = threading.Event()
        self.asked.connect(self._answer, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._ended.set()
        self._answered.set()
        self._thread.join()

    def _answer(self, when: float) -> None:
        self._answered.set()

    def _watch(self) -> None:
        while not self._ended.wait(TICK_S):
            self._answered.clear()
            began, used, step = time.monotonic(), time.clock_gettime(self._clock), self.step
            self.asked.emit(began)
            seen: Counter[tuple[str, str]] = Counter()
            while not self._answered.wait(TICK_S):
                seen[_running(self._main)] += 1
            seconds = time.monotonic() - began
            if seconds >= self.least_s and not self._ended.is_set():
                computed = time.clock_gettime(self._clock) - used
                self.blocks.append(Block(step, seconds, computed, seen))


def _running(thread: int) -> tuple[str, str]:
    """Return the innermost function of this plugin and the innermost of all in a thread."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001
    own, innermost = "", ""
    while frame is not None:
        path = frame.f_code.co_filename
        name = f"{os.path.basename(path)}:{frame.f_lineno} {frame.f_code.co_name}"
        if "window_blocks" not in path:
            innermost = innermost or name
            if OURS in path and not own:
                own = name
        frame = frame.f_back
    return own, innermost


class Walk:
    """A napari window, and the use of each dock with its buttons.

    Parameters
    ----------
    path : Path
        Movie that is opened.
    dog : Watchdog
        Watches the window.
    """

    def __init__(self, path: Path, dog: Watchdog) -> None:
        self.path, self.dog = path, dog
        self.told = 0
        self.viewer = napari.Viewer()
        self.viewer.window.resize(1280, 720)
        self.folder = Path(tempfile.mkdtemp())
        self.rest(1.5)

    def rest(self, seconds: float = 0.3) -> None:
        """Let the window work for a while."""
        QTest.qWait(int(1000 * seconds))

    def until(self, ready: Callable[[], bool], most_s: float = 300) -> None:
        """Let the window work until something is ready."""
        end = time.monotonic() + most_s
        while not ready() and time.monotonic() < end:
            QTest.qWait(20)
        self.rest()

    def do(self, step: str, action: Callable[[], Any], ready: Callable[[], bool] = bool) -> Any:
        """Do a step, and wait until it is ready."""
        tell(self.dog.blocks[self.told :])
        self.told = len(self.dog.blocks)
        self.dog.step = step
        result = action()
        self.until(ready if ready is not bool else lambda: True)
        return result

    def dock(self, title: str) -> Any:
        """Open a dock as the menu does."""
        window = self.viewer.window
        _, widget = self.do(
            f"open {title}", lambda: window.add_plugin_dock_widget("napari-sofinet", title)
        )
        widget.parent().raise_()
        self.rest(2)
        return widget

    def click(self, step: str, button: Any, ready: Callable[[], bool] = bool) -> None:
        """Click a button, and wait until its work is done."""
        self.rest(0.3)
        self.do(step, lambda: QTest.mouseClick(button, Qt.MouseButton.LeftButton), ready)

    def save(self, step: str, button: Any) -> None:
        """Write what a button saves."""
        saving = button._what()  # noqa: SLF001  # the dialog for the file cannot be driven
        kind = saving.kinds[0]
        path = self.folder / f"{step.replace(' ', '-')}{kind.endings[0]}"
        self.do(step, lambda: button.write(saving, path, kind), lambda: not button.busy)

    # -- the docks ------------------------------------------------------------------------------

    def movie(self) -> None:
        """Open a movie and look at some frames."""
        self.do("open a movie", lambda: self.viewer.open(self.path, plugin="napari-sofinet"))
        for frame in (10, 500, 900):
            self.do("move through frames", lambda f=frame: self.viewer.dims.set_point(0, f))

    def sofi(self) -> None:
        """Reconstruct, check and save."""
        widget = self.dock("SOFI reconstruction")
        self.click("SOFI: Reconstruct", widget.run_button, lambda: widget.worker is None)
        self.click("SOFI: Check movie", widget.check_button, lambda: widget.worker is None)
        widget.form.editors["linearization"].setCurrentIndex(1)
        self.click("SOFI: Reconstruct again", widget.run_button, lambda: widget.worker is None)
        self.save("SOFI: Save", widget.save_button)
        self.click("SOFI: Copy as command", widget.copy_button)

    def model(self) -> None:
        """Reconstruct with a network, choose each method, compare with SOFI."""
        widget = self.dock("Model reconstruction")
        self.click("Model: First 20", widget.chooser.few_button)
        self.click("Model: Reconstruct", widget.run_button, lambda: widget.worker is None)
        for index in range(widget.network_box.count()):
            name = widget.network_box.itemText(index)
            self.do(f"Model: choose {name}", lambda i=index: widget.network_box.setCurrentIndex(i))
        widget.network_box.setCurrentIndex(0)
        self.click("Model: Compare with SOFI", widget.compare_button, lambda: widget.worker is None)
        self.rest(2)

    def localisations(self) -> None:
        """Find emitters, filter them and draw them."""
        model = self.dock("Model reconstruction")
        model.network_box.setCurrentIndex(model.network_box.findData("deepstorm"))
        self.click("Deep-STORM: Reconstruct", model.run_button, lambda: model.worker is None)
        widget = self.dock("Localisations")
        self.click("Localisations: Add as layers", widget.run_button, lambda: widget.worker is None)
        self.save("Localisations: Save", widget.save_button)

    def simulation(self) -> None:
        """Look at the previews of all presets, and add a movie."""
        widget = self.dock("Simulate movie")
        self.until(lambda: not widget.busy)
        for index in range(widget.preset_box.count()):

            def choose(number: int = index) -> None:
                widget.preset_box.setCurrentIndex(number)
                widget.preset_box.activated.emit(number)

            name = widget.preset_box.itemText(index)
            self.do(f"Simulate: preview of {name}", choose, lambda: not widget.busy)
        self.click("Simulate: Simulate movie", widget.add_button, lambda: not widget.busy)
        self.viewer.dims.set_point(0, 20)
        self.rest(0.5)

    def quality(self) -> None:
        """Measure a box and a line, add both maps, save numbers and a figure."""
        widget = self.dock("Resolution and quality")

        def ready() -> bool:
            return not widget.busy and widget.findings is not None

        self.click("Quality: Box", widget.box_button, ready)
        for tab in range(widget.tabs.count()):
            text = widget.tabs.tabText(tab)
            self.do(f"Quality: {text}", lambda t=tab: widget.tabs.setCurrentIndex(t), ready)
            if tab != 1:
                self.click(f"Quality: Map in {text}", widget.map_button, lambda: not widget.busy)
        self.click("Quality: Line", widget.line_button, ready)
        self.save("Quality: Save CSV", widget.csv_button)
        self.save("Quality: Save figure", widget.figure_button)
        self.click("Quality: Copy", widget.copy_button)

    def compare(self) -> None:
        """Look at two layers in each way, and save the figure."""
        widget = self.dock("Compare")

        def ready() -> bool:
            return not widget.busy

        for name in ("side", "swipe", "blink", "difference", "squirrel", "score"):
            self.click(f"Compare: {name}", getattr(widget, f"{name}_button"), ready)
            if name == "swipe":
                self.do("Compare: move the line", lambda: widget.slider.setValue(300))
        self.save("Compare: Figure", widget.figure_button)

    def training(self) -> None:
        """Open the dock, tick a movie and choose each network."""
        widget = self.dock("Train or fine-tune")
        self.do("Train: tick a movie", lambda: widget.movie_list.item(0).setCheckState(_TICKED))
        for index in range(widget.network_box.count()):
            name = widget.network_box.itemText(index)
            self.do(f"Train: choose {name}", lambda i=index: widget.network_box.setCurrentIndex(i))


_TICKED = Qt.CheckState.Checked
STEPS = "sofi", "model", "localisations", "simulation", "quality", "compare", "training"


def write_movie(path: Path, frames: int, side: int) -> None:
    """Write a simulated movie to a TIFF file."""
    import tifffile

    from napari_sofinet.simulation import preset_settings, simulate

    changes = {"frames": frames, "rows": side, "columns": side}
    counts = simulate(preset_settings("microtubules", 1, changes)).counts(0, frames)
    tifffile.imwrite(path, np.asarray(counts, np.uint16), photometric="minisblack")


def tell(blocks: list[Block]) -> None:
    """Print a line for each block."""
    for block in blocks:
        own, innermost = block.where()
        times = f"{1000 * block.seconds:5.0f} ms, {1000 * block.computed:5.0f} computed"
        print(f"{block.step:36s} {times}  {own or '-':44s} {innermost}", flush=True)


def conclude(blocks: list[Block]) -> None:
    """Print the longest block, and the longest with a function of this plugin."""
    own = [block for block in blocks if block.where()[0]]
    longest, ours = (max((b.seconds for b in part), default=0.0) for part in (blocks, own))
    print(f"longest {1000 * longest:.0f} ms, with a function of this plugin {1000 * ours:.0f} ms")


def main() -> None:
    """Walk through the docks that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", help=f"some of {', '.join(STEPS)}; all by default")
    parser.add_argument("--least", type=float, default=50.0, help="shortest time in ms")
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--side", type=int, default=256)
    asked = parser.parse_args()
    path = Path(tempfile.mkdtemp()) / "movie.tif"
    write_movie(path, asked.frames, asked.side)
    dog = Watchdog(asked.least / 1000)
    walk = Walk(path, dog)
    walk.movie()
    for step in asked.steps or STEPS:
        getattr(walk, step)()
    dog.step = "close"
    dog.close()
    tell(dog.blocks[walk.told :])
    conclude(dog.blocks)
    walk.viewer.close()
    QApplication.processEvents()


if __name__ == "__main__":
    main()

"""The dock widget "Compare"."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_error, show_info
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSlider,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.atomic import atomic_write
from napari_sofinet.quality.figure import (
    Grid,
    common_grid,
    difference,
    displayed,
    figure_of,
    on_grid,
    swiped,
)
from napari_sofinet.quality.picture import Picture
from napari_sofinet.quality.scores import compare, compare_squirrel
from napari_sofinet.widgets.form import narrow
from napari_sofinet.widgets.latest_worker import Latest
from napari_sofinet.widgets.layers import follow
from napari_sofinet.widgets.sources import Means, source_of

BLINK_MS = 500
SWIPE = "swipe"
OWN_LAYERS = "sofinet_comparison"  # marks what this widget added
SCORES = {
    "pearson": ("Pearson", "-1 to 1: how far the two get bright and dark together."),
    "rsp": ("RSP (SQUIRREL)", "Pearson after the first was blurred and scaled to the second."),
    "rse": (
        "RSE (SQUIRREL), counts of the second",
        "What is left between the two then: root of the mean square.",
    ),
    "ssim_fitted": ("SSIM, fitted", "Likeness of small windows after scaling, at most 1."),
    "tpr": ("true positive rate (Li mask)", "How much of the second's foreground the first has."),
    "tnr": ("true negative rate (Li mask)", "How much of the second's background the first has."),
    "false_filament_share": (
        "share of false lines (Li mask)",
        "Of the lines that the first draws: how much lies where the second has nothing.",
    ),
    "frc_nm": ("FRC with the second (nm)", "Finest detail in which the two agree."),
    "frc_px": ("FRC with the second (samples)", "Finest detail in which the two agree."),
}


class CompareWidget(QWidget):
    """Two layers side by side, swiped, blinked, subtracted and scored, and a figure of them."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.scores: dict[str, Any] = {}
        self._means = Means()
        self._rgb: tuple[np.ndarray, np.ndarray] | None = None
        self._visible: dict[Any, bool] | None = None
        self._order: list[Any] | None = None
        self._named: list[Any] = []
        self._work = Latest(self)
        self._work.done.connect(self._show_done)
        self._work.failed.connect(self._show_failure)
        self._timer = QTimer(self)
        self._timer.setInterval(BLINK_MS)
        self._timer.timeout.connect(self._blink)
        self._build()
        follow(napari_viewer.layers, self._refresh_layers)

    def _build(self) -> None:
        self.first_box, self.second_box = QComboBox(), QComboBox()
        self.second_box.setToolTip("The reference: wide field, or the truth of a simulation.")
        for box in (self.first_box, self.second_box):
            narrow(box)
            box.currentTextChanged.connect(self._forget_scores)
        self.side_button = QPushButton("Side by side", checkable=True)
        self.swipe_button = QPushButton("Swipe", checkable=True)
        self.blink_button = QPushButton("Blink", checkable=True)
        self.difference_button = QPushButton("Difference")
        self.squirrel_button = QPushButton("SQUIRREL map")
        self.score_button = QPushButton("Scores")
        self.figure_button = QPushButton("Figure…")
        self.side_button.toggled.connect(self.side_by_side)
        self.swipe_button.toggled.connect(self.swipe)
        self.blink_button.toggled.connect(self.blink)
        self.difference_button.clicked.connect(self.add_difference)
        self.squirrel_button.clicked.connect(self.add_squirrel)
        self.score_button.clicked.connect(self.score)
        self.figure_button.clicked.connect(self._ask_figure)
        self.difference_button.setToolTip(
            "Add a layer, both scaled to 0 … 1: green where the first is brighter, pink where the "
            "second is."
        )
        self.squirrel_button.setToolTip(
            "Add a layer: what is left of the second when the first, blurred and scaled to it, is "
            "taken away."
        )
        self.figure_button.setToolTip(
            "The two, or all visible layers if more, with scale bars; a box of the layer "
            '"region" is shown enlarged.'
        )
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 1000)
        self.slider.setValue(500)
        self.slider.setToolTip("Left of it the first layer, right of it the second.")
        self.slider.valueChanged.connect(self._move)
        self.slider.setEnabled(False)
        self.common = QCheckBox("one contrast for all in the figure")
        self.table = QTableWidget(0, 2)
        self.table.setHorizontalHeaderLabels(["score", "value"])
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        self.table.verticalHeader().hide()
        self.status = QLabel(wordWrap=True)
        form, buttons = QFormLayout(), QGridLayout()
        form.addRow("First", self.first_box)
        form.addRow("Second", self.second_box)
        for k, button in enumerate(
            (
                self.side_button,
                self.swipe_button,
                self.blink_button,
                self.difference_button,
                self.squirrel_button,
                self.score_button,
            )
        ):
            buttons.addWidget(button, k // 3, k % 3)
        outer = QVBoxLayout(self)
        outer.addLayout(form)
        outer.addLayout(buttons)
        outer.addWidget(self.slider)
        outer.addWidget(self.table, 1)
        outer.addWidget(self.common)
        outer.addWidget(self.figure_button)
        outer.addWidget(self.status)
        self.setMinimumWidth(330)

    # -- layers ---------------------------------------------------------------------------------

    def _refresh_layers(self, event: Any = None) -> None:
        images = [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Image) and not layer.rgb and OWN_LAYERS not in layer.metadata
        ]
        names = [layer.name for layer in images]
        first, second = self.first_box.currentText(), self.second_box.currentText()
        if first not in names or first == second:
            first = names[-1] if names else ""
        if second not in names or second == first:
            second = next((name for name in reversed(names) if name != first), first)
        before = self.first_box.currentText(), self.second_box.currentText()
        for box, name in ((self.first_box, first), (self.second_box, second)):
            box.blockSignals(True)
            box.clear()
            box.addItems(names)
            box.setCurrentText(name)
            box.blockSignals(False)
        if before != (first, second):
            self._forget_scores()
        for layer in images:
            layer.events.name.connect(self._refresh_layers)
        self._means.keep(images)
        if self._rgb is not None and SWIPE not in self.viewer.layers:  # deleted by hand
            self.swipe_button.setChecked(False)

    def choose(self, first: str, second: str) -> None:
        """Show two layers, by their names, side by side."""
        for box, name in ((self.first_box, first), (self.second_box, second)):
            box.setCurrentText(name)
        self.side_button.setChecked(True)

    def pair(self) -> tuple[Image, Image]:
        """The two chosen layers; `InputError` unless there are two."""
        names = self.first_box.currentText(), self.second_box.currentText()
        if not all(names) or names[0] == names[1]:
            raise InputError("Choose two different layers to compare.")
        return self.viewer.layers[names[0]], self.viewer.layers[names[1]]

    @property
    def busy(self) -> bool:
        """Whether something is being computed."""
        return self._work.busy

    def _ask(
        self,
        compute: Callable[[Picture, Picture], Any],
        show: Callable[[tuple[Image, Image], Any], None],
    ) -> None:
        """Compute something of the two pictures in a thread and show it with the two layers."""
        try:
            pair = self.pair()
            sources = [source_of(layer) for layer in pair]
        except InputError as error:
            show_error(str(error))
            return

        def task() -> tuple[Any, ...]:
            return show, pair, compute(*(self._means.picture(source) for source in sources))

        self._set_busy(True)
        self._work.ask(task)

    def _set_busy(self, on: bool) -> None:
        """One thing at a time: a second request would take the place of the first."""
        self.status.setText("Working …" if on else "")
        for button in (
            self.swipe_button,
            self.difference_button,
            self.squirrel_button,
            self.score_button,
        ):
            button.setEnabled(not on)

    def _show_done(self, done: tuple[Callable[..., None], tuple[Image, Image], Any]) -> None:
        show, pair, result = done
        self._set_busy(False)
        if all(layer in self.viewer.layers for layer in pair):
            show(pair, result)

    def _show_failure(self, error: Exception) -> None:
        self._set_busy(False)
        for button in (self.swipe_button, self.blink_button):
            button.setChecked(False)
        if not isinstance(error, InputError):
            raise error
        self.status.setText(str(error))

    # -- ways to look ---------------------------------------------------------------------------

    def _alone(self, shown: list[Image]) -> None:
        """Show these layers only, and remember what was shown."""
        if self._visible is None:
            self._visible = {layer: layer.visible for layer in self.viewer.layers}
        for layer in self.viewer.layers:
            layer.visible = layer in shown

    def _name(self, pair: Iterable[Image]) -> None:
        """Write the names of layers on them until `_restore`, where napari can."""
        self._named = [
            layer.name_overlay
            for layer in pair
            if hasattr(layer, "name_overlay") and not layer.name_overlay.visible
        ]
        for name in self._named:
            name.visible = True

    def _restore(self) -> None:
        for layer, visible in (self._visible or {}).items():
            if layer in self.viewer.layers:
                layer.visible = visible
        self._visible = None
        for name in self._named:
            name.visible = False
        self._named = []
        if self._order is not None:
            known = [layer for layer in self._order if layer in self.viewer.layers]
            for layer in [*known, *(new for new in self.viewer.layers if new not in known)]:
                self.viewer.layers.move(self.viewer.layers.index(layer), len(self.viewer.layers))
            self._order = None

    def _only(self, button: QPushButton) -> None:
        for other in (self.side_button, self.swipe_button, self.blink_button):
            if other is not button:
                other.setChecked(False)

    @property
    def grid(self) -> Any:
        """The viewer's grid, which napari 0.9 moved to its canvas."""
        canvas = getattr(self.viewer, "canvas", None)
        return self.viewer.grid if canvas is None else canvas.grid

    def side_by_side(self, on: bool) -> None:
        """Show the two layers in a row; the camera moves both."""
        grid = self.grid
        if not on:
            grid.enabled = False
            self._restore()
            self.viewer.reset_view()
            return
        try:
            first, second = self.pair()
        except InputError as error:
            self.side_button.setChecked(False)
            show_error(str(error))
            return
        self._only(self.side_button)
        self._alone([first, second])
        self._name([first, second])
        self._order = list(self.viewer.layers)
        # napari's grid goes from the lower layer to the upper one; others share places, hidden.
        for layer in (first, second):
            self.viewer.layers.move(self.viewer.layers.index(layer), len(self.viewer.layers))
        grid.shape, grid.stride, grid.enabled = (1, 2), 1, True
        self.viewer.reset_view()

    def swipe(self, on: bool) -> None:
        """Show the first layer left of the slider and the second right of it."""
        self.slider.setEnabled(on)
        if not on:
            if SWIPE in self.viewer.layers:
                self.viewer.layers.remove(SWIPE)
            self._rgb = None
            self._restore()
            return
        self._only(self.swipe_button)
        try:
            colours = [_colours(layer) for layer in self.pair()]
        except InputError as error:
            self.swipe_button.setChecked(False)
            show_error(str(error))
            return

        def compute(a: Picture, b: Picture) -> tuple[Grid, np.ndarray, np.ndarray]:
            grid = common_grid([a, b])
            left, right = colours[0](on_grid(a, grid)), colours[1](on_grid(b, grid))
            return grid, left, right

        self._ask(compute, self._show_swipe)

    def _show_swipe(
        self, pair: tuple[Image, Image], found: tuple[Grid, np.ndarray, np.ndarray]
    ) -> None:
        grid, *rgb = found
        if not self.swipe_button.isChecked():
            return
        self._rgb = rgb[0], rgb[1]
        selected = set(self.viewer.layers.selection)
        layer = self.viewer.add_image(
            swiped(*self._rgb, self.slider.value() / 1000),
            name=SWIPE,
            rgb=True,
            scale=grid.pixel,
            translate=grid.origin,
            units=pair[0].units[-2:],
            metadata={OWN_LAYERS: True},
        )
        self.viewer.layers.selection = selected
        self._alone([layer])

    def _move(self, value: int) -> None:
        if self._rgb is not None and SWIPE in self.viewer.layers:
            self.viewer.layers[SWIPE].data = swiped(*self._rgb, value / 1000)

    def blink(self, on: bool) -> None:
        """Show the two layers by turns."""
        if not on:
            self._timer.stop()
            self._restore()
            return
        try:
            pair = self.pair()
        except InputError as error:
            self.blink_button.setChecked(False)
            show_error(str(error))
            return
        self._only(self.blink_button)
        self._alone([pair[0]])
        self._name(pair)
        self._timer.start()

    def _blink(self) -> None:
        try:
            first, second = self.pair()
        except InputError:
            self.blink_button.setChecked(False)
            return
        first.visible, second.visible = not first.visible, first.visible

    def add_difference(self) -> None:
        """Add a layer: the first minus the second, each in its own contrast from 0 to 1."""

        def compute(a: Picture, b: Picture) -> tuple[Grid, np.ndarray]:
            grid = common_grid([a, b])
            return grid, difference(on_grid(a, grid), on_grid(b, grid))

        def show(pair: tuple[Image, Image], found: tuple[Grid, np.ndarray]) -> None:
            grid, image = found
            self._add(pair, image, "difference", grid, colormap="PiYG", contrast_limits=(-1, 1))
            self.status.setText("Green: the first is brighter; pink: the second.")

        self._ask(compute, show)

    def add_squirrel(self) -> None:
        """Add a layer: where the first, blurred and scaled, differs from the second."""

        def compute(a: Picture, b: Picture) -> tuple[Picture, Any]:
            return b, compare_squirrel(a, b)

        def show(pair: tuple[Image, Image], found: tuple[Picture, Any]) -> None:
            reference, result = found
            grid = Grid(
                reference.origin_px or (0.0, 0.0),
                reference.pixel_px or (1.0, 1.0),
                (result.error_map.shape[0], result.error_map.shape[1]),
            )
            self._add(pair, result.error_map, "SQUIRREL error", grid, colormap="magma")
            note = f" {result.warning}" if result.warning else ""
            self.status.setText(f"RSP {result.rsp:.3f}, RSE {result.rse:.4g}.{note}")

        self._ask(compute, show)

    def _add(
        self, pair: tuple[Image, Image], image: np.ndarray, name: str, grid: Grid, **options: Any
    ) -> None:
        first, second = pair
        layer = self.viewer.add_image(
            image,
            name=f"{name} {first.name} | {second.name}",
            scale=grid.pixel,
            translate=grid.origin,
            units=first.units[-2:],
            metadata={OWN_LAYERS: True},
            **options,
        )
        show_colour_bar(layer)

    # -- numbers and figure ---------------------------------------------------------------------

    def score(self) -> None:
        """Fill the table with the agreement of the first with the second."""
        self._ask(compare, self._show_scores)

    def _show_scores(self, pair: tuple[Image, Image], scores: dict[str, Any]) -> None:
        chosen = self.first_box.currentText(), self.second_box.currentText()
        if chosen != tuple(layer.name for layer in pair):
            return
        self.scores = scores
        known = [key for key in SCORES if key in scores]
        # Lengths in nm are shown in samples only where no sample has a size.
        if scores.get("frc_nm") is not None or scores.get("frc_px") is None:
            known = [key for key in known if key != "frc_px"]
        else:
            known = [key for key in known if key != "frc_nm"]
        self.table.setRowCount(len(known))
        for i, key in enumerate(known):
            value = "–" if scores[key] is None else f"{scores[key]:.4g}"
            for j, text in enumerate((SCORES[key][0], value)):
                item = QTableWidgetItem(text)
                item.setToolTip(SCORES[key][1])
                self.table.setItem(i, j, item)
        notes = (("SQUIRREL", "warning"), ("FRC", "frc_reason"))
        self.status.setText("\n".join(f"{what}: {scores[k]}" for what, k in notes if scores.get(k)))

    def _forget_scores(self) -> None:
        """Numbers of another pair are not left standing."""
        self.scores = {}
        self.table.setRowCount(0)
        self.status.setText("")

    def _ask_figure(self) -> None:
        kinds = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"
        path, _ = QFileDialog.getSaveFileName(self, "Save the figure", "comparison.png", kinds)
        if not path:
            return
        try:
            self.save_figure(path)
        except (InputError, OSError, ValueError) as error:
            show_error(f"The figure could not be written: {error}")
        else:
            show_info(f"Saved {path}.")

    def save_figure(self, path: str) -> None:
        """Write the two layers, or all visible ones if more, with scale bars, as PNG, SVG or PDF.

        A box of the layer "region" is drawn and shown enlarged.
        """
        visible = [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Image)
            and layer.visible
            and not layer.rgb
            and OWN_LAYERS not in layer.metadata
        ]
        layers = visible if len(visible) > 2 else list(self.pair())
        pictures = [self._means.picture(source_of(layer)) for layer in layers]
        figure = figure_of(pictures, box=self._box(), common_contrast=self.common.isChecked())
        with atomic_write(path) as partial:
            figure.savefig(partial, dpi=300, format=str(path).rsplit(".", 1)[-1].lower())

    def _box(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        if "region" not in self.viewer.layers:
            return None
        shapes = self.viewer.layers["region"]
        boxes = [k for k, kind in enumerate(shapes.shape_type) if kind == "rectangle"]
        if not boxes:
            return None
        world = np.array([shapes.data_to_world(v) for v in shapes.data[boxes[-1]]])[:, -2:]
        low, high = world.min(axis=0), world.max(axis=0)
        return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))

    def event(self, event: QEvent | None) -> bool:
        """Qt's hook: a widget loses its parent when its dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._timer.stop()
            self._work.close()
        return bool(super().event(event))


def show_colour_bar(layer: Any) -> None:
    """Show what a layer's colours mean, where napari can."""
    bar = getattr(layer, "colorbar", None)
    if bar is not None:
        bar.visible = True


def _colours(layer: Image) -> Callable[[np.ndarray], np.ndarray]:
    """A function that colours values as the layer does, (Y, X) to (Y, X, 3) bytes."""
    colormap, limits = layer.colormap, tuple(layer.contrast_limits)
    movie = layer.ndim > 2

    def colour(image: np.ndarray) -> np.ndarray:
        # A movie's own limits are for single frames, too wide for their mean.
        shown = displayed(image, None if movie else limits)
        return np.asarray(255 * colormap.map(shown.ravel())[:, :3], np.uint8).reshape(
            *image.shape, 3
        )

    return colour

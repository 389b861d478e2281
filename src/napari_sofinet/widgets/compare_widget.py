"""Dock widget "Compare"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QPushButton,
    QSlider,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.metrics.squirrel import Squirrel
from napari_sofinet.quality.figure import difference
from napari_sofinet.quality.grid import Grid, common_grid, grid_of, on_grid
from napari_sofinet.quality.picture import Picture
from napari_sofinet.quality.placement import is_coarser
from napari_sofinet.quality.scores import compare, compare_squirrel, squirrel_sentence
from napari_sofinet.quality.volume import volume_scores
from napari_sofinet.widgets.compare_figure import PairFigure
from napari_sofinet.widgets.compare_tips import TIPS
from napari_sofinet.widgets.dock import Dock
from napari_sofinet.widgets.latest_worker import Latest
from napari_sofinet.widgets.layers import follow
from napari_sofinet.widgets.measurement_layers import (
    add_difference,
    add_error_map,
    measurable_layers,
)
from napari_sofinet.widgets.number_tables import ScoreTable
from napari_sofinet.widgets.pair_chooser import PairChooser
from napari_sofinet.widgets.save_dialog import SaveButton, Saving
from napari_sofinet.widgets.sources import Means, source_of, volume_axis, volume_of
from napari_sofinet.widgets.turn_buttons import TurnButtons
from napari_sofinet.widgets.view_modes import MapView, PairView, SideNames, SwipeLayer, coloring

BLINK_MS = 500
SLIDER_STEPS = 1000


class CompareWidget(Dock):
    """Compares two layers by eye and by numbers, and makes figures of layers.

    Two layers are shown side by side, by turns, or on both sides of a line; their difference and
    their scores are computed in a thread.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Viewer whose layers are compared.
    """

    tab = "Compare"

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.scores: dict[str, Any] = {}
        self.view = PairView(napari_viewer)
        self.map_view = MapView(napari_viewer)
        self._swipe_layer = SwipeLayer(napari_viewer)
        self.sides = SideNames(napari_viewer)
        self._means = Means()
        self.figure = PairFigure(napari_viewer, self._means)
        self._work = Latest(self)
        self._work.done.connect(self._show_done)
        self._work.failed.connect(self._show_failure)
        self._timer = QTimer(self)
        self._timer.setInterval(BLINK_MS)
        self._timer.timeout.connect(self._blink)
        self._build()
        self._explain()
        self._lay_out()
        follow(napari_viewer.layers, self._refresh_layers)

    def _build(self) -> None:
        self.chooser = PairChooser(self.viewer)
        self.chooser.changed.connect(self._forget_scores)
        self.first_box, self.second_box = self.chooser.first_box, self.chooser.second_box
        self.side_button = QPushButton("Side by side", checkable=True)
        self.swipe_button = QPushButton("Swipe", checkable=True)
        self.blink_button = QPushButton("Blink", checkable=True)
        self.difference_button = QPushButton("Difference")
        self.squirrel_button = QPushButton("SQUIRREL map")
        self.score_button = QPushButton("Scores")
        self.figure_button = SaveButton("Figure…", self._figure_saving, self.status)
        self.side_button.toggled.connect(self.side_by_side)
        self.swipe_button.toggled.connect(self.swipe)
        self.blink_button.toggled.connect(self.blink)
        self.difference_button.clicked.connect(self.add_difference)
        self.squirrel_button.clicked.connect(self.add_squirrel)
        self.score_button.clicked.connect(self.score)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, SLIDER_STEPS)
        self.slider.setValue(SLIDER_STEPS // 2)
        self.slider.valueChanged.connect(self._move)
        self.slider.hide()
        self.table = ScoreTable()
        self.common = QCheckBox("one contrast for both in the figure")
        self.turns = TurnButtons(self.viewer)

    def _explain(self) -> None:
        for name, tip in TIPS.items():
            getattr(self, name).setToolTip(tip)

    def _lay_out(self) -> None:
        buttons = QGridLayout()
        rows = (
            (self.side_button, self.swipe_button, self.blink_button),
            (self.difference_button, self.squirrel_button, self.score_button),
        )
        for row, in_row in enumerate(rows):
            for column, button in enumerate(in_row):
                buttons.addWidget(button, row, column)
        self._fill_dock(
            (self.chooser, self.turns, buttons, self.slider, self.table),
            (),
            (self.common, self.figure_button),
        )

    # -- layers ---------------------------------------------------------------------------------

    def _refresh_layers(self, event: Any = None) -> None:
        images = measurable_layers(self.viewer.layers)
        self.chooser.offer(images)
        for layer in images:
            layer.events.name.connect(self._refresh_layers)
        self._means.keep(images)
        self.turns.setVisible(any(volume_axis(layer) is not None for layer in images))
        if self._swipe_layer.was_deleted:
            self.swipe_button.setChecked(False)

    def choose(self, first: str, second: str) -> None:
        """Show two layers side by side.

        Parameters
        ----------
        first, second : str
            Names of the layers.
        """
        self.chooser.choose(first, second)
        self.side_button.setChecked(True)

    # -- work in the thread ---------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something is being computed."""
        return self._work.busy

    def _ask(
        self,
        compute: Callable[[Picture, Picture], Any],
        show: Callable[[tuple[Image, Image], Any], None],
    ) -> None:
        """Compute something of the two pictures in a thread, and show it with the two layers."""
        try:
            pair = self.chooser.pair()
            sources = [source_of(layer, self.viewer.dims.point) for layer in pair]
        except InputError as error:
            self.status.setText(str(error))
            return

        def task() -> tuple[Any, ...]:
            return show, pair, compute(*(self._means.picture(source) for source in sources))

        self._set_busy(True)
        self._work.ask(task)

    def _set_busy(self, on: bool) -> None:
        """Allow only one request at a time, since the thread drops all but the last."""
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

    def _pair_for(self, button: QPushButton) -> tuple[Image, Image] | None:
        """Return the layers for a way to look and leave the others; None if there is no pair."""
        try:
            pair = self.chooser.pair()
        except InputError as error:
            button.setChecked(False)
            self.status.setText(str(error))
            return None
        self.map_view.restore()
        for other in (self.side_button, self.swipe_button, self.blink_button):
            if other is not button:
                other.setChecked(False)
        return pair

    def side_by_side(self, on: bool) -> None:
        """Show the two layers in a row, or all layers again.

        Parameters
        ----------
        on : bool
            Whether to begin or to stop.
        """
        if not on:
            self.view.stop_side_by_side()
            return
        pair = self._pair_for(self.side_button)
        if pair is not None:
            self.view.start_side_by_side(*pair)

    def swipe(self, on: bool) -> None:
        """Show the first layer on the left of the slider and the second on its right.

        Parameters
        ----------
        on : bool
            Whether to begin or to stop.
        """
        self.slider.setVisible(on)
        if not on:
            self._swipe_layer.remove()
            self.sides.hide()
            self.view.restore()
            return
        pair = self._pair_for(self.swipe_button)
        if pair is None:
            return
        color_first, color_second = map(coloring, pair)

        def compute(a: Picture, b: Picture) -> tuple[Grid, np.ndarray, np.ndarray]:
            grid = common_grid([a, b])
            return grid, color_first(on_grid(a, grid)), color_second(on_grid(b, grid))

        self._ask(compute, self._show_swipe)

    def _show_swipe(
        self, pair: tuple[Image, Image], found: tuple[Grid, np.ndarray, np.ndarray]
    ) -> None:
        grid, left, right = found
        if not self.swipe_button.isChecked():
            return
        units = pair[0].units[-2:]
        self.view.show_alone(
            [self._swipe_layer.show(left, right, self.slider.value() / SLIDER_STEPS, grid, units)]
        )
        self.sides.show(*(layer.name for layer in pair))

    def _move(self, value: int) -> None:
        self._swipe_layer.move(value / SLIDER_STEPS)

    def blink(self, on: bool) -> None:
        """Show the two layers by turns.

        Parameters
        ----------
        on : bool
            Whether to begin or to stop.
        """
        if not on:
            self._timer.stop()
            self.view.restore()
            return
        pair = self._pair_for(self.blink_button)
        if pair is not None:
            self.view.show_alone([pair[0]])
            self.view.show_names(pair)
            self._timer.start()

    def _blink(self) -> None:
        try:
            first, second = self.chooser.pair()
        except InputError:
            self.blink_button.setChecked(False)
            return
        first.visible, second.visible = not first.visible, first.visible

    # -- layers, numbers and figures ------------------------------------------------------------

    def add_difference(self) -> None:
        """Add a layer with the first minus the second, each scaled from 0 to 1."""

        def compute(a: Picture, b: Picture) -> tuple[Grid, np.ndarray]:
            grid = common_grid([a, b])
            return grid, difference(on_grid(a, grid), on_grid(b, grid))

        def show(pair: tuple[Image, Image], found: tuple[Grid, np.ndarray]) -> None:
            grid, image = found
            made = add_difference(self.viewer, image, pair, grid)
            self.figure.add_map(pair, made, "first - second, each from 0 to 1")
            self._show_map(made)
            self.status.setText(
                f"Green: {pair[0].name} is brighter; pink: {pair[1].name}. Each was scaled from 0 "
                "to 1 first."
            )

        self._ask(compute, show)

    def _show_map(self, made: Image) -> None:
        for button in (self.side_button, self.swipe_button, self.blink_button):
            button.setChecked(False)
        made.visible = True
        self.map_view.show(made)

    def add_squirrel(self) -> None:
        """Add a layer with the error of the first against the second, by SQUIRREL."""

        def compute(a: Picture, b: Picture) -> tuple[Grid, Squirrel]:
            return grid_of(b), compare_squirrel(a, b)

        def show(pair: tuple[Image, Image], found: tuple[Grid, Squirrel]) -> None:
            grid, result = found
            made = add_error_map(self.viewer, result.error_map, pair, grid)
            counts = pair[1].ndim > 2 and volume_axis(pair[1]) is None
            unit = "counts" if counts else "brightness"
            self.figure.add_map(pair, made, f"error ({unit} of the second)")
            self._show_map(made)
            self.status.setText(squirrel_sentence(result))

        self._ask(compute, show)

    def score(self) -> None:
        """Fill the table with the agreement of the first layer with the second."""
        try:
            sources = [source_of(layer) for layer in self.chooser.pair()]
        except InputError as error:
            self.status.setText(str(error))
            return
        volumes = all(source.depth is not None for source in sources)

        def scored(a: Picture, b: Picture) -> dict[str, Any]:
            no_truth = b.wide_field or b.made_by is not None or is_coarser(b, a)
            found = volume_scores(*map(volume_of, sources)) if volumes else compare(a, b)
            return found | {"no_truth": no_truth}

        self._ask(scored, self._show_scores)

    def _show_scores(self, pair: tuple[Image, Image], scores: dict[str, Any]) -> None:
        if self.chooser.names() != tuple(layer.name for layer in pair):
            return
        self.scores = scores
        self.table.show_scores(scores, truth=not scores["no_truth"])
        if "mse" in scores:
            self.status.setText(f"Whole volumes, in {scores['planes']} planes with structure.")
            return
        notes = (("SQUIRREL", "warning"), ("FRC", "frc_reason"))
        self.status.setText("\n".join(f"{name}: {scores[k]}" for name, k in notes if scores.get(k)))

    def _forget_scores(self) -> None:
        """Remove the numbers of another pair of layers."""
        self.scores = {}
        self.table.clear_rows()
        self.status.setText("")

    def _figure_saving(self) -> Saving:
        return self.figure.saving(self.chooser.pair(), self.common.isChecked())

    def save_figure(self, path: str) -> None:
        """Write a figure of the two layers and of their maps that are shown.

        Parameters
        ----------
        path : str
            File ending in .png, .svg or .pdf.

        Raises
        ------
        InputError
            If no two layers are chosen, or if the layers have no area in common.
        """
        self.figure.writer(self.chooser.pair(), self.common.isChecked())(Path(path))

    def stop_work(self) -> None:
        """Stop blinking and computing."""
        super().stop_work()
        self._timer.stop()
        self._work.close()

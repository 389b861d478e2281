"""Layers of results in the viewer: added together, replaced on repetition, over a hidden movie."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.widgets.layer_names import map_name, told_apart
from napari_sofinet.widgets.layer_times import go_to
from napari_sofinet.widgets.measurement_layers import MADE_HERE, WITH_BAR, show_color_bar
from napari_sofinet.widgets.result_layers import CONTENT, add_points, layers_over
from napari_sofinet.widgets.result_links import (
    is_movie,
    layer_of,
    link_to,
    movie_under,
    part_of,
    same_run,
)
from napari_sofinet.widgets.tables import TableLayer

PLACE = "units", "axis_labels", "scale", "translate", "affine"


class ResultStack(QWidget):
    """Adds the layers of results next to each other, with two choices of what to do besides.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Viewer that gets the layers.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self._hidden: list[Layer] = []
        self.replace_box = QCheckBox("Replace a result of the same settings")
        self.replace_box.setChecked(True)
        self.replace_box.setToolTip(
            "Results of other settings or frames always stay. Clear this to keep both layers of a "
            "repeated run."
        )
        self.hide_box = QCheckBox("Hide the movie under its result")
        self.hide_box.setChecked(True)
        self.hide_box.setToolTip("Clear this to see the movie again.")
        self.hide_box.toggled.connect(self._show_movies)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.replace_box)
        column.addWidget(self.hide_box)
        napari_viewer.layers.events.removed.connect(self._layer_removed)

    def add(
        self,
        source: Image | TableLayer,
        result: Reconstruction,
        time_axis: int | None,
        position: dict[int, int],
    ) -> Layer:
        """Add the layers of a result, or renew those of the same settings.

        Parameters
        ----------
        source : Image or TableLayer
            Layer of the movie.
        result : Reconstruction
            Result of any method.
        time_axis : int or None
            Index of the axis of ``source`` that is time.
        position : dict of int to int
            Index along each other axis of ``source`` before y and x.

        Returns
        -------
        Layer
            Layer of the picture, which is then the selected one.
        """
        part = part_of(time_axis, position)
        old = same_run(self.viewer, source, result, part) if self.replace_box.isChecked() else []
        link = link_to(source, part)
        picture = None
        for data, options, _ in layers_over(source, result, time_axis):
            options["metadata"] = options["metadata"] | link
            layer = self._renewed(old, data, options) or self._added(data, options, result)
            if layer.metadata[CONTENT] == next(iter(result.maps)):
                picture = layer
        assert picture is not None
        for left in old:
            self.viewer.layers.remove(left)
        self._add_points(source, result, link)
        self._hide(source)
        self._hide_comparisons()
        go_to(self.viewer, picture)
        self.viewer.layers.selection.active = picture
        return picture

    def _renewed(self, old: list[Layer], data: Any, options: dict[str, Any]) -> Layer | None:
        """Put new data into the layer of the same content, which keeps its place and looks."""
        content = options["metadata"][CONTENT]
        for layer in old:
            if layer.metadata[CONTENT] == content and isinstance(layer, Image):
                if layer.ndim != np.ndim(data):
                    return None
                old.remove(layer)
                layer.data, layer.metadata = data, options["metadata"]
                for name in PLACE:
                    if name in options:
                        setattr(layer, name, options[name])
                return layer
        return None

    def _added(self, data: Any, options: dict[str, Any], result: Reconstruction) -> Layer:
        others = [layer.name for layer in self.viewer.layers]
        name = told_apart(options["name"], others, result.recipe)
        visible = options.get("visible", True)
        # Hidden only afterwards, since napari draws no thumbnail of a hidden layer.
        layer = self.viewer.add_image(data, **options | {"name": name, "visible": True})
        if WITH_BAR in layer.metadata:
            show_color_bar(layer)
        layer.visible = visible
        return layer

    def _add_points(
        self, source: Image | TableLayer, result: Reconstruction, link: dict[str, Any]
    ) -> None:
        table = result.localizations
        # The points of a table that was reconstructed are there already.
        if table is None or not len(table) or isinstance(source, TableLayer):
            return
        others = [layer.name for layer in self.viewer.layers]
        made = {"sofinet_table": table, "sofinet_result": result, CONTENT: "points"}
        name = map_name("points", result.recipe, source.name)
        add_points(
            self.viewer,
            source,
            table,
            1.0,
            name=told_apart(name, others, result.recipe),
            metadata=made | link,
            visible=result.time_series is None,
        )

    # -- the movie under its results --------------------------------------------------------------

    def _hide(self, source: Image | TableLayer) -> None:
        layer = layer_of(source)
        if self.hide_box.isChecked() and is_movie(layer) and layer.visible:
            layer.visible = False
            self._hidden.append(layer)

    def _hide_comparisons(self) -> None:
        """Hide maps of a comparison, whose names and color bars would lie over the new picture."""
        for layer in self.viewer.layers:
            if MADE_HERE in layer.metadata and CONTENT not in layer.metadata:
                layer.visible = False

    def _show_movies(self, hide: bool) -> None:
        """Hide the movies of all results, or show again those that were hidden."""
        if not hide:
            for layer in self._hidden:
                layer.visible = True
            self._hidden = []
            return
        with_results = {movie_under(layer) for layer in self.viewer.layers}
        for layer in self.viewer.layers:
            if layer.unique_id in with_results:
                self._hide(layer)

    def _layer_removed(self, event: Any) -> None:
        """Show a movie again when its last result is gone."""
        with_results = {movie_under(layer) for layer in self.viewer.layers}
        for layer in list(self._hidden):
            if layer not in self.viewer.layers:
                self._hidden.remove(layer)
            elif layer.unique_id not in with_results:
                layer.visible = True
                self._hidden.remove(layer)

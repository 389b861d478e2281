"""Dock widget "Model reconstruction"."""

from __future__ import annotations

from typing import Any

from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtWidgets import QLabel, QPushButton

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion
from napari_sofinet.base.settings import Settings, flatten_settings
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_input import MethodInput
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.sim_stack import SimStack
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.registry import method_named, methods
from napari_sofinet.methods.run import Device, made_before, reconstruct
from napari_sofinet.networks.about_weights import about_weights
from napari_sofinet.networks.weights import find, read_card
from napari_sofinet.widgets.checking_widget import CheckingWidget
from napari_sofinet.widgets.dock_place import open_dock
from napari_sofinet.widgets.layer_names import map_name
from napari_sofinet.widgets.narrow_box import NarrowBox
from napari_sofinet.widgets.placement import picture_options
from napari_sofinet.widgets.result_layers import picture_of
from napari_sofinet.widgets.result_links import OVER, layer_of, part_of, results_of
from napari_sofinet.widgets.rows import Rows
from napari_sofinet.widgets.sample_slider import SampleSlider
from napari_sofinet.widgets.tables import TableLayer, table_layers
from napari_sofinet.widgets.volumes import set_plane_distance, unsaid_plane_um
from napari_sofinet.widgets.weights_box import WeightsBox
from napari_sofinet.widgets.worker import TaskWorker

OWN_DOCK = ("sofi",)
"""Methods that have a dock of their own."""


class ModelWidget(CheckingWidget):
    """Dock that reconstructs a movie or a raw SIM stack, and compares pictures with SOFI.

    It tells what the weights were trained on.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Viewer that has the movie.
    """

    title, tab = "model", "Model"

    def __init__(self, napari_viewer: Viewer) -> None:
        offered = sorted(
            (
                m
                for m in methods().values()
                if {Movie, SimStack} & set(m.takes) and m.name not in OWN_DOCK
            ),
            key=lambda m: (SimStack in m.takes, m.network is None),
        )
        super().__init__(napari_viewer, offered[0])
        self.layer_box.setToolTip("A movie, or localisations if the method can use them.")
        self.chooser.few_button.show()
        self.network_box = NarrowBox()
        for method in offered:
            self.network_box.addItem(method.title, method.name)
        self.network_box.currentIndexChanged.connect(self._network_changed)
        self.device_box = NarrowBox()
        for title, name in (("GPU if there is one", "auto"), ("processor", "cpu"), ("GPU", "cuda")):
            self.device_box.addItem(title, name)
        self.prior = QLabel(wordWrap=True)
        row = Rows()
        row.addRow("Runs on", self.device_box)
        self.network_box.setToolTip("Method; its settings follow below.")
        method = QLabel("Method")
        method.setBuddy(self.network_box)
        self.above_form.addWidget(method)
        self.above_form.addWidget(self.network_box)  # its names need the whole width
        self.above_form.addLayout(row)
        self.above_form.addWidget(self.prior)
        self.compare_button = QPushButton("Compare with SOFI")
        self.compare_button.setToolTip(
            "Reconstruct the same frames by this method and by SOFI, where that is not done yet, "
            "and open both in Compare."
        )
        self.compare_button.clicked.connect(self.compare_with_sofi)
        self.sample_slider = SampleSlider(napari_viewer)
        self.above_below.addWidget(self.sample_slider)
        self._add_button(self.compare_button)
        self._watch_weights()

    def sources(self) -> list[Layer]:
        """Return the layers that can be reconstructed.

        Returns
        -------
        list of Layer
            Movies, and layers with localizations if the method takes those.
        """
        movies = super().sources()
        if LocalizationTable not in self.method.takes:
            return movies
        tables = table_layers(self.viewer.layers)
        return [*movies, *(layer for layer in tables if layer not in movies)]

    def _takes_stacks(self) -> bool:
        return self.method.takes == (SimStack,)

    def _settings_for(self, movie: MethodInput) -> Settings:
        settings = super()._settings_for(movie)
        if isinstance(movie, SimStack) and getattr(settings, "plane_um", None) is None:
            return settings.model_copy(update={"plane_um": unsaid_plane_um(movie)})
        return settings

    def _aim(self) -> None:
        super()._aim()
        if self._takes_stacks() and isinstance(self._source, Image):
            self._time_axis, self._position = None, {}
            distance = flatten_settings(self.form.settings())["plane_um"]
            if distance is not None:
                set_plane_distance(self._source, distance)

    def device(self) -> Device:
        """Return the chosen device.

        Returns
        -------
        {"auto", "cpu", "cuda"}
            Device that networks run on.
        """
        chosen: Device = self.device_box.currentData()
        return chosen

    def offers(self, method: Method) -> bool:
        """Return whether this dock can run a method.

        Parameters
        ----------
        method : Method
            A method.

        Returns
        -------
        bool
            True for all methods that start from images but those with a dock of their own.
        """
        return self.network_box.findData(method.name) >= 0

    def set_method(self, method: Method) -> None:
        """Choose a method, and show its settings.

        Parameters
        ----------
        method : Method
            One that the dock `offers`.
        """
        self.network_box.setCurrentIndex(self.network_box.findData(method.name))

    def _network_changed(self) -> None:
        self.method = method_named(self.network_box.currentData())
        stacks = self._takes_stacks()
        self.chooser.take_stacks(stacks)
        self.check_button.setVisible(not stacks)
        self.compare_button.setVisible("image" in self.method.gives and not stacks)
        self.form = self.form.replaced(self.method.settings)
        self.findings.follow(self.form)
        self.status.setText("")  # what is written there is about the method before
        self._refresh_layers()
        self._refresh_presets()
        self._watch_weights()
        self._show_what_is_used()

    def _movie_changed(self, layer: Image | TableLayer) -> None:
        super()._movie_changed(layer)
        self._show_what_is_used()

    def _show_what_is_used(self) -> None:
        """Hide the settings of the localization where localizations are given."""
        self.form.show_group("localize", not isinstance(self.chooser.layer(), TableLayer))

    def _begin(self, worker: TaskWorker, title: str) -> None:
        super()._begin(worker, title)
        self.network_box.setEnabled(False)  # progress and result are shown under its method

    def _stop(self) -> None:
        super()._stop()
        self.network_box.setEnabled(True)

    def _watch_weights(self) -> None:
        box = self._weights_box()
        if box is not None:
            box.currentTextChanged.connect(lambda *_: self._show_prior())
        self._show_prior()

    def _weights_box(self) -> WeightsBox | None:
        """Return the choice of weights; None for a method without weights."""
        box = self.form.editors.get("weights")
        return box if isinstance(box, WeightsBox) else None

    def _show_prior(self) -> None:
        box = self._weights_box()
        self.prior.setVisible(box is not None)
        self.device_box.setEnabled(self.method.uses_torch)
        if box is None:
            self.known_notes = ()
            return
        try:
            card = read_card(find(box.currentText(), box.network))
            self.prior.setText(about_weights(card))
            self.known_notes = (about_weights(card),)
        except InputError as error:
            self.prior.setText(str(error))

    def add_pictures(self, source: Image | TableLayer, result: Reconstruction) -> str:
        """Add the layers of a result over its movie, and offer its samples on the slider.

        Parameters
        ----------
        source : Image or TableLayer
            Layer of the movie.
        result : Reconstruction
            Result of the chosen method.

        Returns
        -------
        str
            Name of the layer of the picture.
        """
        shown = super().add_pictures(source, result)
        if result.samples is not None:
            options = picture_options(source, result, "", self._time_axis)
            # The recipe is that of the picture, not of a sample.
            options["metadata"] = {OVER: layer_of(source).unique_id}
            options["name"] = map_name("sample", result.recipe, source.name)
            self.sample_slider.browse(result.samples, options, self.viewer.layers[shown])
        return shown

    def compare_with_sofi(self) -> None:
        """Open the picture of this method and that of SOFI in Compare.

        Pictures that are there already are not computed again.
        """
        if self.worker is not None:
            return
        try:
            movie, settings = self.chooser.movie(), self.form.settings()
        except InputError as error:
            self.status.setText(str(error))
            return
        self._aim()
        values = flatten_settings(settings)
        # One picture of all frames, like that of SOFI.
        values |= {k: v for k, v in (("window", None), ("time_series", False)) if k in values}
        device, known = self.device(), self._results_there()
        runs: dict[str, dict[str, Any]] = {"sofi": {}, self.method.name: values}

        def both(report: Report) -> list[Reconstruction]:
            made = {name: made_before(known, movie, name, **runs[name]) for name in runs}
            missing = [name for name, result in made.items() if result is None]
            for k, name in enumerate(missing):
                title = "SOFI: " if name == "sofi" else ""
                part = portion(report, k / len(missing), (k + 1) / len(missing), title)
                made[name] = reconstruct(movie, name, report=part, device=device, **runs[name])
            return [result for result in made.values() if result is not None]

        worker = TaskWorker(both)
        self._begin(worker, f"SOFI and {self.title} {movie.name}")
        worker.returned.connect(self._show_both)
        worker.start()

    def _results_there(self) -> list[Reconstruction]:
        """Return the results of the chosen part of the movie that have layers."""
        if not isinstance(self._source, Image):
            return []
        part = part_of(self._time_axis, self._position)
        return results_of(self.viewer, self._source, part)

    def _show_both(self, results: list[Reconstruction] | None) -> None:
        if results is None or self._source is None:
            return
        names = [
            picture_of(self.viewer, result) or self.add_pictures(self._source, result)
            for result in results
        ]
        self._tell(results[1])
        compare = open_dock(self.viewer, "Compare")
        compare.choose(names[1], names[0])

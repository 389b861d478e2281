"""Dock widget "SOFI reconstruction"."""

from __future__ import annotations

from typing import Any

from napari.layers import Image
from napari.utils.notifications import show_error
from napari.viewer import Viewer
from qtpy.QtWidgets import QPushButton

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report
from napari_sofinet.base.settings import flatten_settings
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods.registry import method_named
from napari_sofinet.preprocess.suitability import Finding, check
from napari_sofinet.sofi.warm_up import warm_up
from napari_sofinet.widgets.curves import draw_convergence
from napari_sofinet.widgets.findings_list import FindingsList
from napari_sofinet.widgets.method_widget import MethodWidget
from napari_sofinet.widgets.tables import TableLayer
from napari_sofinet.widgets.worker import TaskWorker


class SofiWidget(MethodWidget):
    """Dock that reconstructs a movie by SOFI, and checks whether the movie is suitable.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Viewer that has the movie.
    """

    title = "SOFI"

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, method_named("sofi"))
        self.check_button = QPushButton("Check movie")
        self.check_button.setToolTip("Check blinking, brightness, PSF, bleaching and drift.")
        self.check_button.clicked.connect(self.check_movie)
        self.below.insertWidget(0, self.check_button)
        warm_up()

    def _lay_out(self) -> None:
        super()._lay_out()
        self.findings = FindingsList(self.form)
        outer = self.layout()
        outer.insertWidget(outer.indexOf(self.status) + 1, self.findings, 1)

    def _refresh_layers(self, event: Any = None) -> None:
        super()._refresh_layers(event)
        if self.chooser.layer() is None:
            self.findings.hide()

    def _movie_changed(self, layer: Image | TableLayer) -> None:
        super()._movie_changed(layer)
        self.findings.hide()

    def check_movie(self) -> None:
        """Check in a thread whether the movie is suitable for SOFI, and show the findings."""
        if self.worker is not None:
            return
        try:
            movie = self.chooser.movie()
            if not isinstance(movie, Movie):
                raise InputError(f"{movie.name} is a table of localisations; choose a movie.")
            order = flatten_settings(self.form.settings())["order"]
        except InputError as error:
            show_error(str(error))
            return

        def look(report: Report) -> tuple[tuple[Finding, ...], bytes | None]:
            findings = check(movie, order, report)
            shown = next((f for f in findings if f.curve), None)
            if shown is None:
                return findings, None
            return findings, draw_convergence(shown.curve, shown.expected, movie.shape[0])

        self.findings.hide()
        worker = TaskWorker(look)
        self._begin(worker, f"checking {movie.name}")
        worker.returned.connect(self._show_findings)
        worker.start()

    def _show_findings(self, found: tuple[tuple[Finding, ...], bytes | None] | None) -> None:
        if found is not None:
            self.status.setText("")
            self.findings.show_findings(*found)

"""Dock widget "SOFI reconstruction"."""

from __future__ import annotations

from base64 import b64encode

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
from napari_sofinet.widgets.method_widget import MethodWidget
from napari_sofinet.widgets.worker import TaskWorker

COLORS = {"good": "#4caf50", "fair": "#ffb300", "bad": "#f44336"}


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
            curve = next((f.curve for f in findings if f.curve), ())
            return findings, draw_convergence(curve) if len(curve) > 1 else None

        worker = TaskWorker(look)
        self._begin(worker, f"checking {movie.name}")
        worker.returned.connect(self._show_findings)
        worker.start()

    def _show_findings(self, found: tuple[tuple[Finding, ...], bytes | None] | None) -> None:
        if found is None:
            return
        findings, curve = found
        rows = "".join(
            f"<tr><td style='color:{COLORS[f.light]}'>●&nbsp;</td>"
            f"<td><b>{f.name}</b>: {f.value}. {f.advice}</td></tr>"
            for f in findings
        )
        picture = ""
        if curve is not None:
            picture = f"<img src='data:image/png;base64,{b64encode(curve).decode()}'>"
        self.status.setText(f"<table>{rows}</table>{picture}")

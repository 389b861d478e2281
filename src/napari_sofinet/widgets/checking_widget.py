"""Base of the docks that also check whether a movie is suitable, and for which method."""

from __future__ import annotations

from typing import Any

from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtWidgets import QPushButton

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report
from napari_sofinet.base.settings import flatten_settings
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.suitable import Choice, ranked
from napari_sofinet.methods.warm_up import warm_up
from napari_sofinet.preprocess.suitability import Examination, examine
from napari_sofinet.widgets.curves import draw_convergence
from napari_sofinet.widgets.dock_place import open_dock
from napari_sofinet.widgets.findings_list import FindingsList
from napari_sofinet.widgets.method_widget import MethodWidget
from napari_sofinet.widgets.tables import TableLayer
from napari_sofinet.widgets.worker import TaskWorker

SOFI_DOCK, MODEL_DOCK = "SOFI reconstruction", "Model reconstruction"


class CheckingWidget(MethodWidget):
    """Dock that reconstructs a movie, and checks which method suits it.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Viewer that has the movie.
    method : Method
        Method whose settings the form shows.
    """

    def __init__(self, napari_viewer: Viewer, method: Method) -> None:
        super().__init__(napari_viewer, method)
        self.check_button = QPushButton("Check movie")
        self.check_button.setToolTip(
            "Check blinking, brightness, PSF, bleaching and drift, and list the methods that suit "
            "the movie."
        )
        self.check_button.clicked.connect(self.check_movie)
        self._add_button(self.check_button)
        warm_up()

    def _lay_out(self) -> None:
        super()._lay_out()
        self.findings = FindingsList(self.form)
        self.findings.chosen.connect(self.use)
        outer = self.layout()
        outer.insertWidget(outer.indexOf(self.status), self.findings, 1)

    def _refresh_layers(self, event: Any = None) -> None:
        super()._refresh_layers(event)
        if self.chooser.layer() is None:
            self.findings.hide()

    def _movie_changed(self, layer: Image | TableLayer) -> None:
        super()._movie_changed(layer)
        self.findings.hide()

    def check_movie(self) -> None:
        """Check the movie in a thread; show the findings and the methods that suit it."""
        if self.worker is not None:
            return
        try:
            movie = self.chooser.movie()
            if not isinstance(movie, Movie):
                raise InputError(f"{movie.name} is a table of localisations; choose a movie.")
            order = flatten_settings(self.form.settings()).get("order", 2)
        except InputError as error:
            self.status.setText(str(error))
            return

        def look(report: Report) -> tuple[Examination, bytes | None]:
            seen = examine(movie, order, report)
            shown = next((f for f in seen.findings if f.curve), None)
            if shown is None:
                return seen, None
            return seen, draw_convergence(shown.curve, shown.expected, movie.shape[0])

        self.findings.hide()
        worker = TaskWorker(look)
        self._begin(worker, f"checking {movie.name}")
        worker.returned.connect(self._show_findings)
        worker.start()

    def _show_findings(self, found: tuple[Examination, bytes | None] | None) -> None:
        if found is not None:
            seen, curve = found
            self.status.setText("")
            self.findings.show_findings(seen.findings, curve, ranked(seen.facts))

    # -- use of a method ------------------------------------------------------------------------

    def offers(self, method: Method) -> bool:
        """Return whether this dock can run a method.

        Parameters
        ----------
        method : Method
            A method.

        Returns
        -------
        bool
            True if `set_method` takes it.
        """
        return method.name == self.method.name

    def set_method(self, method: Method) -> None:
        """Show the settings of a method that the dock `offers`.

        Parameters
        ----------
        method : Method
            The method.
        """

    def use(self, choice: Choice) -> None:
        """Set a method and its settings, in the dock that has it.

        Parameters
        ----------
        choice : Choice
            Method with settings; the other settings stay as they are.
        """
        dock = self if self.offers(choice.method) else self._other_dock(choice.method)
        dock.set_method(choice.method)
        if choice.suggestion.settings:
            dock.form.change(choice.suggestion.settings)
        dock.status.setText(f"{choice.title} is set; click Reconstruct.")

    def _other_dock(self, method: Method) -> CheckingWidget:
        """Open the dock that has a method, with the frames of this one."""
        name = SOFI_DOCK if method.name == "sofi" else MODEL_DOCK
        dock: CheckingWidget
        dock = open_dock(self.viewer, name)
        dock.chooser.take_from(self.chooser)
        return dock

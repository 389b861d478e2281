"""Dock widget "SOFI reconstruction"."""

from __future__ import annotations

from napari.viewer import Viewer

from napari_sofinet.methods.registry import method_named
from napari_sofinet.widgets.checking_widget import CheckingWidget


class SofiWidget(CheckingWidget):
    """Dock that reconstructs a movie by SOFI, and checks whether the movie is suitable.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Viewer that has the movie.
    """

    title = tab = "SOFI"

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, method_named("sofi"))

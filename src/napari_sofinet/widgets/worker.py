"""Runs a method off the GUI thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari.qt.threading import WorkerBase, WorkerBaseSignals
from qtpy.QtCore import Signal

from napari_sofinet.errors import Cancelled

if TYPE_CHECKING:
    from napari_sofinet.movie import Movie
    from napari_sofinet.reconstruction import Reconstruction

INTERVAL_S = 0.05


class _Signals(WorkerBaseSignals):
    progress = Signal(float, str)
    preview = Signal(object)


class MethodWorker(WorkerBase):
    """One run of a method: running until it is finished, cancelled (`quit`) or failed.

    Signals: ``progress`` (fraction, message), ``preview`` (Reconstruction so far), ``returned``
    (Reconstruction), ``errored`` (the exception), and always ``finished``.
    """

    def __init__(self, movie: Movie, method: str, settings: dict[str, Any]) -> None:
        super().__init__(SignalsClass=_Signals)
        self.movie = movie
        self.method = method
        self.settings = settings
        self._told = 0.0

    def work(self) -> Reconstruction | None:
        """Run the method; called in the worker's thread."""
        from napari_sofinet.methods import reconstruct

        try:
            return reconstruct(self.movie, self.method, report=self._report, **self.settings)
        except Cancelled:
            return None

    def _report(
        self, fraction: float, message: str = "", preview: Reconstruction | None = None
    ) -> None:
        if self.abort_requested:
            raise Cancelled
        now = time.monotonic()
        if now - self._told > INTERVAL_S:
            self._told = now
            self.progress.emit(fraction, message)
        if preview is not None:
            self.preview.emit(preview)

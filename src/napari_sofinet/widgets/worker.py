"""Runs long tasks off the GUI thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari.qt.threading import WorkerBase, WorkerBaseSignals
from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import QWidget

from napari_sofinet.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sofinet.methods import Device
    from napari_sofinet.movie import Movie
    from napari_sofinet.reconstruction import Reconstruction
    from napari_sofinet.settings import Report

INTERVAL_S = 0.05


class _Signals(WorkerBaseSignals):
    progress = Signal(float, str)
    preview = Signal(object)


class TaskWorker(WorkerBase):
    """One long task: running until it is finished, cancelled (`quit`) or failed.

    Signals: ``progress`` (fraction, message), ``preview`` (Reconstruction so far), ``returned``
    (what the task returns), ``errored`` (the exception), and always ``finished``.
    """

    def __init__(self, task: Callable[[Report], Any]) -> None:
        super().__init__(SignalsClass=_Signals)
        self.task = task
        self._told = 0.0

    def work(self) -> Any:
        """Do the task; called in the worker's thread."""
        try:
            return self.task(self._report)
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


class MethodWorker(TaskWorker):
    """One run of a method on a movie."""

    def __init__(
        self, movie: Movie, method: str, settings: dict[str, Any], device: Device = "auto"
    ) -> None:
        from napari_sofinet.methods import reconstruct

        super().__init__(
            lambda report: reconstruct(movie, method, report=report, device=device, **settings)
        )
        self.movie = movie


class WorkingWidget(QWidget):
    """A dock widget whose work stops when the dock is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.worker: TaskWorker | None = None

    def event(self, event: QEvent | None) -> bool:
        """Qt's hook: a widget loses its parent when its dock is closed."""
        if (
            event is not None
            and event.type() == QEvent.Type.ParentChange
            and self.parent() is None
            and self.worker is not None
        ):
            self.worker.quit()
        return bool(super().event(event))

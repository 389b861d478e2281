"""Runs long tasks off the GUI thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from napari.qt.threading import WorkerBase, WorkerBaseSignals
from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import (
    QFrame,
    QLabel,
    QLayout,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_sofinet.base.errors import Cancelled, InputError
from napari_sofinet.base.progress import Report
from napari_sofinet.data.open_input import MethodInput
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.run import Device

INTERVAL_S = 0.05
WIDEST_PX = 620
BESIDE_BAR_PX = 8
"""Room that a style may leave beside a scroll bar."""


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
        except Exception:
            raise
        except BaseException as error:
            # napari would never tell that the worker has ended, and the dock would wait for ever.
            raise InputError(
                f"The work was ended from outside ({type(error).__name__})."
            ) from error

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
        self, movie: MethodInput, method: str, settings: dict[str, Any], device: Device = "auto"
    ) -> None:
        from napari_sofinet.methods.run import reconstruct

        super().__init__(
            lambda report: reconstruct(movie, method, report=report, device=device, **settings)
        )
        self.movie = movie


class WorkingWidget(QWidget):
    """A dock widget that works in a thread: idle → running (its button says Cancel) → idle.

    The work stops when the dock is closed.

    Parameters
    ----------
    action
        What the button says while nothing runs.
    """

    def __init__(self, action: str) -> None:
        super().__init__()
        self.worker: TaskWorker | None = None
        self._action = action
        self._started = 0.0
        self.run_button = QPushButton(action)
        self.progress_bar = QProgressBar()
        self.progress_bar.setRange(0, 1000)
        self.progress_bar.hide()
        self.status = QLabel(wordWrap=True)

    def _fill_dock(
        self,
        scrolled: Iterable[QWidget | QLayout],
        below: Iterable[QWidget | QLayout],
        width: int = 330,
    ) -> None:
        """Put some parts where they scroll, and others below them, always in sight."""
        inside = QWidget()
        column = QVBoxLayout(inside)
        _add(column, scrolled)
        column.addStretch(1)
        scroll = _Column(inside)
        outer = QVBoxLayout(self)
        outer.addWidget(scroll, 1)
        _add(outer, below)
        self.setMinimumWidth(width)

    def _show_work(self, worker: TaskWorker) -> None:
        """Turn the button into Cancel and show how far the work is, which the caller starts."""
        self.worker = worker
        self._started = time.monotonic()
        self.run_button.setText("Cancel")
        self.progress_bar.setValue(0)
        self.progress_bar.show()
        worker.progress.connect(self._show_progress)
        worker.errored.connect(self._failed)
        worker.finished.connect(self._stop)
        self.destroyed.connect(worker.quit)  # not a method of the widget, which is gone by then

    def _show_progress(self, fraction: float, message: str) -> None:
        self.progress_bar.setValue(int(1000 * fraction))
        if self.run_button.isEnabled():  # else it is being cancelled
            self.status.setText(message)

    def _cancel(self) -> None:
        assert self.worker is not None
        self.worker.quit()
        self.run_button.setEnabled(False)
        self.status.setText("Cancelling …")

    def _failed(self, error: Exception) -> None:
        self.status.setText(sentence_of(error))

    def _stop(self) -> None:
        # napari tells of an aborted worker's end only, not of what it returned.
        if self.worker is not None and self.worker.abort_requested:
            self._tell_cancelled()
        self.worker = None
        self.progress_bar.hide()
        self.run_button.setText(self._action)
        self._allow_work()

    def _tell_cancelled(self) -> None:
        self.status.setText("Cancelled.")

    def _allow_work(self) -> None:
        self.run_button.setEnabled(True)

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


def sentence_of(error: Exception) -> str:
    """Return a sentence for the user: a bug unless it is an `InputError` or too little memory."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory; choose a smaller ROI or fewer frames."
    return f"This is a bug of napari-sofinet: {type(error).__name__}: {error}"


def _add(layout: QVBoxLayout, parts: Iterable[QWidget | QLayout]) -> None:
    for part in parts:
        if isinstance(part, QLayout):
            layout.addLayout(part)
        else:
            layout.addWidget(part)


class _Column(QScrollArea):
    """What scrolls up and down, and is no narrower than what it holds unless that is very wide."""

    def __init__(self, inside: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidget(inside)  # whose events are seen from then on

    def eventFilter(self, watched: QWidget, event: QEvent) -> bool:
        """Follow what is shown, which changes with the method."""
        if event.type() == QEvent.Type.LayoutRequest:
            bar = self.verticalScrollBar().sizeHint().width() + BESIDE_BAR_PX
            self.setMinimumWidth(min(watched.minimumSizeHint().width() + bar, WIDEST_PX))
        return super().eventFilter(watched, event)

"""Long tasks outside the thread of the GUI."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from napari.qt.threading import WorkerBase, WorkerBaseSignals
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QProgressBar, QPushButton

from napari_sofinet.base.errors import Cancelled, InputError
from napari_sofinet.base.progress import Report, TimeLeft, duration
from napari_sofinet.data.open_input import MethodInput
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.run import Device
from napari_sofinet.widgets.dock import Dock

INTERVAL_S = 0.05
SOON_S = 0.5
"""Time left below which none is shown: it would be gone before it is read."""
MOST_WAIT_S = 1.0
"""Longest time that a dock waits for its threads when the window is closed."""


class _Signals(WorkerBaseSignals):
    progress = Signal(float, str)
    preview = Signal(object)


class TaskWorker(WorkerBase):
    """One long task, which runs until it is finished, is cancelled by `quit`, or fails.

    Signals: ``progress`` (fraction, message), ``preview`` (reconstruction so far), ``returned``
    (result of the task), ``errored`` (the exception), and always ``finished``.

    Parameters
    ----------
    task : callable
        Function that takes a function to report progress to.

    Attributes
    ----------
    ended : threading.Event
        Set when the thread has finished, which may be some time after `quit`.
    outcome : object
        What the task returned or raised, also after `quit`; None until it has ended.
    """

    def __init__(self, task: Callable[[Report], Any]) -> None:
        super().__init__(SignalsClass=_Signals)
        self.task = task
        self.ended = threading.Event()
        self.outcome: Any = None
        self._before: threading.Event | None = None
        self._told = 0.0

    def wait_for(self, other: TaskWorker) -> None:
        """Begin when another worker has ended, as both together would only be slower."""
        self._before = other.ended

    def forget(self) -> None:
        """Ask the task to stop, and let none of its signals arrive any more."""
        self.quit()
        for name in ("progress", "preview", "returned", "errored", "finished"):
            # Nothing is connected, or Qt has deleted the signals, as when napari is closed.
            with contextlib.suppress(TypeError, RuntimeError):
                getattr(self.signals, name).disconnect()

    def run(self) -> None:
        """Run the task and signal its outcome; called by Qt.

        The method that this replaces changes the warnings of the whole process, which two workers
        at once do not restore, and fails if the signals are deleted when the window is closed.
        """
        self._emit("started")
        self._running = True
        try:
            result = self.work()
        except Exception as error:
            self._emit("errored", error)
        else:
            if not self.abort_requested:
                self._emit("returned", result)
        self._running = False
        self._emit("finished")
        self._emit("_finished", self)

    def _emit(self, name: str, *values: Any) -> None:
        """Emit a signal, unless Qt has deleted it."""
        with contextlib.suppress(RuntimeError):
            getattr(self.signals, name).emit(*values)

    def work(self) -> Any:
        """Run the task; called in the thread of the worker.

        Returns
        -------
        object
            Result of the task; None if it was cancelled.
        """
        try:
            self._wait()
            self.outcome = self.task(self._report)
        except Cancelled:
            return None
        except Exception as error:
            self.outcome = error
            if not self.abort_requested:
                raise
        except BaseException as error:
            # napari would not signal the end of the worker, and the dock would wait forever.
            raise InputError(
                f"The work was stopped from outside ({type(error).__name__})."
            ) from error
        finally:
            self.ended.set()
        return self.outcome

    def _wait(self) -> None:
        while self._before is not None and not self._before.wait(INTERVAL_S):
            self._report(0.0, "Waiting for the end of the cancelled work …")

    def _report(
        self, fraction: float, message: str = "", preview: Reconstruction | None = None
    ) -> None:
        if self.abort_requested:
            raise Cancelled
        now = time.monotonic()
        if now - self._told > INTERVAL_S:
            self._told = now
            self._emit("progress", fraction, message)
        if preview is not None:
            self._emit("preview", preview)


class MethodWorker(TaskWorker):
    """Reconstruction of a movie by a method.

    Parameters
    ----------
    movie : Movie or LocalizationTable
        Input of the method.
    method : str
        Name of the method.
    settings : dict
        Settings of the method.
    device : {"auto", "cpu", "cuda"}, optional
        Device that networks run on.
    """

    def __init__(
        self, movie: MethodInput, method: str, settings: dict[str, Any], device: Device = "auto"
    ) -> None:
        from napari_sofinet.methods.run import reconstruct

        super().__init__(
            lambda report: reconstruct(movie, method, report=report, device=device, **settings)
        )
        self.movie = movie


class WorkingWidget(Dock):
    """Dock that works in a thread, with a button that says Cancel as long as something runs.

    The work stops when the dock is closed.

    Parameters
    ----------
    action : str
        Text of the button while nothing runs.
    """

    def __init__(self, action: str) -> None:
        super().__init__()
        self.worker: TaskWorker | None = None
        self._stopping: TaskWorker | None = None  # cancelled, but still in its last step
        self._short_work: set[TaskWorker] = set()  # which has no progress and is not cancelled
        self._ending: list[TaskWorker] = []
        self._left = TimeLeft()
        self._action = action
        self._started = 0.0
        self.run_button = QPushButton(action)
        self.progress_bar = QProgressBar()
        self.progress_bar.setRange(0, 1000)
        policy = self.progress_bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # so that nothing moves when it appears
        self.progress_bar.setSizePolicy(policy)
        self.progress_bar.hide()

    def _show_work(self, worker: TaskWorker) -> None:
        """Show a worker's progress, and let the button cancel it; the caller starts it."""
        self.worker = worker
        if self._stopping is not None:
            worker.wait_for(self._stopping)
        self._started = time.monotonic()
        self._left = TimeLeft()
        self.run_button.setText("Cancel")
        self.progress_bar.setValue(0)
        self.progress_bar.show()
        worker.progress.connect(self._show_progress)
        worker.errored.connect(self._failed)
        worker.finished.connect(self._stop)
        self.destroyed.connect(worker.quit)  # no method of the widget, which is deleted then

    def _start_short(self, worker: TaskWorker) -> None:
        """Start work beside that of the button."""
        self._short_work.add(worker)
        worker.finished.connect(partial(self._short_work.discard, worker))
        worker.start()

    def _show_progress(self, fraction: float, message: str) -> None:
        self.progress_bar.setValue(int(1000 * fraction))
        left = self._left.after(fraction, time.monotonic(), message)
        if left is not None and left >= SOON_S:
            message = f"{message}, {duration(left)} left"
        self.status.setText(message)

    def _cancel(self) -> None:
        """Give the dock back at once, while the thread ends as soon as its task looks up."""
        worker = self.worker
        assert worker is not None
        worker.forget()
        self._stopping = worker
        with contextlib.suppress(RuntimeError):  # Qt has deleted the signals
            worker.finished.connect(self._stopped)
        self._stop()

    def _stopped(self) -> None:
        """Forget the cancelled work, which has ended now."""
        if self._stopping is not None and self._stopping.ended.is_set():
            self._stopping = None

    def _failed(self, error: Exception) -> None:
        self.status.setText(sentence_of(error))

    def _stop(self) -> None:
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

    def stop_work(self) -> None:
        """Cancel all work."""
        super().stop_work()
        self._ending = [w for w in (self.worker, self._stopping, *self._short_work) if w]
        self.worker = None
        self._short_work.clear()
        for worker in self._ending:
            worker.forget()

    def close_with_window(self) -> None:
        """Cancel all work and wait a moment for its end, as threads must not outlive napari."""
        super().close_with_window()
        for worker in self._ending:
            if worker.is_running:
                worker.ended.wait(MOST_WAIT_S)


def sentence_of(error: Exception) -> str:
    """Return a sentence about an error for the user.

    Parameters
    ----------
    error : Exception
        Error of a task.

    Returns
    -------
    str
        The text of an `InputError`, advice if there is too little memory, else that it is a bug.
    """
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory; choose a smaller ROI or fewer frames."
    return f"This is a bug in napari-sofinet: {type(error).__name__}: {error}"

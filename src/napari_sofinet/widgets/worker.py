"""Long tasks outside the thread of the GUI."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from napari.qt.threading import WorkerBase, WorkerBaseSignals
from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import QProgressBar, QPushButton

from napari_sofinet.base.errors import Cancelled, InputError
from napari_sofinet.base.progress import Report, TimeLeft, duration
from napari_sofinet.data.open_input import MethodInput
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.run import Device
from napari_sofinet.widgets.dock import Dock

INTERVAL_S = 0.05


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
        for signal in (self.progress, self.preview, self.returned, self.errored, self.finished):
            with contextlib.suppress(TypeError, RuntimeError):  # nothing is connected
                signal.disconnect()

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
            self.progress.emit(fraction, message)
        if preview is not None:
            self.preview.emit(preview)


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

    def _show_progress(self, fraction: float, message: str) -> None:
        self.progress_bar.setValue(int(1000 * fraction))
        left = self._left.after(fraction, time.monotonic())
        self.status.setText(message if left is None else f"{message}, {duration(left)} left")

    def _cancel(self) -> None:
        """Give the dock back at once, while the thread ends as soon as its task looks up."""
        worker = self.worker
        assert worker is not None
        worker.forget()
        self._stopping = worker
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

    def event(self, event: QEvent | None) -> bool:
        """Cancel the work when the dock is closed, since its widget loses its parent then."""
        if (
            event is not None
            and event.type() == QEvent.Type.ParentChange
            and self.parent() is None
            and self.worker is not None
        ):
            self.worker.quit()
        return bool(super().event(event))


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

"""Work in a thread for the latest request only."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_sofinet.base.errors import InputError


class Latest(QObject):
    """Runs the latest task that was asked for, and drops the results of earlier ones.

    Signals: ``done`` (result of the task) and ``failed`` (the exception), in the thread of the
    GUI.

    Parameters
    ----------
    parent : QObject, optional
        Object that this one belongs to.
    """

    done = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._next: Callable[[], Any] | None = None
        self._running = False
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a task is running or waiting."""
        return self._running

    def ask(self, task: Callable[[], Any]) -> None:
        """Run a task after the running one, unless another one is asked for before.

        Parameters
        ----------
        task : callable
            Function without arguments; it is called in a thread.
        """
        with self._lock:
            if self._closed:
                return
            self._next = task
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._work, daemon=True, name="sofinet-latest").start()

    def close(self) -> None:
        """Drop the waiting task and the result of the running one."""
        with self._lock:
            self._closed, self._next = True, None

    def _work(self) -> None:
        while True:
            with self._lock:
                task, self._next = self._next, None
                if task is None:
                    self._running = False
                    return
            try:
                result, name = task(), "done"
            except Exception as error:
                result, name = error, "failed"
            except BaseException as error:  # else it would count as running forever
                ended = InputError(f"The work was stopped from outside ({type(error).__name__}).")
                result, name = ended, "failed"
            with self._lock:
                if self._next is None and not self._closed:
                    with contextlib.suppress(RuntimeError):  # Qt has deleted this object
                        getattr(self, name).emit(result)

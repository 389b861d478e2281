"""A lock on folders while files that belong together are renamed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

WAIT_S = 10.0
"""Longest time that one process waits for another; renaming takes a moment only."""


@contextlib.contextmanager
def folder_lock(folders: Iterable[Path]) -> Iterator[None]:
    """Lock folders, so that other processes that lock them wait.

    If the file system has no locks, or another process holds one for ten seconds, no lock is taken.

    Parameters
    ----------
    folders : iterable of Path
        Folders that exist.
    """
    with contextlib.ExitStack() as held:
        # In one order, so that no two processes wait for each other.
        for folder in sorted({os.path.realpath(folder) for folder in folders}):
            held.enter_context(_locked(folder))
        yield


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows, which deletes a file of this kind together with its handle
        with _locked_by_file(os.path.join(folder, ".sofinet.lock")):
            yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # a folder that may be written to but not be listed
        yield
        return
    try:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                break
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked_by_file(path: str) -> Iterator[None]:
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_TEMPORARY", 0)
    deadline = time.monotonic() + WAIT_S
    handle: int | None = None
    while handle is None and time.monotonic() < deadline:
        try:
            handle = os.open(path, flags)
        except FileExistsError:
            time.sleep(0.01)
        except OSError:
            break
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)

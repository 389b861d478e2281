"""Free memory, asked for before a file of any size is read into it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from napari_sofinet.base.errors import InputError


def free_memory() -> int | None:
    """Return the bytes that this process may still take, as far as the system says; else None.

    Examples
    --------
    >>> free_memory() != 0
    True
    """
    known = [_of_the_machine(), _of_the_group(), _of_the_process()]
    return min((free for free in known if free is not None), default=None)


def need_memory(needed: float, what: str) -> None:
    """Raise `InputError` unless there is room for something.

    Parameters
    ----------
    needed : float
        Bytes.
    what : str
        What is to be read, for the sentence.

    Raises
    ------
    InputError
        It is larger than the free memory.
    """
    free = free_memory()
    if free is not None and needed > free:
        raise InputError(
            f"There is not enough memory for {what}: {needed / 1e9:.2g} GB are needed, "
            f"{max(free, 0) / 1e9:.2g} GB are free."
        )


def _of_the_machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(line.split()[1]) * 1024
    return None


def _of_the_group() -> int | None:
    """Memory of a container, where it is limited (cgroup v2)."""
    with contextlib.suppress(OSError, ValueError):
        place = Path("/sys/fs/cgroup")
        limit = int((place / "memory.max").read_text())
        return limit - int((place / "memory.current").read_text())
    return None


def _of_the_process() -> int | None:
    """Address space, where it is limited (``ulimit -v``)."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            return limit - pages * os.sysconf("SC_PAGE_SIZE")
    return None

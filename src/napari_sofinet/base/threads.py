"""How many cores our own code uses."""

from __future__ import annotations

import os


def thread_count() -> int:
    """Threads to start: the cores this process may run on, at most 8."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, 8)

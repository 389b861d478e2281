"""Number of threads for our own code."""

from __future__ import annotations

import os


def thread_count() -> int:
    """Return the number of threads to start.

    Returns
    -------
    int
        The number of cores that this process may run on, at most 8.

    Examples
    --------
    >>> 1 <= thread_count() <= 8
    True
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, 8)

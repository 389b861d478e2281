"""Functions compiled by numba, kept on disk where that is possible.

Importing this module loads numba (half a second): import it in modules of kernels only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a function on its first call and keeps it for later runs.

    Where neither the package's folder nor the user's cache can be written to, or the disk is full,
    the function is compiled anew by each process.

    Parameters
    ----------
    **options
        Of ``numba.njit``.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            kernel = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # numba finds no folder for its cache
            return numba.njit(**options)(function)
        _forgive_failures(getattr(kernel, "_cache", None))
        return kernel

    return decorate


def _forgive_failures(cache: Any) -> None:
    """Let a cache that cannot be read or written be as good as an empty one."""
    if not hasattr(cache, "load_overload") or not hasattr(cache, "save_overload"):
        return
    load, save = cache.load_overload, cache.save_overload

    def load_or_none(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except Exception:  # a damaged file is unpickled with any error
            return None

    def save_if_possible(*arguments: Any) -> None:
        try:
            save(*arguments)
        except Exception:  # it reads the index first
            return

    cache.load_overload, cache.save_overload = load_or_none, save_if_possible

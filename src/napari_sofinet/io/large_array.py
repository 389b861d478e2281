"""Arrays that may be larger than memory."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError

IN_MEMORY_BYTES = 2**30
"""A larger array is kept in a temporary file."""


def large_array(
    shape: tuple[int, ...],
    dtype: Any = np.float32,
    in_memory_bytes: int | None = None,
) -> np.ndarray:
    """Return an uninitialised array, which is kept in a temporary file if it is large.

    The file disappears together with the array.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    dtype : dtype, optional
        Type of the values; float32 by default.
    in_memory_bytes : int, optional
        Size from which the array is kept in a file; 1 GiB by default.

    Raises
    ------
    InputError
        The disk has not enough free space.
    """
    needed = np.dtype(dtype).itemsize * math.prod(shape)
    if needed <= (IN_MEMORY_BYTES if in_memory_bytes is None else in_memory_bytes):
        return np.empty(shape, dtype)
    try:
        folder = tempfile.TemporaryDirectory(prefix="sofinet-", ignore_cleanup_errors=True)
        # The file takes no room before it is written to; a full disk would end the program then.
        if shutil.disk_usage(folder.name).free < needed:
            raise OSError("the disk is full")
        space = np.lib.format.open_memmap(Path(folder.name) / "array.npy", "w+", dtype, shape)
    except OSError as error:
        raise InputError(
            f"There is not enough disk space for a time series of {needed / 2**30:.1f} GB "
            f"({error}); select fewer frames, a larger step or a smaller ROI."
        ) from error
    if os.name == "posix":
        folder.cleanup()  # a file without a name lasts as long as it is used, even after a kill
    else:
        weakref.finalize(space, folder.cleanup)
    return space

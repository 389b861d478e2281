"""Blocks of frames whose size fits memory and cache."""

from __future__ import annotations

from typing import Any

import numpy as np

BLOCK_BYTES = 16 * 2**20


def frames_per_block(shape: tuple[int, ...], dtype: Any, limit: int | None = None) -> int:
    """Return the number of frames in a block.

    Parameters
    ----------
    shape : tuple of int
        Shape (T, Y, X) of the movie.
    dtype : dtype
        Type of its pixels.
    limit : int, optional
        Largest size of a block in bytes; 16 MiB by default.

    Examples
    --------
    >>> frames_per_block((1000, 512, 512), "uint16")
    32
    """
    frame = int(np.prod(shape[-2:])) * np.dtype(dtype).itemsize
    return int(min(max((limit or BLOCK_BYTES) // max(frame, 1), 1), max(shape[0], 1)))

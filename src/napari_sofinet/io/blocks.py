"""Blocks of frames of a size that suits memory and cache."""

from __future__ import annotations

from typing import Any

import numpy as np

BLOCK_BYTES = 16 * 2**20


def frames_per_block(shape: tuple[int, ...], dtype: Any, limit: int | None = None) -> int:
    """How many frames make a block of about 16 MB, or of ``limit`` bytes."""
    frame = int(np.prod(shape[-2:])) * np.dtype(dtype).itemsize
    return int(min(max((limit or BLOCK_BYTES) // max(frame, 1), 1), max(shape[0], 1)))

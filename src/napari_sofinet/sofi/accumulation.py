"""Sums of products of pixels over the frames of a movie, read block by block."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report
from napari_sofinet.base.threads import thread_count
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.sofi.moments import MomentSums
from napari_sofinet.sofi.pixel_sets import PixelSet

FIRST_PREVIEW_S = 0.5
EVERY_S = 2.0
"""Times of the first preview, and between previews; shorter work needs none."""


def accumulate(
    array: Any,
    products: tuple[PixelSet, ...],
    report: Report,
    look: Callable[[MomentSums], Any],
    saturation: Saturation | None,
    exposures: int,
    lag: int,
) -> MomentSums:
    """Sum over all frames; ``look`` makes the preview that is reported from time to time."""
    sums: MomentSums | None = None
    total = int(array.shape[0]) - (exposures - 1) * lag
    blocks = time_blocks(array, saturation)
    if lag:
        blocks = _side_by_side(_counted(blocks, saturation), exposures, lag)
        saturation = None
    previews = _Previews(look)
    with ThreadPoolExecutor(thread_count()) as pool:
        for block in blocks:
            if sums is None:
                about = block[:64].mean(axis=0, dtype=np.float64)
                sums = MomentSums(products, np.rint(about) if block.dtype.kind in "ui" else about)
            counted = pool.submit(saturation.add, block) if saturation is not None else None
            sums.add(block, pool)
            if counted is not None:
                counted.result()
            picture = previews.next(sums) if sums.frames < total else None
            report(sums.frames / total, f"frame {sums.frames} of {total}", picture)
    if sums is None:
        raise InputError("The movie has no frames.")
    return sums


class _Previews:
    """Pictures of the sums so far, from time to time."""

    def __init__(self, look: Callable[[MomentSums], Any]) -> None:
        self._look, self._cost = look, 0.0
        self._shown = time.perf_counter() - EVERY_S + FIRST_PREVIEW_S

    def next(self, sums: MomentSums) -> Any:
        """Return a picture if it is time for one; it may cost a tenth of the time."""
        now = time.perf_counter()
        if now - self._shown <= max(EVERY_S, 10 * self._cost):
            return None
        picture = self._look(sums)
        self._shown = time.perf_counter()
        self._cost = self._shown - now
        return picture


def _counted(blocks: Iterator[np.ndarray], saturation: Saturation | None) -> Iterator[np.ndarray]:
    """Yield blocks, and count their saturated pixels."""
    for block in blocks:
        if saturation is not None:
            saturation.add(block)
        yield block


def _side_by_side(blocks: Iterator[np.ndarray], exposures: int, lag: int) -> Iterator[np.ndarray]:
    """Yield frames with those ``lag``, 2 ``lag`` ... later to their right, float32 or float64."""
    reach = (exposures - 1) * lag
    kept: np.ndarray | None = None
    for block in blocks:
        kept = block if kept is None else np.concatenate([kept, block])
        count = len(kept) - reach
        if count > 0:
            parts = [kept[k * lag : k * lag + count] for k in range(exposures)]
            dtype = np.float32 if block.dtype.itemsize <= 2 else np.float64
            yield np.concatenate(parts, axis=2).astype(dtype)
            kept = kept[count:]

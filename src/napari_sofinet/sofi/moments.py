"""Sums over time of products of neighbouring pixels, accumulated block by block in float64."""

from __future__ import annotations

import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import Any

import numpy as np

from napari_sofinet.base.threads import thread_count
from napari_sofinet.sofi.pixel_sets import PixelSet

BANDS_PER_WORKER = 4


def corner_form(pixels: Iterable[tuple[int, int]]) -> tuple[PixelSet, tuple[int, int]]:
    """Move a set of pixels so that its bounding box starts at (0, 0).

    Parameters
    ----------
    pixels : iterable of (int, int)
        Rows and columns.

    Returns
    -------
    pixels : tuple of (int, int)
        The moved pixels, sorted.
    corner : (int, int)
        Former start of the bounding box.

    Examples
    --------
    >>> corner_form([(2, 1), (1, 2)])
    (((0, 1), (1, 0)), (1, 1))
    """
    ordered = sorted(pixels)
    corner = min(p[0] for p in ordered), min(p[1] for p in ordered)
    return tuple((r - corner[0], c - corner[1]) for r, c in ordered), corner


def needed_products(sets: Iterable[PixelSet]) -> tuple[PixelSet, ...]:
    """Return every product whose time mean the cumulants of some sets need: all their subsets.

    Parameters
    ----------
    sets : iterable of tuple of (int, int)
        Pixel sets.

    Returns
    -------
    tuple of tuple of (int, int)
        Products in corner form, sorted by size: the single pixel is first.

    Examples
    --------
    >>> needed_products([((0, 0), (0, 1)), ((1, 1), (1, 2))])
    (((0, 0),), ((0, 0), (0, 1)))
    """
    found: set[PixelSet] = set()
    for pixels in sets:
        for size in range(1, len(pixels) + 1):
            found.update(corner_form(part)[0] for part in combinations(pixels, size))
    return tuple(sorted(found, key=lambda s: (len(s), s)))


class MomentSums:
    """Sums over frames of products of pixels, taken about a fixed image.

    Cumulants do not depend on that image; one near the mean keeps full precision. Sums about the
    same image add up, so blocks can be summed on several cores or machines and merged.

    Parameters
    ----------
    products : tuple of tuple of (int, int)
        Pixel sets in corner form; entry k of ``sums`` at (y, x) is the sum over frames of the
        product of the pixels (y + dr, x + dc) of set k.
    about : ndarray
        (Y, X) image that is subtracted from every frame. If it holds whole numbers, pairs of camera
        counts are summed in whole numbers, five times as fast.
    """

    def __init__(self, products: tuple[PixelSet, ...], about: np.ndarray) -> None:
        self.products = products
        self.index = {pixels: k for k, pixels in enumerate(products)}
        self.about = np.ascontiguousarray(about, dtype=np.float64)
        self._about_is_whole = bool(np.all(self.about == np.rint(self.about)))
        self._own: np.ndarray | None = None
        self.sums = np.zeros((len(products), *about.shape))
        self.frames = 0
        self._sizes = np.array([len(pixels) for pixels in products], dtype=np.int64)
        self._pairs = np.array([(p[0], p[-1]) for p in products if len(p) <= 2], dtype=np.int64)
        self._offsets = np.zeros((len(products), int(self._sizes.max())), np.int64)
        for k, pixels in enumerate(products):
            self._offsets[k, : len(pixels)] = [r * about.shape[1] + c for r, c in pixels]

    def add(
        self,
        block: np.ndarray,
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        """Add a block of frames.

        Parameters
        ----------
        block : ndarray
            (t, Y, X) of any real dtype.
        pool : ThreadPoolExecutor, optional
            Threads among which the rows are divided.
        """
        from napari_sofinet.sofi import pair_kernel, product_kernel

        if block.dtype.kind not in "uif" or block.dtype.itemsize > 4:
            block = np.asarray(block, dtype=np.float64)
        block = np.ascontiguousarray(block, dtype=block.dtype.newbyteorder("="))
        rows = len(self.about)
        # More bands than cores: a core that is late does not hold up the others.
        high = math.ceil(rows / (BANDS_PER_WORKER * thread_count()))
        own = self._about_counts(block.dtype)
        pairs = 0 if own is None else len(self._pairs)

        def add_rows(first: int) -> None:
            last = min(first + high, rows)
            if pairs:
                pair_kernel.add_pairs(block, own, first, last, self._pairs, self.sums[:pairs])
            if pairs < len(self.products):
                product_kernel.add_products(
                    block.reshape(len(block), -1),
                    self.about.ravel(),
                    self.about.shape[1],
                    first,
                    last,
                    self._offsets[pairs:],
                    self._offsets[pairs:].max(axis=1),
                    self._sizes[pairs:],
                    self.sums[pairs:].reshape(len(self.products) - pairs, -1),
                )

        for _ in (pool.map if pool else map)(add_rows, range(0, rows, high)):
            pass
        self.frames += len(block)

    def _about_counts(self, dtype: np.dtype[Any]) -> np.ndarray | None:
        """Return the subtracted image in a camera's dtype, None unless both are whole numbers."""
        if dtype.kind not in "ui" or dtype.itemsize > 2:
            return None
        if self._own is None or self._own.dtype != dtype:
            self._own = self.about.astype(dtype)
        return self._own if self._about_is_whole else None

    def merge(self, other: MomentSums) -> None:
        """Add the sums of other frames, taken about the same image."""
        if self.products != other.products or not np.array_equal(self.about, other.about):
            raise ValueError("only sums of the same products about the same image can be merged")
        self.sums += other.sums
        self.frames += other.frames

    def mean(self, pixels: PixelSet, rows: slice, columns: slice) -> np.ndarray:
        """Return the time mean of the product of pixels around every anchor in rows and columns."""
        form, (r, c) = corner_form(pixels)
        total = self.sums[
            self.index[form], rows.start + r : rows.stop + r, columns.start + c : columns.stop + c
        ]
        return total / self.frames

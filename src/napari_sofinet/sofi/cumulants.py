"""Cross-cumulant images of a movie."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from napari_sofinet.cores import workers
from napari_sofinet.errors import InputError
from napari_sofinet.movie import Movie, Saturation, time_blocks
from napari_sofinet.settings import Report, silent
from napari_sofinet.sofi.moments import MomentSums, needed_products
from napari_sofinet.sofi.pixel_sets import Kind, PixelSet, pixel_sets, set_partitions

MOMENT_BYTES = 240 * 2**20
"""Memory for sums; where a movie needs more it is read once per strip of rows."""

FIRST_PREVIEW_S = 0.5
EVERY_S = 2.0
"""When previews are made; what takes no longer than the first needs none."""

Preview = Callable[[dict[int, np.ndarray]], Any]


def cross_cumulants(
    frames: Movie | np.ndarray | Any,
    orders: Sequence[int] = (2, 3, 4),
    pixel_sets: Kind = "all",
    *,
    unbiased: bool = False,
    report: Report = silent,
    preview: Preview | None = None,
    saturation: Saturation | None = None,
) -> dict[int, np.ndarray]:
    """Signed cross-cumulant images at zero time lag.

    Parameters
    ----------
    frames
        Movie, or (T, Y, X) numpy or dask array of any real dtype; it is read once, block by block.
    orders
        Orders from 2 to 4.
    pixel_sets
        ``"all"`` averages all pixel sets of equal spread (less noise); ``"single"`` takes one, as
        sofipackage does.
    unbiased
        Estimate the cumulants of the process without the bias of few frames (k-statistics).
    report
        Told the fraction done after each block; raising in it stops the work.
    preview
        Makes the picture that is reported once in a while from the cumulants so far.
    saturation
        Told every block, to count pixels at full scale.

    Returns
    -------
    For each order n a float64 image of n(Y-4)+1 by n(X-4)+1 samples in counts**n; sample (i, j)
    lies at camera coordinate (1 + i/n, 1 + j/n). Moments are biased (divided by T).

    Raises
    ------
    InputError
        Fewer than 4 x 4 pixels, fewer frames than the highest order, or values that are not finite.

    Notes
    -----
    The cumulant of pixels 1 .. n is the sum over their set partitions P of
    (-1)^(|P|-1) (|P|-1)! times the product of the blocks' mean products (Dertinger et al., Opt.
    Express 18, 18875 (2010)); no pixel occurs twice, so detector noise drops out.
    """
    orders = tuple(sorted({int(n) for n in orders}))
    _check(frames, orders)
    products = needed_products(orders, pixel_sets)
    _, height, width = frames.shape
    images = {n: np.zeros((n * (height - 4) + 1, n * (width - 4) + 1)) for n in orders}
    strips = _strips(height, width, len(products))
    for number, (top, bottom) in enumerate(strips):

        def step(done: float, message: str, picture: Any, at: int = number) -> None:
            report((at + done) / len(strips), message, picture)

        def fill(sums: MomentSums, top: int = top, bottom: int = bottom) -> None:
            for n, image in images.items():
                part = image[n * (top - 1) : n * (bottom - 2) + 1]
                write_cumulants(sums, n, pixel_sets, part, unbiased)

        def look(sums: MomentSums, fill: Callable[[MomentSums], None] = fill) -> Any:
            if preview is None:
                return None
            fill(sums)
            return preview(images)

        rows = frames if len(strips) == 1 else _rows(frames, top - 1, bottom + 2)
        fill(_accumulate(rows, products, step, look, saturation))
    return images


def _rows(frames: Movie | Any, top: int, bottom: int) -> Movie | Any:
    if not isinstance(frames, Movie):
        return frames[:, top:bottom]
    (y, _), columns = frames.roi or ((0, 0), (0, frames.shape[2]))
    return frames.select(roi=((y + top, y + bottom), columns))


def _check(array: Any, orders: tuple[int, ...]) -> None:
    if not orders or orders[0] < 2 or orders[-1] > 4:
        raise InputError(f"SOFI orders must be 2, 3 or 4, not {list(orders)}.")
    if len(array.shape) != 3:
        raise InputError(f"A movie has three axes (time, y, x), this has {len(array.shape)}.")
    frames, height, width = array.shape
    if height < 4 or width < 4:
        raise InputError(
            f"SOFI needs at least 4 x 4 pixels, this movie or ROI has {height} x {width}."
        )
    if frames < max(orders):
        raise InputError(
            f"SOFI of order {max(orders)} needs at least {max(orders)} frames, there "
            f"{'is' if frames == 1 else 'are'} {frames}; choose a longer movie or frame range."
        )


def _strips(height: int, width: int, products: int) -> list[tuple[int, int]]:
    """First and last row of anchors of each strip whose sums fit the memory."""
    fits = max(int(MOMENT_BYTES // (8 * width * products)) - 3, 1)
    count = math.ceil((height - 4) / fits) or 1
    edges = np.unique(np.linspace(1, height - 3, count + 1).round().astype(int))
    return [(int(a), int(b) + 1) for a, b in pairwise(edges)] or [(1, height - 2)]


def _accumulate(
    array: Any,
    products: tuple[PixelSet, ...],
    report: Callable[[float, str, Any], None],
    look: Callable[[MomentSums], Any],
    saturation: Saturation | None,
) -> MomentSums:
    """Sums over all frames; ``look`` makes the preview that is reported now and then."""
    sums: MomentSums | None = None
    total = int(array.shape[0])
    shown, cost = time.perf_counter() - EVERY_S + FIRST_PREVIEW_S, 0.0
    with ThreadPoolExecutor(workers()) as pool:
        for block in time_blocks(array):
            if sums is None:
                about = block[:64].mean(axis=0, dtype=np.float64)
                sums = MomentSums(products, np.rint(about) if block.dtype.kind in "ui" else about)
            counted = pool.submit(saturation.add, block) if saturation is not None else None
            sums.add(block, pool)
            if counted is not None:
                counted.result()
            picture, now = None, time.perf_counter()
            # All together cost a tenth of the time, and drawing them costs the viewer some more.
            if now - shown > max(EVERY_S, 10 * cost) and sums.frames < total:
                picture = look(sums)
                shown = time.perf_counter()
                cost = shown - now
            report(sums.frames / total, f"frame {sums.frames} of {total}", picture)
    if sums is None:
        raise InputError("The movie has no frames.")
    return sums


def write_cumulants(
    sums: MomentSums, order: int, kind: Kind, out: np.ndarray, unbiased: bool = False
) -> None:
    """Write the cumulant image (see `cross_cumulants`) that follows from sums over time."""
    height, width = sums.about.shape
    for (p, q), sets in pixel_sets(order, kind).items():
        rows = slice(1, height - 2 - (p > 0))
        columns = slice(1, width - 2 - (q > 0))
        estimate = _k_statistic if unbiased else _cumulant
        mean = sum(estimate(sums, pixels, rows, columns) for pixels in sets)
        out[p::order, q::order] = mean / len(sets)


def _cumulant(sums: MomentSums, pixels: PixelSet, rows: slice, columns: slice) -> np.ndarray:
    total = np.zeros((rows.stop - rows.start, columns.stop - columns.start))
    for partition in set_partitions(len(pixels)):
        blocks = len(partition)
        term = np.full_like(total, (-1) ** (blocks - 1) * math.factorial(blocks - 1))
        for block in partition:
            term *= sums.mean(tuple(pixels[i] for i in block), rows, columns)
        total += term
    return total


def _k_statistic(sums: MomentSums, pixels: PixelSet, rows: slice, columns: slice) -> np.ndarray:
    """The unbiased estimate of a cross-cumulant (Kendall and Stuart, vol. 1, chapter 13)."""
    t = sums.frames
    biased = _cumulant(sums, pixels, rows, columns)
    if len(pixels) == 2:
        return biased * (t / (t - 1))
    if len(pixels) == 3:
        return biased * (t**2 / ((t - 1) * (t - 2)))
    first, *others = pixels
    pairs = np.zeros_like(biased)
    for other in others:
        rest = tuple(p for p in others if p != other)
        pairs += _cumulant(sums, (first, other), rows, columns) * _cumulant(
            sums, rest, rows, columns
        )
    scale = t**2 / ((t - 1) * (t - 2) * (t - 3))
    return np.asarray(scale * ((t + 1) * (biased + pairs) - (t - 1) * pairs))

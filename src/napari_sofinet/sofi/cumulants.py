"""Cross-cumulant images of a movie."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion, silent
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.sofi import pixel_sets as sets_of
from napari_sofinet.sofi.accumulation import accumulate
from napari_sofinet.sofi.moments import MomentSums, needed_products
from napari_sofinet.sofi.pixel_sets import HIGHEST_ORDER, Kind, Pixel, PixelSet
from napari_sofinet.sofi.telegraph import frames_as_one

MOMENT_BYTES = 240 * 2**20
"""Memory for sums; a movie that needs more is read once per strip of rows."""

BAND_PIXELS = 2**15
"""Samples that are computed together; for order 4 they fit the cache of a core."""

Preview = Callable[[dict[int, np.ndarray]], Any]
Weighted = dict[PixelSet, float]
"""Pixel sets and their weights, which add up to the cumulant of a phase."""


def cross_cumulants(
    frames: Movie | np.ndarray | Any,
    orders: Sequence[int] = (2, 3, 4),
    pixel_sets: Kind = "all",
    *,
    lag: int = 0,
    fwhm_px: float | None = None,
    unbiased: bool = False,
    correlation_frames: float = 0.0,
    report: Report = silent,
    preview: Preview | None = None,
    saturation: Saturation | None = None,
) -> dict[int, np.ndarray]:
    """Compute signed cross-cumulant images of a movie.

    Parameters
    ----------
    frames : Movie or array
        Movie, or (T, Y, X) numpy or dask array of any real dtype, in counts; it is read once,
        block by block.
    orders : sequence of int, optional
        Orders from 2 to 6.
    pixel_sets : {"all", "weighted", "single"}, optional
        ``"all"`` averages all pixel sets of equal spread (less noise); ``"weighted"`` adds wider
        ones, each weighted by its signal; ``"single"`` uses one, as sofipackage does.
    lag : int, optional
        Frames between the pixels of a set: the k-th is taken k * ``lag`` frames later, and the
        mean over both directions is used. Noise that neighbours have in common within a frame
        then drops out, and the signal falls with the on-time.
    fwhm_px : float, optional
        PSF width in camera pixels, needed for ``"weighted"``.
    unbiased : bool, optional
        Correct the bias of few frames (k-statistics); orders 5 and 6 keep their bias.
    correlation_frames : float, optional
        Correlation time of the blinking in frames, for this correction: frames are then not
        independent.
    report : Report, optional
        Called with the fraction done after each block; raising in it stops the work.
    preview : callable, optional
        Makes the picture that is reported from time to time from the cumulants so far.
    saturation : Saturation, optional
        Counts saturated pixels.

    Returns
    -------
    dict of int to ndarray
        For each order n a float64 image of n(Y-4)+1 by n(X-4)+1 samples in counts**n; sample
        (i, j) lies at camera coordinate (1 + i/n, 1 + j/n). Moments are biased (divided by T).

    Raises
    ------
    InputError
        Fewer than 4 x 4 pixels, fewer frames than order and lag need, or values that are not
        finite.
    ValueError
        ``"weighted"`` without ``fwhm_px``.

    Notes
    -----
    The cumulant of pixels 1 .. n is the sum over their set partitions P of
    (-1)^(|P|-1) (|P|-1)! times the product of the blocks' mean products (Dertinger et al., Opt.
    Express 18, 18875 (2010)); no pixel occurs twice, so detector noise drops out.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.random.default_rng(0).poisson(100, (50, 8, 10))
    >>> images = cross_cumulants(frames, orders=(2, 3))
    >>> images[2].shape, images[3].shape
    ((9, 13), (13, 19))
    """
    orders = tuple(sorted({int(n) for n in orders}))
    _check(frames, orders, lag)
    if pixel_sets == "weighted" and fwhm_px is None:
        raise ValueError("weighted pixel sets need fwhm_px")
    _, height, width = frames.shape
    chosen = {n: _choose(n, pixel_sets, width, lag, fwhm_px) for n in orders}
    products = needed_products(
        s for phases in chosen.values() for sets in phases.values() for s in sets
    )
    exposures = orders[-1] if lag else 1
    independent = None
    if unbiased:
        count = frames.shape[0] - (exposures - 1) * lag
        first, second = frames_as_one(correlation_frames)
        independent = count / first, count / second
    images = {n: np.zeros((n * (height - 4) + 1, n * (width - 4) + 1)) for n in orders}
    strips = _strips(height, width * exposures, len(products))
    for number, (top, bottom) in enumerate(strips):
        parts = {n: image[n * (top - 1) : n * (bottom - 2) + 1] for n, image in images.items()}
        fill = partial(_write_all, chosen=chosen, parts=parts, independent_frames=independent)
        look = partial(_preview, fill=fill, preview=preview, images=images)
        tell = portion(report, number / len(strips), (number + 1) / len(strips))
        rows = frames if len(strips) == 1 else _rows(frames, top - 1, bottom + 2)
        fill(accumulate(rows, products, tell, look, saturation, exposures, lag))
    return images


def _write_all(
    sums: MomentSums,
    chosen: dict[int, dict[Pixel, Weighted]],
    parts: dict[int, np.ndarray],
    independent_frames: tuple[float, float] | None,
) -> None:
    """Write the cumulants of all orders, see `write_cumulants`."""
    for n, part in parts.items():
        write_cumulants(sums, n, chosen[n], part, independent_frames)


def _preview(
    sums: MomentSums,
    fill: Callable[[MomentSums], None],
    preview: Preview | None,
    images: dict[int, np.ndarray],
) -> Any:
    """Return the picture of the cumulants so far."""
    if preview is None:
        return None
    fill(sums)
    return preview(images)


def _choose(
    order: int, kind: Kind, width: int, lag: int, fwhm_px: float | None
) -> dict[Pixel, Weighted]:
    """Return the pixel sets of every phase with their weights.

    Frames that are ``lag`` apart lie side by side, ``width`` pixels each, so a pixel of a later
    frame has a column farther to the right.
    """
    chosen = {}
    for phase, sets in sets_of.pixel_sets(order, kind).items():
        signal = [1.0] * len(sets)
        if kind == "weighted" and fwhm_px is not None:
            signal = list(sets_of.relative_signal(sets, fwhm_px))
        total = sum(r**2 for r in signal)
        weights: Weighted = {}
        for pixels, r in zip(sets, signal, strict=True):
            if not lag:
                weights[pixels] = r / total
                continue
            for direction in (pixels, pixels[::-1]):
                later = tuple((y, x + k * width) for k, (y, x) in enumerate(direction))
                weights[later] = weights.get(later, 0.0) + r / total / 2
        chosen[phase] = weights
    return chosen


def _rows(frames: Movie | Any, top: int, bottom: int) -> Movie | Any:
    """Select rows of a movie or an array."""
    if not isinstance(frames, Movie):
        return frames[:, top:bottom]
    (y, _), columns = frames.roi or ((0, 0), (0, frames.shape[2]))
    return frames.select(roi=((y + top, y + bottom), columns))


def _check(array: Any, orders: tuple[int, ...], lag: int) -> None:
    """Raise `InputError` unless a movie has enough pixels and frames."""
    if not orders or orders[0] < 2 or orders[-1] > HIGHEST_ORDER:
        raise InputError(f"SOFI orders must be 2 to {HIGHEST_ORDER}, not {list(orders)}.")
    if len(array.shape) != 3:
        raise InputError(f"A movie has three axes (time, y, x), this has {len(array.shape)}.")
    frames, height, width = array.shape
    if height < 4 or width < 4:
        raise InputError(
            f"SOFI needs at least 4 x 4 pixels, this movie or ROI has {height} x {width}."
        )
    highest = max(orders)
    needed = highest + (highest - 1) * lag
    if frames < needed:
        at_lag = f" at a lag of {lag} frames" if lag else ""
        raise InputError(
            f"SOFI of order {highest}{at_lag} needs at least {needed} frames, there "
            f"{'is' if frames == 1 else 'are'} {frames}; choose a longer movie or frame range."
        )


def _strips(height: int, width: int, products: int) -> list[tuple[int, int]]:
    """Return the first and last row of anchors of each strip whose sums fit the memory."""
    fits = max(int(MOMENT_BYTES // (8 * width * products)) - 3, 1)
    count = math.ceil((height - 4) / fits) or 1
    edges = np.unique(np.linspace(1, height - 3, count + 1).round().astype(int))
    return [(int(a), int(b) + 1) for a, b in pairwise(edges)] or [(1, height - 2)]


def write_cumulants(
    sums: MomentSums,
    order: int,
    chosen: dict[Pixel, Weighted],
    out: np.ndarray,
    independent_frames: tuple[float, float] | None = None,
) -> None:
    """Write the cumulant image (see `cross_cumulants`) that follows from sums over time.

    Parameters
    ----------
    sums : MomentSums
        Sums of products over time.
    order : int
        Order n.
    chosen : dict
        Pixel sets of every phase with their weights.
    out : ndarray
        Image of this order, which is overwritten.
    independent_frames : (float, float), optional
        Numbers of independent frames for means and for mean squares, to correct the bias.
    """
    height = len(sums.about)
    width = (out.shape[1] - 1) // order + 4
    for (p, q), sets in chosen.items():
        columns = slice(1, width - 2 - (q > 0))
        last = height - 2 - (p > 0)
        step = max(BAND_PIXELS // max(columns.stop - columns.start, 1), 1)
        for top in range(1, last, step):
            rows = slice(top, min(top + step, last))
            mean: Any = 0.0
            for pixels, weight in sets.items():
                value = _cumulant(sums, pixels, rows, columns)
                if independent_frames is not None and order <= 4:
                    value = _unbias(value, independent_frames, sums, pixels, rows, columns)
                mean = mean + weight * value
            first = p + order * (top - 1)
            out[first : first + order * (rows.stop - top) : order, q::order] = mean


def _cumulant(sums: MomentSums, pixels: PixelSet, rows: slice, columns: slice) -> np.ndarray:
    """Return the joint cumulant of pixels from mean products, recursively over subsets.

    The cumulant of a subset is its mean product less, for every smaller part that holds the first
    pixel, the cumulant of that part times the mean product of the rest.
    """
    n = len(pixels)
    means = {
        chosen: sums.mean(tuple(pixels[i] for i in range(n) if chosen >> i & 1), rows, columns)
        for chosen in range(1, 2**n)
    }
    found: dict[int, np.ndarray] = {}
    for chosen in range(1, 2**n, 2):
        total = means[chosen]
        others = chosen - 1
        part = (others - 1) & others
        while others:
            total = total - found[1 | part] * means[others ^ part]
            if not part:
                break
            part = (part - 1) & others
        found[chosen] = total
    return found[2**n - 1]


def _unbias(
    biased: np.ndarray,
    frames: tuple[float, float],
    sums: MomentSums,
    pixels: PixelSet,
    rows: slice,
    columns: slice,
) -> np.ndarray:
    """Return the k-statistic of a cross-cumulant (Kendall and Stuart, vol. 1, chapter 13).

    If frames are not independent, the mean products of pairs, whose variance biases order 4,
    converge faster than means.
    """
    t, u = (max(count, len(pixels) + 1.0) for count in frames)
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
    own = t**2 * (t + 1) / ((t - 1) * (t - 2) * (t - 3))
    chance = 2 * u**2 / ((u - 1) * (u - 2) * (u - 3))
    return np.asarray(own * biased + chance * pairs)

"""Drift of the sample, found by comparing pictures of blocks of a localization table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.data.table import LocalizationTable

MOST_FRAMES = 10**7
MOST_BLOCKS = 40
FEWEST_BLOCKS = 3
FEWEST_IN_BLOCK = 200
SHORT_BLOCK = 500
"""Localizations in the shortest blocks that are tried."""
LARGEST_SIDE = 1024
"""Largest side in samples of the pictures that are compared."""
FINEST_PX = 0.1
COARSER = 2
"""Factor between the samples for pairs of blocks and the final ones: a quarter of the time."""
BLUR = 1.5
"""Standard deviation in samples; a peak of the correlation is then wide enough to interpolate."""
EDGE = 32
"""Width in samples of the tapered edge of a picture."""
LARGEST_DRIFT_PX = 20.0
OUTLIER = 3.0
"""Residual of an outlier in units of the median."""
GOOD_PX, WORST_PX = 0.15, 0.5
"""Median residual of pairs of blocks below which no longer blocks are tried, and above which there
is no common structure; noise alone gives several pixels."""


def correct_drift(
    table: LocalizationTable, block: int | None = None, report: Report = silent
) -> tuple[np.ndarray, LocalizationTable]:
    """Find the drift of the sample and move the localizations back.

    Parameters
    ----------
    table : LocalizationTable
        At least 600 localizations.
    block : int, optional
        Average number of frames in a block; all blocks hold the same number of localizations, and
        there are at most 40 of them. By default a block holds 500 localizations, or more if their
        pictures do not agree.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    path : ndarray
        (T, 2) position y, x of the sample in every frame in camera pixels, relative to the first.
    table : LocalizationTable
        The corrected table.

    Raises
    ------
    InputError
        There are too few localizations, or blocks of them show no common structure.

    Notes
    -----
    Redundant cross-correlation (Wang et al., Opt. Express 22, 15982 (2014)): all pairs of blocks
    are registered, and one position per block is fitted to their shifts by least squares, without
    outliers. Then every block, moved back, is registered once more with the sum of all others, on
    finer samples. A smoothing spline interpolates the frames in between.
    """
    frames = table.frame_count
    if frames > MOST_FRAMES:
        raise InputError(
            f"{table.name} goes on for {frames} frames, too many to find a drift; leave out rows "
            "with wrong frame numbers."
        )
    counts = _block_counts(table, block)
    ordered = table.by_frame()
    part = _densest(ordered)
    side = max(float(np.ptp(part.y_px)), float(np.ptp(part.x_px))) + 1
    pixel = max(side / LARGEST_SIDE, FINEST_PX)
    for count in counts:
        blocks = _edges(ordered, count)
        coarse = COARSER * pixel
        positions, residual = _Stack.of(part, blocks, coarse).against_each_other(report)
        if residual * coarse <= GOOD_PX:
            break
    if residual * coarse > WORST_PX:
        raise InputError(
            f"The drift of {table.name} cannot be found: pictures of its blocks show no common "
            "structure; choose longer blocks of frames, or leave the drift."
        )
    positions *= coarse
    moved = _moved_back(part, _between(blocks, positions, frames))
    fine = _Stack.of(moved, blocks, pixel)
    positions += fine.against_the_others() * pixel
    path = _between(blocks, positions, frames)
    report(1.0, "drift")
    return path, _moved_back(table, path)


def _moved_back(table: LocalizationTable, path: np.ndarray) -> LocalizationTable:
    """Return a table without the drift (T, 2) of its frames."""
    return replace(
        table, y_px=table.y_px - path[table.frame, 0], x_px=table.x_px - path[table.frame, 1]
    )


def _block_counts(table: LocalizationTable, block: int | None) -> list[int]:
    """Return the numbers of blocks to try, the largest first."""
    frames, rows = table.frame_count, len(table)
    most = min(MOST_BLOCKS, frames, rows // FEWEST_IN_BLOCK)
    if block is not None:
        most = min(most, frames // max(block, 1))
    if most < FEWEST_BLOCKS:
        raise InputError(
            f"The drift of {table.name} cannot be found: it has {rows} localisations in {frames} "
            f"frames, and {FEWEST_BLOCKS} blocks of frames with {FEWEST_IN_BLOCK} localisations "
            "each are needed."
        )
    if block is not None:
        return [most]
    first = max(min(most, rows // SHORT_BLOCK), FEWEST_BLOCKS)
    return [n for n in (first, first // 2, first // 4, first // 8) if n >= FEWEST_BLOCKS]


def _edges(table: LocalizationTable, count: int) -> np.ndarray:
    """Return the frames (n + 1,) at which blocks with similar numbers of localizations begin.

    The last one is the end of the last block.
    """
    starts = table.frame[np.linspace(0, len(table), count + 1).astype(int)[1:-1]]
    edges = np.unique([0, *starts, table.frame_count])
    if len(edges) <= FEWEST_BLOCKS:
        raise InputError(
            f"The drift of {table.name} cannot be found: nearly all of its localisations are in "
            "a few frames."
        )
    return edges


def _densest(table: LocalizationTable) -> LocalizationTable:
    """Return the part that is compared: of large fields the square with most localizations."""
    from scipy.ndimage import uniform_filter

    side = LARGEST_SIDE * FINEST_PX * 2.5
    y, x = table.y_px, table.x_px
    # A few localizations far away must not make the pictures coarse.
    low = np.quantile(y, 0.001), np.quantile(x, 0.001)
    high = np.quantile(y, 0.999), np.quantile(x, 0.999)
    if max(high[0] - low[0], high[1] - low[1]) > side:
        bins = [np.arange(a, b + 8, 8.0) for a, b in zip(low, high, strict=True)]
        counts = np.histogram2d(y, x, bins)[0]
        busy = uniform_filter(counts, int(side / 8), mode="constant")
        i, j = np.unravel_index(int(busy.argmax()), busy.shape)
        middle = low[0] + 8 * i + 4, low[1] + 8 * j + 4
        low = max(low[0], middle[0] - side / 2), max(low[1], middle[1] - side / 2)
        high = min(high[0], middle[0] + side / 2), min(high[1], middle[1] + side / 2)
    inside = (y >= low[0]) & (y <= high[0]) & (x >= low[1]) & (x <= high[1])
    part = table.rows(inside)
    return replace(part, columns={}, photons=None, background=None, z_um=None, uncertainty_px=None)


@dataclass(frozen=True, eq=False)
class _Stack:
    """Fourier transforms of the blocks' pictures.

    Parameters
    ----------
    transforms : list of ndarray
        One for each block.
    shape : (int, int)
        Rows and columns of the pictures.
    reach : int
        Largest shift in samples.
    """

    transforms: list[np.ndarray]
    shape: tuple[int, int]
    reach: int

    @classmethod
    def of(cls, table: LocalizationTable, blocks: np.ndarray, pixel: float) -> _Stack:
        """Transform pictures of the blocks, with samples of ``pixel`` camera pixels."""
        from scipy.fft import next_fast_len, rfft2

        from napari_sofinet.localization import rendering_kernel

        low = float(table.y_px.min()), float(table.x_px.min())
        spans = [int(np.ptp(v) / pixel) + 1 for v in (table.y_px, table.x_px)]
        reach = int(min(LARGEST_DRIFT_PX / pixel, max(min(spans) / 3, 4)))
        # Room on all sides, so that a shifted picture does not come in on the other side.
        shape = tuple(next_fast_len(n + reach + 16, real=True) for n in spans)
        band = _band(shape)
        # The field's edges stay where they are when the sample moves.
        taper = np.outer(*(_taper(n, full) for n, full in zip(spans, shape, strict=True)))
        rows = np.searchsorted(table.frame, blocks)
        transforms = []
        for a, b in pairwise(rows):
            picture = np.zeros(shape, np.float32)
            rendering_kernel.count(
                table.y_px[a:b], table.x_px[a:b], low, (pixel, pixel), picture, 0, shape[0]
            )
            # Bright spots, e.g. beads or one emitter that stays on, must not decide alone.
            picture = np.sqrt(picture)
            picture -= picture[: spans[0], : spans[1]].mean()
            transforms.append(rfft2(picture * taper) * band)
        return cls(transforms, (shape[0], shape[1]), reach)

    def against_each_other(self, report: Report) -> tuple[np.ndarray, float]:
        """Register all pairs of blocks.

        Returns
        -------
        positions : ndarray
            (N, 2) positions of the blocks in samples, relative to the first one.
        residual : float
            Median distance in samples between the shift of a pair and that of the positions.
        """
        pairs = np.array(list(combinations(range(len(self.transforms)), 2)))
        shifts = np.zeros((len(pairs), 2))
        for k, (i, j) in enumerate(pairs):
            shifts[k] = self.shift(self.transforms[i], self.transforms[j])
            report(0.9 * (k + 1) / len(pairs), f"drift, pair {k + 1} of {len(pairs)}")
        design = np.zeros((len(pairs), len(self.transforms)))
        design[np.arange(len(pairs)), pairs[:, 1]] = 1
        design[np.arange(len(pairs)), pairs[:, 0]] = -1
        design = design[:, 1:]
        keep = np.ones(len(pairs), bool)
        for _ in range(5):
            found = np.linalg.lstsq(design[keep], shifts[keep], rcond=None)[0]
            residual = np.hypot(*(design @ found - shifts).T)
            keep = residual <= OUTLIER * np.median(residual) + 0.1
        return np.vstack([np.zeros(2), found]), float(np.median(residual))

    def against_the_others(self) -> np.ndarray:
        """Return the positions (N, 2) of blocks in samples, relative to the sum of all others."""
        total = np.sum(self.transforms, axis=0)
        near = replace(self, reach=min(self.reach, 15))
        return np.array([near.shift(total - one, one) for one in self.transforms])

    def shift(self, still: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """Return the shift (y, x) of one picture against another in samples."""
        from scipy.fft import irfft2

        correlation = irfft2(np.conj(still) * moved, self.shape)
        r = self.reach
        window = np.roll(correlation, (r, r), (0, 1))[: 2 * r + 1, : 2 * r + 1]
        return _peak(window) - r


def _taper(length: int, full: int) -> np.ndarray:
    """Return 1, falling to 0 over `EDGE` samples at the ends of ``length`` of ``full`` samples."""
    from scipy.signal.windows import tukey

    window = np.zeros(full, np.float32)
    window[:length] = tukey(length, min(2 * EDGE / length, 0.5))
    return window


def _band(shape: tuple[int, ...]) -> np.ndarray:
    """Return the transform of a blur by `BLUR` less one by eight times that, which has no mean."""
    y, x = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    square = -2 * np.pi**2 * (y**2 + x**2) * BLUR**2
    return np.asarray(np.exp(square) - np.exp(64 * square), np.float32)


def _peak(window: np.ndarray) -> np.ndarray:
    """Return the position (y, x) of the maximum, between samples by a paraboloid around it."""
    top = np.unravel_index(int(window.argmax()), window.shape)
    i, j = (int(np.clip(k, 2, n - 3)) for k, n in zip(top, window.shape, strict=True))
    near = window[i - 2 : i + 3, j - 2 : j + 3]
    y, x = (v.ravel() for v in np.mgrid[-2:3, -2:3].astype(float))
    weights = np.exp(-(y**2 + x**2) / 4)
    design = np.stack([np.ones(25), y, x, y * y, x * x, y * x], axis=1)
    _, b, c, d, e, f = np.linalg.lstsq(
        design * weights[:, None], near.ravel() * weights, rcond=None
    )[0]
    curved = np.array([[2 * d, f], [f, 2 * e]])
    # A ridge or a saddle has no maximum between samples.
    if not (d < 0 and e < 0 and np.linalg.det(curved) > 0):
        return np.array([i, j], float)
    offset = np.clip(np.linalg.solve(curved, [-b, -c]), -1.5, 1.5)
    return np.asarray(np.array([i, j], float) + offset)


def _between(blocks: np.ndarray, at: np.ndarray, frames: int) -> np.ndarray:
    """Interpolate the positions of blocks to (T, 2) in all frames, zero in the first one."""
    from scipy.interpolate import make_smoothing_spline

    middles = (blocks[:-1] + blocks[1:] - 1) / 2
    t = np.arange(frames)
    if len(middles) < 5:
        degree = len(middles) - 2
        ways = [np.polyval(np.polyfit(middles, at[:, k], degree), t) for k in (0, 1)]
    else:
        ways = [make_smoothing_spline(middles / frames, at[:, k])(t / frames) for k in (0, 1)]
    path = np.stack(ways, axis=1)
    return np.asarray(path - path[0])

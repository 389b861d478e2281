"""Image decorrelation analysis: the resolution of a single image, without parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

TAPER_PX = 20
"""Width of the border over which the image is tapered, so that its spectrum is free of edges."""
RADII = 50
FILTERS = 10
LEAST_DROP = 0.0005
"""Drop of a curve after its peak."""
LEAST_HEIGHT = 0.05
SMALLEST_SIDE = 2 * TAPER_PX + 16
FINE_BINS = 4096


@dataclass(frozen=True)
class Decorrelation:
    """Resolution by decorrelation analysis.

    Parameters
    ----------
    resolution_px : float or None
        2 / ``kc`` in px; None if there is no answer.
    kc : float
        Cut-off as a fraction of the Nyquist frequency, which ImDecorr also reports where it means
        nothing.
    snr : float
        Height of the peak of the unfiltered curve.
    radii, curve : ndarray
        (50,) radii as fractions of the Nyquist frequency, and the unfiltered curve.
    reason : str, optional
        Why there is no answer.
    """

    resolution_px: float | None
    kc: float
    snr: float
    radii: np.ndarray
    curve: np.ndarray
    reason: str | None = None


def decorrelation_resolution(
    image: np.ndarray, *, sector: tuple[float, float] | None = None
) -> Decorrelation:
    """Find the cut-off frequency of an image by decorrelation analysis.

    Parameters
    ----------
    image : ndarray
        (Y, X) of at least 56 x 56 px, not necessarily square.
    sector : (float, float), optional
        Directions (from, to) of the frequencies that are used, in degrees against the x axis: 0 is
        resolution along x, 90 along y. All by default.

    Returns
    -------
    Decorrelation
        The values of ImDecorr, with a cut-off that agrees within 0.002 on images that have one.

    Notes
    -----
    Within discs of growing radius, the spectrum of the image is correlated with the same spectrum
    of amplitude 1; the curve peaks where noise begins to outweigh structure. High-pass filters move
    the peak outwards, and the largest position found is the cut-off (Descloux, Grussmayer and
    Radenovic, Nat. Methods 16, 918 (2019)). As the phases cancel, every curve is made of sums of
    amplitudes over discs. An offset of the image counts as structure at frequency 0.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter
    >>> rng = np.random.default_rng(0)
    >>> image = gaussian_filter(rng.random((128, 128)) ** 8, 2) + 1e-4 * rng.random((128, 128))
    >>> 3 < decorrelation_resolution(image).resolution_px < 7
    True
    >>> decorrelation_resolution(np.ones((64, 64))).reason
    'The image is constant.'
    """
    image = np.asarray(image, dtype=np.float64)
    radii = np.linspace(0, 1, RADII)
    nothing = np.zeros(RADII)
    reason = _unusable(image)
    if reason:
        return Decorrelation(None, 0.0, 0.0, radii, nothing, reason)
    rows, columns = image.shape
    soft = _tapered(image).astype(np.float32)
    soft = soft[: rows - 1 + rows % 2, : columns - 1 + columns % 2]
    spectrum = np.abs(np.fft.rfft2(soft.astype(np.float64)))
    order, sorted_radii, twice = _frequencies(soft.shape, sector)
    amplitudes = spectrum.ravel()[order]
    curves = _Curves(sorted_radii, amplitudes, twice)
    curve = curves.at(radii)
    kc, snr = _cut_off(curves, curve, radii, soft.shape)
    reason = None
    if kc <= 2 * radii[1]:
        reason = "No structure stands out of the noise."
    return Decorrelation(None if reason else 2 / kc, kc, snr, radii, curve, reason)


def decorrelation_map(
    image: np.ndarray, tile: int = 200, step: int = 100
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Map the resolution of an image by decorrelation analysis, tile by tile.

    Parameters
    ----------
    image : ndarray
        (Y, X).
    tile : int, optional
        Side of a tile in px; below 100 px most of it is tapered.
    step : int, optional
        Distance of tiles in px.

    Returns
    -------
    resolution_px : ndarray
        (N, M) resolution in px, NaN where there is none.
    rows, columns : ndarray
        (N,) and (M,) centres of the tiles in px.
    """
    image = np.asarray(image, dtype=np.float64)
    tops, lefts = (
        np.arange(0, max(side - tile, 0) + 1, step) for side in (image.shape[0], image.shape[1])
    )
    found = np.full((len(tops), len(lefts)), np.nan)
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            part = decorrelation_resolution(image[top : top + tile, left : left + tile])
            if part.resolution_px is not None:
                found[i, j] = part.resolution_px
    return found, tops + (tile - 1) / 2, lefts + (tile - 1) / 2


def _unusable(image: np.ndarray) -> str | None:
    """Return why an image has no resolution, if it has none."""
    if image.ndim != 2:
        return "Resolution is measured in a single image (y, x)."
    if min(image.shape) < SMALLEST_SIDE:
        return (
            f"{image.shape[0]} x {image.shape[1]} px are too few; the region needs "
            f"{SMALLEST_SIDE} x {SMALLEST_SIDE} px."
        )
    if not np.isfinite(image).all():
        return "The picture contains values that are NaN or infinite."
    if np.ptp(image) <= 1e-9 * max(np.abs(image).max(), 1e-300):
        return "The image is constant."
    return None


def _tapered(image: np.ndarray) -> np.ndarray:
    """Return an image that falls to its mean at its edges."""
    mean = image.mean()
    weights = [_edge(side) for side in image.shape]
    return np.asarray((image - mean) * np.outer(*weights) + mean)


@lru_cache
def _edge(side: int) -> np.ndarray:
    """Return the weights along one side."""
    x = np.abs(np.linspace(-side / 2, side / 2, side))
    inner = side / 2 - TAPER_PX
    edge = np.clip((side / 2 - x) / (side / 2 - x[x > inner].min()), 0, 1)
    return np.where(x > inner, (np.sin(np.pi * (edge - 0.5)) + 1) / 2, 1.0)


@lru_cache(maxsize=4)
def _frequencies(
    shape: tuple[int, int], sector: tuple[float, float] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort the samples of a half spectrum by radius below 1.

    Returns their order, radii (fractions of each axis' own Nyquist frequency), and how often each
    counts.
    """
    rows, columns = shape
    y = np.fft.fftfreq(rows) * rows / ((rows - 1) / 2)
    x = np.arange(columns // 2 + 1) / ((columns - 1) / 2)
    radius = np.hypot(y[:, None], x)
    counts = np.full(radius.shape, 2.0)
    counts[:, 0] = 1
    used = radius < 1
    if sector is not None:
        low, high = (np.deg2rad(a) for a in sector)
        angle = np.mod(np.arctan2(y[:, None], x) - low, np.pi)
        used &= (angle <= high - low) | (radius == 0)
    flat = np.flatnonzero(used)
    order = flat[np.argsort(radius.ravel()[flat], kind="stable")]
    return order, radius.ravel()[order], counts.ravel()[order]


class _Curves:
    """Decorrelation curves of one spectrum, for any high-pass filter."""

    def __init__(self, radii: np.ndarray, amplitudes: np.ndarray, counts: np.ndarray) -> None:
        self.radii, self.counts = radii, counts
        self.first = amplitudes * counts
        self.second = amplitudes**2 * counts
        self.numbers = counts * (amplitudes > 0)
        self._bins: tuple[bytes, tuple[np.ndarray, ...]] | None = None

    def at(self, r: np.ndarray, width: float | None = None) -> np.ndarray:
        """Return the curve at radii, rounded down to thousandths; ``width`` is that of a filter."""
        edges, middles, first, second, numbers = self._binned(r)
        if width is not None:
            passed = -np.expm1(-2 * width**2 * middles**2)
            first, second = first * passed, second * passed**2
        sums = np.concatenate([[0.0], np.cumsum(first)])[edges]
        below = np.concatenate([[0.0], np.cumsum(numbers)])[edges]
        with np.errstate(all="ignore"):
            curve = np.floor(1000 * sums / (np.sqrt(second.sum()) * np.sqrt(below)) + 1e-9) / 1000
        return np.asarray(np.nan_to_num(curve))

    def _binned(self, r: np.ndarray) -> tuple[np.ndarray, ...]:
        """Sum over rings so thin that a filter is constant in them, with edges at all radii."""
        if self._bins is None or self._bins[0] != r.tobytes():
            edges = np.union1d(np.linspace(0, 1, FINE_BINS), r)
            starts = np.searchsorted(self.radii, edges, "left")
            starts = np.unique(starts[starts < len(self.radii)])
            numbers = np.add.reduceat(self.counts, starts)
            middles = np.add.reduceat(self.radii * self.counts, starts) / numbers
            sums = (np.add.reduceat(v, starts) for v in (self.first, self.second, self.numbers))
            place = np.searchsorted(starts, np.searchsorted(self.radii, r, "left"))
            self._bins = r.tobytes(), (place, middles, *sums)
        return self._bins[1]


def _peak(curve: np.ndarray) -> tuple[int, float]:
    """Return index and height of the last peak after which the curve falls, or index 0."""
    length = len(curve)
    while length > 1:
        at = int(np.argmax(curve[:length]))
        if at == 0:
            return 0, float(curve[0])
        if at < length - 1 and curve[at] - curve[at:length].min() >= LEAST_DROP:
            return at, float(curve[at])
        length -= 1
    return 0, float(curve[0])


def _cut_off(
    curves: _Curves, unfiltered: np.ndarray, radii: np.ndarray, shape: tuple[int, int]
) -> tuple[float, float]:
    """Return the largest peak position of all curves, and the peak height of the unfiltered one.

    The search follows ImDecorr in all details: of equal candidates the last counts, and the second
    pass replaces the last candidate of the first.
    """
    rows = shape[0]
    at, snr = _peak(unfiltered)
    first = float(radii[at])
    widest = 2 / first if first else max(shape) / 2
    widths = np.concatenate([[rows / 4], np.geomspace(widest, 0.15, FILTERS)])
    found = [(first, snr)]
    for width in widths:
        at, height = _peak(curves.at(radii, width))
        found.append((float(radii[at]), height))
    places = np.array([kc for kc, _ in found])
    best = int(np.flatnonzero(places == places.max())[-1])  # 0 is the unfiltered curve
    if best == 0:
        low, high = float(rows), float(widths[0])
    elif best >= len(widths):
        low, high = float(widths[-2]), float(widths[-1])
    else:
        low, high = float(widths[best - 1]), float(widths[best])
    kc = float(places[best])
    fine = np.linspace(max(kc - radii[1], 0), min(kc + 0.4, 1), RADII)
    found.pop()
    for width in np.geomspace(low, high, FILTERS):
        at, height = _peak(curves.at(fine, width))
        found.append((float(fine[at]) if at else 0.0, height))
    found.append((first, snr))
    return max((kc for kc, height in found if height >= LEAST_HEIGHT), default=0.0), snr

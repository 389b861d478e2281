"""Fourier ring correlation: the frequency up to which two images agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

Criterion = Literal["1/7", "half-bit", "3-sigma"]
TAPER = 0.125
"""Fraction of a side that is tapered, half of it at each end."""
SMALLEST_SIDE = 32
SMOOTH_RINGS = 5
"""Rings that are averaged to find the crossing; the curve itself is not smoothed."""
IDENTICAL = 0.999
FEWEST_RINGS = 8
HIGHEST_THRESHOLD = 0.8
"""Rings whose threshold is higher hold too few samples."""


@dataclass(frozen=True)
class RingCorrelation:
    """Resolution by Fourier ring correlation.

    Parameters
    ----------
    resolution_px : float or None
        One over the frequency at which the curve falls below the criterion, in px; None if it does
        not.
    frequencies : ndarray
        (N,) frequency of each ring in cycles per px.
    curve, threshold : ndarray
        (N,) correlation and threshold of each ring.
    reason : str, optional
        Why there is no resolution.
    """

    resolution_px: float | None
    frequencies: np.ndarray
    curve: np.ndarray
    threshold: np.ndarray
    reason: str | None = None


def frc_resolution(
    first: np.ndarray, second: np.ndarray | None = None, criterion: Criterion = "1/7"
) -> RingCorrelation:
    """Compare two images of the same object with independent noise, or the halves of one.

    Parameters
    ----------
    first, second : ndarray
        (Y, X) of the same shape, at least 32 px a side: two exposures, or pictures from odd and
        even frames. Without a second one, the image is split into its diagonal neighbours, which
        halves the counts and the sampling; their curve is calibrated as by Koho et al. (Nat.
        Commun. 10, 3103 (2019)). Noise that is correlated between neighbouring pixels then counts
        as structure.
    criterion : {"1/7", "half-bit", "3-sigma"}, optional
        Threshold. The last two depend on the number of samples in the ring.

    Returns
    -------
    RingCorrelation
        Resolution and curve.

    Notes
    -----
    Saxton and Baumeister, J. Microsc. 127, 127 (1982); van Heel and Schatz, J. Struct. Biol. 151,
    250 (2005). Rings are one sample of the longer side wide. Images are tapered over an eighth of
    their sides after removing the mean, which would leak into low rings and look like structure.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter
    >>> rng = np.random.default_rng(0)
    >>> truth = gaussian_filter(rng.random((128, 128)), 2)
    >>> first, second = truth + 0.01 * rng.normal(size=(2, 128, 128))
    >>> found = frc_resolution(first, second)
    >>> 4 < found.resolution_px < 9
    True
    >>> frc_resolution(first, first).reason
    'The two images are the same; they must differ in their noise.'
    """
    a = np.asarray(first, dtype=np.float64)
    b = None if second is None else np.asarray(second, dtype=np.float64)
    reason = _unusable(a, b)
    if reason:
        return _without(reason)
    if b is None:
        return _from_one(a - a.mean(), criterion)
    a, b = a - a.mean(), b - b.mean()
    frequencies, curve, numbers = ring_correlation(a, b)
    threshold = _threshold(criterion, numbers)
    crossing, reason = _crossing(frequencies, curve, threshold)
    return RingCorrelation(
        1 / crossing if crossing else None, frequencies, curve, threshold, reason
    )


def ring_correlation(
    a: np.ndarray, b: np.ndarray, taper: float = TAPER
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlate two images ring by ring of their spectra.

    Parameters
    ----------
    a, b : ndarray
        (Y, X) of the same shape, not necessarily square.
    taper : float, optional
        Fraction of each side that is tapered.

    Returns
    -------
    frequencies : ndarray
        (N,) frequency of each ring in cycles per px, up to the Nyquist frequency.
    curve : ndarray
        (N,) correlation, -1 to 1.
    numbers : ndarray
        (N,) samples in each ring.
    """
    window = np.outer(*(_tukey(side, taper) for side in a.shape))
    one, other = (np.fft.rfft2(image * window) for image in (a, b))
    rings, counts = _rings(a.shape)
    longest = max(a.shape)
    size = longest // 2
    inside = rings < size

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(rings[inside], (values * counts)[inside], size)

    joint = total((one * np.conj(other)).real)
    alone = np.sqrt(total(np.abs(one) ** 2) * total(np.abs(other) ** 2))
    with np.errstate(all="ignore"):
        curve = np.where(alone > 0, joint / alone, 0.0)
    numbers = np.bincount(rings[inside], counts[inside], size)
    return np.arange(size) / longest, curve, numbers


def frc_map(
    first: np.ndarray, second: np.ndarray, block: int = 64, step: int = 32
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Map the resolution of two images by Fourier ring correlation, block by block.

    Parameters
    ----------
    first, second : ndarray
        (Y, X) of the same shape.
    block, step : int, optional
        Side and distance of the blocks in px.

    Returns
    -------
    resolution_px : ndarray
        (N, M) resolution in px, NaN where there is none.
    rows, columns : ndarray
        (N,) and (M,) centres of the blocks in px.
    """
    a, b = np.asarray(first), np.asarray(second)
    tops, lefts = (np.arange(0, max(side - block, 0) + 1, step) for side in a.shape)
    found = np.full((len(tops), len(lefts)), np.nan)
    for i, y in enumerate(tops):
        for j, x in enumerate(lefts):
            part = (slice(y, y + block), slice(x, x + block))
            result = frc_resolution(a[part], b[part])
            if result.resolution_px is not None:
                found[i, j] = result.resolution_px
    return found, tops + (block - 1) / 2, lefts + (block - 1) / 2


def _without(reason: str) -> RingCorrelation:
    nothing = np.zeros(0)
    return RingCorrelation(None, nothing, nothing, nothing, reason)


def _unusable(a: np.ndarray, b: np.ndarray | None) -> str | None:
    """Return why images cannot be compared, if they cannot."""
    if a.ndim != 2 or (b is not None and b.shape != a.shape):
        return "Two images (y, x) of one size are compared."
    if min(a.shape) < SMALLEST_SIDE:
        return (
            f"{a.shape[0]} x {a.shape[1]} px are too few; the region needs "
            f"{SMALLEST_SIDE} x {SMALLEST_SIDE} px."
        )
    for image in (a,) if b is None else (a, b):
        if not np.isfinite(image).all():
            return "The picture contains values that are NaN or infinite."
        if np.ptp(image) <= 1e-9 * max(np.abs(image).max(), 1e-300):
            return "An image is constant."
    if b is not None and np.array_equal(a, b):
        return "The two images are the same; they must differ in their noise."
    return None


@lru_cache(maxsize=8)
def _tukey(side: int, taper: float) -> np.ndarray:
    from scipy.signal.windows import tukey

    return np.asarray(tukey(side, taper))


@lru_cache(maxsize=4)
def _rings(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the ring of every sample of a half spectrum, and how often the sample counts."""
    rows, columns = shape
    longest = max(shape)
    y, x = np.fft.fftfreq(rows) * longest, np.fft.rfftfreq(columns) * longest
    rings = np.floor(np.hypot(y[:, None], x) + 1e-9).astype(np.int64)
    counts = np.full(rings.shape, 2.0)
    counts[:, 0] = 1
    if columns % 2 == 0:
        counts[:, -1] = 1
    return rings, counts


def _threshold(criterion: Criterion, numbers: np.ndarray) -> np.ndarray:
    """Return the threshold of each ring by its number of samples."""
    independent = np.maximum(numbers / 2, 1)  # half of the samples mirror the others
    if criterion == "1/7":
        return np.full(len(numbers), 1 / 7)
    if criterion == "3-sigma":
        return np.minimum(3 / np.sqrt(independent), 1)
    root = np.sqrt(numbers.clip(1))
    return np.asarray((0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root))


def _crossing(
    frequencies: np.ndarray, curve: np.ndarray, threshold: np.ndarray
) -> tuple[float | None, str | None]:
    """Return the frequency of the first fall below the threshold, or why there is none."""
    padded = np.pad(curve, SMOOTH_RINGS // 2, mode="edge")
    smooth = np.convolve(padded, np.full(SMOOTH_RINGS, 1 / SMOOTH_RINGS), "valid")
    above = smooth - threshold
    # The lowest rings have too few samples to decide anything.
    start = max(2, int(np.argmax(threshold < HIGHEST_THRESHOLD)))
    if not (above[start:] > 0).any() or above[start] <= 0:
        return None, "The images do not agree at any frequency: there is only noise."
    below = np.flatnonzero(above[start:] <= 0)
    if not below.size:
        if curve[start:].min() > IDENTICAL:
            return None, "The images are all but the same; their noise must be independent."
        return None, "The images agree at every frequency, or share their noise."
    k = start + int(below[0])
    if k < FEWEST_RINGS:
        return None, "The images agree in the coarsest waves only, as pure noise may by chance."
    fraction = above[k - 1] / (above[k - 1] - above[k])
    return float(frequencies[k - 1] + fraction * (frequencies[k] - frequencies[k - 1])), None


def _from_one(image: np.ndarray, criterion: Criterion) -> RingCorrelation:
    """Compare the diagonal neighbours of a single image."""
    rows, columns = (side - side % 2 for side in image.shape)
    if min(rows, columns) < 2 * SMALLEST_SIDE:
        return _without(f"A single image needs {2 * SMALLEST_SIDE} x {2 * SMALLEST_SIDE} px.")
    quarter = {(i, j): image[i:rows:2, j:columns:2] for i in (0, 1) for j in (0, 1)}
    curves = []
    for one, other in (((0, 0), (1, 1)), ((1, 0), (0, 1))):
        frequencies, curve, numbers = ring_correlation(quarter[one], quarter[other])
        curves.append(curve)
    mean = np.mean(curves, axis=0)
    threshold = _threshold(criterion, numbers)
    crossing, reason = _crossing(frequencies, mean, threshold)
    if crossing is not None:
        # Halved sampling and the shift between the halves move the crossing (Koho, eq. 6).
        gain = 0.95988146 * np.exp(13.90441896 * (2 * crossing - 0.97979108)) + 0.55146136
        crossing = float(crossing * gain)
    return RingCorrelation(
        1 / crossing if crossing else None, frequencies / 2, mean, threshold, reason
    )

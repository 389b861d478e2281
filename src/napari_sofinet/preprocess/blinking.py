"""Correlation of neighbouring pixels: the light that blinks over the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PARTS = 10
"""Parts of the movie in the jackknife."""
LEAST_CONTRAST = 0.005
"""Correlation below which neighbours may share something else than light."""


@dataclass(frozen=True)
class Blinking:
    """Correlation of the fluctuations of bright pixels with those of their neighbours.

    Parameters
    ----------
    contrast, error : float
        Correlation of adjacent pixels, and its standard error.
    farther, farther_error : float
        The same for pixels at a distance of 2 px.
    """

    contrast: float
    error: float
    farther: float
    farther_error: float

    @property
    def certain(self) -> bool:
        """Whether neighbours fluctuate together beyond the error."""
        return self.contrast > 3 * self.error and self.contrast > LEAST_CONTRAST


def blinking(frames: np.ndarray) -> Blinking:
    """Measure how much neighbouring pixels fluctuate together.

    Parameters
    ----------
    frames : ndarray
        (T, Y, X) counts.

    Returns
    -------
    Blinking
        Correlations with standard errors.

    Notes
    -----
    Differences of successive frames are used, so that slow changes do not count. A fluctuation of
    all pixels, either equal or in proportion to their brightness (a flickering lamp), is
    subtracted. The noise of two pixels is independent and averages out. The error is that of a
    jackknife over parts of the movie.
    """
    f = np.asarray(frames, dtype=np.float64)
    mean = f.mean(axis=0)
    signal = mean - np.percentile(mean, 1)
    bright = signal >= np.percentile(signal, 75)
    d = np.diff(f, axis=0)
    common = np.stack([signal[bright], np.ones(int(bright.sum()))], axis=1)
    flicker = d[:, bright] @ np.linalg.pinv(common).T
    d -= flicker[:, :1, None] * signal + flicker[:, 1:, None]
    parts = np.array_split(np.arange(len(d)), min(PARTS, len(d)))
    products = np.array([_products(d[p], bright) * len(p) for p in parts])
    total = products.sum(axis=0)

    def correlations(sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[..., ::2] / np.maximum(sums[..., 1::2], 1e-12))

    value = correlations(total)
    without = correlations(total - products)
    n = len(parts)
    error = np.sqrt((n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    return Blinking(float(value[0]), float(error[0]), float(value[1]), float(error[1]))


def _products(d: np.ndarray, bright: np.ndarray) -> np.ndarray:
    """Return mean products of bright pixels 1 and 2 px apart, each with their mean squares."""
    squares = (d**2).mean(axis=0)
    found = []
    for step in (1, 2):
        together, alone = 0.0, 0.0
        for a, b in (
            ((slice(None), slice(None, -step)), (slice(None), slice(step, None))),
            ((slice(None, -step), slice(None)), (slice(step, None), slice(None))),
        ):
            both = bright[a] & bright[b]
            together += float((d[:, *a] * d[:, *b]).mean(axis=0)[both].sum())
            alone += float((squares[a] + squares[b])[both].sum()) / 2
        found += [together, alone]
    return np.array(found)

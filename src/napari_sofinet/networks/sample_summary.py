"""Mean and standard deviation of samples, and the interval that contains the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_sofinet.networks.weights import Uncertainty

FRACTION = 0.9
ROWS_AT_ONCE = 64


def summary(
    samples: np.ndarray,
    expected: np.ndarray,
    table: Uncertainty | None,
    report: Callable[[float], None],
) -> dict[str, np.ndarray]:
    """Summarize samples in maps.

    Parameters
    ----------
    samples : ndarray
        (K, Y, X).
    expected : ndarray
        (Y, X) posterior mean.
    table : Uncertainty or None
        Factor by which intervals are stretched around the mean, by its brightness. Quantiles of K
        samples reach less far than those of their distribution, and samples of a network may
        differ too little.
    report : callable
        Called with the fraction done.

    Returns
    -------
    dict of str to ndarray
        Maps (Y, X): ``image``, the mean; ``standard_deviation``; ``lower`` and ``upper``, between
        which the truth lies in 90 % of cases where something shows.
    """
    shape = samples.shape[1:]
    names = "image", "standard_deviation", "lower", "upper"
    out = {name: np.empty(shape, np.float32) for name in names}
    for top in range(0, shape[0], ROWS_AT_ONCE):
        report(top / shape[0])
        rows = slice(top, top + ROWS_AT_ONCE)
        part = np.asarray(samples[:, rows], np.float32)
        mean = out["image"][rows] = expected[rows]
        out["standard_deviation"][rows] = part.std(axis=0, ddof=1)
        low, high = interval(part)
        low, high = np.minimum(low, mean), np.maximum(high, mean)
        if table is not None:
            stretch = np.interp(mean, table.brightness, table.half_width)
            low, high = mean + stretch * (low - mean), mean + stretch * (high - mean)
        out["lower"][rows], out["upper"][rows] = np.maximum(low, 0), high
    return out


def interval(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the quantiles 5 and 95 % of samples (K, ...), or the extremes of few samples."""
    low, high = np.quantile(
        samples, [(1 - FRACTION) / 2, (1 + FRACTION) / 2], axis=0, method="weibull"
    ).astype(np.float32)
    return low, high

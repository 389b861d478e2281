"""Mean and spread of samples, and the interval that holds the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_sofinet.networks.weights import Uncertainty

SHARE = 0.9
ROWS_AT_ONCE = 64


def summary(
    samples: np.ndarray,
    expected: np.ndarray,
    table: Uncertainty | None,
    report: Callable[[float], None],
) -> dict[str, np.ndarray]:
    """Maps (Y, X) of samples (K, Y, X) and of what they have on average.

    That as ``image``; their standard deviation; lower and upper: between these lies the truth in
    90 % of cases where something shows. The quantiles of K samples reach less far
    than those of what they were drawn from, and a network's samples may differ too little:
    ``table`` says by how much they must be stretched from the image, by its brightness.
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
    """Quantiles 5 and 95 % of samples (K, ...), as far as so few of them reach."""
    low, high = np.quantile(
        samples, [(1 - SHARE) / 2, (1 + SHARE) / 2], axis=0, method="weibull"
    ).astype(np.float32)
    return low, high

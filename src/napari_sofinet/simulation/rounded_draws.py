"""Random numbers of three digits, which people can read in settings."""

from __future__ import annotations

import numpy as np


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a uniform number and round it to three digits."""
    return rounded(rng.uniform(low, high))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform and round it to three digits."""
    return rounded(np.exp(rng.uniform(np.log(low), np.log(high))))


def rounded(value: float) -> float:
    """Round a number to three digits.

    Examples
    --------
    >>> rounded(0.0123456)
    0.0123
    """
    return float(f"{value:.3g}")

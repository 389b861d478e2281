"""Random numbers that draws of training data share."""

from __future__ import annotations

import numpy as np


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform between two limits.

    Examples
    --------
    >>> import numpy as np
    >>> 1 <= log_uniform(np.random.default_rng(1), 1, 1000) <= 1000
    True
    """
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))

"""What a method says about a movie: how accurate its picture will be, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_sofinet.preprocess.movie_facts import MovieFacts


@dataclass(frozen=True)
class Suggestion:
    """A method with settings that may suit a movie.

    Parameters
    ----------
    accuracy : float
        Expected correlation of the picture with the ground truth at half the width of the PSF;
        NaN if nothing is expected to be seen but the average.
    reason : str
        One or two sentences on what in the movie speaks for or against it.
    settings : dict of str to Any, optional
        Settings by dotted name that differ from the defaults.
    label : str, optional
        Name of these settings for people, e.g. "order 3".
    time_series : bool, optional
        Whether the result is a time series, which suits a moving sample.
    """

    accuracy: float
    reason: str
    settings: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    time_series: bool = False


def expected_accuracy(facts: MovieFacts, weights: Mapping[str, float]) -> float:
    """Return the accuracy that a method is expected to reach on a movie.

    Parameters
    ----------
    facts : MovieFacts
        Facts about the movie.
    weights : mapping of str to float
        Weights of `MovieFacts.logarithms` and the ``"constant"``, as `benchmarks/tables/choice.py`
        fits them to simulated movies with ground truth.

    Returns
    -------
    float
        Correlation with the ground truth, 0 to 1: the logistic function of the weighted sum.
    """
    known = facts.logarithms() | {"constant": 1.0}
    total = sum(weight * known[name] for name, weight in weights.items())
    return float(1 / (1 + np.exp(-total)))

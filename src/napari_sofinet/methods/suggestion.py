"""Expected accuracy of a method on a movie, with the reason."""

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
    fine : bool, optional
        Whether the picture is meant to separate lines closer than half the width of the PSF.
    """

    accuracy: float
    reason: str
    settings: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    time_series: bool = False
    fine: bool = False


BEST_ACCURACY = {
    "constant": 0.0671,
    "frames": 0.423,
    "filled": 1.41,
    "settled": 0.807,
    "rarity": -0.303,
}
"""Weights of the accuracy of the best method, fitted by benchmarks/tables/choice.py."""


def expected_accuracy(facts: MovieFacts, loss: Mapping[str, float]) -> float:
    """Return the accuracy that a method is expected to reach on a movie.

    Parameters
    ----------
    facts : MovieFacts
        Facts about the movie.
    loss : mapping of str to float
        Weights of `MovieFacts.numbers` and the ``"constant"`` whose sum is the difference between
        the accuracies of the best method and this one, as `benchmarks/tables/choice.py` fits them
        to simulated movies with ground truth.

    Returns
    -------
    float
        Correlation with the ground truth, 0 to 1.

    Notes
    -----
    Methods are compared by their loss, since most of the accuracy is common to all: a movie of few
    frames is bad for each. The accuracy of the best one is the logistic function of a weighted sum.
    """
    known = facts.numbers() | {"constant": 1.0}

    def total(weights: Mapping[str, float]) -> float:
        return sum(weight * known[name] for name, weight in weights.items())

    best = 1 / (1 + np.exp(-total(BEST_ACCURACY)))
    return float(np.clip(best - max(total(loss), 0.0), 0.0, 1.0))

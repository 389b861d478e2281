"""Expected accuracy of the maximum likelihood of the covariance on a movie."""

from __future__ import annotations

from napari_sofinet.methods.suggestion import Suggestion, expected_accuracy
from napari_sofinet.preprocess.movie_facts import MovieFacts

LOSS = {"constant": 0.00161, "frames": -0.000211, "settled": -0.000378}
"""Weights of `expected_accuracy`, fitted by benchmarks/tables/choice.py."""
FRAMES_LEAST = 60
SETTLED = 5.0
"""Power of structure over noise below which lines break into dots."""


def resolves_lines(facts: MovieFacts) -> bool:
    """Return whether a movie shows enough blinks of crowded emitters for the finest detail.

    Parameters
    ----------
    facts : MovieFacts
        Facts about the movie.
    """
    enough = facts.frames >= FRAMES_LEAST and facts.settled >= SETTLED
    return facts.blinks and enough and not facts.single_emitters


def suits(facts: MovieFacts) -> tuple[Suggestion, ...]:
    """Return a fine picture of a movie whose blinks have filled in a crowded structure.

    Parameters
    ----------
    facts : MovieFacts
        Facts about the movie.
    """
    if not resolves_lines(facts):
        return ()
    reason = (
        f"Emitters overlap, and the blinks of {facts.frames} frames have filled in the structure. "
        "It needs no training and keeps amounts linear."
    )
    return (Suggestion(expected_accuracy(facts, LOSS), reason, fine=True),)

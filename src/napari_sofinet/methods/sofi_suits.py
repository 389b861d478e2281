"""Expected accuracy of SOFI on a movie."""

from __future__ import annotations

from napari_sofinet.methods.suggestion import Suggestion, expected_accuracy
from napari_sofinet.preprocess.movie_facts import MovieFacts

LOSS: dict[int, dict[str, float]] = {
    2: {
        "constant": 0.0827,
        "frames": -0.00911,
        "repeated": -0.0551,
        "spots": 0.00302,
        "rarity": 0.00837,
        "spread": -0.00891,
    },
    3: {
        "constant": 0.0906,
        "frames": -0.0114,
        "repeated": -0.0209,
        "spots": 0.00453,
        "rarity": -0.0184,
        "spread": 0.0169,
    },
    4: {
        "constant": 0.0932,
        "frames": -0.00837,
        "repeated": 0.0108,
        "spots": 0.00275,
        "rarity": -0.0152,
        "spread": 0.0174,
    },
}
"""Weights of `expected_accuracy` for each order, fitted by benchmarks/tables/choice.py."""
SETTLED = 2.0
"""Power of structure over noise below which too few emitters have blinked."""
FRAMES_ENOUGH = {2: 100, 3: 300, 4: 1000}


def suits(facts: MovieFacts) -> tuple[Suggestion, ...]:
    """Return what SOFI of each order can do for a movie, if its halves agree.

    Parameters
    ----------
    facts : MovieFacts
        Facts about the movie.
    """
    if not facts.blinks or facts.settled < SETTLED:
        return ()
    return tuple(
        Suggestion(
            expected_accuracy(facts, weights),
            _reason(facts, order),
            {"order": order},
            f"order {order}",
        )
        for order, weights in LOSS.items()
    )


def _reason(facts: MovieFacts, order: int) -> str:
    enough = FRAMES_ENOUGH[order]
    if facts.frames < enough:
        return f"{facts.frames} frames are few for order {order}, so that noise remains."
    return (
        f"{facts.frames} frames are enough for order {order}, which assumes nothing of the "
        "structure and keeps brightness linear."
    )

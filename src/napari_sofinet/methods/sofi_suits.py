"""How well SOFI suits a movie."""

from __future__ import annotations

from napari_sofinet.methods.suggestion import Suggestion, expected_accuracy
from napari_sofinet.preprocess.movie_facts import MovieFacts

ACCURACY: dict[int, dict[str, float]] = {
    2: {"constant": -1.21, "frames": 0.95, "filled": 1.22, "settled": 0.8, "rarity": -0.31},
    3: {"constant": -1.2, "frames": 1.04, "filled": 1.03, "settled": 0.08, "rarity": 0.21},
    4: {"constant": -0.81, "frames": 0.58, "filled": 0.9, "settled": -0.03, "rarity": 0.63},
}
"""Weights of `expected_accuracy` for each order, fitted by benchmarks/tables/choice.py."""
SETTLED = 6.0
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
        for order, weights in ACCURACY.items()
    )


def _reason(facts: MovieFacts, order: int) -> str:
    enough = FRAMES_ENOUGH[order]
    if facts.frames < enough:
        return f"{facts.frames} frames are few for order {order}, so that noise remains."
    return (
        f"{facts.frames} frames are enough for order {order}, which assumes nothing of the "
        "structure and keeps brightness linear."
    )

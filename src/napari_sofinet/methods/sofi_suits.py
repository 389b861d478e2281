"""Expected accuracy of SOFI on a movie."""

from __future__ import annotations

from napari_sofinet.methods.suggestion import Suggestion, expected_accuracy
from napari_sofinet.preprocess.movie_facts import MovieFacts

LOSS: dict[int, dict[str, float]] = {
    2: {"constant": 0.0881, "frames": -0.0146, "repeated": -0.0546, "spots": 0.00379},
    3: {
        "constant": 0.1,
        "frames": -0.0217,
        "repeated": -0.00646,
        "spots": 0.00983,
        "rarity": -0.0154,
    },
    4: {
        "constant": 0.104,
        "frames": -0.0122,
        "repeated": 0.0158,
        "spots": -0.000476,
        "rarity": -0.0202,
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

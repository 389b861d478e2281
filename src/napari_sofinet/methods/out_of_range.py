"""Warnings if a movie differs from the training data of a network."""

from __future__ import annotations

from dataclasses import asdict

from napari_sofinet.networks.weights import Card
from napari_sofinet.preprocess.characteristics import (
    NAMES,
    NO_SIGNAL,
    Characteristics,
    unusual,
)


def out_of_range_notes(found: Characteristics, card: Card) -> list[str]:
    """Return a sentence if a movie shows nothing, or differs from the training data.

    Parameters
    ----------
    found : Characteristics
        Characteristics of the movie, see `characteristics_of`.
    card : Card
        Card of the weights.
    """
    if card.ranges and shows_nothing(found):
        return [
            "Hardly any light fluctuates above this movie's noise: much may be missing from the "
            "picture."
        ]
    names = unusual(found, card.ranges)
    if not names:
        return []
    values = asdict(found)
    what = "; ".join(
        f"{NAMES[n]} {values[n]:.3g}, trained on {_range(*card.ranges[n])}" for n in names
    )
    return [
        f"This movie is outside of what {card.name} was trained for ({what}): do not trust the "
        "picture where SOFI or the average does not show the same."
    ]


def shows_nothing(found: Characteristics) -> bool:
    """Return whether next to nothing fluctuates above a movie's noise."""
    return found.signal_to_noise < NO_SIGNAL


def _range(low: float, high: float) -> str:
    """Return a range in words."""
    if high >= 1e6:
        return f"{low:.3g} or more"
    return f"{high:.3g} or less" if low <= 0 else f"{low:.3g} to {high:.3g}"

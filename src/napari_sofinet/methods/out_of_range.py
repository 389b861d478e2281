"""Warnings if a movie differs from the training data of a network."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.networks.weights import Card
from napari_sofinet.preprocess.characteristics import (
    NAMES,
    NO_SIGNAL,
    Characteristics,
    unusual,
)
from napari_sofinet.preprocess.frame_noise import noise_left

FRAMES, SIDE_PX = 50, 128
"""Part of a movie whose noise is looked at."""
UNDERSAMPLED_FWHM_PX = 1.7
"""Below it the light itself is as fine as the noise."""


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


def processing_note(movie: Movie, found: Characteristics) -> str | None:
    """Return a sentence if the frames of a movie are not the camera's own, or None.

    Parameters
    ----------
    movie : Movie
        The movie, not yet corrected; a part of it is read.
    found : Characteristics
        Its characteristics.
    """
    if found.psf_fwhm_px < UNDERSAMPLED_FWHM_PX:
        return None
    frames, rows, columns = movie.shape
    y, x = (int(v) for v in movie.origin_px)
    top, left = y + max(rows - SIDE_PX, 0) // 2, x + max(columns - SIDE_PX, 0) // 2
    roi = (top, top + min(rows, SIDE_PX)), (left, left + min(columns, SIDE_PX))
    part = movie.part(0, min(frames, FRAMES)).select(None, roi)
    if noise_left(np.concatenate(list(time_blocks(part)))) is None:
        return None
    return (
        "Neighbouring pixels share noise: the frames were smoothed, compressed, moved or enlarged, "
        "and a network may draw such noise as structure. Use the camera's own."
    )


def shows_nothing(found: Characteristics) -> bool:
    """Return whether next to nothing fluctuates above a movie's noise."""
    return found.signal_to_noise < NO_SIGNAL


def _range(low: float, high: float) -> str:
    """Return a range in words."""
    if high >= 1e6:
        return f"{low:.3g} or more"
    return f"{high:.3g} or less" if low <= 0 else f"{low:.3g} to {high:.3g}"

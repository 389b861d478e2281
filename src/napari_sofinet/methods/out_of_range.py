"""Warnings if a movie differs from the training data of a network."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from napari_sofinet.data.blocks import read_all
from napari_sofinet.data.movie import Movie
from napari_sofinet.networks.weights import Card
from napari_sofinet.preprocess.characteristics import (
    NAMES,
    NO_SIGNAL,
    Characteristics,
    unusual,
)
from napari_sofinet.preprocess.frame_noise import noise_left
from napari_sofinet.preprocess.haze import HAZE_MAX, haze_of

FRAMES, SIDE_PX = 50, 128
"""Size of the part of a movie whose noise is examined."""
UNDERSAMPLED_FWHM_PX = 1.7
"""PSF width below which the light itself is as fine as the noise."""


def out_of_range_notes(found: Characteristics, card: Card) -> list[str]:
    """Return a sentence if nothing fluctuates in a movie, or if it differs from the training data.

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
        f"This movie is outside the training range of {card.name} ({what}): do not trust the "
        "picture where SOFI or the average does not show the same."
    ]


def frame_notes(movie: Movie, found: Characteristics, subtracted: bool) -> list[str]:
    """Return sentences if the frames were processed, or if bright haze hides the structure.

    Parameters
    ----------
    movie : Movie
        The movie, not yet corrected; a part of it is read.
    found : Characteristics
        Characteristics of the movie.
    subtracted : bool
        Whether the background is subtracted.
    """
    part = movie.middle_of_field(SIDE_PX).part(0, min(movie.shape[0], FRAMES))
    seen = read_all(part)
    notes = []
    narrow = found.psf_fwhm_px < UNDERSAMPLED_FWHM_PX
    if not narrow and noise_left(seen) is not None:
        notes.append(
            "Neighbouring pixels share noise: the frames were smoothed, compressed, moved or "
            "enlarged, and a network may draw such noise as structure. Use the unprocessed frames "
            "of the camera."
        )
    haze = haze_of(seen.mean(axis=0, dtype=np.float64))
    if not subtracted and haze > HAZE_MAX:
        notes.append(
            f"A smooth haze is {haze:.0f} times as bright as the structure and hides it from the "
            "network: subtract the background with 'percentile'."
        )
    return notes


def shows_nothing(found: Characteristics) -> bool:
    """Return whether next to nothing fluctuates above a movie's noise."""
    return found.signal_to_noise < NO_SIGNAL


def _range(low: float, high: float) -> str:
    """Return a range in words."""
    if high >= 1e6:
        return f"{low:.3g} or more"
    return f"{high:.3g} or less" if low <= 0 else f"{low:.3g} to {high:.3g}"

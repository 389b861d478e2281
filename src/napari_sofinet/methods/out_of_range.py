"""Warnings if a movie differs from the training data of a network."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from scipy.ndimage import gaussian_filter

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

FRAMES, SIDE_PX = 50, 128
"""Size of the part of a movie whose noise is examined."""
UNDERSAMPLED_FWHM_PX = 1.7
"""PSF width below which the light itself is as fine as the noise."""
HAZE_SIGMA_PX, HAZE_MAX = 5.0, 8.0
"""Blur that removes structure, and relative brightness of haze beyond the training data."""


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
            "network: subtract the background with 'rolling-ball'."
        )
    return notes


def haze_of(mean: np.ndarray) -> float:
    """Return the ratio of the ranges of the smooth part and the detail of a mean image.

    Parameters
    ----------
    mean : ndarray of shape (Y, X)
        Mean of some frames.

    Examples
    --------
    >>> y, x = np.mgrid[:64, :64]
    >>> haze = 1000 * np.exp(-((y - 32) ** 2 + (x - 32) ** 2) / 800)
    >>> detail = 20.0 * ((y + x) % 12 == 0)
    >>> haze_of(detail) < 2 < 8 < haze_of(haze + detail)
    True
    """
    smooth = gaussian_filter(mean, HAZE_SIGMA_PX, mode="nearest")
    wide = np.ptp(gaussian_filter(mean, 2 * HAZE_SIGMA_PX, mode="nearest"))
    detail = mean - smooth
    # The haze's own curve is left in the detail of wide places, but not in half of them.
    usual = np.percentile(detail, 99) - np.percentile(detail, 50)
    return float(wide / max(usual, 1e-12))


def shows_nothing(found: Characteristics) -> bool:
    """Return whether next to nothing fluctuates above a movie's noise."""
    return found.signal_to_noise < NO_SIGNAL


def _range(low: float, high: float) -> str:
    """Return a range in words."""
    if high >= 1e6:
        return f"{low:.3g} or more"
    return f"{high:.3g} or less" if low <= 0 else f"{low:.3g} to {high:.3g}"

"""Facts about a movie that decide which method suits it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_sofinet.preprocess.blinking import Blinking
from napari_sofinet.preprocess.characteristics import movie_characteristics
from napari_sofinet.preprocess.spot_facts import spot_facts

LIMITS = {
    "frames": (10.0, 100.0, 2000.0),
    "rarity": (0.3, 0.3, 100.0),
    "spots": (3.0, 3.0, 100.0),
    "filled": (0.1, 0.1, 6.0),
    "settled": (6.0, 6.0, 300.0),
    "duration": (0.5, 1.0, 10.0),
}
"""Lowest, usual and highest values of facts; the usual one stands for what cannot be measured."""
SHARES = {"repeated": 0.0, "agree": 0.0, "spread": 0.3}
"""Usual values of facts that are numbers up to 1."""
MOST_CROWDED, STANDS_OUT = 2.5, 3.0
SMOOTHED_PX = 0.7
MOST_ACTIVE = 80.0
"""Percentile of the fluctuations above which pixels count as bright."""


@dataclass(frozen=True)
class MovieFacts:
    """Facts about a movie; NaN where nothing could be measured.

    Parameters
    ----------
    frames : int
        Number of frames.
    blinks : bool
        Whether neighbouring pixels fluctuate together, beyond doubt.
    psf_fwhm_px : float
        Width of the fluctuations in camera px.
    signal_to_noise : float
        Fluctuation of the light over the noise, in bright pixels of one frame.
    crowding : float
        Number of emitters that overlap in a frame.
    correlation_frames : float
        Decay time of the fluctuations in frames.
    rarity : float
        Excess kurtosis that neighbouring pixels share: how rare and how bright the blinks are.
    spot_to_noise : float
        Brightest values over the noise of one frame.
    settled : float
        Power of structure over that of noise in the picture that all frames give: how far the
        blinks of the movie have filled in the structure.
    repeated, agree, spread : float
        Agreement of pictures from two halves, see `SpotFacts`.
    moved_px : float
        Distance in camera px by which the sample moves.
    corrections : dict of str to Any
        Settings of the corrections that the check advises.
    """

    frames: int
    blinks: bool
    psf_fwhm_px: float
    signal_to_noise: float
    crowding: float
    correlation_frames: float
    rarity: float
    spot_to_noise: float
    settled: float
    repeated: float
    agree: float
    spread: float
    moved_px: float = 0.0
    corrections: dict[str, Any] = field(default_factory=dict)

    @property
    def single_emitters(self) -> bool:
        """Whether single emitters stand out of the noise and hardly overlap."""
        return self.blinks and self.crowding < MOST_CROWDED and self.spot_to_noise > STANDS_OUT

    def numbers(self) -> dict[str, float]:
        """Return decimal logarithms of facts within the limits of `LIMITS`, and the `SHARES`."""
        values = {
            "frames": self.frames,
            "rarity": self.rarity,
            "spots": self.spot_to_noise,
            "filled": self.settled,
            "settled": self.settled,
            "duration": self.correlation_frames,
        }
        logarithms = {
            name: float(np.log10(np.clip(np.nan_to_num(values[name], nan=usual), low, high)))
            for name, (low, usual, high) in LIMITS.items()
        }
        shares = {"repeated": self.repeated, "agree": self.agree, "spread": self.spread}
        return logarithms | {
            name: float(np.nan_to_num(value, nan=SHARES[name])) for name, value in shares.items()
        }


def movie_facts(frames: np.ndarray, count: int, blinks: Blinking) -> MovieFacts:
    """Measure facts in some frames of a movie, as far as they decide between methods.

    Parameters
    ----------
    frames : ndarray of shape (T, Y, X)
        Successive frames, at least 5 of 4 x 4 px.
    count : int
        Number of frames of the whole movie.
    blinks : Blinking
        Correlations of neighbouring pixels.
    """
    found = movie_characteristics(frames)
    halves = spot_facts(frames, found.psf_fwhm_px)
    return MovieFacts(
        count,
        blinks.certain,
        found.psf_fwhm_px,
        found.signal_to_noise,
        found.crowding,
        found.correlation_frames,
        *_spots(np.asarray(frames, np.float64)),
        _settled(np.asarray(frames, np.float64), count),
        halves.repeated,
        halves.agree,
        halves.spread,
    )


def _spots(frames: np.ndarray) -> tuple[float, float]:
    """Return the shared excess kurtosis, and the brightest values over the noise."""
    d = frames - frames.mean(axis=0)
    a, b = d[:, :, :-1], d[:, :, 1:]
    together = (a * b).mean(axis=0)
    fourth = (a**2 * b**2).mean(axis=0) - (a**2).mean(axis=0) * (b**2).mean(axis=0)
    fourth -= 2 * together**2
    bright = together >= np.percentile(together, MOST_ACTIVE)
    noise = 1.4826 * np.median(np.abs(np.diff(frames, axis=0))) / 2**0.5
    highest = np.percentile(frames - np.median(frames, axis=0), 99.9)
    return (
        float(fourth[bright].mean() / max((together[bright] ** 2).mean(), 1e-12)),
        float(highest / max(noise, 1e-12)),
    )


def _settled(frames: np.ndarray, count: int) -> float:
    """Return the power of structure over noise, from the agreement of two halves of some frames."""
    half = len(frames) // 2
    pictures = []
    for part in (frames[:half], frames[half:]):
        d = part - part.mean(axis=0)
        together = gaussian_filter((d[:, :, :-1] * d[:, :, 1:]).mean(axis=0), SMOOTHED_PX)
        pictures.append(np.sqrt(np.maximum(together, 0.0)).ravel())
    if not all(np.ptp(picture) > 0 for picture in pictures):
        return 0.0
    alike = float(np.clip(np.corrcoef(pictures)[0, 1], 0.0, 0.999))
    return alike / (1 - alike) * count / half

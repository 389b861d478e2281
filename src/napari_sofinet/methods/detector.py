"""Finding the emitters of single frames: what a detector is, and the one without a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from napari_sofinet.data.movie import Movie
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.localization.detection import places_in_frame
from napari_sofinet.localization.fitting import Noise

USUAL_SIGMA = 1.2


@dataclass(frozen=True)
class ImagingModel:
    """What is the same in all frames."""

    sigma_px: float
    noise: Noise


Places = tuple[np.ndarray, np.ndarray]


class Detector(Protocol):
    """Frames (t, Y, X) to maps (t, 4Y, 4X), if it makes any, and places for each.

    Places (N, 2) come with their doubt (N,), as `places_in_map` gives them. ``notes`` are
    sentences for the user, ``alone`` says that spots are fitted one by one.
    """

    alone: bool

    def set_width(self, sigma_px: float) -> None:
        """Take the width of the PSF (standard deviation in camera px) once it is known."""

    def __call__(self, frames: np.ndarray) -> tuple[np.ndarray | None, list[Places]]:
        """Maps and places."""
        ...

    def notes(
        self, table: LocalizationTable, imaging: ImagingModel, movie: Movie, photons_known: bool
    ) -> list[str]:
        """Sentences for the user."""
        ...


class SingleDetector:
    """Finds spots that stand alone by a difference of Gaussians."""

    alone = True
    sigma_px = USUAL_SIGMA

    def set_width(self, sigma_px: float) -> None:
        """Look for spots of this width."""
        self.sigma_px = sigma_px

    def __call__(self, frames: np.ndarray) -> tuple[np.ndarray | None, list[Places]]:
        """No maps, and places; see `Detector`."""
        found = [places_in_frame(frame, self.sigma_px) for frame in frames]
        return None, [(at, np.zeros(len(at))) for at in found]

    def notes(
        self, table: LocalizationTable, imaging: ImagingModel, movie: Movie, photons_known: bool
    ) -> list[str]:
        """Nothing: it has learnt nothing."""
        return []

"""Detection of the emitters of single frames: the protocol, and a detector without a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from napari_sofinet.data.movie import Movie
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.localization.detection import places_in_frame
from napari_sofinet.localization.fitting import Noise

USUAL_SIGMA = 1.2
"""Standard deviation of the PSF in camera px if it cannot be measured."""


@dataclass(frozen=True)
class ImagingModel:
    """Properties of the microscope, the same in all frames.

    Parameters
    ----------
    sigma_px : float
        Standard deviation of the PSF in camera px.
    noise : Noise
        Variance of the pixels.
    """

    sigma_px: float
    noise: Noise


Places = tuple[np.ndarray, np.ndarray]
"""Positions (N, 2) y, x in px and their uncertainty (N,) in px, see `places_in_map`."""


class Detector(Protocol):
    """Finds the emitters of frames.

    ``alone`` is True if spots are fitted one by one.
    """

    alone: bool

    def set_width(self, sigma_px: float) -> None:
        """Take the width of the PSF (standard deviation in camera px) once it is known."""

    def __call__(self, frames: np.ndarray) -> tuple[np.ndarray | None, list[Places]]:
        """Return maps (t, 4Y, 4X) of frames (t, Y, X), or None, and the positions in each frame."""
        ...

    def notes(
        self, table: LocalizationTable, imaging: ImagingModel, movie: Movie, photons_known: bool
    ) -> list[str]:
        """Return sentences for the user."""
        ...


class SingleDetector:
    """Finds spots that stand alone by a difference of Gaussians."""

    alone = True
    sigma_px = USUAL_SIGMA

    def set_width(self, sigma_px: float) -> None:
        """Look for spots of this width."""
        self.sigma_px = sigma_px

    def __call__(self, frames: np.ndarray) -> tuple[np.ndarray | None, list[Places]]:
        """Return no maps, and the positions in each frame."""
        found = [places_in_frame(frame, self.sigma_px) for frame in frames]
        return None, [(at, np.zeros(len(at))) for at in found]

    def notes(
        self, table: LocalizationTable, imaging: ImagingModel, movie: Movie, photons_known: bool
    ) -> list[str]:
        """Return no sentences, as it was not trained."""
        return []

"""Our statistics network as a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sofinet.methods import model
from napari_sofinet.settings import parameter

if TYPE_CHECKING:
    from napari_sofinet.movie import Movie
    from napari_sofinet.reconstruction import Reconstruction
    from napari_sofinet.settings import Report


class SofinetSettings(model.ModelSettings):
    """A picture of SOFI's resolution from 20 frames or fewer, by a network that we trained."""

    weights: str = parameter(
        "sofinet-universal",
        "What the network has learnt: 'sofinet-universal' any structure, 'sofinet-filaments' "
        "expects filaments (a prior: use it where you know them); or own weights.",
        basic=True,
        weights="sofinet",
    )


def sofinet(movie: Movie, settings: SofinetSettings, report: Report, device: str) -> Reconstruction:
    """See `model.run`."""
    return model.run("sofinet", movie, settings, report, device)


def describe(settings: SofinetSettings, details: dict[str, float]) -> str:
    """Sentence for a methods section."""
    return model.describe(settings, details, "statistics network of napari-sofinet")

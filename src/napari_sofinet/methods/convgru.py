"""The recurrent network of Komen et al. (2024): 20 frames to a second-order SOFI image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sofinet.methods import model
from napari_sofinet.settings import parameter

if TYPE_CHECKING:
    from napari_sofinet.movie import Movie
    from napari_sofinet.reconstruction import Reconstruction
    from napari_sofinet.settings import Report


class ConvgruSettings(model.ModelSettings):
    """The recurrent network of Komen et al. (2024): 20 frames to a second-order SOFI image."""

    weights: str = parameter(
        "convgru-komen2024",
        "What the network has learnt: 'convgru-komen2024' the microtubules of its paper; "
        "or own weights.",
        basic=True,
        weights="convgru",
    )


def convgru(movie: Movie, settings: ConvgruSettings, report: Report, device: str) -> Reconstruction:
    """See `model.run`."""
    return model.run("convgru", movie, settings, report, device)


def describe(settings: ConvgruSettings, details: dict[str, float]) -> str:
    """Sentence for a methods section."""
    return model.describe(
        settings, details, "convolutional gated recurrent units after Komen et al. (2024)"
    )

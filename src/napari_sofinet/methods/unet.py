"""The U-Net that the recurrent network is measured against; train it yourself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sofinet.methods import model
from napari_sofinet.settings import parameter

if TYPE_CHECKING:
    from napari_sofinet.movie import Movie
    from napari_sofinet.reconstruction import Reconstruction
    from napari_sofinet.settings import Report


class UnetSettings(model.ModelSettings):
    """The U-Net that the recurrent network is measured against; train it yourself."""

    weights: str = parameter(
        "unet",
        "Weights that you trained (`sofinet train unet`); none are shipped.",
        basic=True,
        weights="unet",
    )


def unet(movie: Movie, settings: UnetSettings, report: Report, device: str) -> Reconstruction:
    """See `model.run`."""
    return model.run("unet", movie, settings, report, device)


def describe(settings: UnetSettings, details: dict[str, float]) -> str:
    """Sentence for a methods section."""
    return model.describe(settings, details, "U-Net after Ronneberger et al., MICCAI (2015)")

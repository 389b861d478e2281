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
    every: int | None = parameter(
        None,
        "In a film, pictures are computed from one in so many windows and blended in between, as "
        "windows in a row share most of their frames; a fifth of the window if empty, 1 computes "
        "all.",
        unit="frames",
        empty="a fifth of the window",
        ge=1,
        le=1000,
    )

    def computed(self, pictures: int) -> list[int]:
        """Which pictures of a film of so many are computed; those between are blended."""
        frames = self.every or max(1, (self.window or 1) // 5)
        places = list(range(0, pictures, max(1, frames // self.step)))
        return places if places[-1] == pictures - 1 else [*places, pictures - 1]


def sofinet(movie: Movie, settings: SofinetSettings, report: Report, device: str) -> Reconstruction:
    """See `model.run`."""
    return model.run("sofinet", movie, settings, report, device)


def describe(settings: SofinetSettings, details: dict[str, float]) -> str:
    """Sentence for a methods section."""
    return model.describe(settings, details, "statistics network of napari-sofinet")

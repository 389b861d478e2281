"""The statistics network as a method."""

from __future__ import annotations

from napari_sofinet.base.settings import parameter
from napari_sofinet.methods.network_method import network_method
from napari_sofinet.methods.network_settings import NetworkSettings
from napari_sofinet.networks.contract import Network


class SofinetSettings(NetworkSettings):
    """A picture with the resolution of SOFI from about 20 frames, by a trained network."""

    weights: str = parameter(
        "sofinet-universal",
        "Weights of the network: 'sofinet-universal' was trained on all kinds of structure, "
        "'sofinet-filaments' expects filaments (a prior: use it only for samples of filaments); "
        "or your own weights.",
        basic=True,
        weights="sofinet",
    )
    every: int | None = parameter(
        None,
        "Frames between computed pictures of a time series. Pictures in between are interpolated, "
        "since consecutive windows have most frames in common; 1 computes all pictures. If empty, "
        "a fifth of the window.",
        unit="frames",
        empty="a fifth of the window",
        ge=1,
        le=1000,
    )

    def computed(self, pictures: int) -> list[int]:
        """Return the pictures of a time series that are computed; others are interpolated."""
        frames = self.every or max(1, (self.window or 1) // 5)
        places = list(range(0, pictures, max(1, frames // self.step)))
        return places if places[-1] == pictures - 1 else [*places, pictures - 1]


NETWORK = Network(
    "sofinet",
    "Statistics network (sofinet)",
    "napari_sofinet.networks.sofinet:StatisticsNet",
    reach_px=32,
    task="napari_sofinet.training.task:PICTURE",
)
METHOD = network_method(
    "sofinet",
    "Statistics network (sofinet)",
    SofinetSettings,
    NETWORK,
    "statistics network of napari-sofinet",
    tag="net",
)

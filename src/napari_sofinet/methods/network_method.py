"""What all methods share whose network turns a movie into a picture."""

from __future__ import annotations

from functools import partial
from typing import Literal

from napari_sofinet.base.progress import Report
from napari_sofinet.base.settings import parameter
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.contract import Method
from napari_sofinet.networks.contract import Network
from napari_sofinet.preprocess.corrections import MovieSettings, describe_corrections

FRAMES_MIN = 5
SIDE_MIN_PX = 12
QUANTITATIVE = (
    "Brightness in a network's picture is not quantitative: measure positions and shapes, not "
    "amounts."
)


class NetworkSettings(MovieSettings):
    """Settings of every network that turns a movie into a picture."""

    weights: str
    window: int | None = parameter(
        None,
        "Frames of one picture. If empty, all frames make one picture; otherwise each window of "
        "this many frames makes one: a time series.",
        basic=True,
        empty="all frames",
        ge=FRAMES_MIN,
        le=100_000,
    )
    step: int = parameter(
        1, "Frames from one picture of a time series to the next.", ge=1, le=100_000
    )
    uncertainty: bool = parameter(
        True,
        "Also show how far the truth may lie from the picture, if the network estimates it.",
    )
    uncertainty_from: Literal["network", "flip_rotate"] = parameter(
        "network",
        "Source of the uncertainty: 'network' is its own estimate, at no cost; 'flip_rotate' is "
        "how much the pictures of the movie in eight orientations differ, which takes eight times "
        "as long; the picture is then their mean. For posterior samples use the method 'ddpm'.",
        formerly="doubt",
        formerly_choices={"turned": "flip_rotate"},
    )

    def computed(self, pictures: int) -> list[int]:
        """Return which pictures of a time series are computed; those between are interpolated."""
        return list(range(pictures))


def network_method(
    name: str, title: str, settings: type[NetworkSettings], network: Network, described: str
) -> Method:
    """Return a method that runs a network on a movie.

    Parameters
    ----------
    name, title : str
        See `Method`.
    settings : type[NetworkSettings]
        With a default for ``weights``.
    network : Network
        A network that takes movies (B, T, Y, X) and gives pictures (B, C, 2Y-1, 2X-1).
    described : str
        The network and its source, for the methods section of a paper.
    """
    return Method(
        name,
        title,
        settings,
        partial(_run, network),
        partial(_describe, described),
        gives=("image", "time series"),
        needs=("torch", "safetensors"),
        network=network,
    )


def _run(
    network: Network, movie: Movie, settings: NetworkSettings, report: Report, device: str
) -> Reconstruction:
    from napari_sofinet.methods.network_picture import network_picture

    return network_picture(network, movie, settings, report, device)


def _describe(described: str, settings: NetworkSettings, details: dict[str, float]) -> str:
    text = describe_corrections(settings, details)
    what = "one picture" if settings.window is None else f"windows of {settings.window} frames"
    return (
        f"{text}A neural network ({described}, weights {settings.weights}) made {what} on a grid "
        "twice as fine as the camera's; brightness in it is not quantitative."
    )

"""Methods whose network turns a movie into a picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from napari_sofinet.base.progress import Report
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.network_settings import NetworkSettings
from napari_sofinet.methods.suggestion import Suggestion
from napari_sofinet.networks.contract import Network
from napari_sofinet.preprocess.corrections import describe_corrections
from napari_sofinet.preprocess.movie_facts import MovieFacts


def network_method(
    name: str,
    title: str,
    settings: type[NetworkSettings],
    network: Network,
    described: str,
    tag: str,
    suits: Callable[[MovieFacts], tuple[Suggestion, ...]] | None = None,
) -> Method:
    """Return a method that runs a network on a movie.

    Parameters
    ----------
    name, title : str
        See `Method`.
    settings : type[NetworkSettings]
        Class of the settings, with a default for ``weights``.
    network : Network
        A network that takes movies (B, T, Y, X) and gives pictures (B, C, 2Y-1, 2X-1).
    described : str
        The network and its source, for the methods section of a paper.
    tag : str
        See `Method`.
    suits : callable, optional
        See `Method`.
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
        suits=suits,
        reads_first=True,
        tag=tag,
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

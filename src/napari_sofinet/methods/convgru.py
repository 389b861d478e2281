"""The recurrent network of Komen et al. (2024): 20 frames to a second-order SOFI image."""

from __future__ import annotations

from napari_sofinet.base.settings import parameter
from napari_sofinet.methods.network_method import network_method
from napari_sofinet.methods.network_settings import NetworkSettings
from napari_sofinet.networks.contract import Network


class ConvgruSettings(NetworkSettings):
    """The recurrent network of Komen et al. (2024): 20 frames to a second-order SOFI image."""

    weights: str = parameter(
        "convgru-komen2024",
        "Weights of the network: 'convgru-komen2024' was trained on microtubules as in the paper; "
        "or your own weights.",
        basic=True,
        weights="convgru",
    )


NETWORK = Network(
    "convgru",
    "Picture from 20 frames (ConvGRU)",
    "napari_sofinet.networks.convgru:ConvGRU",
    reach_px=24,
    task="napari_sofinet.training.task:PICTURE",
)
METHOD = network_method(
    "convgru",
    "Picture from 20 frames (ConvGRU)",
    ConvgruSettings,
    NETWORK,
    "convolutional gated recurrent units after Komen et al. (2024)",
    tag="ConvGRU",
)

"""The U-Net to which Komen et al. (2024) compare their recurrent network."""

from __future__ import annotations

from napari_sofinet.base.settings import parameter
from napari_sofinet.methods.network_method import network_method
from napari_sofinet.methods.network_settings import NetworkSettings
from napari_sofinet.networks.contract import Network


class UnetSettings(NetworkSettings):
    """The U-Net baseline of the recurrent network, for weights that you trained yourself."""

    weights: str = parameter(
        "unet",
        "Your own weights (from `sofinet train unet`); none are included.",
        basic=True,
        weights="unet",
    )


NETWORK = Network(
    "unet",
    "Picture by own weights (U-Net)",
    "napari_sofinet.networks.unet:UNet",
    reach_px=48,
    frames=20,
    task="napari_sofinet.training.task:PICTURE",
)
METHOD = network_method(
    "unet",
    "Picture by own weights (U-Net)",
    UnetSettings,
    NETWORK,
    "U-Net after Ronneberger et al., MICCAI (2015)",
    tag="U-Net",
)

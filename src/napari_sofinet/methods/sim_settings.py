"""Settings of the methods for structured illumination."""

from __future__ import annotations

from typing import Literal

from napari_sofinet.base.settings import parameter
from napari_sofinet.structured_illumination.settings import IlluminationSettings


class StackSettings(IlluminationSettings):
    """Order of the images of a stack, and how they were recorded."""

    title = "Stack"

    order: Literal[
        "file",
        "phases, directions, planes",
        "phases, planes, directions",
        "planes, phases, directions",
    ] = parameter(
        "file",
        "Order of the images, the fastest first. 'file' takes it from the axes of the file.",
        label="Order of images",
        choices={
            "file": "as the axes of the file say",
            "phases, directions, planes": "all exposures of a plane, then the next plane",
            "phases, planes, directions": "all planes of a direction, then the next direction",
            "planes, phases, directions": "all planes of an exposure, then the next exposure",
        },
        basic=True,
    )


class SimSettings(StackSettings):
    """Classical reconstruction of a raw SIM stack."""

    noise: float | None = parameter(
        None,
        "Power of the noise over that of the sample: larger values give smoother pictures. If "
        "empty, it is found from frequencies that the objective does not pass.",
        label="Noise over signal",
        gt=0,
        le=100,
    )

"""Settings of the networks that turn a movie into a picture."""

from __future__ import annotations

from typing import Literal

from napari_sofinet.base.settings import parameter
from napari_sofinet.preprocess.corrections import MovieSettings

FRAMES_MIN = 5
SIDE_MIN_PX = 12
QUANTITATIVE = (
    "Brightness in a network's picture is not quantitative: measure positions and shapes, not "
    "amounts."
)


class NetworkSettings(MovieSettings):
    """Settings of the networks that turn a movie into a picture."""

    weights: str
    window: int | None = parameter(
        None,
        "Number of frames for one picture. If empty, all frames make one picture. With a number "
        "such as 20, the frames make a film: one picture of each 20 frames in a row.",
        label="Frames per picture",
        basic=True,
        empty="all; 20 makes a film",
        ge=FRAMES_MIN,
        le=100_000,
    )
    step: int = parameter(
        1,
        "Frames from one picture of a film to the next.",
        label="Film step",
        unit="frames",
        ge=1,
        le=100_000,
        not_if={"window": (None,)},
    )
    uncertainty: bool = parameter(
        True,
        "Also return a map of the uncertainty, if the network estimates it.",
        label="Map uncertainty",
    )
    uncertainty_from: Literal["network", "flip_rotate"] = parameter(
        "network",
        "Source of the uncertainty: 'network' is the network's own estimate, at no cost; "
        "'flip_rotate' is the spread of pictures of the movie in eight orientations, which takes "
        "eight times as long. The picture is then the mean of the eight. For posterior samples "
        "use the method 'ddpm'.",
        label="Uncertainty from",
        choices={"network": "the network", "flip_rotate": "eight orientations"},
        formerly="doubt",
        formerly_choices={"turned": "flip_rotate"},
    )

    def computed(self, pictures: int) -> list[int]:
        """Return the pictures of a time series that are computed; others are interpolated."""
        return list(range(pictures))

"""Settings of the reconstruction of moving structures."""

from __future__ import annotations

from typing import Literal

from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.methods.localization_settings import LocalizationSettings
from napari_sofinet.preprocess.repair import RepairSettings


class DblinkSettings(Settings):
    """A time series of a structure that moves, from localisations of its blinking emitters."""

    weights: str = parameter(
        "dblink",
        "Weights of the network: 'dblink' expects moving thin filaments or filled shapes (a "
        "prior); or your own weights.",
        basic=True,
        weights="dblink",
    )
    window: int = parameter(
        10,
        "Number of frames in which the sample hardly moves. A picture is based on up to 64 "
        "windows before and after it, with the largest weight on the nearest ones.",
        unit="frames",
        basic=True,
        ge=1,
        le=100_000,
    )
    step: int | None = parameter(
        None,
        "Frames from one picture of the film to the next; if empty, a window.",
        label="Film step",
        unit="frames",
        empty="as the window",
        basic=True,
        ge=1,
        le=100_000,
    )
    fineness: int = parameter(
        4,
        "Samples of the picture along one camera pixel. The uncertainty of the localisations "
        "should be 0.3 to 1.5 samples.",
        label="Samples per camera pixel",
        ge=1,
        le=32,
        only_if={"input": ("movie",)},
    )
    input: Literal["movie", "maps"] = parameter(
        "movie",
        "Content of the frames: 'movie' for camera frames (also for tables), 'maps' for maps of "
        "localisations made by a program. A pixel of a map is one sample, whatever the fineness.",
        label="Kind of frames",
        choices={"movie": "camera frames", "maps": "maps of localisations"},
    )
    map_sum: float = parameter(
        1.0,
        "Sum of a map over one localisation: 1 for counts, 6.283 for time series of deepstorm.",
        label="Sum of one localisation",
        gt=0,
        le=1e9,
        only_if={"input": ("maps",)},
    )
    structure: Literal["either", "filaments", "mitochondria"] = parameter(
        "either",
        "What is known of the sample. Few localisations look alike on lines (filaments) and on "
        "filled shapes (mitochondria), so that this knowledge helps where they are few.",
        choices={
            "either": "not known",
            "filaments": "lines (filaments)",
            "mitochondria": "filled (mitochondria)",
        },
        basic=True,
    )
    localize: LocalizationSettings = parameter(
        LocalizationSettings(), "Localisation of the emitters.", only_if={"input": ("movie",)}
    )

    @property
    def repair(self) -> RepairSettings | None:
        """Settings of the repair of camera frames; None for maps."""
        return None if self.input == "maps" else self.localize.repair

    @property
    def samples(self) -> int:
        """Samples along a pixel of the input."""
        return 1 if self.input == "maps" else self.fineness

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
        "What the network was trained on: 'dblink' expects thin filaments or filled shapes that "
        "move (a prior); or own weights.",
        basic=True,
        weights="dblink",
    )
    window: int = parameter(
        10,
        "Frames in which the sample hardly moves. What is seen in a picture rests on up to 64 "
        "windows before and after it, the near ones most.",
        unit="frames",
        basic=True,
        ge=1,
        le=100_000,
    )
    step: int | None = parameter(
        None,
        "Frames from one picture of the time series to the next.",
        unit="frames",
        empty="a window",
        basic=True,
        ge=1,
        le=100_000,
    )
    fineness: int = parameter(
        4,
        "Samples of the picture along one camera pixel. Localisations should be uncertain by 0.3 "
        "to 1.5 samples.",
        ge=1,
        le=32,
    )
    input: Literal["movie", "maps"] = parameter(
        "movie",
        "What the frames are: the camera's ('movie', also for tables), or maps of localisations "
        "that a program has made ('maps'), of which a pixel is a sample, whatever the fineness.",
    )
    map_sum: float = parameter(
        1.0,
        "Sum of a localisation in a map: 1 in counts, 6.283 in time series of deepstorm.",
        gt=0,
        le=1e9,
    )
    structure: Literal["either", "filaments", "mitochondria"] = parameter(
        "either",
        "What you know of the sample: few localisations look alike on lines (filaments) and on "
        "filled shapes (mitochondria).",
        basic=True,
    )
    localize: LocalizationSettings = LocalizationSettings()

    @property
    def repair(self) -> RepairSettings | None:
        """What is repaired in the camera's frames; None for maps, which are no camera's."""
        return None if self.input == "maps" else self.localize.repair

    @property
    def samples(self) -> int:
        """Samples along a pixel of the input."""
        return 1 if self.input == "maps" else self.fineness

"""Settings of the localization of emitters in single frames, for several methods."""

from __future__ import annotations

from typing import Literal

from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.networks.contract import Network
from napari_sofinet.preprocess.corrections import CalibrationSettings, describe_corrections

NETWORK = Network(
    "deepstorm",
    "Single molecules (Deep-STORM)",
    "napari_sofinet.networks.deepstorm:deepstorm",
    reach_px=24,
    frames=1,
    task="napari_sofinet.training.task:EMITTERS",
)


class TableDrift(Settings):
    """Drift of the sample, measured in the table."""

    correct: bool = parameter(
        False,
        "Measure the drift by comparing pictures of parts of the table, and correct the positions.",
        label="Correct drift",
    )
    block: int | None = parameter(
        None,
        "Number of frames per part.",
        label="Drift block",
        unit="frames",
        empty="500 emitters or more",
        ge=2,
        le=1_000_000,
        only_if={"correct": (True,)},
    )


class LocalizationSettings(CalibrationSettings):
    """Settings of the localization of emitters in frames."""

    title = "Localisation"

    weights: str = parameter(
        "deepstorm",
        "Weights of the network: 'deepstorm' expects single molecules; or your own weights.",
        label="Localisation weights",
        basic=True,
        weights="deepstorm",
        only_if={"detector": ("network",)},
    )
    detector: Literal["network", "single"] = parameter(
        "network",
        "'network' also separates molecules whose spots overlap; 'single' uses no network: it "
        "finds isolated spots and fits each of them separately.",
        label="Find molecules by",
        choices={"single": "fits of single spots"},
        basic=True,
        formerly="finder",
    )
    certainty: float = parameter(
        0.5,
        "Least fraction of a molecule in the map of the network that counts as a detection.",
        label="Detection threshold",
        ge=0.05,
        le=1,
        only_if={"detector": ("network",)},
    )
    psf_fwhm_px: float | None = parameter(
        None,
        "Width of the PSF (full width at half maximum); measured from the movie if empty.",
        unit="camera px",
        ge=1.0,
        le=8.0,
        empty="measured",
    )
    drift: TableDrift = TableDrift()


def describe_localization(settings: LocalizationSettings, details: dict[str, float]) -> str:
    """Return sentences for the methods section of a paper."""
    width = details.get("psf_fwhm_px", settings.psf_fwhm_px or 0)
    if settings.detector == "single":
        how = "Spots that stand alone were found by a difference of Gaussians"
    else:
        how = f"Emitters were found in every frame by a neural network (weights {settings.weights})"
    return describe_corrections(settings, details) + (
        f"{how} and placed by a fit of Gaussian spots (full width {width:.3g} camera pixels, "
        "integrated over pixels), weighted by the noise that the movie shows."
        + (
            " Drift was corrected by redundant cross-correlation (Wang et al., Opt. Express 22, "
            "15982 (2014))."
            if settings.drift.correct
            else ""
        )
    )

"""Settings of the localization of emitters in single frames, for several methods."""

from __future__ import annotations

from typing import Literal

from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.networks.contract import Network
from napari_sofinet.preprocess.corrections import CalibrationSettings, describe_corrections

NETWORK = Network(
    "deepstorm",
    "Localisation (Deep-STORM)",
    "napari_sofinet.networks.deepstorm:deepstorm",
    reach_px=24,
    frames=1,
    task="napari_sofinet.training.task:EMITTERS",
)


class TableDrift(Settings):
    """Drift of the sample, found in the table."""

    correct: bool = parameter(
        False,
        "Find the drift by comparing pictures of parts of the table, and move emitters back.",
    )
    block: int | None = parameter(
        None, "Frames of a part.", empty="500 emitters or more", ge=2, le=1_000_000
    )


class LocalizationSettings(CalibrationSettings):
    """How emitters are found in frames."""

    weights: str = parameter(
        "deepstorm",
        "What the network was trained on: 'deepstorm' expects single molecules; or own weights.",
        basic=True,
        weights="deepstorm",
    )
    detector: Literal["network", "single"] = parameter(
        "network",
        "'network' also separates molecules whose spots overlap; 'single' finds those that stand "
        "alone, without a network, and fits each by itself.",
        basic=True,
        formerly="finder",
    )
    certainty: float = parameter(
        0.5, "Fraction of a molecule in the network's map from which it counts.", ge=0.05, le=1
    )
    psf_fwhm_px: float | None = parameter(
        None,
        "Width of the PSF (full width at half maximum); measured where empty.",
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

"""Settings of posterior sampling."""

from __future__ import annotations

from napari_sofinet.base.settings import parameter
from napari_sofinet.networks.schedules import Schedule
from napari_sofinet.preprocess.corrections import MovieSettings


class DdpmSettings(MovieSettings):
    """Samples of the structures that fit a movie, and their spread."""

    weights: str = parameter(
        "ddpm-universal",
        "Weights of the network: 'ddpm-universal' draws samples around the picture of sofinet, "
        "from about 20 frames, 'ddpm-emitters' around that of deepstorm, frame by frame; or your "
        "own weights.",
        basic=True,
        weights="ddpm",
    )
    samples: int = parameter(
        16,
        "Number of samples; time and disk space grow with it.",
        label="Number of samples",
        basic=True,
        ge=4,
        le=256,
    )
    seed: int = parameter(
        0, "Random seed: the same seed gives the same samples.", label="Random seed", ge=0, lt=2**31
    )
    steps: int = parameter(
        12,
        "Number of steps from noise to a sample.",
        label="Steps per sample",
        ge=4,
        le=100,
        not_if={"schedule": ("paper",)},
    )
    schedule: Schedule = parameter(
        "full",
        "'full' starts from noise; 'guided' starts from the network's picture with added noise "
        "and stays closer to it; 'paper' takes the 100 steps of Seitz and Liu, which do not start "
        "from pure noise.",
        label="Sampling schedule",
    )
    psf_fwhm_px: float | None = parameter(
        None,
        "Width of the PSF (full width at half maximum), for emitters; measured from the movie if "
        "empty.",
        unit="camera px",
        ge=1.0,
        le=8.0,
        empty="measured",
    )

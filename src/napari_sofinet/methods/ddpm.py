"""Posterior samples: structures that would all fit a movie, drawn by diffusion.

The guided diffusion of C. Seitz, J. Liu, "Uncertainty-aware localization microscopy by variational
diffusion" (2024), from raw pixels: the picture of another network and the movie itself are the
condition.
"""

from __future__ import annotations

from napari_sofinet.base.progress import Report
from napari_sofinet.base.settings import parameter
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.contract import Method
from napari_sofinet.networks.contract import Network
from napari_sofinet.networks.schedules import Schedule
from napari_sofinet.preprocess.corrections import MovieSettings, describe_corrections


class DdpmSettings(MovieSettings):
    """Samples of what the truth behind a network's picture may be, and how far they differ."""

    weights: str = parameter(
        "ddpm-universal",
        "Whose picture is doubted: 'ddpm-universal' that of sofinet, from 20 frames or so; "
        "'ddpm-emitters' that of deepstorm, frame by frame; or own weights.",
        basic=True,
        weights="ddpm",
    )
    samples: int = parameter(
        16, "Pictures that are drawn; time and disk grow with them.", basic=True, ge=4, le=256
    )
    seed: int = parameter(
        0, "Seed of the samples: the same one gives the same samples.", ge=0, lt=2**31
    )
    steps: int = parameter(12, "Steps from noise to a sample.", ge=4, le=100)
    schedule: Schedule = parameter(
        "full",
        "'full' begins in noise; 'guided' at the first guess with some noise, and keeps closer to "
        "it; 'paper' takes the 100 steps of Seitz and Liu, which do not begin in noise.",
    )
    psf_fwhm_px: float | None = parameter(
        None,
        "Width of the PSF (full width at half maximum), for emitters; measured where empty.",
        unit="camera px",
        ge=1.0,
        le=8.0,
        empty="measured",
    )


def ddpm(movie: Movie, settings: DdpmSettings, report: Report, device: str) -> Reconstruction:
    """Draw posterior samples; see `posterior_samples`."""
    from napari_sofinet.methods.posterior_samples import posterior_samples  # imports torch

    return posterior_samples(NETWORK, movie, settings, report, device)


def describe(settings: DdpmSettings, details: dict[str, float]) -> str:
    """Sentence for a methods section."""
    how = {
        "full": f"{settings.steps} steps from noise",
        "guided": f"{settings.steps} steps from the first guess with noise",
        "paper": "100 steps as published",
    }[settings.schedule]
    return describe_corrections(settings, details) + (
        f"{settings.samples} samples of the structure were drawn by conditional diffusion (weights "
        f"{settings.weights}, {how}, seed {settings.seed}; after Seitz and Liu, 2024) around a "
        "neural network's picture; their mean and their spread are shown."
    )


NETWORK = Network(
    "ddpm",
    "Posterior samples (diffusion)",
    "napari_sofinet.networks.diffusion:DiffusionNet",
    reach_px=20,
    task="napari_sofinet.training.task:POSTERIOR",
)
METHOD = Method(
    "ddpm",
    "Posterior samples (diffusion)",
    DdpmSettings,
    ddpm,
    describe,
    gives=("image", "samples"),
    needs=("torch", "safetensors"),
    network=NETWORK,
)

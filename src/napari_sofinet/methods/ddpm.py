"""Posterior samples: structures that would all fit a movie, drawn by diffusion.

The guided diffusion of C. Seitz, J. Liu, "Uncertainty-aware localization microscopy by variational
diffusion" (2024), from raw pixels: the picture of another network and the movie itself are the
condition.
"""

from __future__ import annotations

from napari_sofinet.base.progress import Report
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.posterior_settings import DdpmSettings
from napari_sofinet.networks.contract import Network
from napari_sofinet.preprocess.corrections import describe_corrections


def ddpm(movie: Movie, settings: DdpmSettings, report: Report, device: str) -> Reconstruction:
    """Draw posterior samples, see `posterior_samples`."""
    from napari_sofinet.methods.posterior_samples import posterior_samples  # imports torch

    return posterior_samples(NETWORK, movie, settings, report, device)


def describe(settings: DdpmSettings, details: dict[str, float]) -> str:
    """Return sentences for the methods section of a paper."""
    how = {
        "full": f"{settings.steps} steps from noise",
        "guided": f"{settings.steps} steps from this picture with noise",
        "paper": "100 steps as published",
    }[settings.schedule]
    return describe_corrections(settings, details) + (
        f"{settings.samples} samples of the structure were drawn by conditional diffusion (weights "
        f"{settings.weights}, {how}, seed {settings.seed}; after Seitz and Liu, 2024) around a "
        "neural network's picture; their mean and their spread are shown."
    )


NETWORK = Network(
    "ddpm",
    "Possible structures (diffusion)",
    "napari_sofinet.networks.diffusion:DiffusionNet",
    reach_px=20,
    task="napari_sofinet.training.task:POSTERIOR",
)
METHOD = Method(
    "ddpm",
    "Possible structures (diffusion)",
    DdpmSettings,
    ddpm,
    describe,
    gives=("image", "samples"),
    needs=("torch", "safetensors"),
    network=NETWORK,
    tag="ddpm",
)

"""Training data of a network that finds emitters."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from napari_sofinet.base.progress import Report
from napari_sofinet.data.movie import Movie
from napari_sofinet.training.data import Samples
from napari_sofinet.training.emitters import emitter_samples
from napari_sofinet.training.loop import of_output
from napari_sofinet.training.losses import map_loss
from napari_sofinet.training.settings import EmitterTrainingSettings
from napari_sofinet.training.training_data import HELD_OUT_FRAMES, HELD_OUT_SEED, TrainingData


def emitter_data(
    net: torch.nn.Module,
    settings: EmitterTrainingSettings,
    movies: Sequence[Movie],
    report: Report,
) -> TrainingData:
    """Return simulated frames of single emitters.

    Parameters
    ----------
    net : torch.nn.Module
        Not used.
    settings : EmitterTrainingSettings
        Settings of the training.
    movies : sequence of Movie
        Not used.
    report : Report
        Not used.

    Returns
    -------
    TrainingData
        Frames and maps of their emitters.
    """
    s = settings

    def make(step: int, count: int = s.batch) -> Samples:
        return emitter_samples(s, count, s.seed + step)

    return TrainingData(
        make,
        [("emitters", make(HELD_OUT_SEED, HELD_OUT_FRAMES))],
        lambda step: make(HELD_OUT_SEED + 1 + step),
        {
            "psf_fwhm_px": (2.3548 * s.psf_sigma_min, 2.3548 * s.psf_sigma_max),
            "density_per_px2": (0.0, s.density_max),
            "photons": (s.photons_min, s.photons_max),
        },
        f"simulated frames, PSF sigma {s.psf_sigma_min:g} to {s.psf_sigma_max:g} px, "
        f"{s.density_min:g} to {s.density_max:g} emitters per px², {s.photons_min:g} to "
        f"{s.photons_max:g} photons",
        "It expects single emitters that look like the PSF of the microscope in focus.",
        of_output(map_loss),
    )

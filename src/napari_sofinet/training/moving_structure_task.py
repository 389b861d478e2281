"""Training data of a network that shows moving structures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from napari_sofinet.base.progress import Report
from napari_sofinet.data.movie import Movie
from napari_sofinet.training.data import Samples
from napari_sofinet.training.dynamics import dynamics_samples, dynamics_sequences
from napari_sofinet.training.loop import Loss, of_output
from napari_sofinet.training.losses import sequence_loss, structure_loss
from napari_sofinet.training.settings import DynamicsTrainingSettings
from napari_sofinet.training.structure_shapes import FILLED
from napari_sofinet.training.training_data import (
    HELD_OUT_FRAMES,
    HELD_OUT_SEED,
    TrainingData,
    no_calibration,
)

HELD_OUT_SEQUENCES = 8


def structure_data(
    net: torch.nn.Module,
    settings: DynamicsTrainingSettings,
    movies: Sequence[Movie],
    report: Report,
) -> TrainingData:
    """Return single pictures for `BlinkNet`, or sequences for the network of the DBlink paper.

    Parameters
    ----------
    net : torch.nn.Module
        Network to be trained; its attribute ``recurrent`` states whether it takes sequences.
    settings : DynamicsTrainingSettings
        Settings of the training.
    movies : sequence of Movie
        Not used.
    report : Report
        Not used.

    Returns
    -------
    TrainingData
        Simulated localizations and pictures of the structures.
    """
    s, sequences = settings, net.recurrent
    draw = dynamics_sequences if sequences else dynamics_samples

    def make(step: int) -> Samples:
        return draw(s, s.batch, s.seed + step)

    kinds = ("filaments", "mitochondria") if s.structure == "both" else (s.structure,)
    held_out = []
    for kind in kinds:
        alike = s.model_copy(update={"structure": kind})
        count = HELD_OUT_SEQUENCES if sequences else HELD_OUT_FRAMES
        held_out.append((kind, draw(alike, count, HELD_OUT_SEED)))
    what = "filaments or mitochondria" if s.structure == "both" else s.structure
    return TrainingData(
        make,
        held_out,
        lambda step: make(HELD_OUT_SEED + 1 + step),
        _ranges(s),
        f"simulated localisations of moving {what}",
        f"It expects {what} with sharp outlines that change slowly. Localisations of "
        "other structures are drawn as the most similar of these.",
        _sequence_loss(s) if sequences else of_output(structure_loss),
        calibrate=no_calibration,
        flip_rotate=False,
        show=_show_middle if sequences else None,
    )


def _ranges(s: DynamicsTrainingSettings) -> dict[str, tuple[float, float]]:
    # Filled shapes blink less often than lines.
    least = s.blinks_min * (1 if s.structure == "filaments" else FILLED)
    return {
        "blinks_per_window": (least, s.blinks_max),
        "error_samples": (s.error_min, s.error_max),
        "speed_per_window": (0.0, s.speed_max),
    }


def _sequence_loss(s: DynamicsTrainingSettings) -> Loss:
    def loss(out: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return sequence_loss(out, target, s.steady, s.smooth)

    return of_output(loss)


def _show_middle(net: torch.nn.Module, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean map of the first sequence, and the picture of its middle window."""
    maps = samples.frames[:1].to(next(net.parameters()).device)
    with torch.inference_mode():
        pictures = net(maps)[0].float().cpu()
    return maps[0].mean(dim=0).cpu().numpy(), pictures[len(pictures) // 2].numpy()

"""What a network learns from, and what it is validated and calibrated on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from napari_sofinet.networks.weights import Uncertainty
from napari_sofinet.training.calibration import calibrate
from napari_sofinet.training.data import Samples
from napari_sofinet.training.loop import Loss

HELD_OUT_SEED = 2**31
HELD_OUT_MOVIES = 24
HELD_OUT_FRAMES = 64

Calibration = Callable[[torch.nn.Module, Iterable[Samples]], Uncertainty | None]


def no_calibration(net: torch.nn.Module, batches: Iterable[Samples]) -> None:
    """For networks that expect no error."""


@dataclass(frozen=True)
class TrainingData:
    """Samples to learn from, and what a card says of them.

    Parameters
    ----------
    make : callable
        Given the number of a step; returns its samples.
    held_out : list of (str, Samples)
        Samples of each kind that are never learnt from.
    fresh : callable
        Given a number; returns samples that were neither learnt from nor held out.
    ranges : dict
        Lowest and highest values of the movies' characteristics.
    description, prior : str
        What was simulated, and what a user should expect of the network.
    loss : Loss
        What is to be small.
    calibrate : callable, optional
        Measures how far the truth lies from the network's pictures.
    flip_rotate : bool, optional
        Whether the spread of pictures of the movie in eight orientations is calibrated, too.
    show : callable, optional
        Given the network and samples; returns what is known of the first one, and the network's
        picture of it. By default these are samples of movies.
    estimate, estimate_sha256 : str, optional
        Weights whose pictures the network starts from.
    """

    make: Callable[[int], Samples]
    held_out: list[tuple[str, Samples]]
    fresh: Callable[[int], Samples]
    ranges: dict[str, tuple[float, float]]
    description: str
    prior: str
    loss: Loss
    calibrate: Calibration = calibrate
    flip_rotate: bool = True
    show: Callable[[torch.nn.Module, Samples], tuple[np.ndarray, np.ndarray]] | None = None
    estimate: str | None = None
    estimate_sha256: str | None = None

"""Data on which a network is trained, validated and calibrated."""

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
    """Return nothing, for networks that expect no error."""


@dataclass(frozen=True)
class TrainingData:
    """Samples for training, and their description in the card of the weights.

    Parameters
    ----------
    make : callable
        Returns the samples of a step, given its number.
    held_out : list of (str, Samples)
        Samples of each kind on which the network is validated and never trained.
    fresh : callable
        Returns samples that are neither trained on nor held out, given a number.
    ranges : dict
        Lowest and highest values of characteristics of the movies.
    description, prior : str
        Description of the data, and of the prior that a user should expect.
    loss : Loss
        Loss function.
    calibrate : callable, optional
        Measures the errors of the network on samples.
    flip_rotate : bool, default True
        Whether the spread of the pictures of a movie in eight orientations is calibrated, too.
    show : callable, optional
        Returns a picture of the input of the first sample and the output of the network for it,
        given the network and samples. By default samples are movies.
    estimate, estimate_sha256 : str, optional
        Name and digest of the weights that make the pictures from which the network starts.
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

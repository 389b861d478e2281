"""Validation of a network while it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from napari_sofinet.networks.weights import Uncertainty
from napari_sofinet.training.calibration import calibrate
from napari_sofinet.training.data import Samples
from napari_sofinet.training.loop import Training
from napari_sofinet.training.settings import LearningSettings
from napari_sofinet.training.training_data import TrainingData


@dataclass(frozen=True)
class Progress:
    """Progress of a training: losses, and the picture of a sample that is held out.

    Parameters
    ----------
    trained : list of (int, float)
        Steps and their losses.
    held_out : list of (int, float)
        Steps and the losses of the averaged weights on samples that are held out.
    mean : ndarray
        (Y, X) mean of the frames of the sample, or another picture of its input.
    picture, target : ndarray
        (2Y-1, 2X-1) picture of the network and target.
    """

    trained: list[tuple[int, float]]
    held_out: list[tuple[int, float]]
    mean: np.ndarray
    picture: np.ndarray
    target: np.ndarray


class Validation:
    """Validation on samples that are held out, which keeps the best weights.

    Parameters
    ----------
    training : Training
        State of the training.
    data : TrainingData
        Samples that are held out.
    settings : LearningSettings
        Steps between validations, and the number without improvement after which it is enough.
    show : callable, optional
        Called with a `Progress` at every validation.
    """

    def __init__(
        self,
        training: Training,
        data: TrainingData,
        settings: LearningSettings,
        show: Callable[[Progress], None] | None,
    ) -> None:
        self.training, self.data, self.settings, self.show = training, data, settings, show
        self.losses: list[tuple[int, float]] = []
        self.kinds: dict[str, float] = {}
        self.epochs_without_improvement = 0
        self._validated_at = -1

    def after_step(self) -> None:
        """Validate where it is time."""
        step = self.training.step
        if step != self._validated_at and step % self.settings.validate_every == 0:
            self.validate()

    def enough(self) -> bool:
        """Return whether there was no improvement for long."""
        return self.epochs_without_improvement >= self.settings.patience

    def validate(self) -> None:
        """Measure the loss of the averaged weights and keep them if they are the best."""
        training = self.training
        if training.step == self._validated_at:
            return
        self._validated_at = training.step
        sums, total, picture = {}, 0, (np.zeros(0), np.zeros(0))
        with training.averaged() as net:
            for kind, samples in self.data.held_out:
                sums[kind] = training.measure(net, samples)
                total += len(samples.frames)
            if self.show is not None:
                picture = self._picture(net)
        mean = sum(sums[kind] * len(samples.frames) for kind, samples in self.data.held_out) / max(
            total, 1
        )
        self.losses.append((training.step, mean))
        if mean < training.least:
            training.least, self.kinds, self.epochs_without_improvement = mean, sums, 0
            training.best = {k: v.clone() for k, v in training.average.items()}
        else:
            self.epochs_without_improvement += 1
        if self.show is not None:
            target = self._example().target[0].numpy()
            self.show(
                Progress(
                    [(n + 1, a) for n, (a, _) in enumerate(training.losses)],
                    list(self.losses),
                    *picture,
                    # The middle of a sequence.
                    target if target.ndim == 2 else target[len(target) // 2],
                )
            )

    def _picture(self, net: torch.nn.Module) -> tuple[np.ndarray, np.ndarray]:
        """Return a picture of the input of a sample, and the picture of the network."""
        samples = self._example()
        if self.data.show is not None:
            return self.data.show(net, samples)
        frames = samples.frames.to(next(net.parameters()).device)
        with torch.inference_mode():
            out = net(frames)
        return samples.frames[0].mean(dim=0).numpy(), out[0, 0].float().cpu().numpy()

    def _example(self) -> Samples:
        """Return the sample that is shown: the one with most structure, as some are empty."""
        samples = self.data.held_out[0][1]
        flat = samples.target.flatten(1).float()
        number = int(flat.std(dim=1).argmax())
        one = slice(number, number + 1)
        return Samples(samples.frames[one], samples.target[one], samples.settings[one])

    def calibration(self, batches: int) -> Uncertainty | None:
        """Calibrate the best weights on fresh samples.

        Parameters
        ----------
        batches : int
            Number of batches.

        Returns
        -------
        Uncertainty or None
            None for a network that expects no error.
        """
        return self.data.calibrate(self.best(), (self.data.fresh(k) for k in range(batches)))

    def flip_rotate_calibration(self, batches: int) -> Uncertainty | None:
        """Calibrate the spread of pictures in eight orientations, see `calibration`."""
        if not self.data.flip_rotate:
            return None
        fresh = (self.data.fresh(k) for k in range(batches))
        return calibrate(self.best(), fresh, flip_rotate=True)

    def best(self) -> torch.nn.Module:
        """Return the network with its best weights, in evaluation mode."""
        net = self.training.net
        net.load_state_dict(self.training.best)
        return net.eval()

    def by_kind(self) -> dict[str, float]:
        """Return the loss of the best weights for each kind of sample."""
        return {f"held_out_loss_{kind}": round(loss, 5) for kind, loss in self.kinds.items()}

"""Training loop of all networks."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.networks.weights import write_tensors
from napari_sofinet.training.data import Samples
from napari_sofinet.training.losses import picture_loss

UNCERTAINTY = 0.05
"""Weight of the likelihood relative to the loss of the picture."""
AT_ONCE_PX = 200_000
"""Pixels of the part of a batch that is used at a time: a step can be left between two parts."""

Pair = tuple[float, float]
"""Loss of the picture, and negative log likelihood."""
Loss = Callable[[nn.Module, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def of_output(
    loss: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
) -> Loss:
    """Return the loss of a network whose output alone is compared with the target.

    Parameters
    ----------
    loss : callable
        Function of output and target that returns the loss of the picture and the negative log
        likelihood.

    Returns
    -------
    callable
        Function of network, input and target.
    """
    return lambda net, frames, target: loss(net(frames), target)


PICTURE = of_output(picture_loss)


@dataclass(frozen=True)
class Plan:
    """Plan of a training.

    Parameters
    ----------
    steps : int
        Number of steps.
    minutes : float, optional
        Time in minutes after which the training ends if that comes first.
    learning_rate : float, default 0.001
        Learning rate after the warm-up, which decreases to one hundredth.
    warm_up : int, default 100
        Number of steps in which the learning rate increases.
    average : float, default 0.998
        Weight of the former average in the running average of the weights.
    clip : float, default 1
        Largest norm of a gradient.
    checkpoint_s : float, default 300
        Time in s after which the state is saved again.
    half : bool, default False
        Whether to compute in bfloat16 where that is safe.
    loss : callable, optional
        Function of network, input and target that returns the loss of the picture, and the negative
        log likelihood of the truth under the network's own estimate of its error (or 0).
    """

    steps: int
    minutes: float | None = None
    learning_rate: float = 1e-3
    warm_up: int = 100
    average: float = 0.998
    clip: float = 1.0
    checkpoint_s: float = 300.0
    half: bool = False
    loss: Loss = PICTURE


class OtherTraining(Exception):
    """The saved state belongs to a training with other settings or data."""


class Training:
    """State of a training: a network, the running average of its weights, and the optimizer.

    The averaged weights are the ones to use. The whole state is saved as one safetensors file, so
    that a killed training goes on where it was saved.

    Parameters
    ----------
    net : torch.nn.Module
        Network to be trained.
    plan : Plan
        Duration, learning rate and loss.
    identity : str, optional
        Text that differs from that of trainings with other settings or data.

    Attributes
    ----------
    step : int
        Number of steps that were taken.
    spent_s : float
        Time in s that they took.
    losses : list of tuple
        Loss of the picture and likelihood in each step.
    best : dict
        Averaged weights that did best on samples that are held out.
    least : float        Loss of these weights on the same samples.
    """

    def __init__(self, net: nn.Module, plan: Plan, identity: str = "") -> None:
        self.net, self.plan = net, plan
        self.step = 0
        self.average = {k: v.detach().clone() for k, v in net.state_dict().items()}
        self.optimizer = torch.optim.AdamW(net.parameters(), lr=plan.learning_rate)
        self.losses: list[tuple[float, float]] = []
        self.spent_s = 0.0
        self.identity = identity
        self.best: dict[str, torch.Tensor] = {}
        self.least = math.inf

    @property
    def done(self) -> float:
        """Fraction of the plan that is done, by steps or by time."""
        by_time = self.spent_s / (60 * self.plan.minutes) if self.plan.minutes else 0.0
        return min(max(self.step / self.plan.steps, by_time), 1.0)

    def rate(self) -> float:
        """Return the learning rate of the present step: warm-up, then half a cosine to 1 %."""
        p = self.plan
        warm = min((self.step + 1) / p.warm_up, 1.0)
        return p.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.done)))

    def learn(self, samples: Samples, between: Callable[[], None] = lambda: None) -> Pair:
        """Take one step.

        Parameters
        ----------
        samples : Samples
            Batch on the device of the network.
        between : callable, optional
            Called before every part of the batch; it may raise an exception to leave the step.

        Returns
        -------
        tuple of float
            Loss of the picture and negative log likelihood.

        Raises
        ------
        InputError
            The loss is not finite.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.zero_grad(set_to_none=True)
        count = len(samples.frames)
        part = max(AT_ONCE_PX // samples.frames[0].numel(), 1)
        sums = [0.0, 0.0]
        for frames, target in zip(
            samples.frames.split(part), samples.target.split(part), strict=True
        ):
            between()
            picture, likelihood = self._losses(self.net, frames, target)
            fraction = len(frames) / count
            (fraction * (picture + UNCERTAINTY * likelihood)).backward()
            sums[0] += fraction * float(picture.detach())
            sums[1] += fraction * float(likelihood.detach())
        if not math.isfinite(sums[0] + sums[1]):
            raise InputError("The training diverges; use a lower learning rate.")
        nn.utils.clip_grad_norm_(self.net.parameters(), self.plan.clip)
        self.optimizer.step()
        self.step += 1
        keep = min(self.plan.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - keep)
                else:  # a counter
                    self.average[name].copy_(value)
        return sums[0], sums[1]

    def _losses(
        self, net: nn.Module, frames: torch.Tensor, target: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(frames.device.type, torch.bfloat16, enabled=self.plan.half):
            return self.plan.loss(net, frames, target)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """Give the network its averaged weights inside a ``with`` statement."""
        own = {k: v.clone() for k, v in self.net.state_dict().items()}
        self.net.load_state_dict(self.average)
        try:
            yield self.net.eval()
        finally:
            self.net.load_state_dict(own)
            self.net.train()

    def measure(self, net: nn.Module, samples: Samples) -> float:
        """Return the loss of a network on samples without training it.

        Random numbers in the loss are the same every time.
        """
        device = next(net.parameters()).device
        frames, target = samples.frames.to(device), samples.target.to(device)
        part = max(AT_ONCE_PX // frames[0].numel(), 1)
        loss = 0.0
        with torch.inference_mode(), torch.random.fork_rng([device] if device.index else []):
            torch.manual_seed(0)
            for some, aim in zip(frames.split(part), target.split(part), strict=True):
                loss += float(self._losses(net, some, aim)[0]) * len(some)
        return loss / len(frames)

    def run(
        self,
        samples: Iterator[Samples],
        checkpoint: Path,
        report: Report = silent,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        """Train until the end of the plan.

        Parameters
        ----------
        samples : iterator of Samples
            Batches on the device of the network.
        checkpoint : Path
            File in which the state is saved regularly, and at the end.
        report : Report, optional
            Called with the progress, also inside a step; it may raise `Cancelled`.
        enough : callable, optional
            Called before every step; the training ends where it returns True.
        """
        saved = before = time.monotonic()
        recent = 0.0
        message = "first step"

        def between() -> None:
            report(self.done, message)

        try:
            for batch in samples:
                if self.done >= 1 or enough():
                    break
                loss = self.learn(batch, between)
                now = time.monotonic()
                self.spent_s, before = self.spent_s + now - before, now
                self.losses.append(loss)
                recent = loss[0] if recent == 0 else 0.98 * recent + 0.02 * loss[0]
                message = f"step {self.step}, error {recent:.4f} (lower is better)"
                report(self.done, message)
                if time.monotonic() - saved > self.plan.checkpoint_s:
                    self.save(checkpoint)
                    saved = time.monotonic()
        finally:
            if self.step:
                self.save(checkpoint)

    def save(self, path: Path) -> None:
        """Write the whole state as one safetensors file."""
        tensors = {f"net.{k}": v for k, v in self.net.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        names = [name for name, _ in self.net.named_parameters()]
        for number, state in self.optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"adam.{names[number]}.{key}"] = torch.as_tensor(value)
        state_of = {
            "step": str(self.step),
            "spent_s": str(self.spent_s),
            "least": str(self.least),
            "identity": self.identity,
            "losses": json.dumps([tuple(round(v, 5) for v in pair) for pair in self.losses]),
        }
        write_tensors(path, {k: v.clone() for k, v in tensors.items()}, state_of)

    def load(self, path: Path) -> None:
        """Go on from a state written by `save`.

        Raises
        ------
        OtherTraining
            The state is that of a training with another identity.
        """
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            if metadata["identity"] != self.identity:
                raise OtherTraining
            tensors: dict[str, Any] = {key: file.get_tensor(key) for key in file.keys()}
        self.net.load_state_dict(_part(tensors, "net."))
        self.average = _part(tensors, "average.")
        self.best, self.least = _part(tensors, "best."), float(metadata["least"])
        self.step, self.spent_s = int(metadata["step"]), float(metadata["spent_s"])
        self.losses = [tuple(pair) for pair in json.loads(metadata["losses"])]
        state: dict[int, dict[str, Any]] = {}
        for number, (name, _) in enumerate(self.net.named_parameters()):
            own = _part(tensors, f"adam.{name}.")
            if own:
                state[number] = own
        full = self.optimizer.state_dict()
        self.optimizer.load_state_dict({"state": state, "param_groups": full["param_groups"]})


def _part(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

"""Refinement of a fitted picture by a critic that compares drawn frames with those of a movie."""

from __future__ import annotations

import torch

from napari_sofinet.networks.critic import Critic, critic_loss
from napari_sofinet.networks.moment_fit import MomentFit

LEARNING_RATE, MOMENTA = 2e-4, (0.0, 0.9)
AVERAGED = 0.9
"""Share of the previous slopes that is kept, as those of few frames are noisy."""


class AdversarialFit:
    """A critic and a fit that take turns.

    Frames are compared in units of the movie's standard deviation about its mean, in which the
    critic's slope is 1, so that its term and the fidelity have the same unit.

    Parameters
    ----------
    fit : MomentFit
        The picture so far.
    frames : torch.Tensor
        (T, Y, X) in photons.
    batch : int
        Frames of the movie, and drawn ones, that are compared in each step.
    seed : int
        Seed of all that is drawn, and of the critic.
    """

    def __init__(self, fit: MomentFit, frames: torch.Tensor, batch: int, seed: int) -> None:
        self.fit, self.frames, self.batch = fit, frames, batch
        model = self.model = fit.model
        self.random = torch.Generator(model.device).manual_seed(seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.critic = Critic(model.shape).to(model.device)
        self.optimizer = torch.optim.Adam(self.critic.parameters(), lr=LEARNING_RATE, betas=MOMENTA)
        self._deviation = fit.found.variance.sqrt()
        self._slopes: tuple[torch.Tensor, torch.Tensor] | None = None
        self._steps = 0
        self.distance = 0.0

    def train_critic(self) -> None:
        """Train the critic by one step."""
        drawn = self.model.draw(self.fit.x, self.fit.b, self.batch, self.random)
        self._train(self._scaled(drawn.frames))

    def step(self, size: float) -> None:
        """Train the critic by one step, and take a step of the picture; see `MomentFit.step`."""
        model, fit = self.model, self.fit
        drawn = model.draw(fit.x, fit.b, self.batch, self.random)
        frames = self._scaled(drawn.frames)
        self._train(frames)
        frames.requires_grad_()
        (slopes,) = torch.autograd.grad(self.critic(frames).sum(), frames)
        new = model.gradients(drawn, slopes / self._deviation, fit.x)
        old = self._slopes or (torch.zeros_like(new[0]), torch.zeros_like(new[1]))
        by_x, by_b = (AVERAGED * a + (1 - AVERAGED) * b for a, b in zip(old, new, strict=True))
        self._slopes = by_x, by_b
        self._steps += 1
        early = 1 - AVERAGED**self._steps
        fit.step(size, (-by_x / early, -by_b / early), weights=False)

    def _train(self, drawn: torch.Tensor) -> None:
        picked = torch.randint(
            len(self.frames), (self.batch,), generator=self.random, device=self.model.device
        )
        loss, distance = critic_loss(
            self.critic, self._scaled(self.frames[picked]), drawn, self.random
        )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.distance = float(distance)

    def _scaled(self, frames: torch.Tensor) -> torch.Tensor:
        return (frames - self.fit.found.mean) / self._deviation

"""Steps that raise the likelihood of the covariance, for a batch of tiles."""

from __future__ import annotations

import torch

from napari_sofinet.covariance.likelihood import TileModel, likelihood

LEAST, MOST = -30.0, 30.0
"""Limits of the logarithm of the amounts relative to the noise."""
START = 0.2
MOST_BALANCE = 4.0
"""Largest correction of an amount."""
TOLERANCE = 1e-5
"""Loss of likelihood per pattern that counts as rounding."""


class Ascent:
    """Accelerated multiplicative steps.

    A step multiplies the amounts by ``sqrt(above / below)`` of `likelihood`, which raises the
    likelihood for any starting point (minorization; Stoica, Babu and Li, IEEE Trans. Signal
    Process. 59, 629 (2011)). Steps in the logarithm get momentum (Nesterov), which starts anew
    where the likelihood falls: 30 steps go as far as several hundred without it.

    Parameters
    ----------
    model : TileModel
        Optics.
    sample : Tensor
        (B, patterns, patterns) sample covariances.
    noise : Tensor
        (B, patterns, patterns) covariance of the noise.
    """

    def __init__(self, model: TileModel, sample: torch.Tensor, noise: torch.Tensor) -> None:
        self.model, self.sample, self.noise = model, sample, noise
        own = noise.diagonal(dim1=1, dim2=2)
        excess = (sample.diagonal(dim1=1, dim2=2) - own).clamp_min(0).mean(dim=1)
        start = START * (excess + 0.01 * own.mean(dim=1))
        shape = len(sample), model.y.points, model.x.points
        self.amounts = start.log()[:, None, None].expand(shape).clone()
        self.previous = self.amounts.clone()
        self.unit = own.mean(dim=1).log()[:, None, None]
        self.value = torch.full_like(start, -torch.inf)
        self.age = torch.ones_like(start)
        self.momentum = torch.zeros_like(start)
        self.noise_ratio = (torch.zeros_like(own), torch.ones_like(own))

    def step(self) -> None:
        """Take one step; tiles whose likelihood fell go back and lose their momentum."""
        ahead = self.amounts + self.momentum[:, None, None] * (self.amounts - self.previous)
        found = likelihood(self.model, ahead.exp(), self.noise, self.sample)
        self.noise_ratio = found.noise_above, found.noise_below
        ratio = found.above.clamp_min(1e-12) / found.below.clamp_min(1e-12)
        moved = ahead + 0.5 * ratio.log()
        moved = torch.maximum(torch.minimum(moved, self.unit + MOST), self.unit + LEAST)
        fell = (found.value < self.value - TOLERANCE * self.model.patterns) & (self.momentum > 0)
        keep = fell[:, None, None]
        self.previous = self.amounts
        self.amounts = torch.where(keep, self.amounts, moved)
        self.value = torch.where(fell, self.value, found.value)
        older = (1 + (1 + 4 * self.age**2).sqrt()) / 2
        self.momentum = torch.where(fell, 0.0, (self.age - 1) / older)
        self.age = torch.where(fell, 1.0, older)

    def picture(self) -> torch.Tensor:
        """Return the variance of the light of every grid point, (B, points, points)."""
        return self.model.picture(self.amounts.exp())

    def balanced(self, noise: torch.Tensor, frames: int) -> torch.Tensor:
        """Return `picture` whose light fluctuates as much as that of the movie, PSF by PSF.

        The likelihood weakens an emitter that is no exact point on the grid: what it smears is
        missing in the movie. One multiplicative step of least squares restores the amount without
        a change of the fine structure; where noise hides the amount, nothing changes.

        Parameters
        ----------
        noise : Tensor
            (B, patterns, patterns) covariance of the noise alone, without errors of the model.
        frames : int
            Frames that the covariances are from, less those for means.
        """
        expected = self.model.quadratic(self.model.covariance(self.amounts.exp()))
        seen = self.model.quadratic(self.sample - noise)
        unsure = (2 / frames) ** 0.5 * (expected + self.model.quadratic(noise))
        ratio = (seen.clamp_min(0) + unsure) / (expected + unsure).clamp_min(1e-30)
        return self.picture() * ratio.clamp(1 / MOST_BALANCE, MOST_BALANCE)

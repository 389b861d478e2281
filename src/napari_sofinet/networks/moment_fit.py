"""Fit of the double-Poisson model to the mean and the covariance of a movie.

The covariance enters by its Gaussian likelihood in overlapping tiles, so that every pair of pixels
counts as much as it is sure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_sofinet.networks.double_poisson import DoublePoisson
from napari_sofinet.networks.movie_statistics import Statistics
from napari_sofinet.networks.tiling import Tile

LEAST, MOST = 1e-9, 1e15
"""Least and greatest number of emitters of a sample. The least lets scaled steps raise it again.
The greatest holds before the brightness is known, when emitters count as one photon each."""
MODEL_ERROR = 0.02
"""Relative error of the mean that counts as noise: no PSF and no gain is known better."""
START = 0.2
"""Fraction of the fluctuations that the fit starts with, spread evenly."""
BACKGROUND_STEPS = 3
ROUGHEST = 3.0
"""Least length over which the background is smooth, in widths of the PSF."""
SPARSITY_LIMITS = 1e-4, 0.02
"""Limits of the weight of the emitters' sum, over the slope of the fit at the emitters. The amount
of light is too low by up to the second."""
AWAY_WIDTHS = 2.5
"""Length in widths of the PSF from which on light counts as background for the brightness."""


@dataclass(frozen=True, eq=False)
class _Slopes:
    """Gradient ``below - above`` of the fit by x, divided by the number of frames.

    ``misfit`` is the mean square of what is left of the movie, in units of what is expected.
    """

    below: torch.Tensor
    above: torch.Tensor
    misfit: float


class MomentFit:
    """Emitters and background whose mean and covariance are those of a movie.

    Block-coordinate proximal gradient: steps of the emitters ``x`` and of the background ``b`` take
    turns. The fidelity is in units of the known noise. The weights of the two other terms follow
    from the movie: both are raised as long as what is left of the movie is not more than its noise
    (discrepancy principle), the sum of x by the covariance, the roughness of b by the mean.

    Parameters
    ----------
    model : DoublePoisson
        The model; its brightness is set by `find_brightness`.
    found : Statistics
        Statistics of the movie.
    check : callable, optional
        Called between tiles; may raise to stop.
    """

    def __init__(
        self, model: DoublePoisson, found: Statistics, check: Callable[[], None] = lambda: None
    ) -> None:
        self.model, self.found, self.check = model, found, check
        self._parts = [_part(model, tile) for tile in found.tiles]
        excess = float((found.variance - found.noise).clamp(min=0).mean())
        level = START * max(excess, 0.01 * float(found.noise.mean())) / model.brightness**2
        self.x = torch.full(model.fine_shape, level, device=model.device)
        self.b = found.mean.clamp(min=0)
        self.sparsity = 0.0
        unsure = found.frames * (MODEL_ERROR * found.mean).square()
        self._weight = 1 / (found.variance + unsure)
        self._waves = tuple(_cosines(n).to(model.device) for n in model.shape)
        along = [(2 - 2 * torch.cos(torch.pi * torch.arange(n) / n)) for n in model.shape]
        self._rough = (along[0][:, None] + along[1]).to(model.device)
        self._shortest = (ROUGHEST * model.fwhm_px) ** 2
        self._longest = max(self._shortest, float(max(model.shape)) ** 2)
        self.smoothness = self._shortest * float(self._weight.mean())
        self._before: torch.Tensor | None = None
        self._age = 1.0

    @property
    def light(self) -> torch.Tensor:
        """Mean photons of the emitters of every sample, (fY, fX) with the margin."""
        return self.model.brightness * self.x

    def covariance_step(self) -> None:
        """Take an accelerated step by the covariance alone, which needs no brightness.

        Each step multiplies x by the root of the ratio of both parts of the slope, which never
        lowers the likelihood (Stoica, Babu and Li, IEEE Trans. Signal Process. 59, 629 (2011)).
        """
        now = self.x.log()
        older = (1 + (1 + 4 * self._age**2) ** 0.5) / 2
        before = now if self._before is None else self._before
        ahead = now + (self._age - 1) / older * (now - before)
        slopes = self._by_covariance(ahead.exp())
        ratio = slopes.above.clamp(min=1e-20) / slopes.below.clamp(min=1e-20)
        moved = ahead + 0.5 * ratio.log()
        self._before, self._age = now, older
        self.x = moved.exp().clamp(min=LEAST, max=MOST)

    def find_brightness(self) -> float:
        """Set the brightness to that which explains both the mean and the covariance.

        The fluctuations give ``brightness² x``, the mean ``brightness x`` and a background, which
        is set apart by its smoothness.

        Returns
        -------
        float
            Photons of an emitter that is on for a whole frame.
        """
        model = self.model
        sigma = AWAY_WIDTHS * model.fwhm_px
        pictures = [model.blurred(model.brightness**2 * self.x), self.found.mean]
        fluctuation, mean = (
            one - torch.from_numpy(gaussian_filter(one.cpu().numpy(), sigma)).to(one)
            for one in pictures
        )
        shared = float((fluctuation * mean).sum())
        ratio = float(fluctuation.square().sum()) / max(shared, 1e-12)
        new = float(np.clip(ratio, 1e-3, 1e6)) if shared > 0 else model.brightness
        self.x = (self.x * (model.brightness / new) ** 2).clamp(min=LEAST)
        model.brightness = new
        left = (self.found.mean - new * model.blurred(self.x)).clamp(min=0).cpu().numpy()
        self.b = torch.from_numpy(gaussian_filter(left, sigma / 2)).to(self.b)
        return new

    def step(
        self,
        size: float,
        also: tuple[torch.Tensor, torch.Tensor] | None = None,
        weights: bool = True,
    ) -> None:
        """Take one step of the background and one of the emitters.

        Parameters
        ----------
        size : float
            Step size, at most 1; scaled for each sample by its value and slope.
        also : (torch.Tensor, torch.Tensor), optional
            Further gradients by x and b for one frame, as those of a critic; limited to the size
            of the fit's own, as they are noisy.
        weights : bool, optional
            Whether to adapt the weights of sparsity and smoothness.
        """
        left = self._background_step(0.0 if also is None else also[1])
        slopes = self._slopes()
        if weights:
            self._adapt(slopes, left)
        scale = size * self.x / slopes.below.clamp(min=1e-20)
        slope = slopes.below - slopes.above
        if also is not None:
            slope = slope + torch.minimum(torch.maximum(also[0], -slopes.below), slopes.below)
        self.x = (self.x - scale * slope - scale * self.sparsity).clamp(min=LEAST)

    def part(self, window: Tile, found: Statistics) -> MomentFit:
        """Return the fit of what a tile sees, at the present state and weights.

        Parameters
        ----------
        window : Tile
            Tile of the field.
        found : Statistics
            Statistics of what it sees, with their covariance.
        """
        model, seen, _, _ = _part(self.model, window)
        model.brightness, model.read_noise = self.model.brightness, self.model.read_noise
        part = MomentFit(model, found, self.check)
        part.x, part.b = self.x[seen].clone(), self.b[window.window].clone()
        part.sparsity, part.smoothness = self.sparsity, self.smoothness
        return part

    def take(self, part: MomentFit, window: Tile) -> None:
        """Take over the own part of a tile and the weights from its fit, see `part`."""
        _, _, own, inside = _part(self.model, window)
        self.x[own] = part.x[inside]
        rows, columns = window.place()
        self.b[rows, columns] = part.b[window.inside()]
        self.sparsity, self.smoothness = part.sparsity, part.smoothness

    def _background_step(self, by_b: torch.Tensor | float) -> float:
        """Take steps of the background, and return the misfit of the mean."""
        weight = self._weight
        most = float(weight.max())
        light = self.model.brightness * self.model.blurred(self.x) - self.found.mean
        for _ in range(BACKGROUND_STEPS):
            slope = weight * (light + self.b) + by_b
            slope = self._in_waves(slope) + self.smoothness * self._rough * self._in_waves(self.b)
            step = self._from_waves(slope / (most + self.smoothness * self._rough))
            self.b = (self.b - step).clamp(min=0)
        return self.found.frames * float(((light + self.b).square() * weight).mean())

    def _slopes(self) -> _Slopes:
        """Return the slopes by mean and covariance."""
        model, weight = self.model, self._weight
        both = self._by_covariance(self.x)
        expected = model.brightness * model.blurred(self.x) + self.b
        below = both.below + model.brightness * model.spread(weight * expected)
        mean = self.found.mean.clamp(min=0)
        above = both.above + model.brightness * model.spread(weight * mean)
        return _Slopes(below, above, both.misfit)

    def _by_covariance(self, x: torch.Tensor) -> _Slopes:
        below, above = torch.zeros_like(x), torch.zeros_like(x)
        misfit, pixels = 0.0, 0
        for (part, seen, own, inside), tile, sample in zip(
            self._parts, self.found.tiles, self.found.samples, strict=True
        ):
            part.brightness = self.model.brightness
            noise = self.found.noise[tile.window].reshape(-1)
            expected = part.fluctuations(x[seen])
            expected.diagonal().add_(noise)
            inverse = torch.cholesky_inverse(torch.linalg.cholesky(expected))
            both = inverse @ sample
            below[own] = 0.5 * part.quadratic(inverse)[inside]
            above[own] = 0.5 * part.quadratic(both @ inverse)[inside]
            misfit += float(both.diagonal().sum())
            pixels += len(noise)
            self.check()
        return _Slopes(below, above, misfit / pixels)

    def _adapt(self, slopes: _Slopes, left: float) -> None:
        """Raise or lower the weights until what is left of the movie is its noise."""
        pixels, frames = self.b.numel(), self.found.frames
        unit = float((slopes.below * self.x).sum() / self.x.sum())
        spread = (2 / (frames * pixels)) ** 0.5
        low, high = (unit * limit for limit in SPARSITY_LIMITS)
        change = 1.25 if slopes.misfit < 1 + spread else 0.8
        self.sparsity = float(np.clip(max(self.sparsity, 10 * low) * change, low, high))
        allowed = 1 + (2 / pixels) ** 0.5
        scale = float(self._weight.mean())
        smoother = self.smoothness * float(np.clip(allowed / max(left, 1e-9), 0.8, 1.25))
        limits = self._shortest * scale, self._longest * scale
        self.smoothness = float(np.clip(smoother, *limits))

    def _in_waves(self, image: torch.Tensor) -> torch.Tensor:
        waves: torch.Tensor = self._waves[0] @ image @ self._waves[1].T
        return waves

    def _from_waves(self, waves: torch.Tensor) -> torch.Tensor:
        image: torch.Tensor = self._waves[0].T @ waves @ self._waves[1]
        return image


Windows = tuple[slice, slice]


def _part(model: DoublePoisson, tile: Tile) -> tuple[DoublePoisson, Windows, Windows, Windows]:
    """Return the model of what a tile sees, and its fine samples.

    These are: those that it sees in the field's, its own in the field's, its own in those that it
    sees. Tiles at the edge own the margin there.
    """
    f, m = model.fineness, model.margin
    part = DoublePoisson(tile.shape, f, model.fwhm_px, margin=m, device=model.device)
    seen, own, inside = [], [], []
    for (first, last), (a, b), length in zip(tile.seen, tile.own, model.shape, strict=True):
        seen.append(slice(f * first, f * (last + 2 * m)))
        start = f * (a + m) if a else 0
        stop = f * (b + m) if b < length else f * (length + 2 * m)
        own.append(slice(start, stop))
        inside.append(slice(start - f * first, stop - f * first))
    return part, (seen[0], seen[1]), (own[0], own[1]), (inside[0], inside[1])


def _cosines(length: int) -> torch.Tensor:
    """Return the orthonormal cosines of a line of pixels, (frequency, pixel)."""
    k = torch.arange(length, dtype=torch.float64)
    waves = torch.cos(torch.pi * k[:, None] * (k + 0.5) / length) * (2 / length) ** 0.5
    waves[0] /= 2**0.5
    return waves.to(torch.float32)

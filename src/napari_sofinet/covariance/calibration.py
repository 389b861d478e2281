"""PSF width, noise, sieve and number of steps, found by the likelihood of some tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from napari_sofinet.covariance.ascent import Ascent
from napari_sofinet.covariance.likelihood import TileModel, likelihood_value

FWHM = 2.3548
WIDTH_STEPS, NOISE_STEPS = 20, 15
SIEVE, NARROW_SIEVE = 0.11, 0.04
"""Sieves in standard deviations of the PSF. A narrower one breaks lines into dots, but shows the
amounts of bright single emitters, which the wider one describes badly."""
WORTH = 0.005
"""Fraction of what emitters explain of the frames left out by which the narrow sieve must win."""
MOST_LOSS = 0.01
"""Fraction of what emitters explain of the frames left out that more steps may lose."""
STEPS = (12, 16, 20, 25, 30, 40)
NARROWEST_PX, WIDEST_PX = 1.2, 9.0
RATIO = 1.05
UNSURE_WIDTH = 0.05

ModelOf = Callable[[float, float], TileModel]
"""Returns the optics for a standard deviation of the PSF and one of the sieve, in camera pixels."""


@dataclass(frozen=True)
class Width:
    """Width of the PSF.

    Parameters
    ----------
    fwhm_px : float
        Full width at half maximum in camera pixels.
    error_px : float
        Its standard error, infinite where the likelihood has no maximum.
    """

    fwhm_px: float
    error_px: float

    @property
    def sure(self) -> bool:
        """Whether the standard error is below 5 %."""
        return self.error_px < UNSURE_WIDTH * self.fwhm_px


def find_width(
    model_of: ModelOf,
    sample: torch.Tensor,
    noise: torch.Tensor,
    frames: int,
    start_px: float,
    strides: Sequence[int] = (4, 2, 1),
    check: Callable[[], None] = lambda: None,
) -> Width:
    """Find the width of the PSF that is likeliest.

    Parameters
    ----------
    model_of : callable
        Makes the optics.
    sample, noise : Tensor
        (B, pixels, pixels) sample covariances and (B, pixels) noise of some tiles.
    frames : int
        Frames that the covariances are from, less those for means.
    start_px : float
        Width to start from.
    strides : sequence of int, optional
        Steps of the search, in 5 %.
    check : callable, optional
        Called between steps; may raise to stop.
    """
    known: dict[int, float] = {}
    unit = np.log(RATIO)

    def fit(k: int) -> float:
        if k not in known:
            sigma = start_px * np.exp(k * unit) / FWHM
            model = model_of(sigma, SIEVE * sigma)
            ascent = Ascent(model, sample, model.noise(noise))
            for _ in range(WIDTH_STEPS):
                ascent.step()
                check()
            known[k] = 0.5 * frames * float(ascent.value.double().sum())
        return known[k]

    best, low = 0, int(np.floor(np.log(NARROWEST_PX / start_px) / unit))
    high = int(np.ceil(np.log(WIDEST_PX / start_px) / unit))
    for stride in strides:
        while True:
            near = [k for k in (best - stride, best, best + stride) if low <= k <= high]
            found = max(near, key=fit)
            if found == best:
                break
            best = found
    return _peak(known, best, start_px, unit)


def _peak(known: dict[int, float], best: int, start_px: float, unit: float) -> Width:
    """Return the top of the parabola through the likeliest width and its neighbours."""
    if best - 1 not in known or best + 1 not in known:
        return Width(float(start_px * np.exp(best * unit)), float("inf"))
    before, top, after = (known[k] for k in (best - 1, best, best + 1))
    bend = before - 2 * top + after
    if not bend < 0:
        return Width(float(start_px * np.exp(best * unit)), float("inf"))
    at = best + 0.5 * (before - after) / bend
    fwhm = float(start_px * np.exp(at * unit))
    return Width(fwhm, float(fwhm * unit / np.sqrt(-bend)))


def find_noise(
    model: TileModel,
    sample: torch.Tensor,
    light: torch.Tensor,
    more: torch.Tensor,
    check: Callable[[], None] = lambda: None,
) -> tuple[float, float]:
    """Find the noise that is likeliest: its increase with the light, and that of the darkest place.

    Both take the same multiplicative steps as the amounts. Few steps are taken, since later ones
    explain noise by emitters.

    Parameters
    ----------
    model : TileModel
        Optics.
    sample : Tensor
        (B, pixels, pixels) sample covariances.
    light : Tensor
        (B, pixels) mean above that of the darkest place, >= 0.
    more : Tensor
        (B, pixels) further variance, which is known.
    check : callable, optional
        Called between steps; may raise to stop.

    Returns
    -------
    gain : float
        Variance per light, in counts.
    dark : float
        Variance at the darkest place, in counts**2.
    """
    variance = sample.diagonal(dim1=1, dim2=2)
    dark = float(variance.reshape(-1).kthvalue(max(1, variance.numel() // 50)).values)
    gain = max(float((variance - dark).clamp_min(0).sum() / light.sum().clamp_min(1e-9)) / 3, 1e-6)
    ascent = Ascent(model, sample, model.noise(gain * light + dark + more))
    for _ in range(NOISE_STEPS):
        ascent.step()
        check()
        above, below = ascent.noise_ratio
        gain *= float(((above * light).sum() / (below * light).sum().clamp_min(1e-20)).sqrt())
        dark *= float((above.sum() / below.sum()).sqrt())
        ascent.noise = model.noise(gain * light + dark + more)
    return gain, dark


def find_strength(
    model_of: ModelOf,
    sigma_px: float,
    folds: Sequence[tuple[torch.Tensor, torch.Tensor]],
    noise: torch.Tensor,
    check: Callable[[], None] = lambda: None,
) -> tuple[float, int, float]:
    """Find the sieve and the number of steps by the likelihood of frames left out of the fit.

    The likelihood changes little over many steps. The largest number is taken whose loss against
    the best one is within its chance, since more steps separate close lines.

    Parameters
    ----------
    model_of : callable
        Makes the optics.
    sigma_px : float
        Standard deviation of the PSF in camera pixels.
    folds : sequence of (Tensor, Tensor)
        Sample covariances of the frames that are fitted, and of those left out.
    noise : Tensor
        (B, pixels) noise.
    check : callable, optional
        Called between steps; may raise to stop.

    Returns
    -------
    sieve : float
        Standard deviation of the sieve in that of the PSF.
    steps : int
        Number of steps.
    gain : float
        Likelihood per frame of the frames left out over that of noise without emitters.
    """
    empty = sum(float(_without(noise, left).sum()) for _, left in folds) / 2 / len(folds)
    scores = []
    for sieve in (SIEVE, NARROW_SIEVE):
        model = model_of(sigma_px, sieve * sigma_px)
        score = dict.fromkeys(STEPS, 0.0)
        for fitted, left in folds:
            matrix = model.noise(noise)
            ascent = Ascent(model, fitted, matrix)
            for step in range(1, max(STEPS) + 1):
                ascent.step()
                check()
                if step in STEPS:
                    value = likelihood_value(model, ascent.amounts.exp(), matrix, left)
                    score[step] += 0.5 * float(value.double().sum()) / len(folds)
        scores.append(score)
    wide, narrow = (max(score.values()) for score in scores)
    better = narrow - wide > WORTH * max(wide - empty, 0) > 0
    score, best = (scores[1], narrow) if better else (scores[0], wide)
    enough = [step for step in STEPS if score[step] >= best - MOST_LOSS * max(best - empty, 0)]
    return NARROW_SIEVE if better else SIEVE, max(enough), best - empty


def _without(noise: torch.Tensor, left: torch.Tensor) -> torch.Tensor:
    """Return the likelihood (B,) of noise without emitters."""
    diagonal = left.diagonal(dim1=1, dim2=2)
    return -(noise.log() + diagonal / noise).double().sum(dim=1)

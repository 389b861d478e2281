"""Calibration of the errors of networks on movies on which they were not trained."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import torch

from napari_sofinet.networks.device import has_fast_16_bits
from napari_sofinet.networks.diffusion import DiffusionNet
from napari_sofinet.networks.orientations import ORIENTATIONS, orient, orient_back
from napari_sofinet.networks.prior_estimate import PriorEstimate
from napari_sofinet.networks.sample_summary import summary
from napari_sofinet.networks.sampling import Posterior
from napari_sofinet.networks.weights import Uncertainty
from napari_sofinet.training.data import Samples

EDGES = 0.0, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, np.inf
"""Limits of the bands of brightness."""
COVERED = 0.9
"""Fraction of the truth that intervals should contain."""
FEWEST = 200
"""Sufficient number of samples for a quantile in a band of brightness."""
SHOWS, MOST_STRETCHED = 0.1, 5.0
"""Brightness from which something is visible, and the factor by which intervals are stretched at
most."""
MARGIN_PX = 6
"""Pixels at the border of a crop, where a network sees less than in the middle of a field."""


def calibrate(
    net: torch.nn.Module, batches: Iterable[Samples], flip_rotate: bool = False
) -> Uncertainty | None:
    """Measure the errors of a network relative to the errors that it expects.

    Where a picture is 0, the truth nearly always is 0 as well; the darkest band starts above 0.

    Parameters
    ----------
    net : torch.nn.Module
        Network that turns movies into pictures.
    batches : iterable of Samples
        Movies and their truth.
    flip_rotate : bool, default False
        Whether to calibrate the mean of the pictures of a movie in eight orientations, with their
        standard deviation as the expected error.

    Returns
    -------
    Uncertainty or None
        Quantiles of abs(truth - picture) / expected error in bands of brightness of the picture;
        None for a network that expects no error.
    """
    device = next(net.parameters()).device
    brightness: list[np.ndarray] = []
    ratios: list[np.ndarray] = []
    for samples in batches:
        frames = samples.frames.to(device)
        with torch.inference_mode():
            out = (_orientations(net, frames) if flip_rotate else net(frames)).float().cpu()
        if out.shape[1] < 2:
            return None
        inside = (..., slice(MARGIN_PX, -MARGIN_PX), slice(MARGIN_PX, -MARGIN_PX))
        picture = out[:, 0].clamp(min=0)[inside].numpy().ravel()
        expected = torch.exp(out[:, 1].clamp(-8, 4))[inside].numpy().ravel()
        truth = samples.target[inside].numpy().ravel()
        brightness.append(picture)
        ratios.append(np.abs(truth - picture) / expected)
    return _table(brightness, ratios)


def calibrate_samples(
    net: DiffusionNet, batches: Iterable[Samples], count: int, steps: int
) -> Uncertainty | None:
    """Measure by how much intervals between quantiles of posterior samples must be stretched.

    Parameters
    ----------
    net : DiffusionNet
        Network that draws samples.
    batches : iterable of Samples
        Conditions and the truth.
    count : int
        Number of samples that are drawn.
    steps : int
        Steps in which a sample is drawn.

    Returns
    -------
    Uncertainty or None
        Factors, in bands of brightness of the mean, by which intervals must be stretched from the
        mean so that they contain 90 % of the truth where the mean or the truth is visible; None if
        nothing is visible.
    """
    device = str(next(net.parameters()).device.type)
    brightness: list[np.ndarray] = []
    ratios: list[np.ndarray] = []
    edge = MARGIN_PX * net.fineness
    inside = slice(edge, -edge), slice(edge, -edge)
    for number, samples in enumerate(batches):
        for b, truth in enumerate(samples.target.numpy()):
            conditions = samples.frames[b : b + 1]
            first = PriorEstimate(conditions[:, : net.fineness**2], conditions)
            posterior = Posterior(net, first, device, has_fast_16_bits(device), lambda f: None)
            seeds = [(number, b, k) for k in range(count)]
            drawn = np.stack([p.numpy() for _, p in posterior.samples(seeds, "full", steps)])
            rows, columns = truth.shape
            expected = posterior.expected((number, b, count)).numpy()[:rows, :columns]
            maps = summary(drawn[:, :rows, :columns], expected, None, lambda f: None)
            mean, low, high = (maps[name][inside] for name in ("image", "lower", "upper"))
            away = truth[inside] - mean
            reach = np.maximum(np.where(away > 0, high - mean, mean - low), 1e-4)
            shows = (np.maximum(mean, truth[inside]) > SHOWS) & (mean > EDGES[1])
            brightness.append(mean[shows])
            ratios.append(np.minimum(np.abs(away) / reach, MOST_STRETCHED)[shows])
    return _table(brightness, ratios)


def _table(brightness: list[np.ndarray], ratios: list[np.ndarray]) -> Uncertainty | None:
    """Return quantiles of ratios in bands of brightness."""
    values, ratio = np.concatenate(brightness), np.concatenate(ratios)
    centres, widths = [], []
    for low, high in pairwise(EDGES):
        inside_band = (values > low) & (values <= high)
        if inside_band.sum() >= FEWEST:
            centres.append(float(np.median(values[inside_band])))
            widths.append(float(np.quantile(ratio[inside_band], COVERED)))
    if not centres:
        return None
    return Uncertainty(
        brightness=tuple(round(c, 4) for c in centres),
        half_width=tuple(round(w, 4) for w in widths),
        share=COVERED,
    )


def _orientations(net: torch.nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Return mean and logarithm of the standard deviation (B, 2, 2Y-1, 2X-1) of eight pictures."""
    pictures = torch.stack(
        [
            orient_back(net(orient(frames, turn))[:, 0].float(), turn).clamp(min=0)
            for turn in range(ORIENTATIONS)
        ]
    )
    spread = 0.5 * pictures.var(dim=0).clamp(min=1e-7).log()
    return torch.stack([pictures.mean(dim=0), spread], dim=1)

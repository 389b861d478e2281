"""What a training step makes small."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import nn

from napari_sofinet.networks.diffusion import DiffusionNet

Loss = Literal["mixed", "l1", "mse", "fourier"]
LEAST_LIGHT = 10.0
"""Of a map with about three emitters: maps with none count as much as these."""
LEAST_STRUCTURE = 100.0
"""Samples of structure: crops with less count as if they had as much."""
DRAWS = 2
"""Levels of noise that are learnt from each condition of a batch."""
DECISIVE = 0.02, 1.0
"""Levels of noise at which it is settled what a sample shows."""
MEAN_WEIGHT = 0.2
"""Of places, so that the loss is of the same size whatever a condition shows."""
FULLY_OPEN = 0.1
"""How far the truth may be from a first guess where that counts as much as what is bright."""
DARK_WEIGHT = 0.05
"""Of places where a first guess shows nothing, beside 1 where it is bright: they are far more."""
AMPLITUDES = 0.1
"""Weight of the amplitudes in the mixed loss; they keep fine detail from being smeared."""


def picture_loss(
    out: torch.Tensor, target: torch.Tensor, kind: Loss = "mixed"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of the picture and of its own estimate of error.

    Parameters
    ----------
    out
        (B, 2, Y, X): picture and the logarithm of its expected absolute error; or (B, 1, Y, X), the
        picture alone.
    target
        (B, Y, X).
    kind
        ``"mixed"``: mean |difference| + 2 difference² + 0.1 |difference of Fourier amplitudes|;
        ``"l1"``, ``"mse"``: the first, or the square alone; ``"fourier"``: differences of
        amplitudes and of phases, the latter taken the short way round the circle (Komen et al.
        (2024), who do not).

    Returns
    -------
    The loss, and the negative log likelihood of a Laplace distribution whose width is the estimate;
    the latter leaves the picture alone.
    """
    picture = out[:, 0].float()
    difference = picture - target
    if kind == "l1":
        loss = difference.abs().mean()
    elif kind == "mse":
        loss = (difference**2).mean()
    else:
        spectra = [torch.fft.rfft2(image, norm="ortho") for image in (picture, target)]
        amplitudes = (spectra[0].abs() - spectra[1].abs()).abs().mean()
        if kind == "fourier":
            # The product's angle is the wrapped difference; at 0 it has no gradient to speak of.
            product = spectra[0] * spectra[1].conj()
            angles = torch.atan2(product.imag, product.real + 1e-12)
            loss = amplitudes + angles.abs().mean()
        else:
            loss = difference.abs().mean() + 2 * (difference**2).mean() + AMPLITUDES * amplitudes
    if out.shape[1] == 1:
        return loss, torch.zeros_like(loss)
    log_error = out[:, 1].float().clamp(-8, 4)
    error = difference.detach().abs()
    return loss, (error * torch.exp(-log_error) + log_error).mean()


def map_loss(out: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared difference of maps of emitters (B, 1, Y, X) to their targets (B, Y, X).

    Summed over a map and divided by its light: sparse and crowded frames count alike. And 0.
    """
    difference = out[:, 0].float() - target
    light = (target**2).sum(dim=(1, 2)) + LEAST_LIGHT
    loss = ((difference**2).sum(dim=(1, 2)) / light).mean()
    return loss, torch.zeros_like(loss)


def diffusion_loss(
    net: DiffusionNet, conditions: torch.Tensor, target: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """How well noise is taken off the truth's difference to a first guess, at random levels.

    Squared error over what the network cannot know at that level (Karras et al. (2022)), which is
    the same at all levels; places count more where the first guess shows something, or where the
    network says that the truth may be far from it. And the negative log likelihood of the truth
    around the first guess, normal with the network's spread.

    Parameters
    ----------
    conditions
        (B, C, Y, X), of which the first maps are the first guess, folded.
    target
        The truth (B, fY, fX).
    """
    from napari_sofinet.networks.diffusion import (
        LEAST_LEVEL,
        LEAST_SPREAD,
        MOST_LEVEL,
        MOST_SPREAD,
        folded,
    )

    samples = net.fineness**2
    guess = conditions[:, :samples]
    aim = folded(target, net.fineness)
    # A condition has an even number of pixels.
    missing = (0, guess.shape[3] - aim.shape[3], 0, guess.shape[2] - aim.shape[2])
    truth = (nn.functional.pad(aim, missing, mode="replicate") - guess)[:, None]
    # Evenly over the logarithm, in every batch; every other one where a sample takes its shape.
    number = len(truth) * DRAWS
    even = (
        torch.randperm(number, device=truth.device) + torch.rand(number, device=truth.device)
    ) / number
    decisive = torch.arange(number, device=truth.device) % 2 == 1
    low = torch.where(decisive, math.log(DECISIVE[0]), math.log(LEAST_LEVEL))
    high = torch.where(decisive, math.log(DECISIVE[1]), math.log(MOST_LEVEL))
    level = torch.exp(low + (high - low) * even).reshape(-1, DRAWS)
    each = level[..., None, None, None]
    noise = torch.randn(len(truth), DRAWS, *truth.shape[2:], device=truth.device)
    found, maps = net(conditions, truth + each * noise, level)
    seen = nn.functional.max_pool2d(guess.amax(dim=1, keepdim=True), 3, 1, 1).clamp(0, 1)
    base, spread = maps[:, None, 0], maps[:, None, 1]
    spread = spread.clamp(math.log(LEAST_SPREAD), math.log(MOST_SPREAD))
    open_ = (torch.exp(spread.detach()) - LEAST_SPREAD) / FULLY_OPEN
    weight = DARK_WEIGHT + torch.maximum(seen[:, None], open_.clamp(0, 1))
    doubt = 0.5 * ((truth - base) * torch.exp(-spread)) ** 2 + spread
    known = torch.exp(2 * spread.detach())
    error = (found - truth) ** 2 * (each**2 + known) / (each**2 * known)
    # Each condition counts the same: one emitter alone as much as a crowd.
    share = weight / weight.mean(dim=(1, 2, 3, 4), keepdim=True)
    return MEAN_WEIGHT * (error * share).mean(), (doubt * share).mean()


def sequence_loss(
    pictures: torch.Tensor, target: torch.Tensor, steady: float, smooth: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of DBlink, of sequences of pictures (B, T, Y, X) and the structure in them, 0 or 1.

    Mean over samples and pictures of

    - the squared difference to the structure;
    - ``steady`` times the absolute difference of a picture to the one before: what is there seldom
      changes from window to window;
    - ``smooth`` times the squared differences of a sample to the next below and to the right.

    The paper's scale is 255 times as large, and it sums the second term over 128 x 128 samples with
    a weight of 0.01: in our units ``steady`` is 0.01 x 128 x 128 / 255 = 0.64. Its ``smooth`` is
    0.002 (both from Saguy et al.'s program; their equation 1 has no weights). And 0.
    """
    pictures = pictures.float()
    samples = pictures.numel()
    loss = ((pictures - target) ** 2).mean()
    change = pictures.diff(dim=1).abs().sum()
    slopes = (pictures.diff(dim=2) ** 2).sum() + (pictures.diff(dim=3) ** 2).sum()
    loss = loss + (steady * change + smooth * slopes) / samples
    return loss, torch.zeros_like(loss)


def structure_loss(out: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared difference of pictures to the structure (B, Y, X) that is there, 0 or 1.

    Summed and divided by the amount of structure, so that sparse and dense scenes count; it is
    least where the picture is the probability of structure. The second number is the cross entropy
    of ``out[:, 1]``, the logit of the probability that structure is in a sample or next to it.
    """
    difference = out[:, 0].float() - target
    amount = target.sum(dim=(1, 2)) + LEAST_STRUCTURE
    loss = ((difference**2).sum(dim=(1, 2)) / amount).mean()
    near = torch.nn.functional.max_pool2d(target[:, None], 3, 1, 1)[:, 0]
    doubt = torch.nn.functional.binary_cross_entropy_with_logits(out[:, 1].float(), near)
    return loss, doubt

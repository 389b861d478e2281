"""Loss functions of the networks."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import nn

from napari_sofinet.networks.diffusion import DiffusionNet

Loss = Literal["mixed", "l1", "mse", "fourier"]
LEAST_LIGHT = 10.0
"""Sum of squares of a map with about three emitters: maps with fewer count as much as this."""
LEAST_STRUCTURE = 100.0
"""Number of samples of structure: crops with fewer count as much as this."""
DRAWS = 2
"""Number of levels of noise for each condition of a batch."""
DECISIVE = 0.02, 1.0
"""Limits of the levels of noise at which the content of a sample is decided."""
MEAN_WEIGHT = 0.2
"""Mean weight of a place, so that the size of the loss does not depend on the condition."""
FULLY_OPEN = 0.1
"""Spread of the truth around the prior estimate at which a place counts as much as bright ones."""
DARK_WEIGHT = 0.05
"""Weight of places where the prior estimate shows nothing, relative to bright ones: there are far
more of them."""
LEAST_BRIGHT = 0.15
"""Brightness of a volume to which it is scaled at least."""
AMPLITUDES = 0.1
"""Weight of the amplitudes in the mixed loss; they keep fine detail from being smeared."""


def picture_loss(
    out: torch.Tensor, target: torch.Tensor, kind: Loss = "mixed"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the loss of pictures and of the errors that a network expects.

    Parameters
    ----------
    out : torch.Tensor
        (B, 2, Y, X) picture and logarithm of its expected absolute error, or (B, 1, Y, X) the
        picture alone.
    target : torch.Tensor
        (B, Y, X).
    kind : {"mixed", "l1", "mse", "fourier"}, default "mixed"
        Mean of abs(difference) + 2 difference² + 0.1 abs(difference of Fourier amplitudes); the
        first term alone; the square alone; or differences of amplitudes and of phases, the latter
        the short way round the circle (unlike Komen et al. (2024)).

    Returns
    -------
    loss : torch.Tensor
        Loss of the picture.
    likelihood : torch.Tensor
        Negative log likelihood of a Laplace distribution of the expected width, without a gradient
        for the picture; 0 for a picture alone.

    Examples
    --------
    >>> import torch
    >>> out, target = torch.full((1, 1, 4, 4), 0.5), torch.zeros(1, 4, 4)
    >>> [float(value) for value in picture_loss(out, target, "mse")]
    [0.25, 0.0]
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


def volume_loss(out: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the loss of volumes, and of the errors that a network expects.

    Volumes are divided by the bright parts of the target, so that single points and filled bodies
    count alike.

    Parameters
    ----------
    out : torch.Tensor
        (B, 2, Z, Y, X) picture and logarithm of its expected absolute error.
    target : torch.Tensor
        (B, Z, Y, X).

    Returns
    -------
    loss, likelihood : torch.Tensor
        Mean of abs(difference) + 2 difference²; likelihood as in `picture_loss`.
    """
    difference = out[:, 0].float() - target
    highest = target.flatten(1).topk(max(target[0].numel() // 2000, 1), dim=1).values[:, -1]
    relative = difference / highest.clamp(min=LEAST_BRIGHT)[:, None, None, None]
    log_error = out[:, 1].float().clamp(-8, 4)
    error = difference.detach().abs()
    likelihood = (error * torch.exp(-log_error) + log_error).mean()
    return (relative.abs() + 2 * relative**2).mean(), likelihood


def map_loss(out: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the loss of maps of emitters.

    It is the squared difference, summed over a map and divided by the sum of squares of the target,
    so that sparse and crowded frames count alike.

    Parameters
    ----------
    out : torch.Tensor
        (B, 1, Y, X) maps.
    target : torch.Tensor
        (B, Y, X) maps.

    Returns
    -------
    loss, zero : torch.Tensor
        The loss, and 0 in place of a likelihood.
    """
    difference = out[:, 0].float() - target
    light = (target**2).sum(dim=(1, 2)) + LEAST_LIGHT
    loss = ((difference**2).sum(dim=(1, 2)) / light).mean()
    return loss, torch.zeros_like(loss)


def diffusion_loss(
    net: DiffusionNet, conditions: torch.Tensor, target: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the loss of a network that removes noise from the truth minus a prior estimate.

    Levels of noise are random. The squared error is divided by the part that the network cannot
    know at its level (Karras et al. (2022)), so that it is of the same size at all levels. Places
    count more where the prior estimate shows something, or where the network expects the truth to
    be far from it.

    Parameters
    ----------
    net : DiffusionNet
        The network.
    conditions : torch.Tensor
        (B, C, Y, X) conditions; the first maps are the prior estimate, folded.
    target : torch.Tensor
        (B, fY, fX) truth on a grid f times finer.

    Returns
    -------
    loss : torch.Tensor
        Weighted squared error.
    likelihood : torch.Tensor
        Negative log likelihood of the truth, normal around the prior estimate with the spread that
        the network expects.
    """
    from napari_sofinet.networks.diffusion import (
        LEAST_LEVEL,
        LEAST_SPREAD,
        MOST_LEVEL,
        MOST_SPREAD,
        folded,
    )

    samples = net.fineness**2
    estimate = conditions[:, :samples]
    aim = folded(target, net.fineness)
    # A condition has an even number of pixels.
    missing = (0, estimate.shape[3] - aim.shape[3], 0, estimate.shape[2] - aim.shape[2])
    truth = (nn.functional.pad(aim, missing, mode="replicate") - estimate)[:, None]
    # Evenly over the logarithm in every batch, every other one where a sample takes its shape.
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
    seen = nn.functional.max_pool2d(estimate.amax(dim=1, keepdim=True), 3, 1, 1).clamp(0, 1)
    base, spread = maps[:, None, 0], maps[:, None, 1]
    spread = spread.clamp(math.log(LEAST_SPREAD), math.log(MOST_SPREAD))
    open_ = (torch.exp(spread.detach()) - LEAST_SPREAD) / FULLY_OPEN
    weight = DARK_WEIGHT + torch.maximum(seen[:, None], open_.clamp(0, 1))
    likelihood = 0.5 * ((truth - base) * torch.exp(-spread)) ** 2 + spread
    known = torch.exp(2 * spread.detach())
    error = (found - truth) ** 2 * (each**2 + known) / (each**2 * known)
    # Each condition counts the same: one emitter alone as much as a crowd.
    weight = weight / weight.mean(dim=(1, 2, 3, 4), keepdim=True)
    return MEAN_WEIGHT * (error * weight).mean(), (likelihood * weight).mean()


def sequence_loss(
    pictures: torch.Tensor, target: torch.Tensor, steady: float, smooth: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the loss of DBlink for sequences of pictures.

    It is the mean over samples and pictures of

    - the squared difference from the structure;
    - ``steady`` times the absolute difference from the picture before: structures seldom change
      from window to window;
    - ``smooth`` times the squared differences from the next samples below and to the right.

    The scale of the paper is 255 times as large, and it sums the second term over 128 x 128 samples
    with a weight of 0.01: in the units used here, ``steady`` is 0.01 x 128 x 128 / 255 = 0.64. Its
    ``smooth`` is 0.002 (both from the program of Saguy et al.; their equation 1 has no weights).

    Parameters
    ----------
    pictures : torch.Tensor
        (B, T, Y, X) pictures.
    target : torch.Tensor
        (B, T, Y, X) structure, 0 or 1.
    steady, smooth : float
        Weights of the second and third terms.

    Returns
    -------
    loss, zero : torch.Tensor
        The loss, and 0 in place of a likelihood.
    """
    pictures = pictures.float()
    samples = pictures.numel()
    loss = ((pictures - target) ** 2).mean()
    change = pictures.diff(dim=1).abs().sum()
    slopes = (pictures.diff(dim=2) ** 2).sum() + (pictures.diff(dim=3) ** 2).sum()
    loss = loss + (steady * change + smooth * slopes) / samples
    return loss, torch.zeros_like(loss)


def structure_loss(out: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the loss of pictures of structures.

    It is the squared difference, summed and divided by the amount of structure, so that sparse and
    dense scenes count alike; it is least where the picture is the probability of structure.

    Parameters
    ----------
    out : torch.Tensor
        (B, 2, Y, X) picture, and logit of the probability of structure in a sample or next to it.
    target : torch.Tensor
        (B, Y, X) structure, 0 or 1.

    Returns
    -------
    loss : torch.Tensor
        Loss of the picture.
    likelihood : torch.Tensor
        Cross entropy of the probability.
    """
    difference = out[:, 0].float() - target
    amount = target.sum(dim=(1, 2)) + LEAST_STRUCTURE
    loss = ((difference**2).sum(dim=(1, 2)) / amount).mean()
    near = torch.nn.functional.max_pool2d(target[:, None], 3, 1, 1)[:, 0]
    return loss, torch.nn.functional.binary_cross_entropy_with_logits(out[:, 1].float(), near)

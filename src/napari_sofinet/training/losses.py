"""What a training step makes small."""

from __future__ import annotations

import torch


def picture_loss(
    out: torch.Tensor, target: torch.Tensor, fourier: float = 0.1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of the picture and of its own estimate of error.

    Parameters
    ----------
    out
        (B, 2, Y, X): picture and the logarithm of its expected absolute error.
    target
        (B, Y, X).
    fourier
        Weight of the difference of Fourier amplitudes, which keeps fine detail from being smeared.

    Returns
    -------
    Mean |difference| + 2 difference² + fourier |difference of amplitudes|, and the negative log
    likelihood of a Laplace distribution whose width is the estimate; the latter leaves the picture
    alone.
    """
    picture, log_error = out[:, 0].float(), out[:, 1].float().clamp(-8, 4)
    difference = picture - target
    amplitudes = [torch.fft.rfft2(image, norm="ortho").abs() for image in (picture, target)]
    loss = (
        difference.abs().mean()
        + 2 * (difference**2).mean()
        + fourier * (amplitudes[0] - amplitudes[1]).abs().mean()
    )
    error = difference.detach().abs()
    return loss, (error * torch.exp(-log_error) + log_error).mean()

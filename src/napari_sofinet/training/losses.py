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
        (B, 2, Y, X): picture and the logarithm of its expected absolute error; or (B, 1, Y, X), the
        picture alone.
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
    picture = out[:, 0].float()
    difference = picture - target
    amplitudes = [torch.fft.rfft2(image, norm="ortho").abs() for image in (picture, target)]
    loss = (
        difference.abs().mean()
        + 2 * (difference**2).mean()
        + fourier * (amplitudes[0] - amplitudes[1]).abs().mean()
    )
    if out.shape[1] == 1:
        return loss, torch.zeros_like(loss)
    log_error = out[:, 1].float().clamp(-8, 4)
    error = difference.detach().abs()
    return loss, (error * torch.exp(-log_error) + log_error).mean()

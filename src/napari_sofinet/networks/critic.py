"""The critic of FluoGAN: a network that tells frames of a movie from drawn ones.

As in M. Cachia, V. Stergiopoulou, L. Calatroni, S. Schaub, L. Blanc-Féraud, Inverse Problems 39,
054006 (2023), with the loss of I. Gulrajani et al., "Improved training of Wasserstein GANs" (2017).
"""

from __future__ import annotations

import torch
from torch import nn

CROPPED_PX = 1
HIDDEN = 10
PENALTY = 10.0
"""Weight of the deviation of the slope from 1, as in Improved training of Wasserstein GANs."""


class Critic(nn.Module):  # type: ignore[misc]
    """Network that gives one number for a frame: high for frames of the movie, low for drawn ones.

    Three times a convolution without padding, the maximum of 2 x 2 pixels and a leaky ReLU; then
    two linear layers. At 50 x 50 pixels and a kernel of 3 it has 113,173 parameters. The last layer
    is not limited by a sigmoid, which would take away the slope of 1 that the loss asks for.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of a frame; smaller ones than `side_min` are padded with zeros.
    kernel : int, optional
        Side of the convolutions.
    channels : int, optional
        Channels of the first layer; each further layer has twice as many.
    layers : int, optional
        Number of convolutions.
    """

    def __init__(
        self, shape: tuple[int, int], kernel: int = 3, channels: int = 32, layers: int = 3
    ) -> None:
        super().__init__()
        least = side_min(kernel, layers)
        rows, columns = (max(n, least) for n in shape)
        self.padding = (0, columns - shape[1], 0, rows - shape[0])
        sides = [n - 2 * CROPPED_PX for n in (rows, columns)]
        parts: list[nn.Module] = []
        before = 1
        for layer in range(layers):
            after = channels * 2**layer
            parts += [nn.Conv2d(before, after, kernel), nn.MaxPool2d(2), nn.LeakyReLU(0.2)]
            sides = [(n - kernel + 1) // 2 for n in sides]
            before = after
        self.features = nn.Sequential(*parts)
        self.score = nn.Sequential(
            nn.Linear(before * sides[0] * sides[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)
        )

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return a number for each frame (B, Y, X), as (B,)."""
        frames = nn.functional.pad(frames, self.padding)
        c = CROPPED_PX
        features = self.features(frames[:, None, c:-c, c:-c])
        score: torch.Tensor = self.score(features.flatten(1))[:, 0]
        return score


def side_min(kernel: int = 3, layers: int = 3) -> int:
    """Return the smallest side in pixels that leaves something after all layers.

    Examples
    --------
    >>> side_min()
    24
    """
    side = 1
    for _ in range(layers):
        side = 2 * side + kernel - 1
    return side + 2 * CROPPED_PX


def critic_loss(
    critic: Critic, real: torch.Tensor, drawn: torch.Tensor, random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of the critic (eq. 5), and the distance that it measures.

    Parameters
    ----------
    critic : Critic
        The network.
    real, drawn : torch.Tensor
        (B, Y, X) frames of the movie and of the model.
    random : torch.Generator
        Source of randomness.

    Returns
    -------
    loss : torch.Tensor
        Minus the distance, plus a penalty where the slope is not 1.
    distance : torch.Tensor
        Mean score of real frames minus that of drawn ones (Wasserstein distance at its maximum).
    """
    part = torch.rand((len(real), 1, 1), generator=random)
    mixed = (part * real + (1 - part) * drawn).requires_grad_()
    (slope,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    steep = slope.flatten(1).norm(dim=1)
    distance = critic(real).mean() - critic(drawn).mean()
    return PENALTY * (steep - 1).square().mean() - distance, distance.detach()

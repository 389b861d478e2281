"""Chunks of raw SIM stacks as `Rcan` takes them."""

from __future__ import annotations

import numpy as np
import torch

LEAST_OVER_NOISE = 8.0
"""Brightness over the noise that becomes 1 at least, so that noise alone stays small."""


def scale_of_exposures(exposures: np.ndarray, noise: float) -> float:
    """Return the counts that become 1: those of the brightest pixel, or above the noise.

    Parameters
    ----------
    exposures : ndarray
        (P, Z, Y, X) counts above the offset.
    noise : float
        Standard deviation of the noise per pixel.
    """
    return max(float(exposures.max()), LEAST_OVER_NOISE * noise, 1e-20)


def chunk_of(exposures: torch.Tensor, plane: int, planes: int) -> torch.Tensor:
    """Return the exposures of a plane and of those around it, plane by plane.

    Parameters
    ----------
    exposures : torch.Tensor
        (P, Z, Y, X).
    plane : int
        The middle plane.
    planes : int
        Number of planes, odd. Beyond the ends of the stack its last planes are repeated.

    Returns
    -------
    torch.Tensor
        (P planes, Y, X).
    """
    reach = planes // 2
    at = torch.arange(plane - reach, plane + reach + 1).clamp(0, exposures.shape[1] - 1)
    return exposures[:, at].transpose(0, 1).flatten(0, 1)

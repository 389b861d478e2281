"""Input of the network that refines SIM stacks, in units of its brightness."""

from __future__ import annotations

import numpy as np
import torch

from napari_sofinet.networks.axial import fold

BRIGHT = 0.9995
"""Quantile of a reconstruction that becomes 1."""
LEAST_OVER_NOISE = 8.0
"""Brightness over the noise that becomes 1 at least, so that noise alone stays small."""


def axial_maps(
    picture: np.ndarray, wide: np.ndarray, noise: float, scale: float | None = None
) -> tuple[torch.Tensor, float]:
    """Return the input of `AxialNet` for a stack.

    Parameters
    ----------
    picture : ndarray
        (Z, 2 Y, 2 X) classical reconstruction.
    wide : ndarray
        (Z, Y, X) mean of the exposures, in the same unit.
    noise : float
        Standard deviation of the noise in the reconstruction.
    scale : float, optional
        Brightness that becomes 1; by default that of bright parts of the picture.

    Returns
    -------
    maps : torch.Tensor
        (Z, 6, Y, X) float32.
    scale : float
        Brightness that became 1.
    """
    scale = scale_of(picture, noise) if scale is None else scale
    folded = fold(torch.from_numpy(picture / np.float32(scale))[None])[0]
    middle = torch.from_numpy(np.asarray(wide / np.float32(scale), np.float32))
    level = torch.full_like(middle, noise / scale)
    return torch.cat([folded, middle[:, None], level[:, None]], 1), scale


def scale_of(picture: np.ndarray, noise: float) -> float:
    """Return the brightness that becomes 1: that of bright parts, or above the noise.

    Parameters
    ----------
    picture : ndarray
        (Z, Y, X) classical reconstruction.
    noise : float
        Standard deviation of its noise.
    """
    return max(float(np.quantile(picture, BRIGHT)), LEAST_OVER_NOISE * noise, 1e-20)

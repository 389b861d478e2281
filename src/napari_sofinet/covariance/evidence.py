"""Where the covariance of neighbouring pixels proves that something blinks."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import binary_dilation, label, maximum

from napari_sofinet.covariance.likelihood import TileModel
from napari_sofinet.covariance.optics import pixel_light

SURE, POSSIBLE = 4.5, 2.5
"""Signal to noise that begins a region, and that continues it: noise alone reaches 4.5 less than
once in 100,000 independent places."""
REACH = 0.5
"""Distance in widths (FWHM) of the PSF around a region within which emitters may lie."""


def evidence(
    model: TileModel,
    noise: torch.Tensor,
    sample: torch.Tensor,
    frames: int,
    sigma_px: float,
) -> torch.Tensor:
    """Return the signal to noise of an emitter at each grid point, were it the only one.

    This is the score test of the likelihood at v = 0 from pairs of different pixels alone, so that
    it does not depend on how well the noise of single pixels is known.

    Parameters
    ----------
    model : TileModel
        Optics.
    noise : Tensor
        (B, pixels) noise.
    sample : Tensor
        (B, pixels, pixels) sample covariances.
    frames : int
        Frames that the covariances are from, less those for means.
    sigma_px : float
        Standard deviation of the PSF in camera pixels.

    Returns
    -------
    Tensor
        (B, points, points).
    """
    weight = 1 / noise
    # The pixels' own scatter, which bright emitters elsewhere in the tile increase.
    own = sample.diagonal(dim1=1, dim2=2)
    pairs = sample * weight[:, :, None] * weight[:, None, :]
    pairs = pairs - torch.diag_embed(pairs.diagonal(dim1=1, dim2=2))
    of_y, of_x = (
        torch.as_tensor(pixel_light(axis, sigma_px) ** 2, dtype=noise.dtype, device=noise.device)
        for axis in (model.y, model.x)
    )
    shape = len(noise), model.y.pixels, model.x.pixels
    scatter = (torch.maximum(own, noise) * weight**2).reshape(shape)
    once = of_y.T @ scatter @ of_x
    twice = (of_y**2).T @ scatter**2 @ of_x**2
    variance = 2 / frames * (once**2 - twice).clamp_min(1e-20 * float((weight**2).mean()))
    return model.quadratic(pairs) / variance.sqrt()


def believed(signal: np.ndarray, reach_px: float) -> np.ndarray:
    """Return where emitters may lie, by the evidence for them.

    Parameters
    ----------
    signal : ndarray
        (Y, X) signal to noise on the fine grid, from `evidence`.
    reach_px : float
        Distance in grid points around a region within which emitters may lie.

    Returns
    -------
    ndarray
        (Y, X) bool.
    """
    regions, count = label(signal > POSSIBLE, np.ones((3, 3)))
    if not count:
        return np.zeros(signal.shape, bool)
    highest = maximum(signal, regions, np.arange(count + 1))
    keep = highest > SURE
    keep[0] = False
    radius = max(round(reach_px), 1)
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(binary_dilation(keep[regions], y * y + x * x <= radius * radius))

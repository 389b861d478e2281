"""Optics: emitters to expected photons on the camera, and ideal images."""

from __future__ import annotations

import numpy as np
from scipy.special import erf

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


def render_gaussian(
    positions_px: np.ndarray,
    weights: np.ndarray,
    shape: tuple[int, int],
    fwhm_px: float,
    *,
    frame: np.ndarray | None = None,
    frames: int = 1,
) -> np.ndarray:
    """Sum of Gaussian spots integrated over pixels.

    Parameters
    ----------
    positions_px
        (n, 2) y, x; the centre of pixel (0, 0) is at (0, 0).
    weights
        (n,) total energy of each spot, e.g. photons.
    shape
        Rows and columns of the image.
    fwhm_px
        Full width at half maximum of the spot before pixel integration.
    frame, frames
        Image index of each spot and number of images; one image by default.

    Returns
    -------
    (frames, rows, columns) float64; a spot inside by 5 sigma keeps its energy to 1e-6.
    """
    rows, cols = shape
    which = np.zeros(len(positions_px), np.int64) if frame is None else frame
    out = np.zeros(frames * rows * cols)
    for first in range(0, len(positions_px), 20_000):  # bounds the memory of the spots' patches
        part = slice(first, first + 20_000)
        y, wy = _pixel_integrals(positions_px[part, 0], fwhm_px, rows)
        x, wx = _pixel_integrals(positions_px[part, 1], fwhm_px, cols)
        flat = (which[part, None, None] * rows + y[:, :, None]) * cols + x[:, None, :]
        energy = weights[part, None, None] * wy[:, :, None] * wx[:, None, :]
        low, high = int(flat.min()), int(flat.max()) + 1
        out[low:high] += np.bincount((flat - low).ravel(), energy.ravel(), high - low)
    return out.reshape(frames, rows, cols)


def _pixel_integrals(
    centre: np.ndarray, fwhm_px: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels near each centre and the share of a 1-D Gaussian that falls into each of them."""
    sigma = fwhm_px / FWHM_PER_SIGMA
    reach = int(np.ceil(5 * sigma + 0.5))
    pixel = np.rint(centre).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    edges = np.concatenate([pixel - 0.5, pixel[:, -1:] + 0.5], axis=1) - centre[:, None]
    share = 0.5 * np.diff(erf(edges / (sigma * np.sqrt(2.0))), axis=1)
    share[(pixel < 0) | (pixel >= size)] = 0.0
    return np.clip(pixel, 0, size - 1), share

"""Images of emitters with torch, at a cost that hardly depends on how many there are.

Spots are put on a grid three times finer than the camera, divided among the nearest samples, and
brought to the camera by two small matrix products per frame.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy.special import erf

from napari_sofinet.simulation.psf import FINENESS, FWHM_PER_SIGMA, Psf

GRID = 3  # fine samples per camera pixel; divides FINENESS
BLOCK_ROWS = 16
RANK_ERROR = 1e-3
"""Norm of what its sum of separable parts may leave out of a PSF, relative to that of the PSF."""


def render_frames(
    y_px: torch.Tensor,
    x_px: torch.Tensor,
    photons: torch.Tensor,
    frame: torch.Tensor,
    shape: tuple[int, int, int],
    margin: int,
    psf: Psf,
) -> torch.Tensor:
    """Return the expected photons of emitters on camera pixels.

    Parameters
    ----------
    y_px, x_px : torch.Tensor
        (n,) positions in camera pixels; the centre of pixel (0, 0) is at (0, 0).
    photons : torch.Tensor
        (n,) float32 photons of each.
    frame : torch.Tensor
        (n,) number of the frame of each.
    shape : tuple of int
        Frames, rows and columns.
    margin : int
        Camera pixels around the image in which emitters may lie; others are left out.
    psf : Psf
        Shape of a spot.

    Returns
    -------
    torch.Tensor
        (frames, rows, columns) float32.
    """
    frames, rows, columns = shape
    fine = [(side + 2 * margin) * GRID for side in (rows, columns)]
    grid = _on_grid(y_px, x_px, photons, frame, frames, fine, margin)
    movie = torch.zeros(shape, device=y_px.device)
    for down, across in _separable(psf, rows, columns, margin):
        movie += _through(grid, down, across)
    return movie.clamp_(min=0)  # the parts of an Airy pattern have both signs


def _on_grid(
    y_px: torch.Tensor,
    x_px: torch.Tensor,
    photons: torch.Tensor,
    frame: torch.Tensor,
    frames: int,
    fine: list[int],
    margin: int,
) -> torch.Tensor:
    """Return the photons (T, rows, columns) on the fine grid, divided among four samples each.

    Sample i of the fine grid lies at camera coordinate (i - (GRID - 1) / 2) / GRID - margin.
    """
    v = (y_px + margin) * GRID + (GRID - 1) / 2
    u = (x_px + margin) * GRID + (GRID - 1) / 2
    inside = (v >= 0) & (u >= 0) & (v < fine[0] - 1) & (u < fine[1] - 1)
    v, u, photons, frame = v[inside], u[inside], photons[inside], frame[inside]
    i, j = v.floor().long(), u.floor().long()
    fv, fu = (v - i).float(), (u - j).float()
    grid = torch.zeros(frames * fine[0] * fine[1], device=y_px.device)
    corner = (frame * fine[0] + i) * fine[1] + j
    for down, along_y in ((0, 1 - fv), (1, fv)):
        grid.index_add_(0, corner + down * fine[1], photons * along_y * (1 - fu))
        grid.index_add_(0, corner + down * fine[1] + 1, photons * along_y * fu)
    return grid.reshape(frames, *fine)


def _through(grid: torch.Tensor, down: np.ndarray, across: np.ndarray) -> torch.Tensor:
    """Return ``down @ grid @ across.T``, in blocks without the zeros beside the matrices' bands."""
    columns = [
        grid[:, :, fine] @ torch.as_tensor(across[part, fine], device=grid.device).T
        for part, fine in _bands(across)
    ]
    half = torch.cat(columns, dim=2)
    rows = [
        torch.as_tensor(down[part, fine], device=grid.device) @ half[:, fine]
        for part, fine in _bands(down)
    ]
    return torch.cat(rows, dim=1)


def _bands(matrix: np.ndarray) -> list[tuple[slice, slice]]:
    """Return blocks of rows of a banded matrix, and the columns that are not zero in each."""
    found = []
    for part in np.array_split(np.arange(len(matrix)), max(len(matrix) // BLOCK_ROWS, 1)):
        lit = np.flatnonzero(matrix[part].any(axis=0))
        fine = slice(int(lit[0]), int(lit[-1]) + 1) if len(lit) else slice(0, 1)
        found.append((slice(int(part[0]), int(part[-1]) + 1), fine))
    return found


def _separable(psf: Psf, rows: int, columns: int, margin: int) -> list[tuple[Any, Any]]:
    """Return pairs of matrices whose products add up to the PSF.

    They are (rows, fine rows) and (columns, fine columns).
    """
    if psf.table is None:
        # Dividing spots among the nearest samples has widened them by this on average.
        variance = max((psf.fwhm_px / FWHM_PER_SIGMA) ** 2 - 1 / (6 * GRID**2), 0.01)
        reach = psf.reach_px
        at = np.arange(-reach * GRID, reach * GRID + 1) / GRID
        scale = 1 / np.sqrt(2 * variance)
        line = 0.5 * (erf((at + 0.5) * scale) - erf((at - 0.5) * scale))
        parts: tuple[tuple[np.ndarray, np.ndarray], ...] = ((line, line),)
    else:
        parts = _parts(psf.fwhm_px, psf.table.tobytes(), len(psf.table))
    return [(_banded(u, rows, margin), _banded(v, columns, margin)) for u, v in parts]


@lru_cache(maxsize=32)
def _parts(fwhm_px: float, table: bytes, size: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Return the separable parts of the table of a PSF, by its singular values."""
    kernel = np.frombuffer(table).reshape(size, size)
    step = FINENESS // GRID
    middle = size // 2
    reach = middle // step
    kernel = kernel[middle - reach * step :: step, middle - reach * step :: step]
    kernel = kernel[: 2 * reach + 1, : 2 * reach + 1]
    u, s, v = np.linalg.svd(kernel)
    kept = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), 1 - RANK_ERROR**2)) + 1
    return tuple((s[k] * u[:, k], v[k]) for k in range(kept))


def _banded(line: np.ndarray, pixels: int, margin: int) -> np.ndarray:
    """Return the matrix (pixels, fine samples) of a response given at every fine distance."""
    fine = (pixels + 2 * margin) * GRID
    centre = (np.arange(pixels) + margin) * GRID + (GRID - 1) // 2
    distance = centre[:, None] - np.arange(fine) + len(line) // 2
    inside = (distance >= 0) & (distance < len(line))
    matrix = np.where(inside, line[np.clip(distance, 0, len(line) - 1)], 0.0)
    return matrix.astype(np.float32)

"""Gaussian likelihood of sample covariances of tiles, and its gradient.

The covariance of the pixels of a tile is ``Psi diag(v) Psi' + diag(N)``: v >= 0 is the variance of
the light of each grid point, Psi the PSF and N the noise of each pixel. Since Psi separates, the
covariance follows from v by two products with `pair_products`, and so does the gradient.

All of this may be expressed in fewer patterns of pixels, see `passed_band`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from napari_sofinet.covariance.optics import Axis, pair_products, passed_band, pixel_light, sieve

LEAST_LIGHT = 0.03
"""Fraction of its light in the tile below which a grid point counts as dark: its variance would be
anything."""
LEAST_NOISE = 1e-4
"""Smallest noise of a pattern over the largest variance in its tile: no PSF is known better."""


@dataclass(frozen=True, eq=False)
class TileModel:
    """Optics of tiles of one size.

    Parameters
    ----------
    y, x : Axis
        Pixels and grid points along both axes.
    pairs : tuple of (Tensor, Tensor)
        For each position of the sample: products of pairs of patterns, (patterns**2, points), of y
        and of x, blurred by the sieve; those of y carry the fraction of the frames.
    blur : (Tensor, Tensor)
        The sieve along y and x, (points, points).
    bases : (Tensor, Tensor)
        Orthonormal patterns of pixels along y and x, (pixels, patterns).
    """

    y: Axis
    x: Axis
    pairs: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    blur: tuple[torch.Tensor, torch.Tensor]
    bases: tuple[torch.Tensor, torch.Tensor]

    @property
    def sides(self) -> tuple[int, int]:
        """Number of patterns along y and x."""
        return self.bases[0].shape[1], self.bases[1].shape[1]

    @property
    def patterns(self) -> int:
        """Number of patterns of a tile."""
        return self.sides[0] * self.sides[1]

    def project(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the patterns (..., patterns) in frames (..., rows, columns) of a tile."""
        found = self.bases[0].T @ frames @ self.bases[1]
        return found.reshape(*frames.shape[:-2], self.patterns)

    def noise(self, variance: torch.Tensor) -> torch.Tensor:
        """Return the covariance (B, patterns, patterns) of noise of a variance (B, pixels)."""
        count, (ny, nx) = len(variance), self.sides
        variance = variance.reshape(count, self.y.pixels, self.x.pixels)
        of_y, of_x = self.bases
        rows = torch.einsum("bij,ik,il->bjkl", variance, of_y, of_y)
        both = torch.einsum("bjkl,jm,jn->bkmln", rows, of_x, of_x)
        return both.reshape(count, ny * nx, ny * nx)

    def picture(self, before: torch.Tensor) -> torch.Tensor:
        """Return v (B, points, points) from the amounts before the sieve."""
        return self.blur[0] @ before @ self.blur[1].T

    def covariance(self, before: torch.Tensor) -> torch.Tensor:
        """Return ``Psi diag(v) Psi'``, (B, patterns, patterns), for amounts before the sieve."""
        count, gy, gx = before.shape
        ny, nx = self.sides
        total = None
        for of_y, of_x in self.pairs:
            rows = (before.reshape(count * gy, gx) @ of_x.T).reshape(count, gy, nx * nx)
            both = of_y @ rows.permute(1, 0, 2).reshape(gy, count * nx * nx)
            total = both if total is None else total + both
        assert total is not None
        apart = total.reshape(ny, ny, count, nx, nx).permute(2, 0, 3, 1, 4)
        return apart.reshape(count, ny * nx, ny * nx)

    def quadratic(self, matrix: torch.Tensor) -> torch.Tensor:
        """Return ``psi' M psi`` of every grid point, blurred by the sieve: `covariance` transposed.

        Parameters
        ----------
        matrix : Tensor
            (B, patterns, patterns).

        Returns
        -------
        Tensor
            (B, points, points).
        """
        count, (ny, nx) = len(matrix), self.sides
        gy, gx = self.y.points, self.x.points
        apart = matrix.reshape(count, ny, nx, ny, nx).permute(1, 3, 0, 2, 4)
        apart = apart.reshape(ny * ny, count * nx * nx)
        total = None
        for of_y, of_x in self.pairs:
            rows = (of_y.T @ apart).reshape(gy, count, nx * nx).permute(1, 0, 2)
            both = rows.reshape(count * gy, nx * nx) @ of_x
            total = both if total is None else total + both
        assert total is not None
        return total.reshape(count, gy, gx)


def tile_model(
    y: Axis,
    x: Axis,
    sigma_px: float,
    sieve_px: float,
    shifts_px: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    least: float = 0.0,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> TileModel:
    """Return the optics of tiles.

    Parameters
    ----------
    y, x : Axis
        Pixels and grid points.
    sigma_px : float
        Standard deviation of the PSF in camera pixels.
    sieve_px : float
        Standard deviation of the sieve in camera pixels.
    shifts_px : ndarray, optional
        (S, 2) positions y, x of the sample in camera pixels; none by default.
    weights : ndarray, optional
        (S,) fraction of the frames at each position.
    least : float, optional
        Power of the patterns that are left out, see `passed_band`; 0 takes single pixels.
    dtype : torch.dtype, optional
        Precision.
    device : str, optional
        Device of the tensors.
    """
    shifts = np.zeros((1, 2)) if shifts_px is None else shifts_px
    share = np.full(len(shifts), 1 / len(shifts)) if weights is None else weights
    blur_y, blur_x = sieve(y, sieve_px), sieve(x, sieve_px)
    base_y, base_x = (
        passed_band(axis, sigma_px, least) if least > 0 else np.eye(axis.pixels) for axis in (y, x)
    )

    def tensor(values: np.ndarray) -> torch.Tensor:
        values = np.where(np.abs(values) < 1e-12, 0.0, values)
        return torch.as_tensor(values, dtype=dtype, device=device)

    def products(axis: Axis, base: np.ndarray, shift: float) -> np.ndarray:
        light = pixel_light(axis, sigma_px, shift)
        return pair_products(base.T @ np.where(light.sum(axis=0) < LEAST_LIGHT, 0.0, light))

    pairs = tuple(
        (
            tensor(part * products(y, base_y, float(dy)) @ blur_y),
            tensor(products(x, base_x, float(dx)) @ blur_x),
        )
        for (dy, dx), part in zip(shifts, share, strict=True)
    )
    blurs = tensor(blur_y), tensor(blur_x)
    return TileModel(y, x, pairs, blurs, (tensor(base_y), tensor(base_x)))


class Likelihood(NamedTuple):
    """Likelihood of tiles, and what its gradient consists of.

    ``value`` (B,): log likelihood per frame times two, ``-log det C - trace(C^-1 S)``;
    ``above`` and ``below`` (B, points, points): psi' C^-1 S C^-1 psi and psi' C^-1 psi, whose
    difference is the gradient of ``value``; ``noise_above`` and ``noise_below`` (B, patterns): the
    same for the noise of each pattern.
    """

    value: torch.Tensor
    above: torch.Tensor
    below: torch.Tensor
    noise_above: torch.Tensor
    noise_below: torch.Tensor


def likelihood(
    model: TileModel, before: torch.Tensor, noise: torch.Tensor, sample: torch.Tensor
) -> Likelihood:
    """Return the likelihood of sample covariances, and the parts of its gradient.

    Parameters
    ----------
    model : TileModel
        Optics.
    before : Tensor
        (B, points, points) amounts before the sieve, >= 0.
    noise : Tensor
        (B, patterns, patterns) covariance of the noise.
    sample : Tensor
        (B, patterns, patterns) sample covariance.
    """
    factor = _factor(model, before, noise)
    inverse = torch.cholesky_inverse(factor)
    both = sample @ inverse
    middle = inverse @ both
    return Likelihood(
        _value(factor, both),
        model.quadratic(middle),
        model.quadratic(inverse),
        middle.diagonal(dim1=1, dim2=2),
        inverse.diagonal(dim1=1, dim2=2),
    )


def likelihood_value(
    model: TileModel, before: torch.Tensor, noise: torch.Tensor, sample: torch.Tensor
) -> torch.Tensor:
    """Return the likelihood (B,) alone, see `likelihood`."""
    factor = _factor(model, before, noise)
    return _value(factor, torch.cholesky_solve(sample, factor))


def _factor(model: TileModel, before: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    expected = model.covariance(before)
    diagonal = expected.diagonal(dim1=1, dim2=2)
    least = LEAST_NOISE * diagonal.amax(dim=1, keepdim=True)
    diagonal += (least - noise.diagonal(dim1=1, dim2=2)).clamp_min(0)
    expected += noise
    return torch.linalg.cholesky(expected)


def _value(factor: torch.Tensor, both: torch.Tensor) -> torch.Tensor:
    log_det = 2 * factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return -log_det - both.diagonal(dim1=1, dim2=2).sum(dim=1)

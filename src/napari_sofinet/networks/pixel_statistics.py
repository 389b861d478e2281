"""Statistics over time of every pixel and its neighbours, from a movie or from sums over frames."""

from __future__ import annotations

import torch

SHIFTS = (0, 0), (0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0)
"""Distances of pixels whose covariances in time are given to the network, as SOFI uses them."""
RAW_MAPS = len(SHIFTS) + 6
"""Covariances, and mean, maximum, minimum, lagged covariance, third moment and number of frames."""
SUMS = len(SHIFTS) + 3
LAGGED = len(SHIFTS) + 1
"""Index of the lagged product in the sums."""


def raw_statistics(x: torch.Tensor) -> torch.Tensor:
    """Compute the statistics of a movie.

    Covariances and the third central moment are given as signed roots, so that all have the unit
    of counts.

    Parameters
    ----------
    x : torch.Tensor
        (B, T, Y, X) normalized movie.

    Returns
    -------
    torch.Tensor
        (B, RAW_MAPS, Y, X).
    """
    frames = x.shape[1]
    mean = x.mean(dim=1)
    d = x - mean[:, None]
    maps = [mean, x.amax(dim=1), x.amin(dim=1)]
    for dy, dx in SHIFTS:
        maps.append(signed_root((d * shifted(d, dy, dx)).mean(dim=1), 2))
    maps.append(signed_root((d[:, 1:] * d[:, :-1]).sum(dim=1) / max(frames - 1, 1), 2))
    maps.append(signed_root((d**3).mean(dim=1), 3))
    maps.append(torch.full_like(mean, frames**-0.5))
    return torch.stack(maps, dim=1)


def shifted(x: torch.Tensor, dy: int, dx: int) -> torch.Tensor:
    """Return the values (..., Y, X) of the pixels at a distance (dy, dx), 0 outside of the field.

    Examples
    --------
    >>> shifted(torch.tensor([[1, 2, 3], [4, 5, 6]]), 0, 1).tolist()
    [[2, 3, 0], [5, 6, 0]]
    """
    rows, columns = x.shape[-2:]
    inside = x[..., max(dy, 0) : rows + min(dy, 0), max(dx, 0) : columns + min(dx, 0)]
    around = (max(-dx, 0), max(dx, 0), max(-dy, 0), max(dy, 0))
    return torch.nn.functional.pad(inside, around)


def signed_root(x: torch.Tensor, order: int) -> torch.Tensor:
    """Return the root of the absolute value, with the sign.

    Examples
    --------
    >>> signed_root(torch.tensor([-4.0, 9.0]), 2).round(decimals=3).tolist()
    [-2.0, 3.0]
    """
    return torch.sign(x) * (x.abs() + 1e-8) ** (1 / order)


def deviation(mean: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation from the means of values and of their squares."""
    return ((power - mean * mean).clamp(min=0) + 1e-6).sqrt()


def sums_over_frames(x: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
    """Sum products over frames, from which `statistics_of_sums` follows.

    Parameters
    ----------
    x : torch.Tensor
        (T, Y, X) normalized frames.
    before : torch.Tensor or None
        (Y, X) the frame before them.

    Returns
    -------
    torch.Tensor
        (SUMS, Y, X): values, products with shifted values, products with the frame before, cubes.
    """
    parts = [x.sum(dim=0)]
    for shift in SHIFTS:
        parts.append((x * shifted(x, *shift)).sum(dim=0))
    lagged = (x[1:] * x[:-1]).sum(dim=0)
    if before is not None:
        lagged = lagged + x[0] * before
    return torch.stack([*parts, lagged, (x * x * x).sum(dim=0)])


def statistics_of_sums(
    sums: torch.Tensor,
    n: int,
    high: torch.Tensor,
    low: torch.Tensor,
    first: torch.Tensor,
    last: torch.Tensor,
) -> torch.Tensor:
    """Compute the statistics of a movie from sums over its frames.

    Parameters
    ----------
    sums : torch.Tensor
        (SUMS, Y, X) from `sums_over_frames`.
    n : int
        Number of frames.
    high, low, first, last : torch.Tensor
        (Y, X) maximum and minimum over the frames, and the first and last of them.

    Returns
    -------
    torch.Tensor
        (RAW_MAPS, Y, X) as in `raw_statistics`.
    """
    total = sums[0]
    mean = total / n
    maps = [mean, high, low]
    for k, shift in enumerate(SHIFTS):
        maps.append(signed_root(sums[1 + k] / n - mean * shifted(mean, *shift), 2))
    # Sum of (x - mean)(y - mean) over pairs of successive frames y and x.
    lagged = sums[LAGGED] - mean * (2 * total - first - last) + (n - 1) * mean * mean
    maps.append(signed_root(lagged / max(n - 1, 1), 2))
    square, cube = sums[1] / n, sums[LAGGED + 1] / n
    maps.append(signed_root(cube - 3 * mean * square + 2 * mean**3, 3))
    maps.append(torch.full_like(mean, n**-0.5))
    return torch.stack(maps)

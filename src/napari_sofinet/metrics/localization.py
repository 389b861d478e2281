"""Scores of localizations against true positions, and the Cramer-Rao bound of their error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_sofinet.base.errors import InputError

FORBIDDEN = 1e6
"""Cost of a pair beyond the radius; so large that the number of pairs comes first."""


@dataclass(frozen=True)
class LocalizationScores:
    """Counts and rates of matched positions; rates are NaN where there is nothing to count.

    Parameters
    ----------
    tp, fp, fn : int
        True positives, false positives and false negatives.
    precision, recall, jaccard, f1 : float
        Rates from 0 to 1; ``recall`` counts true positions that were found.
    rmse : float
        Root mean square distance of the matched pairs over all axes, in the unit of the positions.
    pairs : ndarray
        (N, 2) indices of truth and prediction.
    """

    tp: int
    fp: int
    fn: int
    precision: float
    recall: float
    jaccard: float
    f1: float
    rmse: float
    pairs: np.ndarray


def localization_scores(
    found: np.ndarray,
    truth: np.ndarray,
    radius: float,
    matching: Literal["one-to-one", "nearest"] = "one-to-one",
) -> LocalizationScores:
    """Match predicted and true positions within a radius.

    Parameters
    ----------
    found, truth : ndarray
        (N, d) and (M, d) positions.
    radius : float
        Largest distance of a pair, in the unit of the positions.
    matching : {"one-to-one", "nearest"}, optional
        ``"one-to-one"`` makes as many pairs as possible with the smallest total distance, as the
        localization challenges do. ``"nearest"`` pairs every prediction with its nearest true
        position, possibly several with the same one; then ``tp`` counts predictions and ``fn`` true
        positions without any. It serves to compare with papers that count so.

    Returns
    -------
    LocalizationScores
        Counts, rates and pairs.

    Raises
    ------
    InputError
        Positions are no table of finite numbers, or differ in their number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([[0.0, 0.0], [5.0, 5.0], [9.0, 9.0]])
    >>> found = np.array([[0.0, 0.3], [5.4, 5.0]])
    >>> scores = localization_scores(found, truth, radius=1)
    >>> scores.tp, scores.fp, scores.fn, round(scores.rmse, 3)
    (2, 0, 1, 0.354)
    """
    found, truth = (_positions(a) for a in (found, truth))
    if found.size and truth.size and found.shape[1] != truth.shape[1]:
        raise InputError("Predicted and true positions have different numbers of axes.")
    if not len(found) or not len(truth):
        pairs = np.zeros((0, 2), np.int64)
    elif matching == "nearest":
        pairs = _nearest(found, truth, radius)
    else:
        pairs = _one_to_one(found, truth, radius)
    tp, matched = len(pairs), len(np.unique(pairs[:, 0]))
    fp, fn = len(found) - tp, len(truth) - matched
    rmse = float("nan")
    if tp:
        d = truth[pairs[:, 0]] - found[pairs[:, 1]]
        rmse = float(np.sqrt((d**2).sum(axis=1).mean()))

    def ratio(a: float, b: float) -> float:
        return a / b if b else float("nan")

    precision, recall = ratio(tp, tp + fp), ratio(matched, matched + fn)
    f1 = ratio(2 * precision * recall, precision + recall)
    return LocalizationScores(
        tp, fp, fn, precision, recall, ratio(tp, tp + fp + fn), f1, rmse, pairs
    )


def _positions(array: np.ndarray) -> np.ndarray:
    """Check positions (N, d)."""
    array = np.asarray(array, dtype=np.float64)
    if array.size == 0:
        return np.zeros((0, 2))
    if array.ndim != 2 or not np.isfinite(array).all():
        raise InputError("Positions are a table of numbers with one row for each.")
    return array


def _nearest(found: np.ndarray, truth: np.ndarray, radius: float) -> np.ndarray:
    """Return pairs of every prediction with its nearest true position within the radius."""
    from scipy.spatial import KDTree

    distance, index = KDTree(truth).query(found)
    near = np.flatnonzero(distance <= radius)
    return np.stack([index[near], near], axis=1)


def _one_to_one(found: np.ndarray, truth: np.ndarray, radius: float) -> np.ndarray:
    """Return optimal pairs, found in groups of positions that are connected within the radius."""
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    near = KDTree(truth).sparse_distance_matrix(KDTree(found), radius, output_type="coo_matrix")
    if not near.nnz:
        return np.zeros((0, 2), np.int64)
    rows, columns, distance = near.row, near.col, near.data
    total = len(truth) + len(found)
    graph = coo_matrix((np.ones(near.nnz), (rows, len(truth) + columns)), (total, total))
    _, group = connected_components(graph, directed=False)
    of_edge = group[rows]
    pairs = []
    order = np.argsort(of_edge, kind="stable")
    for edges in np.split(order, np.flatnonzero(np.diff(of_edge[order])) + 1):
        if len(edges) == 1:
            pairs.append((rows[edges[0]], columns[edges[0]]))
            continue
        i, where_i = np.unique(rows[edges], return_inverse=True)
        j, where_j = np.unique(columns[edges], return_inverse=True)
        cost = np.full((len(i), len(j)), FORBIDDEN)
        cost[where_i, where_j] = distance[edges]
        for a, b in zip(*linear_sum_assignment(cost), strict=True):
            if cost[a, b] < FORBIDDEN:
                pairs.append((i[a], j[b]))
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def crlb(
    photons: float,
    sigma_px: float,
    background: float = 0.0,
    *,
    box: int = 20,
    at: tuple[float, float] | None = None,
    read_noise_variance: float = 0.0,
) -> np.ndarray:
    """Return the Cramer-Rao lower bound of the error of a fitted position.

    Parameters
    ----------
    photons : float
        Photons detected from the emitter in the frame.
    sigma_px : float
        Standard deviation in px of the PSF, a Gaussian integrated over pixels.
    background : float, optional
        Photons per pixel.
    box : int, optional
        Side of the fitted square in px.
    at : (float, float), optional
        Position (y, x) in the square, where pixel k reaches from k - 0.5 to k + 0.5; by default
        its middle.
    read_noise_variance : float, optional
        Variance of the read noise of a pixel in squared electrons.

    Returns
    -------
    ndarray
        (2,) smallest standard deviation of y and x in px.

    Notes
    -----
    Smith et al., Nat. Methods 7, 373 (2010), for a fit of position, photons and background.

    Examples
    --------
    >>> crlb(1000, 1.3).round(3)
    array([0.042, 0.042])
    >>> crlb(1000, 1.3, background=10).round(3)
    array([0.056, 0.056])
    """
    from scipy.special import erf

    y0, x0 = at if at is not None else ((box - 1) / 2, (box - 1) / 2)
    edges = np.arange(box + 1) - 0.5

    def axis(centre: float) -> tuple[np.ndarray, np.ndarray]:
        z = (edges - centre) / sigma_px
        integral = np.diff(0.5 * erf(z / np.sqrt(2)))
        slope = -np.diff(np.exp(-(z**2) / 2)) / (np.sqrt(2 * np.pi) * sigma_px)
        return integral, slope

    (ey, dy), (ex, dx) = axis(y0), axis(x0)
    mean = photons * np.outer(ey, ex) + background + read_noise_variance
    slopes = np.stack(
        [
            photons * np.outer(dy, ex),
            photons * np.outer(ey, dx),
            np.outer(ey, ex),
            np.ones((box, box)),
        ]
    ).reshape(4, -1)
    # Pixels without light carry no information; there rounding would be divided by nothing.
    lit = mean.ravel() > 1e-12 * photons
    fisher = (slopes[:, lit] / mean.ravel()[lit]) @ slopes[:, lit].T
    # Without background its own entry is infinite: nothing is lost by not fitting it.
    size = 4 if background + read_noise_variance > 0 else 3
    scale = 1 / np.sqrt(np.diag(fisher)[:size])
    inverse = np.linalg.inv(fisher[:size, :size] * np.outer(scale, scale))
    return np.asarray(np.sqrt(np.diag(inverse)[:2]) * scale[:2])

"""Smooth path through noisy positions by Gaussian process regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LENGTHS, AMPLITUDES = 7, 14
"""Tried correlation times and amplitudes, evenly on a logarithmic scale."""
REMEMBERED = 0.0, 0.4, 0.7
"""Tried correlations of the errors of successive positions, since emitters stay on for a while."""
SHORTEST_BINS = 3.0
"""Shortest correlation time, in positions."""
AMPLITUDE_PX = 0.01, 5.0
NOISES = 0.5, 1.0, 2.0, 4.0, 8.0
"""Tried standard deviations of the positions, relative to the expected one."""
CONSTANT_PX = 10.0
"""Standard deviation of the mean position of each part between jumps."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """Correlation of positions, in a basis in which errors and positions are independent.

    Parameters
    ----------
    values : numpy.ndarray
        (n,) variance of the path relative to that of the errors.
    analysis, synthesis : numpy.ndarray
        (n, n) matrices into the basis and back.
    spread : float
        Log determinant of the correlation of the errors.
    """

    values: np.ndarray
    analysis: np.ndarray
    synthesis: np.ndarray
    spread: float


class PathSmoother:
    """Finds the most likely smooth path through positions at given times.

    Parameters
    ----------
    times : ndarray of shape (n,)
        Times of the positions, ascending.
    jumps : list of int, optional
        Numbers of the positions before which the path may jump by any distance.

    Notes
    -----
    The path is a Gaussian process with a Matérn (3/2) or squared exponential kernel plus a constant
    for each part between jumps. Kernel, correlation time, amplitude and the standard error of the
    positions are those of the highest marginal likelihood on a grid (Rasmussen and Williams,
    Gaussian Processes for Machine Learning, 2006, sections 2.7 and 5.4).

    Examples
    --------
    >>> t = np.arange(200.0)
    >>> true = 2 * np.sin(t / 20)
    >>> noisy = true + np.random.default_rng(0).normal(0, 0.3, 200)
    >>> path, gain = PathSmoother(t).smooth(noisy, 0.3)
    >>> float(np.std(path - true)) < 0.1, gain > 100
    (True, True)
    """

    def __init__(self, times: np.ndarray, jumps: tuple[int, ...] | list[int] = ()) -> None:
        count = len(times)
        apart = np.abs(times[:, None] - times[None])
        step = float(np.median(np.diff(times)))
        lengths = np.geomspace(SHORTEST_BINS * step, count * step, LENGTHS)
        self._kernels = []
        for remembered in REMEMBERED:
            root = np.linalg.cholesky(remembered ** (apart / step))
            white = np.linalg.inv(root)
            spread = 2 * float(np.log(np.diag(root)).sum())
            for length in lengths:
                u = np.sqrt(3) * apart / length
                for kernel in ((1 + u) * np.exp(-u), np.exp(-(u**2) / 6)):
                    values, vectors = np.linalg.eigh(white @ kernel @ white.T)
                    basis = vectors.T @ white, root @ vectors
                    self._kernels.append(Kernel(np.maximum(values, 0.0), *basis, spread))
        parts = np.searchsorted(jumps, np.arange(count), side="right")
        self._parts = np.eye(len(jumps) + 1)[parts]

    def smooth(self, at: np.ndarray, error: float) -> tuple[np.ndarray, float]:
        """Return the path, of shape (n,), and the log likelihood it gains over a still sample.

        Parameters
        ----------
        at : ndarray of shape (n,)
            Positions along one axis.
        error : float
            Their expected standard error.
        """
        variances = np.square(np.multiply(NOISES, error))
        amplitudes = np.square(np.geomspace(*AMPLITUDE_PX, AMPLITUDES))
        amplitudes = np.concatenate([[0.0], amplitudes])
        still, best = -np.inf, (-np.inf, self._kernels[0], 0.0, 1.0)
        for kernel in self._kernels:
            likely = self._likelihoods(kernel, at, amplitudes, variances)
            still = max(still, float(likely[0].max()))
            a, v = np.unravel_index(int(likely.argmax()), likely.shape)
            if likely[a, v] > best[0]:
                best = float(likely[a, v]), kernel, float(amplitudes[a]), float(variances[v])
        likelihood, kernel, amplitude, variance = best
        return self._path(kernel, at, amplitude, variance), likelihood - still

    def _path(
        self, kernel: Kernel, at: np.ndarray, amplitude: float, variance: float
    ) -> np.ndarray:
        """Mean path."""
        u, parts = kernel.analysis @ at, kernel.analysis @ self._parts
        total = amplitude * kernel.values + variance
        normal = parts.T @ (parts / total[:, None]) + np.eye(parts.shape[1]) / CONSTANT_PX**2
        means = np.linalg.solve(normal, parts.T @ (u / total))
        rest = amplitude * kernel.values * (u - parts @ means) / total
        return np.asarray(kernel.synthesis @ rest + self._parts @ means)

    def _likelihoods(
        self, kernel: Kernel, at: np.ndarray, amplitudes: np.ndarray, variances: np.ndarray
    ) -> np.ndarray:
        """Log marginal likelihoods, of shape (amplitudes, variances)."""
        u, parts = kernel.analysis @ at, kernel.analysis @ self._parts
        total = amplitudes[:, None, None] * kernel.values + variances[:, None]
        inverse = 1 / total
        normal = np.einsum("avn,nk,nl->avkl", inverse, parts, parts, optimize=True)
        normal += np.eye(parts.shape[1]) / CONSTANT_PX**2
        right = (inverse * u) @ parts
        fitted = np.linalg.solve(normal, right[..., None])[..., 0]
        squares = (inverse * u**2).sum(axis=-1) - (right * fitted).sum(axis=-1)
        spread = np.log(total).sum(axis=-1) + np.linalg.slogdet(normal)[1] + kernel.spread
        return np.asarray(-0.5 * (squares + spread + parts.shape[1] * np.log(CONSTANT_PX**2)))

"""The straight drift and the single jump along which blocks of frames are most alike.

Either has so few numbers that all pairs of blocks determine them together, where single pairs are
too dim to be registered.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import scipy.fft as fft
from scipy.interpolate import RectBivariateSpline
from scipy.optimize import minimize

from napari_sofinet.preprocess.block_registration import edge_window

PRECISION = 0.005
"""Precision of distances in samples."""
FIRST_STEP = 0.4
LEAST_OVERLAP = 0.3
"""Overlap of windows, relative to that at rest, below which a correlation is not raised further."""


class CourseSearch:
    """Searches courses of a sample through blocks of equal length.

    Parameters
    ----------
    images : ndarray of shape (n, Y, X)
        Images of the blocks, two samples per camera pixel.
    reach : float
        Largest movement in samples.
    part : ndarray of shape (Y, X), optional
        Weights of a part of the field.
    """

    def __init__(self, images: np.ndarray, reach: float, part: np.ndarray | None = None) -> None:
        self._count, shape = len(images), images.shape[1:]
        self._reach = int(min(np.ceil(reach), shape[0] // 2, shape[1] // 2))
        self._shape = tuple(int(fft.next_fast_len(n + self._reach)) for n in shape)
        weights = edge_window(shape) * (1 if part is None else part)
        spectra = fft.rfft2(images * weights, self._shape, workers=1)
        self._spectra = spectra.astype(np.complex64)
        self._overlap = self._near(np.abs(fft.rfft2(weights, self._shape, workers=1)) ** 2)

    def line(self) -> np.ndarray:
        """Return the movement y, x from the first block to the last in samples."""
        last = self._count - 1

        def alike(y: np.ndarray, x: np.ndarray) -> np.ndarray:
            parts = [
                lag.ev(d / last * y, d / last * x) for d, lag in enumerate(self._lags, start=1)
            ]
            return np.asarray(np.sum(parts, axis=0))

        return self._highest(alike)

    def step(self, before: int | None = None) -> tuple[int, np.ndarray]:
        """Return the block before which the sample jumps, and by how much in samples.

        Parameters
        ----------
        before : int, optional
            The block, if it is known.
        """
        choice = range(1, self._count) if before is None else [before]
        found = []
        for k in choice:
            peak = self._spline(self._spectra[:k].sum(0).conj() * self._spectra[k:].sum(0))
            at = self._highest(peak.ev)
            found.append((float(peak.ev(*at) - peak.ev(0, 0)), k, at))
        _, k, at = max(found, key=lambda one: one[0])
        return k, at

    @cached_property
    def _lags(self) -> list[RectBivariateSpline]:
        """Correlation of blocks that follow each other after 1, 2, ... blocks."""
        return [
            self._spline((self._spectra[:-d].conj() * self._spectra[d:]).sum(0))
            for d in range(1, self._count)
        ]

    def _spline(self, product: np.ndarray) -> RectBivariateSpline:
        # Windows overlap less the farther images are apart, which would favour short movements.
        values = self._near(product) / np.maximum(
            self._overlap, LEAST_OVERLAP * self._overlap.max()
        )
        at = np.arange(len(values)) - len(values) // 2
        return RectBivariateSpline(at, at, values)

    def _near(self, product: np.ndarray) -> np.ndarray:
        """Return the correlation for movements within reach."""
        side = self._reach + 2
        values = np.roll(fft.irfft2(product, self._shape, workers=1), (side, side), (0, 1))
        return np.asarray(values[: 2 * side + 1, : 2 * side + 1])

    def _highest(self, alike: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        at = np.arange(-self._reach, self._reach + 1)
        y, x = (a.ravel() for a in np.meshgrid(at, at, indexing="ij"))
        values = alike(y, x)
        best = int(values.argmax())
        start = np.array([y[best], x[best]], float)
        corners = start + FIRST_STEP * np.array([(0, 0), (1, 0), (0, 1)])
        unit = max(float(np.abs(values).max()), 1e-30)
        found = minimize(
            lambda p: -float(alike(*p)) / unit,
            start,
            method="Nelder-Mead",
            options={"xatol": PRECISION, "fatol": 1e-6, "initial_simplex": corners},
        )
        return np.asarray(np.clip(found.x, -self._reach, self._reach))

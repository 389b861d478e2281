"""Alignment of single frames with the mean of all others, by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.smooth_path import PathSmoother

MOST_BINS = 250
"""Groups of successive frames of which the mean is aligned."""
FINEST = 0.88
"""Highest spatial frequency that is compared, in units of 1 / PSF width."""
COARSEST_PX = 16.0
"""Length in camera pixels above which structure hardly counts."""
FIXED, FADING = 0.05, 0.1
"""Penalties of a fixed pattern, and of one that follows the background's level."""
ITERATIONS, SETTLED_PX = 12, 0.01
RINGS = 32
LIGHT_PARTS, LIGHT_RANGE = 12, (0.1, 5.0)
"""Parts of a movie within which the structure's brightness is constant, and its limits."""
HOPELESS = 2.0
"""Gain below which there is nothing to follow."""
GAIN_MIN = 8.0
"""Least gain in log likelihood of a path, in each half of the field."""
DISAGREE = 0.45
"""Largest error of a path, from its halves, as a fraction of the path's own scatter."""
BINS_MIN, SIDE_MIN = 40, 24


@dataclass(frozen=True, eq=False)
class Alignment:
    """Path of the sample through bins of frames.

    Parameters
    ----------
    path : numpy.ndarray
        (n, 2) position y, x in camera pixels, with mean 0.
    gain : float
        Log likelihood that it gains over a sample at rest.
    raw : numpy.ndarray
        (n, 2) position of each bin alone.
    error : numpy.ndarray
        (2,) standard error of a single bin.
    """

    path: np.ndarray
    gain: float
    raw: np.ndarray
    error: np.ndarray


class BinnedSpectra:
    """Spatial spectra of bins of frames, up to the finest detail that the PSF transmits.

    Parameters
    ----------
    bins : ndarray of shape (n, Y, X)
        Mean of each bin.
    fwhm_px : float
        PSF width in camera pixels.
    weight : ndarray of shape (Y, X), optional
        Weight of the pixels, which should change slowly in space.

    Notes
    -----
    A frame is a pattern of the camera that stays, also one in proportion to the background that
    bleaches, a structure that moves, and noise, whose power
    spectrum is that of the residuals. The structure of a blinking sample is the mean over all
    frames after they are moved back; blinking is noise.
    """

    def __init__(self, bins: np.ndarray, fwhm_px: float, weight: np.ndarray | None = None) -> None:
        _, rows, columns = bins.shape
        window = np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[1:-1]
        window = np.clip(4 * window, 0, 1) * (1.0 if weight is None else weight)
        finest = min(FINEST / fwhm_px, 0.45)
        ky, kx = np.fft.fftfreq(rows), np.fft.rfftfreq(columns)
        y, x = np.flatnonzero(np.abs(ky) < finest), np.flatnonzero(kx < finest)
        # Each bin has its own level, since the background may bleach.
        levels = np.median(bins[:, ::2, ::2], axis=(1, 2))
        self._spectra = np.stack(
            [
                np.fft.rfft2((image - level) * window)[np.ix_(y, x)]
                for image, level in zip(bins, levels, strict=True)
            ]
        ).astype(np.complex64)
        fading = (levels - levels.mean()) / max(float(np.std(levels)), 1e-9)
        self._patterns = np.stack([np.ones(len(bins)), fading]).astype(np.float32)
        self._light = np.ones(len(bins), np.float32)
        self._ky, self._kx = 2 * np.pi * ky[y], 2 * np.pi * kx[x]
        radius = np.hypot(ky[y][:, None], kx[x])
        self._ring = np.minimum((radius / finest * RINGS).astype(int), RINGS - 1)
        # Half of the plane stands for both.
        both = np.where(self._kx == 0, 1.0, 2.0)[None, :] * (radius < finest)
        self._counted = both * (1 - np.exp(-np.square(radius * COARSEST_PX)))

    def _phases(self, path: np.ndarray) -> np.ndarray:
        ey = np.exp(1j * path[:, :1] * self._ky).astype(np.complex64)
        ex = np.exp(1j * path[:, 1:] * self._kx).astype(np.complex64)
        return np.asarray(ey[:, :, None] * ex[:, None, :])

    def _structure(self, back: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Spectra without the fixed patterns, moving structure, and the power of the whole fit."""
        moving = back * self._light[:, None, None]
        # Sums of products of the three parts: pattern, pattern under changing light, structure.
        parts = self._patterns
        shape = self._ring.shape
        normal = np.zeros((*shape, 3, 3), complex)
        normal[..., :2, :2] = parts @ parts.T
        normal[..., 2, 2] = np.square(self._light).sum()
        overlap = np.tensordot(parts, moving, 1).transpose(1, 2, 0)
        normal[..., 2, :2], normal[..., :2, 2] = overlap, overlap.conj()
        seen = np.empty((*shape, 3), complex)
        seen[..., :2] = np.tensordot(parts, self._spectra, 1).transpose(1, 2, 0)
        seen[..., 2] = (self._spectra * moving).sum(axis=0)
        inverse = np.linalg.inv(normal + len(back) * np.diag([FIXED, FADING, 1e-6]))
        fitted = np.einsum("yxab,yxb->yxa", inverse, seen)
        # What noise alone would explain is taken off, in units of its power.
        explained = (fitted.conj() * seen).sum(axis=-1).real
        parameters = np.einsum("yxab,yxba->yx", inverse, normal).real
        fixed = np.tensordot(parts.T, fitted[..., :2].transpose(2, 0, 1), 1).astype(np.complex64)
        return (self._spectra - fixed) * back, fitted[..., 2], np.stack([explained, parameters])

    def _noise(self, residual: np.ndarray) -> np.ndarray:
        power = (np.abs(residual) ** 2).mean(axis=0)
        count = np.bincount(self._ring.ravel(), minlength=RINGS)
        total = np.bincount(self._ring.ravel(), power.ravel(), RINGS)
        return np.asarray((total / np.maximum(count, 1))[self._ring] + 1e-12)

    def positions(self, path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the position of each bin next to a path, and their (2, 2) covariance.

        It is one step of Fisher scoring.
        """
        back = self._phases(path)
        moving, structure, _ = self._structure(back)
        residual = moving - self._light[:, None, None] * structure
        noise = self._noise(residual)
        weight = self._counted / noise
        power = np.maximum(np.abs(structure) ** 2 - noise / len(path), 0.0) * weight
        slope = (residual * (structure.conj() * weight)).imag
        score = -np.stack(
            [
                (slope * self._ky[:, None]).sum(axis=(1, 2)),
                (slope * self._kx).sum(axis=(1, 2)),
            ],
            axis=1,
        )
        score *= self._light[:, None]
        k = [self._ky[:, None], self._kx[None, :]]
        information = np.array([[(power * a * b).sum() for a in k] for b in k])
        information += np.eye(2) * 1e-9 + 1e-9 * np.trace(information) * np.eye(2)
        covariance = np.linalg.inv(information)
        self._follow_light((moving * (structure.conj() * weight)).real.sum(axis=(1, 2)))
        return path + score @ covariance, covariance

    def _follow_light(self, likeness: np.ndarray) -> None:
        """Take the brightness of the structure, which may bleach, from its likeness to each bin."""
        from scipy.ndimage import gaussian_filter1d

        light = gaussian_filter1d(likeness, len(likeness) / LIGHT_PARTS, mode="nearest")
        if light.mean() > 0:
            self._light = np.clip(light / light.mean(), *LIGHT_RANGE).astype(np.float32)

    def sharpness(self, paths: list[np.ndarray]) -> list[float]:
        """Return the power that a structure explains on each path, in units of the noise's power.

        The noise is that on the first path.
        """
        values: list[float] = []
        noise = np.zeros(0)
        for path in paths:
            back = self._phases(path)
            moving, structure, (explained, parameters) = self._structure(back)
            if not values:
                light = self._light[:, None, None]
                noise = self._noise(moving - light * structure)
            values.append(float((self._counted * (explained / noise - parameters)).sum()))
        return values

    def align(self, start: np.ndarray, smoother: PathSmoother) -> Alignment:
        """Align the bins in turn with the mean of all, from a first path, until it stays."""
        path = start - start.mean(axis=0)
        for _ in range(ITERATIONS):
            raw, covariance = self.positions(path)
            error = np.sqrt(np.diag(covariance))
            ways, gains = zip(
                *(smoother.smooth(raw[:, a], float(error[a])) for a in (0, 1)), strict=True
            )
            new = np.stack(ways, axis=1)
            new -= new.mean(axis=0)
            change = np.sqrt(np.square(new - path).sum(axis=1).mean())
            path = new
            if change < SETTLED_PX or sum(gains) < HOPELESS:
                break
        return Alignment(path, float(sum(gains)), raw, error)


def bins_of(movie: Movie, jumps: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Return means of groups of successive frames, and the edges of the groups.

    Parameters
    ----------
    movie : Movie
        Movie of any length.
    jumps : tuple of int, optional
        Frames at which a group begins in any case.

    Returns
    -------
    bins : ndarray of shape (n, Y, X)
        Means of up to about 250 groups.
    edges : ndarray of shape (n + 1,)
        First frame of each group, and the one after the last.
    """
    frames = movie.shape[0]
    step = -(-frames // MOST_BINS)
    starts = np.arange(0, frames, step)
    if len(starts) > 2 and 2 * (frames - starts[-1]) < step:
        starts = starts[:-1]
    edges = np.unique([*starts, *jumps, frames]).astype(int)
    bins = np.zeros((len(edges) - 1, *movie.shape[1:]), np.float32)
    done = 0
    for block in time_blocks(movie):
        for number, frame in enumerate(block):
            bins[np.searchsorted(edges, done + number, side="right") - 1] += frame
        done += len(block)
    bins /= np.diff(edges)[:, None, None]
    return bins, edges


def halves(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return weights of two parts of a field, each of two opposite quarters, with soft edges."""
    rows, columns = shape
    y = np.clip((np.arange(rows) - (rows - 1) / 2) / 3, -1, 1)[:, None]
    x = np.clip((np.arange(columns) - (columns - 1) / 2) / 3, -1, 1)[None, :]
    return np.maximum(y * x, 0.0), np.maximum(-y * x, 0.0)


@dataclass(frozen=True, eq=False)
class SharedPath:
    """Path that two halves of a field, of which each has its own emitters, agree on.

    Parameters
    ----------
    path_px : numpy.ndarray
        (T, 2) position in every frame in camera pixels, relative to the first.
    error_px : float
        Standard error of a position along one axis.
    """

    path_px: np.ndarray
    error_px: float


def shared_path(
    movie: Movie, start: np.ndarray, fwhm_px: float, jumps: tuple[int, ...] = ()
) -> SharedPath | None:
    """Return the path on which two halves of a field agree, or None if they do not.

    Parameters
    ----------
    movie : Movie
        A movie, of which the bins of frames are held in memory.
    start : ndarray of shape (T, 2)
        First guess in camera pixels.
    fwhm_px : float
        PSF width in camera pixels.
    jumps : tuple of int, optional
        Frames at which the path may jump.
    """
    bins, edges = bins_of(movie, jumps)
    if len(bins) < BINS_MIN or min(bins.shape[1:]) < SIDE_MIN:
        return None
    middles = (edges[:-1] + edges[1:] - 1) / 2
    smoother = PathSmoother(middles, np.searchsorted(edges, jumps).tolist())
    guess = start[np.round(middles).astype(int)]
    found = []
    for weight in halves(bins.shape[1:]):
        spectra = BinnedSpectra(bins, fwhm_px, weight)
        aligned = spectra.align(guess, smoother)
        if aligned.gain < GAIN_MIN:
            return None
        found.append((spectra, aligned.path))
    (_, one), (_, two) = found
    together = (one + two) / 2
    apart = float(np.sqrt(np.square(one - two).mean()) / 2)
    if apart > DISAGREE * float(np.sqrt(np.square(together).mean())):
        return None
    for (spectra, _), path in zip(found, (two, one), strict=True):
        # The other half's path must make this one sharper than rest, or the opposite, does.
        moved, still, opposite = spectra.sharpness([path, np.zeros_like(path), -path])
        if moved <= max(still, opposite):
            return None
    path = BinnedSpectra(bins, fwhm_px).align(together, smoother).path
    return SharedPath(_in_frames(path, middles, jumps, movie.shape[0]), apart)


def _in_frames(
    path: np.ndarray, middles: np.ndarray, jumps: tuple[int, ...], frames: int
) -> np.ndarray:
    """Position in every frame, by splines through the bins between jumps."""
    from scipy.interpolate import CubicSpline

    out = np.zeros((frames, 2))
    for first, last in pairwise([0, *jumps, frames]):
        inside = (middles >= first) & (middles < last)
        t, at = np.arange(first, last), path[inside]
        out[first:last] = CubicSpline(middles[inside], at)(t) if len(at) > 3 else at.mean(axis=0)
    return np.asarray(out - out[0])

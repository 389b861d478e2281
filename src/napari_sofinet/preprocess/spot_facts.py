"""Agreement of single spots and pairs of pixels on the structure of a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

USUAL_FWHM, NARROWEST, WIDEST = 3.0, 1.5, 7.0
"""Width of the PSF in camera px if it cannot be measured, and the limits of what is used."""
SIGMAS = 5.0
"""Height of a spot over the noise of the filtered frames."""
BORDER_PX, SMALLEST_PX, SMOOTHED_PX = 2, 8, 0.7
SAMPLE = 50
"""Frames from which the background and the noise are estimated."""


@dataclass(frozen=True)
class SpotFacts:
    """Agreement of pictures from the two halves of some frames; NaN if nothing was measured.

    Parameters
    ----------
    repeated : float
        Correlation of the spots in the first half with those in the second: near 1 if the same
        emitters were found again.
    agree : float
        Correlation of the spots in one half with the covariance of neighbouring pixels in the
        other: near 1 if spots are emitters, and not overlaps of several or noise.
    spread : float
        Squared mean over the mean square of the covariance's root: the share of the field in which
        something blinks, near 0 for few small structures.
    """

    repeated: float
    agree: float
    spread: float


def spot_facts(frames: np.ndarray, psf_fwhm_px: float) -> SpotFacts:
    """Compare the spots, and the covariances of neighbouring pixels, of two halves of some frames.

    Parameters
    ----------
    frames : ndarray of shape (T, Y, X)
        Successive frames, at least 4.
    psf_fwhm_px : float
        Width of the PSF in camera px; NaN stands for 3.

    Returns
    -------
    SpotFacts
        Correlations between -1 and 1; NaN for frames of less than 8 x 8 px.
    """
    if min(frames.shape[1:]) < SMALLEST_PX:
        return SpotFacts(float("nan"), float("nan"), float("nan"))
    f = np.asarray(frames, np.float32)
    fwhm = float(np.clip(np.nan_to_num(psf_fwhm_px, nan=USUAL_FWHM), NARROWEST, WIDEST))
    sigma = fwhm / 2.3548
    found, half = _spots(f, sigma), len(f) // 2
    parts = slice(0, half), slice(half, 2 * half)
    spots = [
        gaussian_filter(found[p].sum(axis=0, dtype=np.float32), max(sigma / 2, 0.6)) for p in parts
    ]
    pairs = [_covariance(f[p]) for p in parts]
    whole = _covariance(f)
    return SpotFacts(
        _alike(*spots),
        (_alike(spots[0], pairs[1]) + _alike(spots[1], pairs[0])) / 2,
        float(whole.mean() ** 2 / max(float((whole**2).mean()), 1e-12)),
    )


def _spots(f: np.ndarray, sigma: float) -> np.ndarray:
    """Return where filtered frames have maxima above the noise, as (T, Y, X) bool."""
    filtered = np.stack(
        [gaussian_filter(x, sigma) - gaussian_filter(x, 2 * sigma) for x in f]
    )  # frame by frame, which is faster than all at once
    sample = filtered[:: -(-len(f) // SAMPLE)]
    filtered -= np.median(sample, axis=0)
    steps = np.diff(filtered, axis=0)[:: -(-len(f) // SAMPLE)]
    noise = 1.4826 * float(np.median(np.abs(steps))) / 2**0.5
    return np.stack(
        [(x == maximum_filter(x, 3)) & (x > SIGMAS * max(noise, 1e-12)) for x in filtered]
    )


def _covariance(f: np.ndarray) -> np.ndarray:
    """Return the root of the covariance of diagonal neighbours, between four pixels each."""
    d = f - f.mean(axis=0)
    both = np.einsum("tyx,tyx->yx", d[:, :-1, :-1], d[:, 1:, 1:])
    both += np.einsum("tyx,tyx->yx", d[:, :-1, 1:], d[:, 1:, :-1])
    smooth: np.ndarray = gaussian_filter(both / len(f), SMOOTHED_PX)
    return np.asarray(np.sqrt(np.maximum(smooth, 0.0)))


def _alike(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation of two pictures without their border; 0 if one of them is even."""
    rows, columns = min(a.shape[0], b.shape[0]), min(a.shape[1], b.shape[1])
    inside = slice(BORDER_PX, rows - BORDER_PX), slice(BORDER_PX, columns - BORDER_PX)
    x, y = a[inside].ravel(), b[inside].ravel()
    return float(np.corrcoef(x, y)[0, 1]) if np.ptp(x) > 0 and np.ptp(y) > 0 else 0.0

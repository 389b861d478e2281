"""Widths of lines and points: profiles with fitted Gaussians, and autocorrelation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.base.errors import InputError

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))
FEWEST_POINTS = 6


@dataclass(frozen=True)
class Profile:
    """Brightness along a line: ``distance`` in px, ``values``."""

    distance: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class PeakFit:
    """One or two Gaussians over a constant; lengths in px.

    ``fwhm`` and ``centers`` of each peak, ``dip`` the depth between two of them (0 none, 1 down to
    the base), None for one; ``fwhm_half`` the width at half height between base and peak without a
    fit; ``curve`` the fit at the profile's distances. ``reason`` says why there is no fit.
    """

    fwhm: tuple[float, ...]
    centers: tuple[float, ...]
    dip: float | None
    fwhm_half: float | None
    curve: np.ndarray
    reason: str | None = None


def line_profile(
    image: np.ndarray, start: tuple[float, float], end: tuple[float, float], width: float = 1
) -> Profile:
    """Mean brightness across ``width`` px along a line from start to end (y, x in px).

    Linear interpolation widens what is narrow: a peak of 4 px by 3 % along a diagonal.
    """
    from skimage.measure import profile_line

    length = float(np.hypot(*np.subtract(end, start)))
    if length < 1:
        raise InputError("The line is shorter than a pixel; draw a longer one.")
    values = profile_line(
        np.asarray(image, np.float64), start, end, linewidth=max(round(width), 1), mode="reflect"
    )
    return Profile(np.linspace(0, length, len(values)), np.asarray(values))


def fit_peaks(profile: Profile, peaks: int = 1) -> PeakFit:
    """Fit one or two Gaussians and a constant base to a profile."""
    from scipy.optimize import curve_fit

    x, y = profile.distance, np.asarray(profile.values, np.float64)
    nothing = np.full(len(x), np.nan)
    reason = None
    if len(x) < FEWEST_POINTS:
        reason = f"The line has {len(x)} points; at least {FEWEST_POINTS} are needed."
    elif not np.isfinite(y).all():
        reason = "There are values that are no brightness (NaN or infinite)."
    elif np.ptp(y) <= 1e-9 * max(np.abs(y).max(), 1e-300):
        reason = "The profile is flat."
    if reason:
        return PeakFit((), (), None, None, nothing, reason)
    base, top, at = float(y.min()), float(np.ptp(y)), float(x[np.argmax(y)])
    half = _half_width(x, y)
    sigma = (half or (x[-1] - x[0]) / 4) / FWHM_PER_SIGMA

    def model(x: np.ndarray, base: float, *rest: float) -> np.ndarray:
        out = np.full(x.shape, base)
        for height, centre, width in np.reshape(rest, (-1, 3)):
            out = out + height * np.exp(-((x - centre) ** 2) / (2 * width**2))
        return out

    centres = [at] if peaks == 1 else _two_centres(x, y, sigma)
    start = [base]
    for centre in centres:
        start += [top, centre, sigma / len(centres)]
    step = x[1] - x[0]
    low = [-np.inf] + [0, x[0], 0.2 * step] * peaks
    high = [np.inf] + [np.inf, x[-1], x[-1] - x[0]] * peaks
    try:
        found, _ = curve_fit(model, x, y, np.clip(start, low, high), bounds=(low, high))
    except (RuntimeError, ValueError):
        return PeakFit((), (), None, half, nothing, "No Gaussian fits the profile.")
    each = sorted(np.reshape(found[1:], (-1, 3)).tolist(), key=lambda p: p[1])
    curve = model(x, *found)
    dip = None
    if peaks == 2:
        between = np.linspace(each[0][1], each[1][1], 101)
        lowest = float(model(between, *found).min()) - found[0]
        lower = min(float(model(np.array([p[1]]), *found)[0]) for p in each) - found[0]
        dip = max(1 - lowest / lower, 0.0) if lower > 0 else 0.0
    widths = tuple(FWHM_PER_SIGMA * p[2] for p in each)
    reason = "The peak is wider than the line." if max(widths) > x[-1] - x[0] else None
    return PeakFit(widths, tuple(p[1] for p in each), dip, half, curve, reason)


def _half_width(x: np.ndarray, y: np.ndarray) -> float | None:
    """Width at half height over the lowest value, by linear interpolation."""
    level = (y.max() + y.min()) / 2
    k = int(np.argmax(y))
    left, right = np.flatnonzero(y[:k] < level), np.flatnonzero(y[k:] < level)
    if not left.size or not right.size:
        return None
    i, j = int(left[-1]), k + int(right[0])
    a = x[i] + (level - y[i]) / (y[i + 1] - y[i]) * (x[i + 1] - x[i])
    b = x[j - 1] + (level - y[j - 1]) / (y[j] - y[j - 1]) * (x[j] - x[j - 1])
    return float(b - a)


def _two_centres(x: np.ndarray, y: np.ndarray, sigma: float) -> list[float]:
    from scipy.signal import find_peaks

    tops, found = find_peaks(y, prominence=0.02 * np.ptp(y))
    if len(tops) >= 2:
        best = tops[np.argsort(found["prominences"])[-2:]]
        return sorted(float(x[k]) for k in best)
    at = float(x[np.argmax(y)])
    return [at - sigma / 2, at + sigma / 2]


def fwhm_by_autocorrelation(image: np.ndarray, *, noise: bool = False) -> tuple[float, ...]:
    """Width (FWHM, px) of the spots of an image along every axis, from its autocorrelation.

    Parameters
    ----------
    image
        (Y, X) or (Z, Y, X); negative values count as zero.
    noise
        Leave out lag 0, where white noise of the pixels adds up.

    Returns
    -------
    One width per axis; NaN where no Gaussian fits.

    Notes
    -----
    The autocorrelation of a Gaussian spot is one sqrt(2) times wider, on the wider one of how spots
    lie: two Gaussians are fitted to it and the narrower counts (as in the evaluation of Kok and
    Li's axial resolution, with the spacing of their padded lags corrected). Lags of the other axes
    are 0.
    """
    image = np.maximum(np.asarray(image, dtype=np.float64), 0)
    if image.ndim not in (2, 3) or min(image.shape) < 8:
        raise InputError("Autocorrelation needs an image or a stack of at least 8 px a side.")
    power = np.abs(np.fft.fftn(image)) ** 2
    widths = []
    for axis in range(image.ndim):
        others = tuple(k for k in range(image.ndim) if k != axis)
        correlation = np.fft.fftshift(np.fft.ifft(power.sum(axis=others)).real)
        widths.append(_narrow_width(correlation, noise))
    return tuple(widths)


def _narrow_width(correlation: np.ndarray, noise: bool) -> float:
    from scipy.optimize import curve_fit

    n = len(correlation)
    lags = np.arange(n) - n // 2
    top = correlation[n // 2]
    if top <= 0:
        return float("nan")
    used = lags != 0 if noise else np.ones(n, bool)

    def model(x: np.ndarray, a: float, s: float, b: float, t: float) -> np.ndarray:
        return np.asarray(a * np.exp(-(x**2) / (2 * s**2)) + b * np.exp(-(x**2) / (2 * t**2)))

    try:
        (a, s, b, t), _ = curve_fit(
            model,
            lags[used],
            correlation[used] / top,
            p0=(0.7, 2.0, 0.3, 10.0 * n),
            bounds=([0, 0.1, 0, 0.1], [2, n, 2, np.inf]),
            max_nfev=5000,
        )
    except RuntimeError:
        return float("nan")
    narrow = s if (s < t and a > 1e-3) or b <= 1e-3 else t
    return float(narrow * FWHM_PER_SIGMA / np.sqrt(2))

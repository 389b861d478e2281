"""Widths of lines and points: profiles with fitted Gaussians, and autocorrelation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.base.errors import InputError

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))
FEWEST_POINTS, FEWEST_POINTS_OF_TWO = 6, 10
"""Points of a profile for one and for two peaks, whose fits have 4 and 7 parameters."""
LEAST_R2 = 0.9


@dataclass(frozen=True)
class Profile:
    """Brightness along a line.

    Parameters
    ----------
    distance : ndarray
        (N,) distance from the start of the line in px, equally spaced.
    values : ndarray
        (N,) brightness.
    """

    distance: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class PeakFit:
    """One or two Gaussians over a constant base.

    Parameters
    ----------
    fwhm : tuple of float
        Full width at half maximum of each peak in px; empty if nothing fits.
    centers : tuple of float
        Distance of each peak from the start of the line in px.
    dip : float or None
        Depth of the dip between two peaks: 0 for none, 1 if it reaches the base. None for one peak.
    fwhm_half : float or None
        Width at half height between base and peak in px, without a fit.
    curve : ndarray
        (N,) the fit at the profile's distances.
    reason : str, optional
        Why there is no fit, or why it is doubtful.
    r2 : float, optional
        Fraction of the profile's variance that the fit explains.
    """

    fwhm: tuple[float, ...]
    centers: tuple[float, ...]
    dip: float | None
    fwhm_half: float | None
    curve: np.ndarray
    reason: str | None = None
    r2: float | None = None


def line_profile(
    image: np.ndarray, start: tuple[float, float], end: tuple[float, float], width: float = 1
) -> Profile:
    """Return the brightness along a line, averaged across its width.

    Parameters
    ----------
    image : ndarray
        (Y, X).
    start, end : (float, float)
        Ends of the line (y, x) in px.
    width : float, optional
        Width of the line in px, rounded to whole pixels.

    Returns
    -------
    Profile
        About one value per pixel of length.

    Raises
    ------
    InputError
        The line is shorter than a pixel.

    Notes
    -----
    Linear interpolation widens narrow peaks: one of 4 px by 3 % along a diagonal.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(12.0).reshape(3, 4)
    >>> line_profile(image, (1, 0), (1, 3)).values
    array([4., 5., 6., 7.])
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
    """Fit one or two Gaussians and a constant base to a profile.

    Parameters
    ----------
    profile : Profile
        At least 6 points, or 10 for two peaks.
    peaks : {1, 2}, optional
        Number of Gaussians.

    Returns
    -------
    PeakFit
        Without widths, and with a reason, if nothing fits.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(21.0)
    >>> fit = fit_peaks(Profile(x, 5 + np.exp(-((x - 9) ** 2) / 8)))
    >>> round(fit.centers[0], 3), round(fit.fwhm[0], 3)
    (9.0, 4.71)
    """
    from scipy.optimize import curve_fit

    x, y = profile.distance, np.asarray(profile.values, np.float64)
    nothing = np.full(len(x), np.nan)
    reason = _reason_against_fit(y, peaks)
    if reason:
        return PeakFit((), (), None, None, nothing, reason)
    half = _half_width(x, y)
    start, low, high = _start_and_bounds(x, y, half, peaks)
    try:
        found, _ = curve_fit(
            _gaussians, x, y, np.clip(start, low, high), bounds=(low, high), max_nfev=5000
        )
    except (RuntimeError, ValueError):
        return PeakFit((), (), None, half, nothing, "No Gaussian fits the profile.")
    in_order = sorted(np.reshape(found[1:], (-1, 3)).tolist(), key=lambda peak: peak[1])
    centers = tuple(centre for _, centre, _ in in_order)
    widths = tuple(FWHM_PER_SIGMA * sigma for _, _, sigma in in_order)
    curve = _gaussians(x, *found)
    dip = _dip(found, centers) if peaks == 2 else None
    r2 = float(1 - np.sum((y - curve) ** 2) / np.sum((y - y.mean()) ** 2))
    reason = _doubt(x, centers, widths, r2)
    return PeakFit(widths, centers, dip, half, curve, reason, r2)


def _doubt(
    x: np.ndarray, centers: tuple[float, ...], widths: tuple[float, ...], r2: float
) -> str | None:
    """Return why the widths of a fit are doubtful."""
    if max(widths) > x[-1] - x[0]:
        return "The peak is wider than the line."
    if r2 < LEAST_R2:
        return f"Bad fit: it explains {100 * max(r2, 0):.0f} % of the profile (R² {r2:.2f})."
    ends = zip(centers, widths, strict=True)
    if any(min(at - x[0], x[-1] - at) < width / 2 for at, width in ends):
        return "The line ends within the peak; draw it longer."
    return None


def _reason_against_fit(y: np.ndarray, peaks: int) -> str | None:
    fewest = FEWEST_POINTS if peaks == 1 else FEWEST_POINTS_OF_TWO
    if len(y) < fewest:
        return f"The line has {len(y)} points; at least {fewest} are needed."
    if not np.isfinite(y).all():
        return "The picture contains values that are NaN or infinite."
    if np.ptp(y) <= 1e-9 * max(np.abs(y).max(), 1e-300):
        return "The profile is flat."
    return None


def _gaussians(x: np.ndarray, base: float, *peaks: float) -> np.ndarray:
    """Return a base with Gaussians on it: height, centre and sigma of each."""
    out = np.full(x.shape, base)
    for height, centre, width in np.reshape(peaks, (-1, 3)):
        out = out + height * np.exp(-((x - centre) ** 2) / (2 * width**2))
    return out


def _start_and_bounds(
    x: np.ndarray, y: np.ndarray, half_width: float | None, peaks: int
) -> tuple[list[float], list[float], list[float]]:
    """Return the start of the fit and the lower and upper bounds, see `_gaussians`."""
    base, top, at = float(y.min()), float(np.ptp(y)), float(x[np.argmax(y)])
    sigma = (half_width or (x[-1] - x[0]) / 4) / FWHM_PER_SIGMA
    centres = [at] if peaks == 1 else _two_centres(x, y, sigma)
    start = [base]
    for centre in centres:
        start += [top, centre, sigma / len(centres)]
    step = x[1] - x[0]
    low = [-np.inf] + [0, x[0], 0.2 * step] * peaks
    high = [np.inf] + [np.inf, x[-1], x[-1] - x[0]] * peaks
    return start, low, high


def _dip(found: np.ndarray, centers: tuple[float, ...]) -> float:
    """Return the depth of the dip between two peaks, 1 if it reaches the base."""
    base = found[0]
    between = np.linspace(centers[0], centers[1], 101)
    lowest = float(_gaussians(between, *found).min()) - base
    lower = min(float(_gaussians(np.array([c]), *found)[0]) for c in centers) - base
    return max(1 - lowest / lower, 0.0) if lower > 0 else 0.0


def _half_width(x: np.ndarray, y: np.ndarray) -> float | None:
    """Return the width at half height over the lowest value, by linear interpolation."""
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
    """Return the two most prominent maxima, or two places beside the only one."""
    from scipy.signal import find_peaks

    tops, found = find_peaks(y, prominence=0.02 * np.ptp(y))
    if len(tops) >= 2:
        best = tops[np.argsort(found["prominences"])[-2:]]
        return sorted(float(x[k]) for k in best)
    at = float(x[np.argmax(y)])
    return [at - sigma / 2, at + sigma / 2]


def fwhm_by_autocorrelation(image: np.ndarray, *, noise: bool = False) -> tuple[float, ...]:
    """Measure the width of the spots of an image along every axis by autocorrelation.

    Parameters
    ----------
    image : ndarray
        (Y, X) or (Z, Y, X), at least 8 px a side; negative values count as zero.
    noise : bool, optional
        Leave out lag 0, where the white noise of the pixels adds up.

    Returns
    -------
    tuple of float
        Full width at half maximum in px along each axis; NaN where no Gaussian fits.

    Raises
    ------
    InputError
        The image is too small or has another number of axes.

    Notes
    -----
    The autocorrelation of a Gaussian spot is a Gaussian that is sqrt(2) times wider. It stands on
    a wider one, which comes from the arrangement of the spots: two Gaussians are fitted, and the
    narrower one counts (Boland et al. (2021), supplement A1). Lags along the other axes are 0.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:64, :64] - 32
    >>> spot = np.exp(-(y**2) / (2 * 2.0**2) - x**2 / (2 * 3.0**2))
    >>> [round(width, 2) for width in fwhm_by_autocorrelation(spot)]
    [4.71, 7.06]
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
    """Return the width in px of the spots that have an autocorrelation, lag 0 in its middle."""
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

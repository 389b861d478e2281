"""Characteristics of a movie, to compare it with the training data of a network."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from napari_sofinet.data.blocks import read_all
from napari_sofinet.data.movie import Movie

SIDE_PX = 256
FRAMES = 200
"""Size of the central part of the field and the movie that is measured."""
SEARCH_PX = 8
LONGEST_LAG = 64
SLOWEST = 1000.0
"""Longest decay time in frames."""
ALIKE = 0.15
SURE = 4.0
NO_SIGNAL = 0.08
LEAST_SIGNAL = 0.35
"""Signal to noise below which nothing else can be measured."""


@dataclass(frozen=True)
class Characteristics:
    """Characteristics of a movie; NaN if they cannot be measured.

    Parameters
    ----------
    frames : float
        Number of frames.
    psf_fwhm_px : float
        Width of the fluctuations in space in camera px.
    signal_to_noise : float
        Fluctuation of the light divided by the noise, in bright pixels of one frame.
    correlation_frames : float
        Decay time of the fluctuations in frames, near 0 if emitters are on for a frame or less.
    crowding : float
        Squared ratio of the mean brightness to its fluctuation: the number of emitters that overlap
        in a frame.
    drift_px : float
        Distance between the first and the second half of the movie in camera px.
    """

    frames: float
    psf_fwhm_px: float
    signal_to_noise: float
    correlation_frames: float
    crowding: float
    drift_px: float


NAMES = {
    "frames": "number of frames",
    "psf_fwhm_px": "PSF width in camera px",
    "signal_to_noise": "signal to noise",
    "correlation_frames": "time in frames that emitters stay on",
    "crowding": "density of emitters that are on",
    "drift_px": "drift in camera px",
}


def characteristics_of(movie: Movie) -> Characteristics:
    """Measure the characteristics of a movie in its central part.

    Parameters
    ----------
    movie : Movie
        Movie of at least 5 frames.

    Returns
    -------
    Characteristics
        Characteristics of the movie.
    """
    frames = movie.shape[0]
    first = max((frames - FRAMES) // 2, 0)
    part = movie.middle_of_field(SIDE_PX).part(first, first + min(frames, FRAMES))
    return movie_characteristics(read_all(part), frames)


def movie_characteristics(frames: np.ndarray, count: int | None = None) -> Characteristics:
    """Measure the characteristics of frames.

    All values follow from covariances of neighbouring pixels, which receive light from the same
    emitters but have independent noise. Differences between frames are used, so that slow changes
    hardly matter.

    Parameters
    ----------
    frames : ndarray
        (T, Y, X), at least 5 frames.
    count : int, optional
        Number of frames of the whole movie.

    Returns
    -------
    Characteristics
        Characteristics of the frames.
    """
    f = np.asarray(frames, np.float64)
    f = f / (np.abs(f).max() or 1.0)
    mean = f.mean(axis=0)
    signal = mean - np.percentile(mean, 10)
    power = ((f[1:] - f[:-1]) ** 2).mean(axis=0)
    bright = power >= np.percentile(power, 80)
    near, far, alone = _covariances(f[1:] - f[:-1], bright)
    lag = min(LONGEST_LAG, len(f) // 2)
    later, _, _ = _covariances(f[lag:] - f[:-lag], bright)
    if near < SURE * alone / np.sqrt(max(bright.sum() * (len(f) - 1), 1)):
        near = 0.0  # noise alone may have this covariance
    nan = float("nan")
    width = correlation = nan
    if near > 0:
        ratio = near / far if far > 0 else np.inf
        # A Gaussian PSF of s: covariances exp(-r² / 4 s²) at distances r of 1 and 2 px.
        width = 2.3548 * np.sqrt(0.75 / np.log(ratio)) if ratio > 1.001 else 50.0
        correlation = _decay_time(later / near, lag)
    light = near * np.exp(0.25 / max((width / 2.3548) ** 2, 0.1)) if near > 0 else 0.0
    snr = float(np.sqrt(max(light, 0) / max(alone - light, 0.05 * alone, 1e-12)))
    brightness = float(signal[bright].mean())
    crowding = brightness**2 / (light / 2) if light > 0 else nan
    return Characteristics(
        float(count or len(f)),
        float(min(width, 50.0)) if near > 0 else nan,
        snr,
        float(correlation),
        float(crowding),
        _distance(f),
    )


def unusual(traits: Characteristics, ranges: dict[str, tuple[float, float]]) -> list[str]:
    """Return the names of characteristics outside of ranges.

    Parameters
    ----------
    traits : Characteristics
        Characteristics of a movie; NaN is ignored.
    ranges : dict of str to (float, float)
        Lowest and highest values in the training data of a network.

    Examples
    --------
    >>> traits = Characteristics(20.0, 2.5, 1.0, 4.0, 2.0, float("nan"))
    >>> unusual(traits, {"frames": (50, 1000), "psf_fwhm_px": (2, 3), "drift_px": (0, 1)})
    ['frames']
    """
    values = asdict(traits)
    names = set(ranges)
    if traits.signal_to_noise < LEAST_SIGNAL:
        names &= {"frames", "crowding"}
    found = []
    for name, (low, high) in ranges.items():
        value = values.get(name, float("nan"))
        if name in names and not np.isnan(value) and not low <= value <= high:
            found.append(name)
    return found


def _decay_time(ratio: float, lag: int) -> float:
    """Return the time t for which (1 - exp(-lag/t)) / (1 - exp(-1/t)) is ``ratio``."""
    times = np.geomspace(0.2, SLOWEST, 200)
    ratios = np.expm1(-lag / times) / np.expm1(-1 / times)
    return float(np.interp(ratio, ratios, times))


def _covariances(d: np.ndarray, bright: np.ndarray) -> tuple[float, float, float]:
    """Return the mean products of bright pixels 1 and 2 px apart, and their mean square."""
    d = d - d.mean(axis=0)
    if not bright.all():
        d -= d[:, ~bright].mean(axis=1)[:, None, None]  # fluctuation of the whole field
    together = []
    for step in (1, 2):
        total = number = 0.0
        for a, b in (
            ((slice(None, -step), slice(None)), (slice(step, None), slice(None))),
            ((slice(None), slice(None, -step)), (slice(None), slice(step, None))),
        ):
            both = bright[a] & bright[b]
            total += float((d[:, *a] * d[:, *b]).mean(axis=0)[both].sum())
            number += int(both.sum())
        together.append(total / max(number, 1))
    return together[0], together[1], float((d**2).mean(axis=0)[bright].mean())


def _distance(f: np.ndarray) -> float:
    """Return the shift in px between the halves of a movie.

    Maps of the fluctuation are compared, which do not contain the fixed pattern of the camera.
    """
    from scipy.ndimage import gaussian_filter

    half = len(f) // 2
    spectra = []
    for part in (f[:half], f[half:]):
        d = part[1:] - part[:-1]
        product = (d[:, :, 1:] * d[:, :, :-1]).mean(axis=0)
        smooth = gaussian_filter(np.sign(product) * np.sqrt(np.abs(product)), 1.5)
        spectra.append(np.fft.rfft2(smooth - smooth.mean()))
    rows, columns = f.shape[1], f.shape[2] - 1
    product = np.fft.irfft2(spectra[0] * spectra[1].conj(), s=(rows, columns))
    reach = min(SEARCH_PX, (min(rows, columns) - 1) // 2)
    near = np.roll(product, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    peak = np.unravel_index(int(near.argmax()), near.shape)
    # Halves that hardly correlate do not show drift.
    alike = near.max() * rows * columns > ALIKE * np.prod([_norm(s, columns) for s in spectra])
    return float(np.hypot(peak[0] - reach, peak[1] - reach)) if alike else 0.0


def _norm(spectrum: np.ndarray, columns: int) -> float:
    """Return the norm of a whole spectrum from its half."""
    whole = 2 * np.sum(np.abs(spectrum) ** 2) - np.sum(np.abs(spectrum[:, 0]) ** 2)
    if columns % 2 == 0:
        whole -= np.sum(np.abs(spectrum[:, -1]) ** 2)
    return float(np.sqrt(whole))

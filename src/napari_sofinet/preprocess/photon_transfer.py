"""Gain and offset of a camera from the increase of the noise with brightness.

Successive frames are subtracted and filtered so that only detail finer than any PSF is left. The
square of that detail is the noise's variance at the brightness that the filter sees. Variance and
brightness share the same noise, and pixels have offsets of their own, so a line fitted to both
would be too flat. Both are therefore compared with the brightness of other rows (an instrumental
variable), which shares only the light with them: the ratio of the two covariances is the gain,
whatever the distribution of the noise.

Two errors remain. Blinking of small PSFs leaks through the filter, and pixels differ in gain, which
turns blinking into noise. Both grow with the square of the change of light. The leak is measured
with a coarser filter, through which more of it passes; of the other the typical amount is assumed.
Both are subtracted, and their uncertainty is part of the stated error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.fine_detail import Samples, fine_detail

FEWEST_SAMPLES = 2000
SUREST = 0.1
"""Relative standard error of the gain above which it counts as not measurable."""
WEAKEST = 0.2
"""The same of the covariance of brightness with that of other rows."""
TILES, TIMES = 5, 4
"""Parts of the movie that the jackknife leaves out, along each side and in time."""
SCATTER = 1.25
"""Scatter of the results of simulated movies over their jackknife error."""

COARSE, NARROW, WIDE = range(3)
"""The filters of `fine_detail`."""
LEAK = {NARROW: (4.0, 2.0), WIDE: (6.0, 2.4)}
LEAK_UNCERTAINTY = 0.6
"""Fraction of blinking that leaks through a filter: this factor times that of the coarse one to
this power, with this relative uncertainty. Gaussian PSFs of 1.6 to 3 px have 3.5 to 7 and 7 to 14,
Airy patterns 1 to 4 and 1 to 3 (filaments, mitochondria, vesicles and scattered emitters)."""
MOST_LEAK = 0.1
GAIN_SPREAD = 2e-4
"""Variance of the relative gain of the pixels (1.4 % squared), and its uncertainty."""
FINE_NOISE = 0.15
"""Variance in steps of the counts below which rounding does more than add 1/12."""
MOST_COLORED = 0.05
"""Largest relative difference of the noise's variance by two filters that counts as chance."""
HOT, OUTLIER = 6, 100
"""Variance over the expected one, of a pixel's mean and of one sample, that no camera's noise has.
"""


@dataclass(frozen=True)
class PhotonTransfer:
    """Noise of a camera.

    Parameters
    ----------
    gain : float
        Variance over brightness, in counts per photoelectron. Electron multiplication doubles the
        variance, and hence this gain.
    gain_error : float
        Its standard error, in counts per photoelectron.
    offset : float
        The count at which the noise would be zero. It is below the true offset by the square of the
        read noise (in counts) over the gain, which is a fraction of a count to a few counts.
    offset_error : float
        Its standard error, in counts, without that difference.
    """

    gain: float
    gain_error: float
    offset: float
    offset_error: float


class _Line(NamedTuple):
    """Fit of one filter's samples: first of all of them, then without each part of the movie.

    ``slope`` of variance over brightness, ``change`` the same of the squared change of light,
    ``variance`` and ``brightness`` their means; ``weakness`` is the relative error of the
    covariance of brightness with that of other rows.
    """

    slope: np.ndarray
    change: np.ndarray
    variance: np.ndarray
    brightness: np.ndarray
    weakness: float


class GainUnknown(InputError):
    """The noise of a movie does not tell the gain of its camera."""


def photon_transfer(movie: Movie) -> PhotonTransfer:
    """Estimate gain and offset from the noise of the movie itself.

    Parameters
    ----------
    movie : Movie
        Movie in counts. Of long movies, the middle part is used.

    Returns
    -------
    PhotonTransfer
        Gain and offset with their standard errors.

    Raises
    ------
    GainUnknown
        There are too few pixels, or the error exceeds a tenth of the gain, for lack of light or
        because the brightness hardly varies.
    """
    samples = fine_detail(movie)
    if samples is None or len(samples.change) * samples.usable.sum() < FEWEST_SAMPLES:
        raise GainUnknown(
            f"{movie.name} has too few pixels to estimate the gain of the camera; enter offset and "
            "gain."
        )
    if not _independent(samples):
        raise GainUnknown(
            f"{movie.name} does not allow the gain of the camera to be estimated: neighbouring "
            "pixels share their noise, as in interpolated or filtered frames. Enter offset and "
            "gain."
        )
    with np.errstate(all="ignore"):
        narrow, wide = _weights(samples, NARROW), _weights(samples, WIDE)
        lines = [
            _line(samples, kind, weight)
            for kind, weight in ((COARSE, narrow), (NARROW, narrow), (WIDE, wide))
        ]
        found = [_transfer(lines, kind, samples.step) for kind in (NARROW, WIDE)]
    sure = [one for one in found if 0 < one.gain_error <= SUREST * one.gain]
    if not sure:
        raise GainUnknown(
            f"{movie.name} does not allow the offset and gain of the camera to be estimated: its "
            "noise does not grow steadily enough with brightness. Enter them, or switch off the "
            "estimate."
        )
    return min(sure, key=lambda one: one.gain_error / one.gain)


def _independent(samples: Samples) -> bool:
    """Whether the noise of dim places is the same by the narrow and the wide filter."""
    beside = samples.beside[WIDE]
    usable = np.broadcast_to(samples.usable, beside.shape)
    dim = usable & (beside <= np.median(beside[usable]))
    narrow, wide = (float(np.median(samples.variance[kind][dim])) for kind in (NARROW, WIDE))
    chance = 6 / float(np.sqrt(np.count_nonzero(dim)))
    return abs(narrow - wide) <= (MOST_COLORED + chance) * wide


def _transfer(lines: list[_Line], kind: int, step: float) -> PhotonTransfer:
    """Gain and offset by one of the filters, without what blinking adds to the noise."""
    coarse, narrow, line = lines[COARSE], lines[NARROW], lines[kind]
    change = np.maximum(narrow.change - narrow.slope, 0)
    beyond = np.nan_to_num(np.maximum(coarse.slope - narrow.slope, 0) / change)
    passes = beyond
    for _ in range(3):
        passes = np.minimum(beyond + _leak(NARROW, passes), MOST_LEAK)
    leak = _leak(kind, passes)
    gain = line.slope - change * (leak + GAIN_SPREAD)
    bias = change[0] * np.hypot(LEAK_UNCERTAINTY * leak[0], GAIN_SPREAD)
    error = np.hypot(_jackknife(gain), bias) if line.weakness < WEAKEST else np.inf
    light = (line.variance - step**2 / 12) / gain
    offset = line.brightness - light
    offset_error = np.hypot(_jackknife(offset), light[0] * bias / gain[0])
    return PhotonTransfer(float(gain[0]), float(error), float(offset[0]), float(offset_error))


def _leak(kind: int, passes: np.ndarray) -> np.ndarray:
    factor, power = LEAK[kind]
    return np.asarray(factor * passes**power)


def _weights(samples: Samples, kind: int) -> np.ndarray:
    """Return weights of the samples, which depend on the brightness of other rows."""
    variance, beside = samples.variance[kind], samples.beside[kind]
    weight = np.broadcast_to(samples.usable.astype(np.float32), beside.shape)
    for _ in range(2):
        weight = samples.usable * _precision(variance, beside, weight, samples.step)
    return weight


def _line(samples: Samples, kind: int, weight: np.ndarray) -> _Line:
    """Compare variance and brightness with the brightness of other rows."""
    variance, brightness, beside = (
        each[kind] for each in (samples.variance, samples.brightness, samples.beside)
    )
    count = _without_parts(weight)
    light = weight * (beside - np.float32(_mean(beside, weight)))
    light_sum = _without_parts(light)
    means, shared = [], []
    for values in (variance, brightness, samples.change):
        middle = _mean(values, weight)
        rest = values - np.float32(middle)
        total = _without_parts(weight * rest)
        means.append(middle + total / count)
        shared.append(_without_parts(light * rest) - light_sum * total / count)
    weakness = _jackknife(shared[1]) / shared[1][0] if shared[1][0] > 0 else np.inf
    slope, change = shared[0] / shared[1], shared[2] / shared[1]
    return _Line(slope, change, means[0], means[1], weakness)


def _precision(
    variance: np.ndarray, beside: np.ndarray, weight: np.ndarray, step: float
) -> np.ndarray:
    """Return weights: one over the square of the variance that the light of other rows predicts.

    Zero are those of pixels far noisier than predicted, of single outliers such as cosmic rays, and
    of light at which the counts are too coarse for the noise.
    """
    middle = _mean(beside, weight)
    away = beside - np.float32(middle)
    slope = max(_mean(away * variance, weight) / max(_mean(away**2, weight), 1e-30), 0.0)
    expected = np.float32(_mean(variance, weight)) + np.float32(slope) * away
    fine = expected > step**2 * (FINE_NOISE + 1 / 12)
    np.maximum(expected, max(0.3 * float(np.median(expected)), 1e-12), out=expected)
    excess = variance / expected
    pixel = excess.mean(axis=0)
    steady = pixel < HOT * np.median(pixel)
    return np.asarray((fine & steady & (excess < OUTLIER)) / expected**2, np.float32)


def _mean(values: np.ndarray, weight: np.ndarray) -> float:
    total = np.sum(weight, dtype=np.float64)
    return float(np.sum(weight * values, dtype=np.float64) / total) if total else 0.0


def _without_parts(values: np.ndarray) -> np.ndarray:
    """Sums of values (T, Y, X): the whole, and the whole without each part in space and time."""
    sums = values
    for axis, parts in enumerate((TIMES, TILES, TILES)):
        starts = np.unique(np.arange(parts) * sums.shape[axis] // parts)
        sums = np.add.reduceat(sums, starts, axis=axis, dtype=np.float64)
    whole = sums.sum()
    return np.concatenate([[whole], whole - sums.ravel()])


def _jackknife(values: np.ndarray) -> float:
    """Return the standard error of the first value; each of the others lacks a part."""
    return float(SCATTER * np.sqrt((len(values) - 2) * np.var(values[1:])))

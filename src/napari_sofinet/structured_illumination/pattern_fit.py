"""Period, angle, phase and contrast of a pattern, found in the exposures themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.fft as fft
from scipy.optimize import minimize

from napari_sofinet.structured_illumination.bands import separate
from napari_sofinet.structured_illumination.geometry import StackGeometry
from napari_sofinet.structured_illumination.optics import Optics, transfer_functions
from napari_sofinet.structured_illumination.pattern import Pattern

SEARCH = 0.12
"""Largest deviation of a grating from its nominal frequency that is searched, as a fraction."""
LARGEST_MISFIT = 0.1
"""Largest distance of gratings from an even arrangement, as a fraction of their frequency."""
FITTING_TOGETHER, CLOSELY, CANDIDATES = 0.03, 0.01, 4
"""Misfit of gratings that fit together, and peaks of each that are tried where they do not."""
WHITENED = 0.05
"""Regularisation of the flattened spectra, relative to the square of the transfer function."""
LEAST_COHERENCE, LEAST_SIGNIFICANCE = 0.1, 8.0
"""Coherence of a grating, and that over what noise gives, from which on it is believed; half the
coherence is enough where three gratings, each found on its own, fit together."""


@dataclass(frozen=True)
class PatternFit:
    """Pattern found in exposures.

    Parameters
    ----------
    pattern : Pattern
        The nominal pattern with the frequencies, phases and modulations that were found.
    coherence : ndarray
        (H,) agreement of the band of each grating with the wide-field band where they overlap, 0 to
        1.
    significance : ndarray
        (H,) coherence over that of noise.
    misfit : float
        Largest distance of a grating's frequency from the nominal ones, turned and scaled so that
        they fit best, as a fraction of the frequency.
    alone : bool
        Whether each grating was found without the others.
    """

    pattern: Pattern
    coherence: np.ndarray
    significance: np.ndarray
    misfit: float
    alone: bool = True

    @property
    def found(self) -> bool:
        """Whether every grating stands out, where the others let it be expected."""
        fits = self.alone and self.misfit <= FITTING_TOGETHER and len(self.coherence) > 2
        clear = self.coherence >= LEAST_COHERENCE * (0.5 if fits else 1)
        clear &= self.significance >= LEAST_SIGNIFICANCE
        # Peaks that were chosen to fit together must do so closely.
        return bool(clear.all()) and self.misfit <= (LARGEST_MISFIT if self.alone else CLOSELY)

    @property
    def angle_deg(self) -> float:
        """Angle of the first grating from the y axis, towards x."""
        y, x = self.pattern.frequencies_per_um[0]
        return float(np.degrees(np.arctan2(x, y)))


def fit_pattern(
    exposures: np.ndarray,
    nominal: Pattern,
    optics: Optics,
    geometry: StackGeometry,
) -> PatternFit:
    """Find a pattern in exposures at any angle, starting from the nominal frequencies.

    Each band of a grating overlaps with the wide-field band once it is shifted by the frequency of
    the grating; where they overlap they differ by a complex factor, the modulation with its phase
    (Gustafsson et al., Biophys. J. 94, 4957 (2008)). Steps of phase between exposures are taken as
    nominal.

    Parameters
    ----------
    exposures : ndarray
        (P, Z, Y, X) images of some planes with signal.
    nominal : Pattern
        The expected pattern.
    optics : Optics
        The microscope.
    geometry : StackGeometry
        Sampling.

    Returns
    -------
    PatternFit
        The pattern that was found and how clear it is.

    Raises
    ------
    InputError
        The exposures do not fit the pattern, or the pixels the microscope.
    """
    bands = separate(geometry.spectra_at_planes(exposures), nominal)
    bands = _windowed(fft.ifft(bands, axis=1, workers=1))
    shape = (int(bands.shape[-2]), int(bands.shape[-1]))
    otf = _full(transfer_functions(optics, shape, geometry.pixel_um, np.zeros(1))[0], shape)
    spectra = fft.fft2(bands, workers=1) * (otf / (otf**2 + WHITENED))
    overlaps = _Overlaps(spectra, otf, geometry.pixel_um)
    (frequencies, alone), weights = _frequencies(overlaps, nominal), nominal.weights.copy()
    coherence, significance = np.zeros((2, len(frequencies)))
    for h in range(len(frequencies)):
        factor, coherence[h], terms = _factor(
            bands[0], bands[1 + h], otf, frequencies[h], geometry.pixel_um
        )
        significance[h] = coherence[h] * np.sqrt(terms)
        # Noise lowers the factor and the contrast of an illumination has a limit.
        size = np.clip(abs(factor), 0.25, 1.25)
        weights[:, h] *= size * factor / max(abs(factor), 1e-12)
    return PatternFit(
        replace(nominal, frequencies_per_um=frequencies, weights=weights),
        coherence,
        significance,
        _misfit(frequencies, nominal.frequencies_per_um),
        alone,
    )


def _frequencies(overlaps: _Overlaps, nominal: Pattern) -> tuple[np.ndarray, bool]:
    """Return the frequencies (H, 2) of the gratings, and whether each was found on its own.

    Where they do not fit together, as in dim stacks and in samples that are lattices themselves,
    the highest peaks of each tell where the others would be, and those count that agree best.
    """
    out = nominal.frequencies_per_um.copy()
    first = [h for h, order in enumerate(nominal.orders) if order == 1]
    peaks = {h: overlaps.coarse_peaks(h, _around(out[h])) for h in first}
    best = {h: peaks[h][0] for h in first}
    at = np.array([best[h].at for h in first])
    alone = len(first) < 2 or _misfit(at, out[first]) <= LARGEST_MISFIT
    if not alone:
        best = _together(overlaps, nominal.frequencies_per_um, peaks)
    for h, peak in best.items():
        out[h] = overlaps.refined(peak)
    for h, order in enumerate(nominal.orders):
        if order != 1:
            out[h] = overlaps.refined(overlaps.coarse_peaks(h, [2 * out[h - 1]])[0])
    return out, alone


def _together(
    overlaps: _Overlaps, nominal: np.ndarray, peaks: dict[int, list[_Peak]]
) -> dict[int, _Peak]:
    """Return peaks of all gratings that lie as the nominal ones, turned, scaled or mirrored."""
    best: dict[int, _Peak] = {}
    for h, candidates in peaks.items():
        for peak in candidates[:CANDIDATES]:
            for mirror in (1, -1):
                expected = (nominal * [1, mirror]) @ [1, 1j]
                turn = complex(*peak.at) / expected[h]
                found = {h: peak}
                for k in peaks.keys() - {h}:
                    there = turn * expected[k]
                    found[k] = overlaps.coarse_peak(
                        k, np.array([there.real, there.imag]), FITTING_TOGETHER
                    )
                if sum(one.height for one in found.values()) > sum(
                    one.height for one in best.values()
                ):
                    best = found
    return best


def _misfit(found: np.ndarray, nominal: np.ndarray) -> float:
    """Return the misfit of frequencies to nominal ones, which are turned, scaled or mirrored."""
    there = _without_sign(found)
    least = np.inf
    for mirror in (1, -1):
        expected = _without_sign(nominal * [1, mirror])
        turn = np.vdot(expected, there) / np.vdot(expected, expected)
        off = np.abs(there - turn * expected) / np.maximum(np.abs(there), 1e-9)
        least = min(least, float(off.max()))
    return least


def _without_sign(frequencies: np.ndarray) -> np.ndarray:
    """Return frequencies (H, 2) as complex numbers of twice the angle: stripes have no sign."""
    numbers = frequencies[:, 0] + 1j * frequencies[:, 1]
    return np.asarray(numbers**2 / np.maximum(np.abs(numbers), 1e-9))


def _around(frequency: np.ndarray) -> list[np.ndarray]:
    """Return frequencies at all angles, so close that the search around each covers all."""
    size = float(np.linalg.norm(frequency))
    angles = np.arange(0, 2 * np.pi, 1.6 * SEARCH)
    return [size * np.array([np.cos(a), np.sin(a)]) for a in angles]


class _Peak(NamedTuple):
    """Peak of a product of bands: height, frequency (2,) and the product (Z, Y, X)."""

    height: float
    at: np.ndarray
    product: np.ndarray


class _Overlaps:
    """Where bands overlap with the wide-field band, the spectra of their products."""

    def __init__(self, spectra: np.ndarray, otf: np.ndarray, pixel_um: float) -> None:
        self.spectra, self.otf, self.pixel_um = spectra, otf, pixel_um

    def coarse_peaks(self, h: int, starts: list[np.ndarray]) -> list[_Peak]:
        """Return the highest peaks near some frequencies, the highest of them first."""
        found = [self.coarse_peak(h, start) for start in starts]
        return sorted(found, key=lambda one: -one.height)

    def refined(self, peak: _Peak) -> np.ndarray:
        """Return the frequency (2,) of a peak."""
        product, at = peak.product, peak.at
        step = self._step(product.shape)
        scale = max(self._power(product, at[:1], at[1:])[0, 0], 1e-300)
        best = minimize(
            lambda f: -self._power(product, f[:1], f[1:])[0, 0] / scale,
            at,
            method="Nelder-Mead",
            options={
                "xatol": 1e-3 * step,
                "fatol": 1e-7,
                "initial_simplex": at + step * np.array([[0, 0], [0.5, 0], [0, 0.5]]),
            },
        )
        return np.asarray(best.x)

    def coarse_peak(self, h: int, start: np.ndarray, nearness: float = 1.0) -> _Peak:
        """Return the peak near a frequency, up to a fraction of it away."""
        # Only where the bands overlap do they show the same part of the sample.
        ahead = _moved(self.otf, start, self.pixel_um)
        behind = _moved(self.otf, -start, self.pixel_um)
        wide = fft.ifft2(self.spectra[0] * behind, workers=1)
        band = fft.ifft2(self.spectra[1 + h] * ahead, workers=1)
        product = np.conj(wide) * band
        step, size = self._step(product.shape), float(np.linalg.norm(start))
        reach = max(SEARCH * size, 3 * step)
        offsets = np.arange(-int(reach / step), int(reach / step) + 1) * step
        grid = np.sqrt(self._power(product, start[0] + offsets, start[1] + offsets))
        squared = offsets[:, None] ** 2 + offsets**2
        middle = float(np.median(grid[squared <= reach**2]))
        inside = squared <= min(reach, max(nearness * size, 1.5 * step)) ** 2
        best = np.unravel_index(int(np.where(inside, grid, 0).argmax()), grid.shape)
        at = start + np.array([offsets[best[0]], offsets[best[1]]])
        # Relative to the light in the overlap, which differs from angle to angle.
        light = float(np.sqrt((np.abs(wide) ** 2).sum() * (np.abs(band) ** 2).sum()))
        return _Peak((float(grid[best]) - middle) / max(light, 1e-300), at, product)

    def _power(self, product: np.ndarray, fy: np.ndarray, fx: np.ndarray) -> np.ndarray:
        """Return the power of a product's spectrum at frequencies along y and x, over planes."""
        rows, columns = product.shape[-2:]
        left = np.exp(-2j * np.pi * np.outer(fy, np.arange(rows) * self.pixel_um))
        right = np.exp(-2j * np.pi * np.outer(np.arange(columns) * self.pixel_um, fx))
        return np.asarray((np.abs(left @ product @ right) ** 2).sum(0))

    def _step(self, shape: tuple[int, ...]) -> float:
        return 0.5 / (self.pixel_um * max(shape[-2:]))


def _windowed(bands: np.ndarray) -> np.ndarray:
    """Return bands (B, Z, Y, X) that fall to zero at the borders, whose jumps look like peaks."""
    rows, columns = (np.hanning(n + 2)[1:-1] ** 0.5 for n in bands.shape[-2:])
    return np.asarray(bands * (rows[:, None] * columns).astype(np.float32))


def _full(half: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return a transfer function (Y, X) in the order of `scipy.fft.fft2`, from half of it."""
    kx = np.abs(fft.fftfreq(shape[1], 1 / shape[1])).round().astype(int)
    return half[:, kx]


def _factor(
    wide: np.ndarray, band: np.ndarray, otf: np.ndarray, frequency: np.ndarray, pixel_um: float
) -> tuple[complex, float, int]:
    """Return how a band differs from the wide-field band (Z, Y, X), shifted: factor and coherence.

    Also the number of terms of the spectra from which they are found.
    """
    rows, columns = wide.shape[-2:]
    y, x = np.arange(rows) * pixel_um, np.arange(columns) * pixel_um
    wave = np.exp(2j * np.pi * (frequency[0] * y[:, None] + frequency[1] * x))
    moved = _moved(otf, frequency, pixel_um)
    inside = np.minimum(otf, moved) > 0.05
    first = (fft.fft2(wide * wave, workers=1) * otf)[..., inside]
    second = (fft.fft2(band, workers=1) * moved)[..., inside]
    both = complex((np.conj(first) * second).sum())
    powers = [max(float((np.abs(part) ** 2).sum()), 1e-300) for part in (first, second)]
    return both / powers[0], abs(both) / float(np.sqrt(powers[0] * powers[1])), first.size


def _moved(otf: np.ndarray, frequency: np.ndarray, pixel_um: float) -> np.ndarray:
    """Return a transfer function (Y, X), moved by a frequency (2,) in cycles per um."""
    rows, columns = otf.shape
    y, x = (fft.fftfreq(n, 1 / n) * pixel_um for n in (rows, columns))  # a PSF begins in its middle
    wave = np.exp(2j * np.pi * (frequency[0] * y[:, None] + frequency[1] * x))
    return np.asarray(np.abs(fft.fft2(fft.ifft2(otf, workers=1) * wave, workers=1)))

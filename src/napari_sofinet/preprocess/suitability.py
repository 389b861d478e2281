"""Check whether a movie suits SOFI: blinking, light, bleaching and drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_sofinet.base.progress import Report, portion, silent
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.preprocess.bleaching import half_life
from napari_sofinet.preprocess.drift import estimate_drift
from napari_sofinet.sofi.convergence import SHORTEST, Convergence, convergence
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import NARROWEST_FWHM_PX, WIDEST_FWHM_PX, estimate_psf_fwhm
from napari_sofinet.sofi.pixel_sets import SQUARED_SIGMA

Light = Literal["good", "fair", "bad"]
FRAMES, SIDE = 400, 192
"""Frames and camera pixels a side of the part that is measured in detail."""
PIECE = 50
PARTS = 10
"""Parts of the movie in the jackknife."""
MOST_DRIFT_PX = 0.3
CONVERGED = 0.9
"""Sufficient correlation with the picture of infinitely many frames."""


@dataclass(frozen=True)
class Finding:
    """One property of a movie.

    Parameters
    ----------
    name : str
        Name of the property.
    value : str
        Value with its unit.
    light : {"good", "fair", "bad"}
        Whether it suits.
    advice : str
        One sentence.
    number : float, optional
        The value as a number.
    curve : tuple of (int, float), optional
        Measurements behind it, e.g. (frames, agreement).
    """

    name: str
    value: str
    light: Light
    advice: str
    number: float | None = None
    curve: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Blinking:
    """Correlation of the fluctuations of bright pixels with those of their neighbours.

    Parameters
    ----------
    contrast, error : float
        Correlation of adjacent pixels, and its standard error.
    farther, farther_error : float
        The same for pixels at a distance of 2 px.
    """

    contrast: float
    error: float
    farther: float
    farther_error: float


def check(movie: Movie, order: int = 2, report: Report = silent) -> tuple[Finding, ...]:
    """Check whether a movie suits SOFI.

    Parameters
    ----------
    movie : Movie
        Movie in counts.
    order : int, optional
        Order of the cumulant.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    tuple of Finding
        One for each property.

    Raises
    ------
    InputError
        The movie cannot be read.
    """
    frames = movie.shape[0]
    part = _middle(movie)
    if min(part.shape[1:]) < 4 or frames < 4:
        value = f"{frames} frames of {movie.shape[1]} x {movie.shape[2]} px"
        return (Finding("size", value, "bad", "At least 4 frames of 4 x 4 px are needed."),)
    block = np.concatenate(list(time_blocks(part)))
    report(0.2, "blinking")
    blinks = blinking(block)
    # In pieces, so that bleaching and drift do not widen it.
    pieces = np.array_split(block, max(len(block) // PIECE, 1))
    cumulant = np.mean([cross_cumulants(piece, (2,))[2] for piece in pieces], axis=0)
    trace, floor, saturation = _read_all(movie, report)
    findings = [
        _blinking(blinks),
        _signal_to_noise(blinks, cumulant),
        _width(cumulant, blinks),
        _frames(frames, order),
        _saturation(saturation),
        _bleaching(trace, floor),
    ]
    if findings[0].light != "bad" and frames >= 2 * SHORTEST and min(movie.shape[1:]) >= 8:
        settled = convergence(movie, order, portion(report, 0.5, 0.6))
        findings.insert(4, _convergence(settled, frames))
    if findings[0].light != "bad" and frames >= 150:
        findings.append(_drift(movie, report))
    return tuple(findings)


def suits(findings: tuple[Finding, ...]) -> Light:
    """Return the worst light of some findings, the judgement of the whole movie."""
    lights = {f.light for f in findings}
    return "bad" if "bad" in lights else "fair" if "fair" in lights else "good"


def blinking(frames: np.ndarray) -> Blinking:
    """Measure how much neighbouring pixels fluctuate together.

    Parameters
    ----------
    frames : ndarray
        (T, Y, X) counts.

    Returns
    -------
    Blinking
        Correlations with standard errors.

    Notes
    -----
    Differences of successive frames are used, so that slow changes do not count. A fluctuation of
    all pixels, either equal or in proportion to their brightness (a flickering lamp), is
    subtracted. The noise of two pixels is independent and averages out. The error is that of a
    jackknife over parts of the movie.
    """
    f = np.asarray(frames, dtype=np.float64)
    mean = f.mean(axis=0)
    signal = mean - np.percentile(mean, 1)
    bright = signal >= np.percentile(signal, 75)
    d = np.diff(f, axis=0)
    common = np.stack([signal[bright], np.ones(int(bright.sum()))], axis=1)
    flicker = d[:, bright] @ np.linalg.pinv(common).T
    d -= flicker[:, :1, None] * signal + flicker[:, 1:, None]
    parts = np.array_split(np.arange(len(d)), min(PARTS, len(d)))
    products = np.array([_products(d[p], bright) * len(p) for p in parts])
    total = products.sum(axis=0)

    def correlations(sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[..., ::2] / np.maximum(sums[..., 1::2], 1e-12))

    value = correlations(total)
    without = correlations(total - products)
    n = len(parts)
    error = np.sqrt((n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    return Blinking(float(value[0]), float(error[0]), float(value[1]), float(error[1]))


def _products(d: np.ndarray, bright: np.ndarray) -> np.ndarray:
    """Return mean products of bright pixels 1 and 2 px apart, each with their mean squares."""
    squares = (d**2).mean(axis=0)
    found = []
    for step in (1, 2):
        together, alone = 0.0, 0.0
        for a, b in (
            ((slice(None), slice(None, -step)), (slice(None), slice(step, None))),
            ((slice(None, -step), slice(None)), (slice(step, None), slice(None))),
        ):
            both = bright[a] & bright[b]
            together += float((d[:, *a] * d[:, *b]).mean(axis=0)[both].sum())
            alone += float((squares[a] + squares[b])[both].sum()) / 2
        found += [together, alone]
    return np.array(found)


def _middle(movie: Movie) -> Movie:
    """Select the middle of the field and of the movie, at most `FRAMES` frames."""
    frames, rows, columns = movie.shape
    height, width = min(rows, SIDE), min(columns, SIDE)
    y, x = (int(v) for v in movie.origin_px)
    top, left = y + (rows - height) // 2, x + (columns - width) // 2
    start = movie.first_frame
    first = start + max((frames - FRAMES) // 2, 0)
    last = min(first + FRAMES, start + frames)
    return movie.select((first, last), ((top, top + height), (left, left + width)))


def _read_all(movie: Movie, report: Report) -> tuple[np.ndarray, float, Saturation]:
    """Return mean counts of every frame and of the darkest pixels, and count saturated ones."""
    saturation, trace, done = Saturation(), [], 0
    total = np.zeros(movie.shape[1:])
    for block in time_blocks(movie, saturation):
        saturation.add(block)
        trace.append(block.mean(axis=(1, 2), dtype=np.float64))
        total += block.sum(axis=0, dtype=np.float64)
        done += len(block)
        report(0.2 + 0.3 * done / movie.shape[0], "brightness of the frames")
    return np.concatenate(trace), float(np.percentile(total / done, 1)), saturation


def _blinking(found: Blinking) -> Finding:
    value = f"{100 * found.contrast:.1f} ± {100 * found.error:.1f} % of the fluctuations"
    certain = found.contrast > 3 * found.error and found.contrast > 0.005
    smooth = found.farther > 2 * found.farther_error or found.farther > 0.05 * found.contrast
    if certain and not smooth:
        return Finding(
            "blinking",
            value,
            "bad",
            "Neighbouring pixels share noise but no light: the frames were interpolated, "
            "compressed or sharpened; use the camera's own.",
            found.contrast,
        )
    if not certain:
        advice = "No blinking above the noise; use dyes that blink, or more light."
        return Finding("blinking", value, "bad", advice, found.contrast)
    if found.contrast < 0.03:
        advice = "It blinks weakly: many frames are needed, and grains may be noise."
        return Finding("blinking", value, "fair", advice, found.contrast)
    return Finding("blinking", value, "good", "It blinks well.", found.contrast)


def _signal_to_noise(found: Blinking, cumulant: np.ndarray) -> Finding:
    fwhm = estimate_psf_fwhm(cumulant, 2)
    if not NARROWEST_FWHM_PX < fwhm < WIDEST_FWHM_PX:
        fwhm = 2.5
    # Correlation of the light in neighbouring pixels.
    expected = np.exp(-SQUARED_SIGMA / (4 * fwhm**2))
    light = min(max(found.contrast, 0.0) / expected, 0.99)
    ratio = float(np.sqrt(light / (1 - light)))
    value = f"{ratio:.2g} (light's fluctuation over noise, in bright pixels and one frame)"
    if ratio < 0.3:
        advice = "Weak: more light, a darker background or many frames help."
        return Finding("signal to noise", value, "fair", advice, ratio)
    return Finding("signal to noise", value, "good", "Enough.", ratio)


def _convergence(settled: Convergence, frames: int) -> Finding:
    now = settled.agreement(frames)
    value = f"{frames} frames agree {now:.2f} with endlessly many"
    needed = settled.frames_for(CONVERGED)
    if now >= CONVERGED:
        advice = f"Enough: {needed:.0f} would reach {CONVERGED:g}."
        return Finding("convergence", value, "good", advice, now, settled.measured)
    many = "far more" if needed > 100 * frames else f"about {needed:.0f}"
    advice = f"For {CONVERGED:g} it takes {many} frames."
    return Finding("convergence", value, "fair", advice, now, settled.measured)


def _width(cumulant: np.ndarray, found: Blinking) -> Finding:
    fwhm = estimate_psf_fwhm(cumulant, 2)
    if not NARROWEST_FWHM_PX < fwhm < WIDEST_FWHM_PX or found.contrast < 3 * found.error:
        advice = "The fluctuations do not show a PSF; give its width if you know it."
        return Finding("PSF width", "not measurable", "fair", advice)
    value = f"{fwhm:.2f} camera px (FWHM)"
    if fwhm < 1.6:
        advice = "Pixels are too large for the PSF: use a higher magnification."
        return Finding("PSF width", value, "fair", advice, fwhm)
    if fwhm > 5:
        advice = "Pixels are much smaller than needed: bin 2 x 2 for less noise."
        return Finding("PSF width", value, "fair", advice, fwhm)
    return Finding("PSF width", value, "good", "Well sampled.", fwhm)


def _frames(frames: int, order: int) -> Finding:
    enough = {2: 50, 3: 200, 4: 500}.get(order, 500)
    light: Light = "good" if frames >= enough else "fair" if frames >= enough / 2.5 else "bad"
    advice = f"Order {order} wants {enough} frames or more."
    return Finding("frames", str(frames), light, advice, frames)


def _saturation(saturation: Saturation) -> Finding:
    note = saturation.note
    percent = 100 * saturation.count / max(saturation.seen, 1)
    if note is None:
        return Finding("saturation", "none", "good", "No pixel is at full scale.", 0.0)
    light: Light = "fair" if percent < 0.1 else "bad"
    advice = "Expose shorter or with less light; saturated places are wrong."
    return Finding("saturation", f"{percent:.2g} % of the pixels", light, advice, percent)


def _bleaching(trace: np.ndarray, floor: float) -> Finding:
    life = half_life(trace, floor)
    if life is None:
        return Finding("bleaching", "none measurable", "good", "Brightness is steady.")
    value = f"half-life {life:.0f} frames"
    if life > 2 * len(trace):
        return Finding("bleaching", value, "good", "Slow against the movie.", life)
    return Finding("bleaching", value, "fair", "Switch on the bleaching correction.", life)


def _drift(movie: Movie, report: Report) -> Finding:
    found = estimate_drift(movie, max(movie.shape[0] // 6, 20), portion(report, 0.6, 1.0))
    far = found.farthest_px
    value = f"{far:.2f} camera px"
    if far < MOST_DRIFT_PX:
        return Finding("drift", value, "good", "The sample stays in place.", far)
    return Finding("drift", value, "fair", "Switch on the drift correction.", far)

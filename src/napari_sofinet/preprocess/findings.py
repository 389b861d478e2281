"""Findings of the check of a movie: a value and a sentence of advice for each property."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from napari_sofinet.data.saturation import Saturation
from napari_sofinet.preprocess.blinking import Blinking
from napari_sofinet.sofi.convergence import Convergence
from napari_sofinet.sofi.flattening import NARROWEST_FWHM_PX, WIDEST_FWHM_PX, estimate_psf_fwhm
from napari_sofinet.sofi.pixel_sets import SQUARED_SIGMA

Light = Literal["good", "fair", "bad"]
CONVERGED = 0.9
"""Sufficient correlation with the picture from infinitely many frames."""
FARTHEST = 10
"""Extrapolation goes up to this number of times the frames of the movie."""
LEAST_CERTAIN = 0.25
"""Relative error of an extrapolation from which a range is given."""


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
        Whether the movie is suitable in this respect.
    advice : str
        Advice in one or two sentences.
    number : float, optional
        The value as a number.
    curve : tuple of (int, float), optional
        Measurements behind it, e.g. (frames, agreement).
    expected : tuple of (int, float), optional
        The same as expected from a model, also beyond the measurements; empty if they contradict
        the model.
    settings : dict of str to Any, optional
        Settings, by dotted name, of the correction that is advised.
    """

    name: str
    value: str
    light: Light
    advice: str
    number: float | None = None
    curve: tuple[tuple[int, float], ...] = ()
    expected: tuple[tuple[int, float], ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


def overall_light(findings: tuple[Finding, ...]) -> Light:
    """Return the worst light of all findings, which judges the movie as a whole."""
    lights = {f.light for f in findings}
    return "bad" if "bad" in lights else "fair" if "fair" in lights else "good"


def blinking_finding(found: Blinking) -> Finding:
    """Return a finding on the blinking, from the correlations of neighbouring pixels."""
    value = f"{100 * found.contrast:.1f} ± {100 * found.error:.1f} % of the fluctuations"
    smooth = found.farther > 2 * found.farther_error or found.farther > 0.05 * found.contrast
    if found.certain and not smooth:
        return Finding(
            "blinking",
            value,
            "bad",
            "Neighbouring pixels share noise but no light: the frames were interpolated, "
            "compressed or sharpened. Use the unprocessed frames of the camera.",
            found.contrast,
        )
    if not found.certain:
        advice = "No blinking is measurable above the noise; use dyes that blink, or more light."
        return Finding("blinking", value, "bad", advice, found.contrast)
    if found.contrast < 0.03:
        advice = "The sample blinks weakly: many frames are needed, and grains may be noise."
        return Finding("blinking", value, "fair", advice, found.contrast)
    return Finding("blinking", value, "good", "The sample blinks well.", found.contrast)


def signal_to_noise_finding(found: Blinking, cumulant: np.ndarray) -> Finding:
    """Return a finding on the ratio of fluctuation to noise in bright pixels of one frame."""
    fwhm = estimate_psf_fwhm(cumulant, 2)
    if not NARROWEST_FWHM_PX < fwhm < WIDEST_FWHM_PX:
        fwhm = 2.5
    # Correlation of the light in neighbouring pixels.
    expected = np.exp(-SQUARED_SIGMA / (4 * fwhm**2))
    light = min(max(found.contrast, 0.0) / expected, 0.99)
    ratio = float(np.sqrt(light / (1 - light)))
    value = f"{ratio:.2g} (fluctuation of the light over noise, in bright pixels of one frame)"
    if ratio < 0.3:
        advice = "The signal is weak: more light, a darker background or more frames help."
        return Finding("signal to noise", value, "fair", advice, ratio)
    return Finding("signal to noise", value, "good", "The signal is sufficient.", ratio)


def convergence_finding(settled: Convergence, frames: int) -> Finding:
    """Return a finding on the agreement of the picture with that from infinitely many frames."""
    name, curve = "convergence", settled.measured
    if settled.trend == "none":
        value = f"pictures from separate parts of {curve[-1][0]} frames have nothing in common"
        advice = (
            f"All {frames} frames together may show only noise. The number that is needed "
            "cannot be estimated."
        )
        return Finding(name, value, "bad", advice, 0.0, curve)
    if settled.trend == "stalls":
        (few, low), (many, high) = curve[0], curve[-1]
        value = f"{few} frames agree to {low:.2f}, {many} frames to {high:.2f} with infinitely many"
        advice = (
            "The agreement does not rise as it should with more frames: the sample moves or "
            "bleaches, or few molecules blink. Correct this; more frames alone may not help."
        )
        return Finding(name, value, "bad" if high < 0.5 else "fair", advice, high, curve)
    now, needed = settled.agreement(frames), settled.frames_for(CONVERGED)
    value = f"{frames} frames agree to {now:.2f} with infinitely many"
    farthest = max(frames, min(needed, FARTHEST * frames))
    numbers = np.unique(np.geomspace(curve[0][0], farthest, 40).astype(int))
    expected = tuple((int(n), settled.agreement(n)) for n in {*numbers.tolist(), frames})
    facts: dict[str, Any] = {"curve": curve, "expected": tuple(sorted(expected))}
    if now >= CONVERGED:
        advice = f"There are enough frames: {needed:.0f} would reach {CONVERGED:g}."
        return Finding(name, value, "good", advice, now, **facts)
    if needed > FARTHEST * frames:
        many_more = f"more than {FARTHEST} times as many frames"
    elif settled.error < LEAST_CERTAIN:
        many_more = f"about {float(f'{needed:.2g}'):.0f} frames"
    else:  # the error's distribution is wide and skewed
        spread = 1 + min(2 * settled.error, 9.0)
        many_more = " to ".join(f"{float(f'{n:.1g}'):.0f}" for n in _around(needed, spread, frames))
        many_more += " frames"
    advice = f"An agreement of {CONVERGED:g} takes {many_more}."
    if settled.trend == "unknown":
        advice += " This follows from two halves only, and holds if the sample stays the same."
    return Finding(name, value, "fair", advice, now, **facts)


def _around(number: float, factor: float, least: float) -> tuple[float, float]:
    return max(number / factor, least), number * factor


def width_finding(cumulant: np.ndarray, found: Blinking) -> Finding:
    """Return a finding on the PSF width in a cumulant of order 2, and its sampling."""
    fwhm = estimate_psf_fwhm(cumulant, 2)
    if not NARROWEST_FWHM_PX < fwhm < WIDEST_FWHM_PX or found.contrast < 3 * found.error:
        advice = "The PSF width cannot be measured from the fluctuations; enter it if you know it."
        return Finding("PSF width", "not measurable", "fair", advice)
    value = f"{fwhm:.2f} camera px (FWHM)"
    if fwhm < 1.6:
        advice = "The pixels are too large for the PSF: use a higher magnification."
        return Finding("PSF width", value, "fair", advice, fwhm)
    if fwhm > 5:
        advice = "The pixels are much smaller than needed: bin them 2 x 2 for less noise."
        return Finding("PSF width", value, "fair", advice, fwhm)
    return Finding("PSF width", value, "good", "Well sampled.", fwhm)


def frames_finding(frames: int, order: int) -> Finding:
    """Return a finding on the number of frames that an order needs."""
    enough = {2: 50, 3: 200, 4: 500}.get(order, 500)
    light: Light = "good" if frames >= enough else "fair" if frames >= enough / 2.5 else "bad"
    advice = f"Order {order} needs {enough} frames or more."
    return Finding("frames", str(frames), light, advice, frames)


def saturation_finding(saturation: Saturation) -> Finding:
    """Return a finding on the pixels at full scale."""
    note = saturation.note
    percent = 100 * saturation.count / max(saturation.seen, 1)
    if note is None:
        return Finding("saturation", "none", "good", "No pixel is at full scale.", 0.0)
    light: Light = "fair" if percent < 0.1 else "bad"
    advice = "Use a shorter exposure or less light; the picture is wrong in saturated places."
    return Finding("saturation", f"{percent:.2g} % of the pixels", light, advice, percent)

"""What the check of a movie says: one sentence for each property."""

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
    settings : dict of str to Any, optional
        Settings, by dotted name, of the correction that is advised.
    """

    name: str
    value: str
    light: Light
    advice: str
    number: float | None = None
    curve: tuple[tuple[int, float], ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


def overall_light(findings: tuple[Finding, ...]) -> Light:
    """Return the worst light of some findings, the judgement of the whole movie."""
    lights = {f.light for f in findings}
    return "bad" if "bad" in lights else "fair" if "fair" in lights else "good"


def blinking_finding(found: Blinking) -> Finding:
    """Return whether it blinks, from the correlations of neighbouring pixels."""
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


def signal_to_noise_finding(found: Blinking, cumulant: np.ndarray) -> Finding:
    """Return the ratio of the light's fluctuation to the noise, in bright pixels and one frame."""
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


def convergence_finding(settled: Convergence, frames: int) -> Finding:
    """Return how far the picture of so many frames agrees with that of infinitely many."""
    now = settled.agreement(frames)
    value = f"{frames} frames agree to {now:.2f} with infinitely many"
    needed = settled.frames_for(CONVERGED)
    if now >= CONVERGED:
        advice = f"Enough: {needed:.0f} would reach {CONVERGED:g}."
        return Finding("convergence", value, "good", advice, now, settled.measured)
    many = "far more" if needed > 100 * frames else f"about {needed:.0f}"
    advice = f"For {CONVERGED:g} it takes {many} frames."
    return Finding("convergence", value, "fair", advice, now, settled.measured)


def width_finding(cumulant: np.ndarray, found: Blinking) -> Finding:
    """Return the width of the PSF that a cumulant of order 2 shows, and how it is sampled."""
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


def frames_finding(frames: int, order: int) -> Finding:
    """Return whether there are enough frames for an order."""
    enough = {2: 50, 3: 200, 4: 500}.get(order, 500)
    light: Light = "good" if frames >= enough else "fair" if frames >= enough / 2.5 else "bad"
    advice = f"Order {order} needs {enough} frames or more."
    return Finding("frames", str(frames), light, advice, frames)


def saturation_finding(saturation: Saturation) -> Finding:
    """Return how many pixels are at full scale."""
    note = saturation.note
    percent = 100 * saturation.count / max(saturation.seen, 1)
    if note is None:
        return Finding("saturation", "none", "good", "No pixel is at full scale.", 0.0)
    light: Light = "fair" if percent < 0.1 else "bad"
    advice = "Expose shorter or with less light; saturated places are wrong."
    return Finding("saturation", f"{percent:.2g} % of the pixels", light, advice, percent)

"""Findings on changes other than blinking: defects, shared changes, bleaching, drift and stacks."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sofinet.preprocess.bleaching import LEAST_LOSS, half_life
from napari_sofinet.preprocess.drift import Drift
from napari_sofinet.preprocess.findings import Finding, Light
from napari_sofinet.preprocess.repair import Repair
from napari_sofinet.preprocess.shared_changes import SharedChanges
from napari_sofinet.preprocess.vibration import Vibration

MOST_DRIFT_PX = 0.3
SPOT = 0.6
"""Fraction of the fluctuations above which a single spot hides the rest."""
SPOT_REACH_PX = 4
UNDERSAMPLED_FWHM_PX = 1.7
"""PSF width below which the light itself is as fine as the noise."""
WIDENED = 1.3
"""Ratio of the widths of spots at the end and at the beginning that indicates a change of focus."""

READOUT = {
    "rows": "Each row has its own offset in every frame, readout noise of the camera.",
    "columns": "Each column has its own offset in every frame, readout noise of the camera.",
    "both": "Each row and column has its own offset in every frame, readout noise of the camera.",
    "halves": (
        "Halves or quarters of the sensor have their own offsets in every frame, readout noise of "
        "the camera."
    ),
}


def defects_finding(repair: Repair, frames: int) -> Finding:
    """Return a finding on the frames and pixels that were left out or replaced."""
    details = repair.details
    if not details and repair.repeated < 2:
        advice = "No empty frame, cosmic ray or bad pixel was found."
        return Finding("defects", "none", "good", advice, 0.0)
    names = {
        "left_out_frames": ("frame", "without light or content"),
        "replaced_spikes": ("pixel", "hit by cosmic rays"),
        "replaced_pixels": ("bad pixel", ""),
    }
    parts = [
        f"{round(details[key])} {name}{'' if details[key] == 1 else 's'} {rest}".strip()
        for key, (name, rest) in names.items()
        if key in details
    ]
    if repair.repeated > 1:
        parts.append(f"{repair.repeated} repeated frames")
    value = ", ".join(parts)
    odd = details.get("left_out_frames", 0) + (repair.repeated if repair.repeated > 1 else 0)
    light: Light = "fair" if odd > 0.1 * frames else "good"
    return Finding("defects", value, light, " ".join(repair.notes), sum(details.values()))


def shared_finding(shared: SharedChanges) -> Finding:
    """Return a finding on changes that distant pixels share, with the correction for them."""
    before, after = shared.before, shared.after
    number = before.total
    if shared.kind == "none":
        advice = "Distant pixels change independently of each other, as emitters do."
        return Finding("shared changes", "none", "good", advice, number)
    fraction = f"{_percent(number)} of the covariance of neighbours"
    if after is None:
        advice = (
            "Distant pixels change together. This is not blinking, and no correction removes it: "
            "look for moving objects in the movie, and choose frames or an area without them."
        )
        return Finding("shared changes", fraction, "bad", advice, number)
    falls = f"On this movie, it reduces the covariance to {_percent(after.total)}."
    if shared.kind == "brightness":
        scatter = 0.0 if shared.brightness is None else float(np.std(shared.brightness.scale))
        haze = (
            " Haze hides the structure from networks: subtract the background with 'percentile'."
            if "background.method" in shared.settings
            else ""
        )
        advice = (
            f"The light of the whole field varies ({_percent(scatter)} rms), which counts as "
            f"blinking. Switch on the brightness correction.{haze} {falls}"
        )
        return Finding("brightness", fraction, "fair", advice, number, settings=shared.settings)
    if shared.kind == "readout":
        text = READOUT[shared.settings["readout.shared_by"]]
        kind = {"both": "rows and columns"}.get(
            shared.settings["readout.shared_by"], shared.settings["readout.shared_by"]
        )
        advice = f"{text} Switch on the readout correction for {kind}. {falls}"
        return Finding("readout", fraction, "fair", advice, number, settings=shared.settings)
    method = shared.settings["background.method"]
    advice = (
        "Haze or out-of-focus dirt moves or changes, which counts as blinking. Subtract the "
        f"background with '{method}'. {falls}"
    )
    return Finding("haze", fraction, "fair", advice, number, settings=shared.settings)


def bleaching_finding(trace: np.ndarray, floor: float, shared: SharedChanges) -> Finding:
    """Return a finding on the loss of light, from the mean of each frame and the dark level."""
    count = len(trace)
    start, end = trace[: max(count // 20, 1)].mean(), trace[-max(count // 10, 1) :].mean()
    # The dark level is an estimate, which the last frames may fall below.
    lost = min((start - end) / max(start - floor, 1e-12), 1.0)
    life = half_life(trace, floor)
    if life is None or lost < LEAST_LOSS:
        advice = "No loss of light is measurable."
        return Finding("bleaching", "none measurable", "good", advice)
    # A straight or bent loss is no exponential; its time is that in which half would be lost.
    straight = count * 0.5 / max(lost, 1e-6)
    life = life if life < 3 * count else straight
    value = f"{_percent(lost)} of the light is lost, half-life {life:.0f} frames"
    if shared.settings.get("brightness.correct") or (shared.kind == "none" and lost > 0.5):
        settings: dict[str, Any] = {"brightness.correct": True}
        advice = "Switch on the brightness correction."
        return Finding("bleaching", value, "fair", advice, life, settings=settings)
    return Finding("bleaching", value, "good", "It does not count as blinking here.", life)


def drift_finding(drift: Drift) -> Finding:
    """Return a finding on the drift of the sample and its error."""
    far, error = drift.farthest_px, drift.error_px
    if not far and error > MOST_DRIFT_PX:
        advice = (
            "No structure appears repeatedly, so drift cannot be measured; the drift correction "
            "would do nothing."
        )
        return Finding("drift", "not measurable", "good", advice)
    value = f"{far:.2f} ± {error:.2f} camera px"
    if far < MOST_DRIFT_PX:
        return Finding("drift", value, "good", "The sample stays in place.", far)
    jump = f" It jumps at frame {drift.jumps[0]}." if drift.jumps else ""
    advice = f"Switch on the drift correction.{jump}"
    return Finding("drift", value, "fair", advice, far, settings={"drift.correct": True})


def vibration_finding(vibration: Vibration) -> Finding | None:
    """Return a finding if the sample moves from frame to frame, with the correction if it helps."""
    rms, left = vibration.rms_px, vibration.left_px
    if not rms:
        return None
    value = f"{rms:.2f} ± {vibration.error_px:.2f} camera px from frame to frame (rms per axis)"
    if vibration.helps:
        advice = (
            "Each frame is displaced on its own, which blurs the picture. Switch on the vibration "
            f"correction. On this movie, it is sharper then, with an error of {left:.2g} px."
        )
        settings = {"vibration.correct": True}
        return Finding("vibration", value, "fair", advice, rms, settings=settings)
    advice = (
        "Each frame is displaced on its own, which blurs the picture, and single frames are too "
        f"dim to be aligned (error {left:.2g} px). Find what shakes the stage: a pump, a fan, a "
        "table without its air supply."
    )
    return Finding("vibration", value, "fair", advice, rms)


def spot_finding(cumulant: np.ndarray, origin: tuple[float, float]) -> Finding | None:
    """Return a finding if a single spot holds most of the fluctuations in a cumulant of order 2."""
    power = np.maximum(cumulant, 0.0)
    y, x = np.unravel_index(int(power.argmax()), power.shape)
    reach = 2 * SPOT_REACH_PX
    near = power[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
    fraction = float(near.sum() / max(power.sum(), 1e-12))
    if fraction < SPOT or near.size > 0.2 * power.size:
        return None
    place = f"y {origin[0] + 1 + y / 2:.0f}, x {origin[1] + 1 + x / 2:.0f}"
    advice = (
        "The rest is shown with its own contrast, but the numbers in this check are dominated by "
        "the spot; choose an area without it to judge the sample."
    )
    value = f"{100 * fraction:.0f} % of the fluctuations at {place}"
    return Finding("bright spot", value, "fair", advice, fraction)


def noise_finding(left: float | None, fwhm_px: float | None) -> Finding | None:
    """Return a finding if frames were processed, from `noise_left` and the width of the PSF."""
    if left is None or (fwhm_px is not None and fwhm_px < UNDERSAMPLED_FWHM_PX):
        return None
    advice = (
        "Neighbouring pixels share noise: the frames were smoothed, compressed, moved or enlarged. "
        "Use the unprocessed frames of the camera; networks draw such noise as structure."
    )
    value = f"{100 * left:.0f} % of a camera's finest noise is left"
    return Finding("processing", value, "fair", advice, left)


def pile_up_finding(fraction: float) -> Finding | None:
    """Return a finding if values pile up at the highest one; see `piles_up`."""
    if not fraction:
        return None
    advice = (
        "Brighter values were cut off, so bright places appear too dim; use a shorter exposure."
    )
    value = f"{_percent(fraction)} of the pixels have the highest value"
    return Finding("cut off", value, "fair", advice, fraction)


def repeats_finding(period: int) -> Finding | None:
    """Return a finding if a movie repeats itself after a few frames."""
    if not period:
        return None
    if period == 2:
        advice = "Two channels or exposures alternate: save each of them as a separate movie."
    else:
        advice = (
            "This looks like a stack from structured illumination, or of several channels or "
            "planes, rather than a movie of blinking."
        )
    return Finding("repetition", f"every {period} frames", "bad", advice, float(period))


def grating_finding(period_px: float) -> Finding | None:
    """Return a finding if a grating moves from frame to frame; see `grating_period`."""
    if not period_px:
        return None
    advice = (
        "This is a stack from structured illumination (SIM), not a movie of blinking: "
        "reconstruct it with a SIM program."
    )
    value = f"a grating of {period_px:.1f} px moves from frame to frame"
    return Finding("structured illumination", value, "bad", advice, period_px)


def z_stack_finding(through_focus: bool) -> Finding | None:
    """Return a finding if a stack goes through the focus; see `goes_through_focus`."""
    if not through_focus:
        return None
    advice = (
        "The frames go through the focus, as planes of a z stack do; SOFI needs many frames of one "
        "plane."
    )
    return Finding("z stack", "the focus passes through the sample", "bad", advice)


def focus_finding(first_px: float, last_px: float) -> Finding | None:
    """Return a finding if spots become wider or narrower from the first to the last third."""
    ratio = last_px / first_px if first_px > 0 else 1.0
    if 1 / WIDENED < ratio < WIDENED:
        return None
    advice = "The focus changes; use the frames in which the sample is in focus."
    value = f"the PSF's width goes from {first_px:.2g} to {last_px:.2g} camera px"
    return Finding("focus", value, "fair", advice, ratio)


def _percent(fraction: float) -> str:
    percent = 100 * fraction
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"

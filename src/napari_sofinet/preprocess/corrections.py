"""Corrections that run before a method: their settings, their results and their description."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from napari_sofinet.base.progress import Report, portion
from napari_sofinet.base.settings import Settings
from napari_sofinet.data.moved_frames import MoveBack
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.background import BackgroundCorrection, subtract_background
from napari_sofinet.preprocess.bleaching import (
    BleachingCorrection,
    RescaleFrames,
    decay_of,
    frames_of_loss,
    half_life,
    is_exponential,
    mean_trace,
    smooth_trace,
)
from napari_sofinet.preprocess.brightness import (
    BrightnessCorrection,
    FrameBrightness,
    LevelFrames,
    level_frames,
)
from napari_sofinet.preprocess.camera import CameraCorrection, calibrate
from napari_sofinet.preprocess.drift import (
    Drift,
    DriftCorrection,
    estimate_drift,
)
from napari_sofinet.preprocess.readout import ReadoutCorrection, subtract_shared
from napari_sofinet.preprocess.repair import RepairSettings
from napari_sofinet.preprocess.vibration import (
    VibrationCorrection,
    describe_vibration,
    estimate_vibration,
    vibration_note,
)


class CalibrationSettings(Settings):
    """Corrections that every method offers; by default, only defects are repaired."""

    repair: RepairSettings = RepairSettings()
    camera: CameraCorrection = CameraCorrection()
    readout: ReadoutCorrection = ReadoutCorrection()
    background: BackgroundCorrection = BackgroundCorrection()


class MovieSettings(CalibrationSettings):
    """Corrections offered by methods that make one picture of many frames."""

    brightness: BrightnessCorrection = BrightnessCorrection()
    bleaching: BleachingCorrection = BleachingCorrection()
    vibration: VibrationCorrection = VibrationCorrection()
    drift: DriftCorrection = DriftCorrection()


@dataclass(frozen=True)
class Corrected:
    """A corrected movie.

    Parameters
    ----------
    movie : Movie
        The movie whose frames are corrected when they are read.
    details : dict of str to float
        Measured values for the recipe, e.g. ``drift_px``.
    notes : tuple of str
        Sentences for the user.
    """

    movie: Movie
    details: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class MeasuredBleaching:
    """Bleaching of a movie.

    Parameters
    ----------
    half_life : float or None
        Frames until half of the bleaching light has gone; None if no bleaching is measurable.
    trace : numpy.ndarray
        Mean count of every frame, of shape (T,).
    floor : float
        Mean count of the darkest pixels.
    """

    half_life: float | None
    trace: np.ndarray
    floor: float

    @property
    def steady_frames(self) -> int | None:
        """Number of frames that lose at most about 13 % of the light; None if nothing bleaches."""
        if self.half_life is None:
            return None
        if is_exponential(self.trace):
            return int(self.half_life / 5)
        return frames_of_loss(self.trace, self.floor)

    def rescaled(self, movie: Movie) -> Movie:
        """Return the movie with the bleaching light scaled to its brightness in the first frame."""
        if self.half_life is None:
            return movie
        if is_exponential(self.trace):
            return movie.corrected(RescaleFrames(movie.first_frame, *decay_of(self.trace)))
        light = np.maximum(smooth_trace(self.trace) - self.floor, 1e-12)
        scale = light / light[: max(len(light) // 20, 1)].mean()
        measured = FrameBrightness(scale, np.zeros(len(scale)), self.floor)
        return movie.corrected(LevelFrames(movie.first_frame, measured))

    @property
    def details(self) -> dict[str, float]:
        """Measured values for the recipe."""
        return {} if self.half_life is None else {"bleaching_half_life_frames": self.half_life}

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user."""
        if self.half_life is not None:
            return ()
        return ("No bleaching is measurable, so the bleaching correction changes nothing.",)


def drift_details(drift: Drift) -> dict[str, float]:
    """Return measured values for the recipe."""
    details = {"drift_px": float(np.abs(drift.path_px).max()), "drift_error_px": drift.error_px}
    return details | ({"jumps": float(len(drift.jumps))} if drift.jumps else {})


def drift_notes(drift: Drift) -> tuple[str, ...]:
    """Return a sentence for the user."""
    error = f"the standard error of a position is {drift.error_px:.2g} camera px"
    if not drift.farthest_px:
        return (f"No significant drift was found, and none was corrected: {error}.",)
    note = f"The sample drifts by up to {np.abs(drift.path_px).max():.2g} camera px ({error})."
    if drift.jumps:
        frames = ", ".join(str(frame) for frame in drift.jumps)
        note += f" It jumps at frame {frames}."
    return (note,)


def measure_bleaching(movie: Movie, report: Report) -> MeasuredBleaching:
    """Measure the bleaching from the mean count of every frame."""
    trace, floor = mean_trace(movie, report)
    life = half_life(trace, floor)
    if life is not None and not is_exponential(trace):
        # A straight or bent loss: the time in which half would go at its mean speed.
        start, end = (float(smooth_trace(trace)[k]) for k in (0, -1))
        life = 0.5 * len(trace) * (start - floor) / max(start - end, 1e-12)
    return MeasuredBleaching(life, trace, floor)


def calibrate_movie(movie: Movie, settings: CalibrationSettings, report: Report) -> Corrected:
    """Correct camera, readout, brightness, background and vibration, in this order.

    For methods that handle bleaching and drift themselves.
    """
    movie, details = calibrate(movie, settings.camera)
    movie = subtract_shared(movie, settings.readout.shared_by, portion(report, 0.0, 0.3))
    if isinstance(settings, MovieSettings) and settings.brightness.correct:
        movie, measured = level_frames(movie, portion(report, 0.3, 0.6))
        details["brightness_scatter"] = float(np.std(measured.scale))
    movie = subtract_background(movie, settings.background, portion(report, 0.6, 0.8))
    notes = camera_notes(details)
    if isinstance(settings, MovieSettings) and settings.vibration.correct:
        vibration = estimate_vibration(movie, portion(report, 0.8, 1.0))
        details["vibration_px"] = vibration.rms_px
        if vibration.helps:
            details["vibration_error_px"] = vibration.left_px
            movie = movie.corrected(MoveBack(movie.first_frame, vibration.path_px))
        notes = (*notes, vibration_note(vibration))
    return Corrected(movie, details, notes)


def correct(movie: Movie, settings: MovieSettings, report: Report) -> Corrected:
    """Correct camera, background, bleaching and drift, in this order.

    Raises
    ------
    InputError
        A correction cannot be determined on this movie.
    """
    calibrated = calibrate_movie(movie, settings, portion(report, 0.0, 0.3))
    movie, details, notes = calibrated.movie, dict(calibrated.details), list(calibrated.notes)
    start = movie.first_frame
    if settings.bleaching.correct:
        bleaching = measure_bleaching(movie, portion(report, 0.3, 0.6))
        details |= bleaching.details
        notes += () if settings.brightness.correct else bleaching.notes
        movie = bleaching.rescaled(movie)
    if settings.drift.correct:
        drift = estimate_drift(movie, settings.drift.block, portion(report, 0.6, 1.0))
        details |= drift_details(drift)
        notes += drift_notes(drift)
        if drift.farthest_px:
            movie = movie.corrected(MoveBack(start, drift.path_px))
    return Corrected(movie, details, tuple(notes))


def describe_corrections(settings: CalibrationSettings, details: dict[str, float]) -> str:
    """Return sentences on all corrections before bleaching for a methods section."""
    text = _describe_camera(settings.camera, details)
    if settings.readout.shared_by != "none":
        names = {"both": "rows and columns", "halves": "quarters of the sensor"}
        shared = names.get(settings.readout.shared_by, settings.readout.shared_by)
        text += (
            f"The deviation from the mean image that whole {shared} shared in each frame (mean of "
            "their middle half) was subtracted. "
        )
    if isinstance(settings, MovieSettings) and settings.brightness.correct:
        scatter = details.get("brightness_scatter", 0.0)
        text += (
            "Scale and offset of each frame, by comparison with the mean image, were brought "
            f"to their means (the scale varied by {100 * scatter:.2g} % rms). "
        )
    b = settings.background
    if b.method == "percentile":
        text += (
            f"The background, the {b.percentile:g} % quantile of each pixel's values in blocks of "
            f"up to {b.frames} frames, was subtracted. "
        )
    elif b.method == "rolling-ball":
        text += (
            f"The background, a ball of {b.radius_px:g} camera pixels radius rolled below the mean "
            f"of blocks of up to {b.frames} frames (Sternberg, Computer 16, 22 (1983)), was "
            "subtracted. "
        )
    elif b.method == "high-pass":
        text += (
            "Deviations from the mean image that are smooth in space (a Gaussian of "
            f"{b.radius_px / 3:.3g} camera pixels, applied as a high-pass three times) were "
            "subtracted from each frame. "
        )
    return text + describe_vibration(details)


def _describe_camera(camera: CameraCorrection, details: dict[str, float]) -> str:
    offset = details.get("camera_offset", camera.offset)
    gain = details.get("camera_gain", camera.gain)
    parts = []
    if offset is not None:
        own = " (each pixel's own, from dark frames)" if camera.dark_frames else ""
        shown = _with_error(details, "camera_offset") or f"{offset:.4g}"
        parts.append(f"an offset of {shown}{own}")
    if gain is not None:
        shown = _with_error(details, "camera_gain") or f"{gain:.3g}"
        parts.append(f"a gain of {shown} counts per photoelectron")
    if not parts:
        return ""
    measured = []
    if "camera_offset" in details and not camera.dark_frames:
        measured.append("offset")
    if "camera_gain" in details:
        measured.append("gain")
    text = f"Counts were converted by {' and '.join(parts)}"
    if measured:
        text += f"; the {' and the '.join(measured)} followed from the movie's photon transfer"
    return text + ". "


def camera_notes(details: dict[str, float]) -> tuple[str, ...]:
    """Return a sentence on the gain and offset if they were estimated from the noise."""
    offset, gain = (_with_error(details, name) for name in ("camera_offset", "camera_gain"))
    found = []
    if gain:
        found.append(
            f"a gain of {gain} counts per photoelectron (with electron multiplication: twice the "
            "true one)"
        )
    if offset:
        found.append(
            f"an offset of {offset} counts (too low by the square of the read noise over the gain)"
        )
    return (f"Estimated from the noise of the movie: {' and '.join(found)}.",) if found else ()


def _with_error(details: dict[str, float], name: str) -> str:
    """Format a measured value with its standard error, empty if there is none."""
    error = details.get(f"{name}_error")
    if not error:
        return ""
    # Two digits of an error that begins with one, which would be too coarse with one digit.
    exponent = math.floor(math.log10(error))
    digits = max(0, -exponent + (error < 2 * 10**exponent))
    return f"{details[name]:.{digits}f} ± {error:.{digits}f}"

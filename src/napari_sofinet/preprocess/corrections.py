"""The stage before every method: what it offers to set, and what it makes of a movie."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from napari_sofinet.base.progress import Report, portion
from napari_sofinet.base.settings import Settings
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.background import BackgroundCorrection, subtract_background
from napari_sofinet.preprocess.bleaching import (
    BleachingCorrection,
    RescaleFrames,
    decay_of,
    half_life,
    mean_trace,
)
from napari_sofinet.preprocess.camera import CameraCorrection, calibrate
from napari_sofinet.preprocess.drift import DriftCorrection, ShiftFrames, estimate_drift


class CalibrationSettings(Settings):
    """What every method offers; all of it is off until asked for."""

    camera: CameraCorrection = CameraCorrection()
    background: BackgroundCorrection = BackgroundCorrection()


class MovieSettings(CalibrationSettings):
    """What methods offer that make one picture of many frames."""

    bleaching: BleachingCorrection = BleachingCorrection()
    drift: DriftCorrection = DriftCorrection()


@dataclass(frozen=True)
class Corrected:
    """A corrected movie, what was found on the way, and sentences for the user."""

    movie: Movie
    details: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def calibrate_movie(movie: Movie, settings: CalibrationSettings, report: Report) -> Corrected:
    """Camera and background corrected; for methods that see to bleaching and drift themselves."""
    movie, details = calibrate(movie, settings.camera)
    return Corrected(subtract_background(movie, settings.background, report), details)


def correct(movie: Movie, settings: MovieSettings, report: Report) -> Corrected:
    """All corrections, frame by frame; order: camera, background, bleaching, drift.

    Moved frames are interpolated, which smooths their noise a little: it correlates neighbours.
    """
    found = calibrate_movie(movie, settings, portion(report, 0.0, 0.3))
    movie, details, notes = found.movie, dict(found.details), list(found.notes)
    if settings.bleaching.correct:
        trace, floor = mean_trace(movie, portion(report, 0.3, 0.6))
        life = half_life(trace, floor)
        if life is None:
            notes.append("The movie does not bleach measurably.")
        else:
            details["bleaching_half_life_frames"] = life
            start = movie.first_frame
            movie = movie.corrected(RescaleFrames(start, *decay_of(trace)))
    if settings.drift.correct:
        path, _ = estimate_drift(movie, settings.drift.block, portion(report, 0.6, 1.0))
        far = details["drift_px"] = float(np.abs(path).max())
        notes.append(f"The sample drifts by up to {far:.2g} camera px.")
        start = movie.first_frame
        movie = movie.corrected(ShiftFrames(start, path))
    return Corrected(movie, details, tuple(notes))


def describe_corrections(settings: CalibrationSettings, details: dict[str, float]) -> str:
    """Sentences for a methods section about camera and background, empty without any."""
    text = ""
    c, b = settings.camera, settings.background
    offset = details.get("camera_offset", c.offset)
    gain = details.get("camera_gain", c.gain)
    if offset is not None or gain is not None:
        text += "Counts were converted"
        if offset is not None:
            text += f" by an offset of {offset:.4g}"
            text += " (each pixel's own, from dark frames)" if c.dark_frames else ""
        if gain is not None:
            text += " and" if offset is not None else " by"
            text += f" a gain of {gain:.3g} counts per photoelectron"
        found = [
            name
            for name, there in (
                ("offset", "camera_offset" in details and not c.dark_frames),
                ("gain", "camera_gain" in details),
            )
            if there
        ]
        text += f"; the {' and the '.join(found)} followed" if found else ""
        text += " from the movie's photon transfer. " if found else ". "
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
    return text

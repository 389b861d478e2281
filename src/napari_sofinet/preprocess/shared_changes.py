"""Changes shared by distant pixels, which blinking does not cause, and their correction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.frame_source import ArraySource
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.background import BackgroundCorrection, subtract_background
from napari_sofinet.preprocess.brightness import FrameBrightness, level_frames, measure_brightness
from napari_sofinet.preprocess.far_covariance import FAR_PX, FarCovariance, far_covariance
from napari_sofinet.preprocess.haze import HAZE_MAX, haze_of
from napari_sofinet.preprocess.readout import subtract_shared

FRAMES, RUN, SIDE_PX = 400, 20, 192
"""Frames and side of the examined part, and number of successive frames in each run."""
SHARED_MIN = 0.03
"""Significant covariance of distant pixels, as a fraction of that of adjacent ones."""
LINES_MIN = 0.06
HAZE_MIN = 0.05
KEPT = 0.5
"""Fraction of the blinking that a correction must leave."""
NOTHING = 0.02
"""Covariance, as a fraction, that independent emitters show by chance."""
FELL = 0.4
"""Fraction of the covariance that may be left by a correction that helps."""


@dataclass(frozen=True, eq=False)
class SharedChanges:
    """Changes shared by distant pixels.

    Parameters
    ----------
    before : FarCovariance
        Covariance in the movie as it is.
    after : FarCovariance or None
        Covariance after the correction; None if no correction helps.
    kind : str
        ``"none"``, ``"brightness"``, ``"readout"``, ``"haze"`` or ``"unknown"``.
    settings : dict
        Settings of the correction that removes them, by dotted name.
    brightness : FrameBrightness or None
        Scale and offset of the examined frames.
    """

    before: FarCovariance
    after: FarCovariance | None = None
    kind: str = "none"
    settings: dict[str, Any] = field(default_factory=dict)
    brightness: FrameBrightness | None = None


CORRECTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("brightness", {"brightness.correct": True}),
    # Rows or columns would follow halves as well, but take more of the blinking.
    ("readout", {"readout.shared_by": "halves"}),
    ("readout", {"readout.shared_by": "rows"}),
    ("readout", {"readout.shared_by": "columns"}),
    ("readout", {"readout.shared_by": "both"}),
    *(
        (
            "haze",
            {
                "background.method": "percentile",
                "background.frames": frames,
                "background.percentile": 50.0,
            },
        )
        for frames in (20, 10, 5)
    ),
    ("haze", {"background.method": "high-pass"}),
    ("haze", {"background.method": "high-pass", "background.radius_px": 9.0}),
)
"""Corrections that are tried, the mildest first."""


def shared_changes(movie: Movie) -> SharedChanges:
    """Look for changes that distant pixels share, and for a correction that removes them.

    Parameters
    ----------
    movie : Movie
        A movie whose defects are repaired; a part of it is read.

    Returns
    -------
    SharedChanges
        Result with the correction that reduces the covariance of distant pixels most, if it reduces
        it by more than half.
    """
    part = sample_of(movie)
    before = far_covariance(_frames(part))
    if not is_shared(before):
        return SharedChanges(before)
    try:
        brightness = measure_brightness(part)
    except InputError:
        brightness = None
    best = SharedChanges(before, kind="unknown", brightness=brightness)
    least, blinks = FELL * before.total, _blinking(_frames(part))
    for kind, settings in CORRECTIONS:
        if best.after is not None and not is_shared(best.after) and kind != best.kind:
            break
        try:
            frames = _frames(corrected(part, settings))
        except InputError:
            continue
        after = far_covariance(frames)
        # A median of few frames may take slow blinking for haze.
        if kind == "haze" and _blinking(frames) < KEPT * blinks:
            continue
        # The first that leaves nothing is the mildest; others must be far better.
        if after.total < (least if best.after is None else least / 2):
            least = after.total
            best = SharedChanges(before, after, kind, dict(settings), brightness)
            if not is_shared(after) and after.total < NOTHING:
                break
    return _without_haze(best, part) if best.kind == "brightness" else best


def _without_haze(found: SharedChanges, part: Movie) -> SharedChanges:
    """Add the background's subtraction where steady haze would hide structure from networks."""
    if haze_of(_frames(part).mean(axis=0, dtype=np.float64)) <= HAZE_MAX:
        return found
    settings = {**found.settings, "background.method": "percentile"}
    after = far_covariance(_frames(corrected(part, settings)))
    return replace(found, after=after, settings=settings)


def _blinking(frames: np.ndarray) -> float:
    """Covariance of adjacent pixels' changes from frame to frame, beyond that of farther ones."""
    changes = np.diff(frames, axis=0)
    apart = min(FAR_PX, frames.shape[2] // 4)
    near = (changes[:, :, 1:] * changes[:, :, :-1]).mean(axis=(1, 2), dtype=np.float64)
    far = (changes[:, :, apart:] * changes[:, :, :-apart]).mean(axis=(1, 2), dtype=np.float64)
    return float(np.median(near - far))


def is_shared(found: FarCovariance) -> bool:
    """Return whether distant pixels share more than the blinking of independent emitters."""
    return (
        abs(found.field) > SHARED_MIN
        or max(abs(found.rows), abs(found.columns)) > LINES_MIN
        or abs(found.haze) > HAZE_MIN
    )


def corrected(movie: Movie, settings: dict[str, Any]) -> Movie:
    """Return a movie with one of `CORRECTIONS`, or with several of them.

    Raises
    ------
    InputError
        A correction cannot be determined on this movie.
    """
    if "readout.shared_by" in settings:
        movie = subtract_shared(movie, settings["readout.shared_by"])
    if settings.get("brightness.correct"):
        movie, _ = level_frames(movie)
    background = {
        name.partition(".")[2]: value
        for name, value in settings.items()
        if name.startswith("background.")
    }
    return subtract_background(movie, BackgroundCorrection(**background))


def sample_of(movie: Movie) -> Movie:
    """Return runs of frames at even distances, from the middle of the field, in memory.

    Parameters
    ----------
    movie : Movie
        Movie of any length and size.

    Returns
    -------
    Movie
        At most 400 frames of 192 x 192 px, without corrections.
    """
    frames, field = movie.shape[0], movie.middle_of_field(SIDE_PX)
    if frames <= FRAMES:
        starts, length = np.array([0]), frames
    else:
        starts, length = np.linspace(0, frames - RUN, FRAMES // RUN).astype(int), RUN
    parts = [_frames(field.part(int(a), int(a) + length)) for a in starts]
    return Movie(ArraySource(np.concatenate(parts), movie.name), movie.pixel_size_um)


def _frames(movie: Movie) -> np.ndarray:
    return np.concatenate([np.asarray(block, np.float32) for block in time_blocks(movie)])

"""Plan of the sub-sequences of a movie for SOFI, and the PSF width used for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods.sofi_settings import SofiSettings
from napari_sofinet.preprocess.corrections import (
    drift_details,
    drift_notes,
    measure_bleaching,
)
from napari_sofinet.preprocess.drift import estimate_drift
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import (
    NARROWEST_FWHM_PX,
    WIDEST_FWHM_PX,
    estimate_psf_fwhm,
)
from napari_sofinet.sofi.segments import plan_segments

FALLBACK_FWHM_PX = 2.5
FRAMES_FOR_WIDTH = 500
HIGH_ORDER_FRAMES = 500
"""Fewest frames of a sub-sequence for orders 5 and 6, whose estimates stay biased by few frames."""
SEGMENT_FRAMES_MIN = 20


@dataclass(frozen=True, eq=False)
class SofiPlan:
    """Sub-sequences in which the cumulants are computed, and the drift between them.

    Parameters
    ----------
    segments : list of tuple of int
        First and last frame (exclusive) of each sub-sequence.
    weights : list of float, optional
        Weight of each sub-sequence's frames; equal if None.
    drift_px : numpy.ndarray, optional
        Position of the sample in every frame, of shape (T, 2), in camera pixels.
    fwhm_px : float, optional
        PSF width in camera pixels, where it is known beforehand.
    took_time : bool
        Whether the movie was read for the plan, which the progress report shows.
    details : dict of str to float
        Measured values for the recipe.
    notes : tuple of str
        Sentences for the user.
    """

    segments: list[tuple[int, int]]
    weights: list[float] | None = None
    drift_px: np.ndarray | None = None
    fwhm_px: float | None = None
    took_time: bool = False
    details: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def flattened(self) -> bool:
        """Whether the cumulants are already flattened, which happens before they are shifted."""
        return self.drift_px is not None

    @property
    def whole(self) -> bool:
        """Whether the movie is neither cut nor shifted."""
        return len(self.segments) == 1 and self.drift_px is None


def make_plan(movie: Movie, settings: SofiSettings, report: Report) -> SofiPlan:
    """Plan the sub-sequences by the settings, the bleaching and the drift of a movie.

    Parameters
    ----------
    movie : Movie
        Movie in counts or photoelectrons.
    settings : SofiSettings
        Settings of the method.
    report : Report
        Receives the progress.

    Returns
    -------
    SofiPlan
        Sub-sequences, drift and notes.

    Raises
    ------
    InputError
        The order needs longer sub-sequences, or the drift cannot be measured.
    """
    s = settings
    frames = movie.shape[0]
    longest, fwhm = s.sub_sequences.frames, s.psf_fwhm_px
    drift, half_life = None, None
    details: dict[str, float] = {}
    notes: list[str] = []
    if s.bleaching.correct:
        bleaching = measure_bleaching(movie, portion(report, 0.1, 0.2))
        half_life = bleaching.half_life
        details |= bleaching.details
        notes += () if s.brightness.correct else bleaching.notes
        if bleaching.steady_frames is not None:
            longest = longest or max(bleaching.steady_frames, SEGMENT_FRAMES_MIN)
            if longest >= frames and not s.brightness.correct:
                notes.append(
                    "The movie bleaches so little that the bleaching correction changes nothing."
                )
    if s.drift.correct:
        moved = estimate_drift(movie, s.drift.block, portion(report, 0.2, 0.3))
        details |= drift_details(moved)
        notes += drift_notes(moved)
        if moved.farthest_px:
            drift, fwhm = moved.path_px, fwhm or moved.fwhm_px
    elif s.pixel_sets == "weighted" and fwhm is None:
        start = movie.first_frame
        part = movie.select(frames=(start, start + min(frames, FRAMES_FOR_WIDTH)))
        fwhm = psf_width(cross_cumulants(part, (2,))[2], 2)[0]
    if longest is not None:
        longest = max(longest, segment_frames_min(s))
    segments = plan_segments(frames, longest, drift)
    if len(segments) > 1:
        details["sub_sequences"] = len(segments)
        _check_order(s.order, segments)
    weights = None if half_life is None else _bleaching_weights(segments, half_life)
    took_time = s.bleaching.correct or s.drift.correct or bool(movie.steps)
    return SofiPlan(segments, weights, drift, fwhm, took_time, details, tuple(notes))


def segment_frames_min(settings: SofiSettings) -> int:
    """Return the fewest frames of a sub-sequence for the order and its lags."""
    return 2 * (settings.order + (settings.order - 1) * settings.lag)


def psf_width(cumulant: np.ndarray, order: int) -> tuple[float, str | None]:
    """Return the PSF width, and a note if it had to be assumed.

    Parameters
    ----------
    cumulant : ndarray
        Cumulant image.
    order : int        Order of the cumulant.

    Returns
    -------
    fwhm_px : float
        Full width at half maximum in camera pixels.
    note : str or None
        Sentence for the user.
    """
    fwhm = estimate_psf_fwhm(cumulant, order)
    why = ""
    if fwhm == WIDEST_FWHM_PX:
        why = "changes other than blinking outweigh it; let the check of the movie name them"
    elif not fwhm > NARROWEST_FWHM_PX:
        why = "there is little blinking above the noise; try more frames"
    if not why:
        return fwhm, None
    fwhm = FALLBACK_FWHM_PX
    return fwhm, f"The PSF width could not be estimated and {fwhm} px is used: {why}."


def _check_order(order: int, segments: Sequence[tuple[int, int]]) -> None:
    shortest = min(b - a for a, b in segments)
    if order > 4 and shortest < HIGH_ORDER_FRAMES:
        raise InputError(
            f"Order {order} cannot be computed from sub-sequences of {shortest} frames, as "
            "required by drift, bleaching or sub_sequences.frames; choose order 4 or lower, or "
            f"sub-sequences of at least {HIGH_ORDER_FRAMES} frames."
        )


def _bleaching_weights(segments: Sequence[tuple[int, int]], half_life: float) -> list[float]:
    """Return weights that fall with the square root of the brightness.

    With equal weights, emitters that bleach late would dominate those that bleach early. Of the
    weights tried, the square root came nearest to the picture without bleaching.
    """
    return [0.5 ** ((a + b) / 4 / half_life) for a, b in segments]

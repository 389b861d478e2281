"""Cumulant images of a movie as planned, their standard error and their signal to noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from napari_sofinet.base.progress import Report, portion, silent
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.methods.sofi_plan import HIGH_ORDER_FRAMES, SofiPlan, segment_frames_min
from napari_sofinet.methods.sofi_settings import SofiSettings
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.segments import mean_cumulant, plan_segments

ERROR_SEGMENTS_MIN = 5
ERROR_SEGMENTS = 20
"""Sub-sequences whose scatter gives the standard error, where the movie is long enough."""

Preview = Callable[[dict[int, np.ndarray]], Reconstruction]


def take_cumulants(
    movie: Movie,
    orders: tuple[int, ...],
    settings: SofiSettings,
    plan: SofiPlan,
    report: Report = silent,
    preview: Preview | None = None,
    saturation: Saturation | None = None,
    lag: int | None = None,
) -> tuple[dict[int, np.ndarray], np.ndarray | None]:
    """Compute the cumulant images of some orders.

    Parameters
    ----------
    movie : Movie
        Movie in counts or photoelectrons.
    orders : tuple of int
        Orders of the cumulants.
    settings : SofiSettings
        Settings of the method.
    plan : SofiPlan
        Sub-sequences and drift.
    report : Report, optional
        Receives the progress.
    preview : callable, optional
        Makes the reported reconstruction from the cumulants so far.
    saturation : Saturation, optional
        Counts the pixels at full scale.
    lag : int, optional
        Replaces the lag of the settings.

    Returns
    -------
    dict of int to numpy.ndarray
        Cumulant image of each order.
    numpy.ndarray or None
        Standard error of the last order, None for a single sub-sequence.
    """
    lag = settings.lag if lag is None else lag
    kind, fwhm = settings.pixel_sets, plan.fwhm_px
    if plan.whole:
        options: dict[str, Any] = {"report": report, "preview": preview, "saturation": saturation}
        return cross_cumulants(movie, orders, kind, lag=lag, fwhm_px=fwhm, **options), None
    cumulants, error = {}, None
    for number, order in enumerate(orders):

        def preview_of(cumulant: np.ndarray, order: int = order) -> Reconstruction | None:
            return preview({order: cumulant}) if preview else None

        cumulants[order], scatter = mean_cumulant(
            movie,
            order,
            kind,
            plan.segments,
            lag=lag,
            weights=plan.weights,
            drift_px=plan.drift_px,
            fwhm_px=fwhm,
            report=portion(report, number / len(orders), (number + 1) / len(orders)),
            preview=preview_of,
            saturation=saturation if number == 0 else None,
        )
        error = scatter if len(plan.segments) > 1 else None
    return cumulants, error


def snr_map(
    movie: Movie,
    cumulant: np.ndarray,
    error: np.ndarray | None,
    settings: SofiSettings,
    plan: SofiPlan,
    report: Report,
) -> np.ndarray | None:
    """Return a cumulant in units of its standard error.

    Parameters
    ----------
    movie : Movie
        Movie in counts or photoelectrons.
    cumulant, error : ndarray
        Cumulant image of the highest order, and its standard error, which is used if it comes from
        enough sub-sequences.
    settings : SofiSettings
        Settings of the method.
    plan : SofiPlan
        Sub-sequences and drift.
    report : Report
        Receives the progress.

    Returns
    -------
    ndarray or None
        Absolute value over standard error, float32; None if the movie is too short.
    """
    if error is None or len(plan.segments) < ERROR_SEGMENTS_MIN:
        error = _standard_error(movie, settings, plan, report)
    return None if error is None else _signal_to_noise(cumulant, error)


def _standard_error(
    movie: Movie, settings: SofiSettings, plan: SofiPlan, report: Report
) -> np.ndarray | None:
    """Return the standard error of the cumulant from the scatter of shorter sub-sequences."""
    length = max(movie.shape[0] // ERROR_SEGMENTS, segment_frames_min(settings))
    if settings.order > 4:
        length = max(length, HIGH_ORDER_FRAMES)
    segments = plan_segments(movie.shape[0], length, plan.drift_px)
    if len(segments) < ERROR_SEGMENTS_MIN:
        return None
    cut = replace(plan, segments=segments, weights=None)
    step = portion(report, 0.85, 0.85)
    return take_cumulants(movie, (settings.order,), settings, cut, step)[1]


def _signal_to_noise(cumulant: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return the absolute cumulant over its standard error, float32; 0 where that is unknown."""
    known = np.isfinite(error) & (error > 0)
    out = np.zeros(cumulant.shape, np.float32)
    np.divide(np.abs(cumulant), error, out=out, where=known, casting="same_kind")
    return out

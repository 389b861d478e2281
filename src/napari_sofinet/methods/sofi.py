"""SOFI: cross-cumulants, flattened, deconvolved and linearized."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.sofi_cumulants import snr_map, take_cumulants
from napari_sofinet.methods.sofi_description import describe
from napari_sofinet.methods.sofi_molecules import measure_molecules, molecule_maps, molecule_note
from napari_sofinet.methods.sofi_picture import make_picture, quick_look
from napari_sofinet.methods.sofi_plan import make_plan
from napari_sofinet.methods.sofi_settings import SofiSettings
from napari_sofinet.methods.sofi_suits import suits
from napari_sofinet.preprocess.corrections import calibrate_movie
from napari_sofinet.sofi.molecules import on_grid, on_ratio_gain

FEW_FRAMES = 50
PICTURE_FRAMES = 60, 180
"""Approximate number of frames whose cumulants take as long as deconvolving the picture, for order
2 and for higher orders."""
ONE_SIGN = 0.9
"""Fraction of a cumulant that has the same sign where emitters dominate it."""


def sofi(movie: Movie, settings: SofiSettings, report: Report) -> Reconstruction:
    """Reconstruct a movie by SOFI, see `cross_cumulants`, `flatten` and `linearize`.

    Parameters
    ----------
    movie : Movie
        Movie of blinking emitters.
    settings : SofiSettings
        Settings of the method.
    report : Report
        Receives the progress and previews.

    Returns
    -------
    Reconstruction
        ``image``: float32 in counts (linearized) or counts**order, on the cumulants' grid. With
        ``molecules`` also ``brightness`` (counts of an emitter that is on for a whole frame),
        ``on_ratio``, ``on_time_s`` (or ``on_time_frames``) and ``density_per_um2`` (or
        ``density_per_px2`` of camera pixels), NaN where there is too little signal; with ``snr``
        the cumulant in units of its standard error.

    Raises
    ------
    InputError
        The movie is too small or too short, or does not change in time.
    """
    n = settings.order
    report = _in_time(report, settings, movie.shape[0])
    calibrated = calibrate_movie(movie, settings, portion(report, 0.0, 0.1))
    movie, saturation = calibrated.movie, Saturation()
    plan = make_plan(movie, settings, report)
    details = calibrated.details | plan.details

    def preview(cumulants: dict[int, np.ndarray]) -> Reconstruction:
        return _on_cumulant_grid(movie, n, quick_look(cumulants[n], settings, plan))

    step = portion(report, 0.3 if plan.took_time else 0.0, 0.85)
    cumulants, error = take_cumulants(movie, (n,), settings, plan, step, preview, saturation)
    _check_fluctuations(movie, cumulants[n])
    report(0.85, "picture")
    notes = [saturation.note, *calibrated.notes, *plan.notes, sign_note(cumulants[n], n)]
    snr = None
    if settings.snr:
        snr = snr_map(movie, cumulants[n], error, settings, plan, report)
        if snr is None:
            notes.append("The movie is too short for a map of signal to noise.")
    del error  # large fields need the memory
    picture = make_picture(movie, cumulants, settings, plan, report)
    maps = {"image": picture.image} | ({} if snr is None else {"snr": snr})
    if picture.iterations is not None:
        details["iterations"] = picture.iterations
    if settings.molecules or settings.linearization == "adaptive":
        found = measure_molecules(movie, settings, plan, picture.fwhm_px, report)
        if settings.linearization == "adaptive":
            maps["image"] *= on_grid(on_ratio_gain(found.on_ratio, n), n).astype(np.float32)
        if settings.molecules:
            maps |= molecule_maps(found, n, movie)
            notes.append(molecule_note(movie.shape[0]))
    notes += [*picture.notes, _few_frames_note(movie.shape[0])]
    if settings.flattening == "psf" or settings.linearization != "none":
        details["psf_fwhm_px"] = picture.fwhm_px
    report(1.0, "done")
    shown = tuple(note for note in notes if note)
    return replace(
        _on_cumulant_grid(movie, n, picture.image), maps=maps, notes=shown, details=details
    )


def _in_time(report: Report, settings: SofiSettings, frames: int) -> Report:
    """Return a report whose 85 % for cumulants, and the rest, take their true shares of time."""
    rest = 0.0 if settings.linearization == "none" else PICTURE_FRAMES[min(settings.order, 3) - 2]
    again = (settings.snr, settings.sub_sequences.average == "pictures")
    molecules = settings.molecules or settings.linearization == "adaptive"
    rest += frames * (sum(again) + (3 if molecules else 0))
    share = frames / (frames + rest)

    def tell(fraction: float, message: str = "", preview: Any = None) -> None:
        report(float(np.interp(fraction, (0, 0.85, 1), (0, share, 1))), message, preview)

    return tell


def _check_fluctuations(movie: Movie, cumulant: np.ndarray) -> None:
    if not np.any(cumulant):
        raise InputError(
            f"{movie.name} does not change in time, so SOFI cannot find any structure; choose a "
            "movie of blinking emitters."
        )


def sign_note(cumulant: np.ndarray, order: int) -> str | None:
    """Return a note if a cumulant of order 3 or more has no clear sign, or None.

    The third cumulant of an emitter that is on for half of the time is zero, the fourth one of an
    emitter that is on for a fifth or four fifths; their sign is then random (cusp artefacts: Yi and
    Weiss, Biomed. Opt. Express 11, 554 (2020)).

    Parameters
    ----------
    cumulant : ndarray
        (Y, X) cumulant image.
    order : int        Order of the cumulant.
    """
    if order < 3:
        return None
    positive = float(cumulant.sum(where=cumulant > 0, initial=0.0))
    negative = -float(cumulant.sum(where=cumulant < 0, initial=0.0))
    share = max(positive, negative) / max(positive + negative, np.finfo(float).tiny)
    if share >= ONE_SIGN:
        return None
    why = {3: "half", 4: "a fifth or four fifths"}.get(order, "certain fractions")
    return (
        f"Only {100 * share:.0f} % of the cumulant of order {order} has one sign: it is noise, or "
        f"emitters are on for about {why} of the time, where this cumulant vanishes. Choose order "
        "2."
    )


def _few_frames_note(frames: int) -> str | None:
    if frames >= FEW_FRAMES:
        return None
    return f"SOFI from {frames} frames is noisy; {FEW_FRAMES} or more are advised."


def _on_cumulant_grid(movie: Movie, order: int, image: np.ndarray) -> Reconstruction:
    """Return an image on the cumulants' grid, which starts one camera pixel inside the movie."""
    return Reconstruction(
        {"image": image},
        pixel_px=(1 / order, 1 / order),
        origin_px=(movie.origin_px[0] + 1, movie.origin_px[1] + 1),
        camera_pixel_um=movie.pixel_size_um,
    )


METHOD = Method(
    "sofi",
    "Picture from fluctuations (SOFI)",
    SofiSettings,
    sofi,
    describe,
    suits=suits,
    reads_first=True,
    tag="SOFI{order}",
)

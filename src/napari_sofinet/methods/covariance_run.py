"""Reconstruction of a movie by the maximum likelihood of the covariance."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.memory import need_memory
from napari_sofinet.base.progress import Repeatable, Report, portion
from napari_sofinet.covariance.blinks import supported_blur
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.methods.covariance_calibration import Found, Geometry, calibrate_fit
from napari_sofinet.methods.covariance_fit import (
    field_geometry,
    find_evidence,
    fit,
    standard_error,
    with_weight_of_mean,
)
from napari_sofinet.methods.covariance_notes import fit_notes, movie_notes
from napari_sofinet.methods.covariance_scan import Scan, measured_noise, scan_pixels
from napari_sofinet.methods.covariance_sequences import (
    Sequences,
    plan_sequences,
    without_common_changes,
)
from napari_sofinet.methods.covariance_settings import CovarianceSettings
from napari_sofinet.networks.device import on_device
from napari_sofinet.preprocess.background import BackgroundCorrection
from napari_sofinet.preprocess.corrections import calibrate_movie

FEWEST_FRAMES = 10
START_FWHM_PX = 2.5


def maximum_likelihood(
    movie: Movie, settings: CovarianceSettings, report: Report, device: str
) -> Reconstruction:
    """Reconstruct a movie, see `covariance`."""
    _need_size(movie)
    saturation = Saturation()
    calibrated = calibrate_movie(movie, settings, portion(report, 0.0, 0.05))
    bright = _before_background(movie, settings, calibrated.movie, report)
    sequences = plan_sequences(calibrated.movie, settings, portion(report, 0.05, 0.08))
    tell = Repeatable(report)
    tell(0.08, "noise of the pixels")
    sequences = without_common_changes(sequences, tell.again)
    scan = scan_pixels(sequences, bright, saturation, tell.again, settings.camera.dark_frames)
    found = calibrate_fit(
        scan,
        sequences,
        settings.fine,
        settings.psf_fwhm_px or START_FWHM_PX,
        settings.psf_fwhm_px,
        settings.steps,
        settings.blur,
        measured_noise(bright, scan),
        portion(report, 0.1, 0.29),
    )
    notes = [*calibrated.notes, *sequences.notes, saturation.note]
    notes += movie_notes(calibrated.movie, settings, portion(report, 0.3, 0.33))
    tell(0.33, "evidence")
    signal = find_evidence(scan, sequences, found, tell.again)
    found = with_weight_of_mean(scan, found, signal)
    fallen_back: list[str] = []

    def work(where: str) -> Reconstruction:
        step = portion(report, 0.33, 1.0)
        if settings.window is None:
            return _pictures(scan, sequences, found, signal, settings, step, where)
        return film(scan, sequences, bright, found, settings, step, where)

    result = on_device(device, fallen_back, work)
    notes += [*fallen_back, *fit_notes(found, settings, sequences.frames, signal)]
    details = calibrated.details | sequences.details | details_of(found)
    return replace(result, notes=tuple(note for note in notes if note), details=details)


def _need_size(movie: Movie) -> None:
    if movie.shape[0] < FEWEST_FRAMES or min(movie.shape[1:]) < FEWEST_FRAMES:
        raise InputError(
            f"{movie.name} has {movie.shape[0]} frames of {movie.shape[1]} x {movie.shape[2]} px; "
            f"the covariance needs at least {FEWEST_FRAMES} frames and {FEWEST_FRAMES} px."
        )


def film(
    scan: Scan,
    sequences: Sequences,
    bright: Movie,
    found: Found,
    settings: CovarianceSettings,
    report: Report,
    device: str,
) -> Reconstruction:
    """Reconstruct one picture of each window of frames, with the PSF and noise of all frames."""
    movie, window = sequences.movie, settings.window or 0
    step, frames = settings.step or window, movie.shape[0]
    if window > frames:
        raise InputError(
            f"A picture of {window} frames is wanted, but {movie.name} has {frames} frames."
        )
    starts = range(0, frames - window + 1, step)
    size = settings.fine**2 * math.prod(sequences.field)
    need_memory(8 * len(starts) * size * (1 + settings.standard_error), "the film")
    if settings.blur is None:
        found = replace(found, blur=supported_blur(scan.blinks * window / frames))
    pictures = []
    for number, start in enumerate(starts):
        tell = portion(report, number / len(starts), (number + 1) / len(starts))
        tell(0.0, f"picture {number + 1} of {len(starts)}")
        part, again = sequences.within(start, start + window), Repeatable(tell).again
        here = replace(
            scan_pixels(part, bright, Saturation(), again), floor=scan.floor, read=scan.read
        )
        signal = find_evidence(here, part, found, again)
        pictures.append(_pictures(here, part, found, signal, settings, tell, device))
    interval = movie.frame_interval_s
    middle = float(movie.file_frames(movie.first_frame + (window - 1) / 2))
    maps = {name: np.stack([one.maps[name] for one in pictures]) for name in pictures[0].maps}
    return replace(
        pictures[0],
        maps=maps,
        axes="TYX",
        time_series=(middle, float(step)),
        frame_interval_s=None if interval is None else interval * step,
    )


def details_of(found: Found) -> dict[str, float]:
    """Return measured values for the recipe."""
    details = {
        "psf_fwhm_px": found.fwhm_px,
        "noise_gain": found.gain,
        "noise_dark": found.dark,
        "steps": float(found.steps),
        "blur": found.blur,
        "weight_of_mean": found.weight_of_mean,
    }
    if np.isfinite(found.width.error_px):
        details |= {
            "psf_fwhm_likeliest_px": found.width.fwhm_px,
            "psf_fwhm_error_px": found.width.error_px,
        }
    return details


def _before_background(
    movie: Movie, settings: CovarianceSettings, corrected: Movie, report: Report
) -> Movie:
    """Return the movie without the correction of the background, whose noise remains."""
    if settings.background.method == "none":
        return corrected
    without = settings.model_copy(update={"background": BackgroundCorrection()})
    return calibrate_movie(movie, without, portion(report, 0.05, 0.05)).movie


def _pictures(
    scan: Scan,
    sequences: Sequences,
    found: Found,
    signal: np.ndarray,
    settings: CovarianceSettings,
    report: Report,
    device: str,
) -> Reconstruction:
    geometry = field_geometry(scan, sequences, found, settings.fine)
    share = 1 / 6 if settings.standard_error else 1.0

    def shown(picture: np.ndarray, steps: int) -> Reconstruction:
        preview = _on_grid(sequences, geometry, {"image": picture})
        return replace(preview, details={"steps": steps})

    step = portion(report, 0.0, share)
    maps = {"image": fit(scan, sequences, geometry, found, signal, step, device, shown)}
    if settings.standard_error:
        step = portion(report, share, 1.0, "standard error: ")
        maps["standard_error"] = standard_error(
            scan, sequences, geometry, found, signal, step, device
        )
    return _on_grid(sequences, geometry, maps)


def _on_grid(
    sequences: Sequences, geometry: Geometry, maps: dict[str, np.ndarray]
) -> Reconstruction:
    """Return maps on the fine grid: sample i lies at (i + 1/2) / fine - 1/2 camera pixels."""
    movie, step = sequences.movie, 1 / geometry.fine
    y, x = (a + b for a, b in zip(movie.origin_px, sequences.first_px, strict=True))
    return Reconstruction(
        maps,
        pixel_px=(step, step),
        origin_px=(y - 0.5 + step / 2, x - 0.5 + step / 2),
        camera_pixel_um=movie.pixel_size_um,
    )

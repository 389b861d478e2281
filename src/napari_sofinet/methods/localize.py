"""Emitters of a movie, detected and fitted frame by frame; several methods start from them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Repeatable, Report, portion, silent
from napari_sofinet.base.threads import thread_count
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.io.large_array import large_array
from napari_sofinet.localization.drift import correct_drift
from napari_sofinet.localization.fitting import (
    FOUND_PX,
    Noise,
    dark_level,
    fit_spots,
    measure_noise,
    measure_sigma,
)
from napari_sofinet.localization.rendering import render
from napari_sofinet.methods.detector import (
    USUAL_SIGMA,
    Detector,
    ImagingModel,
    Places,
    SingleDetector,
)
from napari_sofinet.methods.localization_settings import LocalizationSettings
from napari_sofinet.networks import weights
from napari_sofinet.preprocess.corrections import calibrate_movie

SIDE_MIN_PX = 12
PIXELS_AT_ONCE = 2**17
CANDIDATE_FRAMES, MEASURED_FRAMES = 40, 8
"""PSF and noise are measured in the brightest of these frames."""
PART_PX = 96
"""Side of the part of a frame in which PSF and noise are measured."""
IMAGING_FRAMES = 60
"""Frames of such parts whose fits take as long as measuring PSF and noise."""
CALIBRATION_TIME, DRIFT_TIME = 0.1, 0.05
"""Approximate fractions of the time that these steps take if they are wanted."""
WINDOW_PX = 16
UNCERTAINTY_MAX_PX = 0.31
"""Median uncertainty at 10 emitters per µm², or of dim ones of 50 photons."""

FrameFit = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Positions (N, 2), photons (N,), uncertainty in px (N,) and background (N,) of one frame."""


@dataclass(frozen=True, eq=False)
class Localized:
    """Emitters of a movie.

    Parameters
    ----------
    table : LocalizationTable
        One row for each emitter in each frame.
    image : ndarray
        Picture (4Y, 4X), or (T, 4Y, 4X) as a time series.
    details : dict, optional
        Measured values, such as ``psf_fwhm_px``.
    notes : tuple of str, optional
        Sentences for the user.
    """

    table: LocalizationTable
    image: np.ndarray
    details: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def localize(
    movie: Movie,
    settings: LocalizationSettings,
    report: Report = silent,
    device: str = "auto",
    time_series: bool = False,
) -> Localized:
    """Find and fit the emitters of every frame of a movie.

    Parameters
    ----------
    movie : Movie
        Movie of at least 12 x 12 pixels.
    settings : LocalizationSettings
        Corrections, detector and drift.
    report : Report, optional
        Receives the progress.
    device : {"auto", "cpu", "cuda"}, optional
        Device of the network, if the detector is one.
    time_series : bool, optional
        Whether to make one picture for each frame instead of their sum.

    Returns
    -------
    Localized
        Table and picture: the sum of the network's maps, or the rendered table where the detector
        makes no maps or drift was corrected.

    Raises
    ------
    InputError
        The movie is too small or has no drift that can be found, or the weights are unusable.
    """
    if settings.detector == "single":
        return _localize(movie, settings, report, SingleDetector(), time_series)
    weights.need_torch()
    from napari_sofinet.methods.network_detector import NetworkDetector  # imports torch
    from napari_sofinet.networks.device import on_device

    notes: list[str] = []
    tell = Repeatable(report)

    def work(chosen: str) -> Localized:
        detector = NetworkDetector(settings.weights, settings.certainty, chosen, tell.again)
        return _localize(movie, settings, tell, detector, time_series)

    found = on_device(device, notes, work)
    return replace(found, notes=(*found.notes, *notes))


def _localize(
    movie: Movie,
    settings: LocalizationSettings,
    report: Report,
    detector: Detector,
    time_series: bool,
) -> Localized:
    rows, columns = movie.shape[1:]
    if min(rows, columns) < SIDE_MIN_PX:
        raise InputError(
            f"At least {SIDE_MIN_PX} x {SIDE_MIN_PX} px are needed, but this movie has {rows} x "
            f"{columns}."
        )
    parts = _parts(movie, settings)
    stage = calibrate_movie(movie, settings, portion(report, 0.0, parts[0]))
    movie = stage.movie
    notes = [*stage.notes]
    imaging = measure_imaging(
        movie, detector, settings.psf_fwhm_px, notes, lambda: report(parts[0], "width of the PSF")
    )
    saturation, tell = Saturation(), portion(report, parts[1], parts[2])
    fits, image = _fit_movie(movie, detector, imaging, saturation, time_series, tell)
    if saturation.note:
        notes.append(saturation.note)
    table = _table(movie, fits)
    details: dict[str, float] = {}
    if settings.drift.correct:
        path, table = correct_drift(table, settings.drift.block, portion(report, parts[2], 1.0))
        farthest = details["drift_px"] = float(np.abs(path).max())
        notes.append(f"The sample drifts by up to {farthest:.2g} camera px.")
    if image is None or (settings.drift.correct and not time_series):
        image = _rendered(table, movie, time_series)
    camera = settings.camera
    notes += detector.notes(table, imaging, movie, camera.gain is not None or camera.estimate)
    notes = _with_trust(notes, table)
    details |= stage.details | {"psf_fwhm_px": 2.3548 * imaging.sigma_px}
    details |= {"localizations": float(len(table)), "noise_gain": imaging.noise.gain}
    return Localized(table, np.maximum(image, 0, out=image), details, tuple(notes))


def _parts(movie: Movie, settings: LocalizationSettings) -> tuple[float, float, float]:
    """Return the fractions of the time after which PSF, fits and drift begin, approximately."""
    frames, rows, columns = movie.shape
    begin = CALIBRATION_TIME if settings.camera.estimate else 0.0
    end = 1 - DRIFT_TIME if settings.drift.correct else 1.0
    part = min(rows, PART_PX) * min(columns, PART_PX)
    imaging = 0.0 if settings.psf_fwhm_px is not None else IMAGING_FRAMES * part
    share = imaging / (imaging + frames * rows * columns)
    return begin, begin + (end - begin) * share, end


def _fit_movie(
    movie: Movie,
    detector: Detector,
    imaging: ImagingModel,
    saturation: Saturation,
    time_series: bool,
    report: Report,
) -> tuple[list[FrameFit], np.ndarray | None]:
    """Return the fits of all frames, and the picture made of the detector's maps if it makes any.

    Saturated pixels are counted on the way.
    """
    frames, rows, columns = movie.shape
    at_once = max(1, PIXELS_AT_ONCE // (rows * columns))
    image: np.ndarray | None = None
    fits: list[FrameFit] = []
    with ThreadPoolExecutor(thread_count()) as pool:
        for block in time_blocks(movie, saturation):
            saturation.add(block)
            for start in range(0, len(block), at_once):
                part = block[start : start + at_once].astype(np.float32)
                done = len(fits)
                maps, places = detector(part)
                fit = partial(_fit, imaging=imaging, alone=detector.alone)
                for one in pool.map(fit, part, places):
                    report(len(fits) / frames, f"frame {done} of {frames}")
                    fits.append(one)
                if maps is not None:
                    image = _with_maps(image, maps, time_series, done, frames)
    return fits, image


def _with_trust(notes: list[str], table: LocalizationTable) -> list[str]:
    """Add a note if no emitter was found, or if the positions cannot be trusted."""
    if not len(table):
        return [*notes, "No emitters were found: either they are too dim, or there are none."]
    uncertainty = float(np.median(table.uncertainty_px))  # type: ignore[arg-type]
    if not uncertainty > UNCERTAINTY_MAX_PX:
        return notes
    warning = (
        f"Half of the positions have an uncertainty of {uncertainty:.2g} camera px or more: too "
        "many "
        "emitters are on in a frame, they are too dim, or they are not single molecules. Do not "
        "trust the positions."
    )
    return [warning, *notes]


def measure_imaging(
    movie: Movie,
    detector: Detector,
    psf_fwhm_px: float | None,
    notes: list[str],
    between: Callable[[], None],
) -> ImagingModel:
    """Measure the width of the PSF and the noise in some frames of a movie.

    Parameters
    ----------
    movie : Movie
        If few of its frames are selected, the others are used as well: PSF and noise belong to
        the microscope.
    detector : Detector
        Finds the spots; its width is set.
    psf_fwhm_px : float or None
        Known width of the PSF in camera pixels; measured if None.
    notes : list of str
        A sentence is appended if there are too few spots to measure the width.
    between : callable
        Called between fits; it may raise to stop the work.

    Returns
    -------
    ImagingModel
        Standard deviation of the PSF in camera pixels, and the noise.
    """
    first, last = movie.frame_range or (0, movie.shape[0])
    if last - first < MEASURED_FRAMES and not movie.steps:
        first, last = 0, movie.whole_shape[0]
    numbers = np.unique(np.linspace(first, last - 1, CANDIDATE_FRAMES).astype(int))
    candidates = [
        np.concatenate(list(time_blocks(movie.select((n, n + 1)))))[0].astype(np.float32)
        for n in numbers
    ]
    # The brightest, since most frames of sparse movies may be dark.
    candidates.sort(key=lambda frame: float(np.quantile(frame, 0.999) - np.median(frame)))
    frames = [_brightest_part(frame) for frame in candidates[-MEASURED_FRAMES:]]
    places = [detector(frame[None])[1][0][0] for frame in frames]
    if psf_fwhm_px is not None:
        sigma = psf_fwhm_px / 2.3548
    else:
        measured = measure_sigma(list(frames), places, between)
        if measured is None:
            notes.append(
                "There are too few spots to measure the PSF; a width of "
                f"{2.3548 * USUAL_SIGMA:.2g} camera px is assumed. Enter the width if you know it."
            )
        sigma = measured or USUAL_SIGMA
    detector.set_width(sigma)
    fits = [fit_spots(f, p, sigma, Noise(), FOUND_PX) for f, p in zip(frames, places, strict=True)]
    return ImagingModel(sigma, measure_noise(frames, fits))


def _brightest_part(frame: np.ndarray) -> np.ndarray:
    """Return the part of a frame, at most `PART_PX` squared, with most light above the dark."""
    light = np.maximum(frame - dark_level(frame), 0)
    parts = [
        (slice(top, top + PART_PX), slice(left, left + PART_PX))
        for top in _part_starts(frame.shape[0])
        for left in _part_starts(frame.shape[1])
    ]
    return frame[max(parts, key=lambda part: float(light[part].sum()))]


def _part_starts(length: int) -> list[int]:
    """Return where parts of `PART_PX` begin; the last one ends at the edge of the field."""
    last = max(length - PART_PX, 0)
    return sorted({min(k, last) for k in range(0, length, PART_PX)})


def _fit(frame: np.ndarray, found: Places, imaging: ImagingModel, alone: bool) -> FrameFit:
    """Fit the spots of one frame that a detector found."""
    rows, columns = frame.shape
    places, uncertainty = found
    if not len(places):
        return np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0)
    if alone:
        return _fit_alone(frame, places, imaging)
    fit = fit_spots(frame, places, imaging.sigma_px, imaging.noise, FOUND_PX)
    at = fit.places
    inside: np.ndarray = np.all((at > -0.5) & (at < np.array([rows, columns]) - 0.5), axis=1)
    at = np.where(inside[:, None], at, 0.0)
    i, j = (np.clip(np.rint(at[:, k]).astype(int), 0, n - 1) for k, n in enumerate(frame.shape))
    # The network's uncertainty holds photon noise too, which the fit knows better.
    uncertainty = np.maximum(np.sqrt((fit.spread[:, :2] ** 2).mean(axis=1)), uncertainty)
    return at[inside], fit.light[inside], uncertainty[inside], fit.background[i, j][inside]


def _fit_alone(frame: np.ndarray, places: np.ndarray, imaging: ImagingModel) -> FrameFit:
    """Fit every spot by itself in a window around it."""
    found = []
    for place in places:
        low = np.maximum(np.rint(place).astype(int) - WINDOW_PX, 0)
        high = np.rint(place).astype(int) + WINDOW_PX + 1
        window = frame[low[0] : high[0], low[1] : high[1]]
        fit = fit_spots(window, (place - low)[None], imaging.sigma_px, imaging.noise)
        at = fit.places[0] + low
        # A fit that left its maximum has gone to a neighbour, which has a fit of its own.
        if np.hypot(*(at - place)) <= imaging.sigma_px:
            y, x = np.rint(place - low).astype(int)
            uncertainty = np.sqrt((fit.spread[0, :2] ** 2).mean())
            found.append((*at, fit.light[0], uncertainty, fit.background[y, x]))
    table = np.array(found).reshape(-1, 5)
    edge = np.array(frame.shape) - 0.5
    table = table[((table[:, :2] > -0.5) & (table[:, :2] < edge)).all(axis=1)]
    return table[:, :2], table[:, 2], table[:, 3], table[:, 4]


def _rendered(table: LocalizationTable, movie: Movie, time_series: bool) -> np.ndarray:
    """Return a picture (4Y, 4X), or (T, 4Y, 4X), of a table."""
    frames, rows, columns = movie.shape
    if not len(table):
        return np.zeros((*((frames,) if time_series else ()), 4 * rows, 4 * columns), np.float32)
    y, x = (int(v) for v in movie.origin_px)
    roi = (y, y + rows), (x, x + columns)
    if not time_series:
        return render(table, 0.25, roi=roi).image
    out = large_array((frames, 4 * rows, 4 * columns))
    first = movie.first_frame
    for number, picture in enumerate(out):
        part = table.rows(table.frame == movie.file_frames(first + number))
        picture[...] = render(part, 0.25, roi=roi).image if len(part) else 0
    return out


def _with_maps(
    image: np.ndarray | None, maps: np.ndarray, time_series: bool, first: int, frames: int
) -> np.ndarray:
    """Add maps (t, 4Y, 4X) of frames from ``first`` on to a picture or a time series."""
    if time_series:
        out = large_array((frames, *maps.shape[1:])) if image is None else image
        out[first : first + len(maps)] = np.maximum(maps, 0)
        return out
    total: np.ndarray = np.maximum(maps, 0).sum(axis=0)
    return total if image is None else image + total


def _table(movie: Movie, fits: list[FrameFit]) -> LocalizationTable:
    """Return a table of the fits of consecutive frames."""
    at, photons, uncertainty, background = (
        np.concatenate([fit[k] for fit in fits]) for k in range(4)
    )
    frame = np.repeat(np.arange(len(fits)), [len(fit[1]) for fit in fits])
    y, x = movie.origin_px
    return LocalizationTable(
        frame=movie.file_frames(frame.astype(np.int64) + movie.first_frame),
        y_px=at[:, 0] + y,
        x_px=at[:, 1] + x,
        photons=photons,
        uncertainty_px=uncertainty,
        background=background,
        camera_pixel_um=movie.pixel_size_um,
        frames=movie.whole_shape[0],
        shape=(movie.whole_shape[1], movie.whole_shape[2]),
        name=movie.name,
        looked_at=_searched(movie),
    )


def _searched(movie: Movie) -> tuple[int, int]:
    first = movie.first_frame
    last = movie.file_frames(first + movie.shape[0] - 1)
    return int(movie.file_frames(first)), int(last) + 1

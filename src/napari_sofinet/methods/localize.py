"""Emitters of single frames, found by a network and placed by a fit: what methods share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion, silent
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
from napari_sofinet.preprocess.corrections import calibrate_movie

SMALLEST_SIDE = 12
PIXELS_AT_ONCE = 2**17
LOOKED_THROUGH, LOOKED_AT = 40, 8
"""Frames among which the brightest are taken, to measure PSF and noise from."""
PART_PX = 96
WINDOW_PX = 16
DOUBTFUL_PX = 0.31
"""Where places are as uncertain, crowds of 10 emitters per um² and dim ones of 50 photons end."""


@dataclass(frozen=True, eq=False)
class Localized:
    """A table, and the picture that it was read from: (4Y, 4X), or (T, 4Y, 4X) as a time series."""

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
    """The table of emitters of a movie, and the summed map; raises as `deepstorm` does."""
    if settings.detector == "single":
        return _localize(movie, settings, report, SingleDetector(), time_series)
    from napari_sofinet.methods.network_detector import NetworkDetector  # imports torch
    from napari_sofinet.networks.device import on_device

    notes: list[str] = []

    def work(chosen: str) -> Localized:
        detector = NetworkDetector(settings.weights, settings.certainty, chosen)
        return _localize(movie, settings, report, detector, time_series)

    found = on_device(device, notes, work)
    return replace(found, notes=(*found.notes, *notes))


def _localize(
    movie: Movie,
    settings: LocalizationSettings,
    report: Report,
    detector: Detector,
    time_series: bool,
) -> Localized:
    frames, rows, columns = movie.shape
    if min(rows, columns) < SMALLEST_SIDE:
        raise InputError(
            f"At least {SMALLEST_SIDE} x {SMALLEST_SIDE} px are needed, this movie has {rows} x "
            f"{columns}."
        )
    stage = calibrate_movie(movie, settings, portion(report, 0.0, 0.1))
    movie = stage.movie
    notes = [*stage.notes]
    imaging = measure_imaging(
        movie, detector, settings.psf_fwhm_px, notes, lambda: report(0.12, "width of the PSF")
    )
    saturation = Saturation()
    image: np.ndarray | None = None
    rows_of: list[tuple[np.ndarray, ...]] = []
    done = 0
    with ThreadPoolExecutor(thread_count()) as pool:
        for block in time_blocks(movie, saturation):
            saturation.add(block)
            some = max(1, PIXELS_AT_ONCE // (rows * columns))
            for start in range(0, len(block), some):
                part = block[start : start + some].astype(np.float32)
                maps, places = detector(part)
                work = partial(_fit, imaging=imaging, alone=detector.alone)
                for number, one in enumerate(pool.map(work, part, places)):
                    report(0.15 + 0.75 * (done + number) / frames, f"frame {done} of {frames}")
                    rows_of.append((np.full(len(one[0]), done + number), *one))
                if maps is not None:
                    image = _kept(image, maps, time_series, done, frames)
                done += len(part)
    if saturation.note:
        notes.append(saturation.note)
    table = _table(movie, rows_of)
    details: dict[str, float] = {}
    if settings.drift.correct:
        path, table = correct_drift(
            table, settings.drift.block, lambda f, m="", p=None: report(0.9 + 0.1 * f, "drift")
        )
        far = details["drift_px"] = float(np.abs(path).max())
        notes.append(f"The sample drifts by up to {far:.2g} camera px.")
    if image is None or (settings.drift.correct and not time_series):
        image = _drawn(table, movie, time_series)
    camera = settings.camera
    notes += detector.notes(table, imaging, movie, camera.gain is not None or camera.estimate)
    if not len(table):
        notes.append("No emitters were found: they are too dim, or there are none.")
    elif (doubt := float(np.median(table.uncertainty_px))) > DOUBTFUL_PX:  # type: ignore[arg-type]
        notes.insert(
            0,
            f"Half of the emitters may be off by {doubt:.2g} camera px or more: too many shine in "
            "a frame, they are too dim, or no single molecules. Do not trust their places.",
        )
    details |= stage.details | {"psf_fwhm_px": 2.3548 * imaging.sigma_px}
    details |= {"localizations": float(len(table)), "noise_gain": imaging.noise.gain}
    return Localized(table, np.maximum(image, 0, out=image), details, tuple(notes))


def measure_imaging(
    movie: Movie,
    detector: Detector,
    psf_fwhm_px: float | None,
    notes: list[str],
    between: Callable[[], None],
) -> ImagingModel:
    """Width of the PSF and noise, from some frames; ``between`` may raise to leave.

    They are the microscope's: where few frames are chosen, the others tell of them, too.
    """
    first, last = movie.frame_range or (0, movie.shape[0])
    if last - first < LOOKED_AT and not movie.steps:
        first, last = 0, movie.whole_shape[0]
    numbers = np.unique(np.linspace(first, last - 1, LOOKED_THROUGH).astype(int))
    looked = [
        np.concatenate(list(time_blocks(movie.select((n, n + 1)))))[0].astype(np.float32)
        for n in numbers
    ]
    # The brightest, since most frames of sparse movies may be dark.
    looked.sort(key=lambda frame: float(np.quantile(frame, 0.999) - np.median(frame)))
    frames = [_fullest(frame) for frame in looked[-LOOKED_AT:]]
    places = [detector(frame[None])[1][0][0] for frame in frames]
    if psf_fwhm_px is not None:
        sigma = psf_fwhm_px / 2.3548
    else:
        measured = measure_sigma(list(frames), places, between)
        if measured is None:
            notes.append(
                f"Too few spots to measure the PSF; {2.3548 * USUAL_SIGMA:.2g} camera px is "
                "assumed. Set its width if you know it."
            )
        sigma = measured or USUAL_SIGMA
    detector.set_width(sigma)
    fits = [fit_spots(f, p, sigma, Noise(), FOUND_PX) for f, p in zip(frames, places, strict=True)]
    return ImagingModel(sigma, measure_noise(frames, fits))


def _fullest(frame: np.ndarray) -> np.ndarray:
    """The part of a frame, of at most `PART_PX` squared, with the most light above the dark."""
    light = np.maximum(frame - dark_level(frame), 0)
    parts = [
        (slice(top, top + PART_PX), slice(left, left + PART_PX))
        for top in _starts(frame.shape[0])
        for left in _starts(frame.shape[1])
    ]
    return frame[max(parts, key=lambda part: float(light[part].sum()))]


def _starts(length: int) -> list[int]:
    """Where parts of `PART_PX` begin; the last one ends with the field."""
    last = max(length - PART_PX, 0)
    return sorted({min(k, last) for k in range(0, length, PART_PX)})


def _fit(
    frame: np.ndarray, found: Places, imaging: ImagingModel, alone: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Places (N, 2), light (N,), uncertainty in px (N,) and background (N,) of one frame."""
    rows, columns = frame.shape
    places, doubt = found
    if not len(places):
        return np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0)
    if alone:
        return _fit_alone(frame, places, imaging)
    one = fit_spots(frame, places, imaging.sigma_px, imaging.noise, FOUND_PX)
    at, light, spread, background = one.places, one.light, one.spread, one.background
    inside: np.ndarray = np.all((at > -0.5) & (at < np.array([rows, columns]) - 0.5), axis=1)
    at = np.where(inside[:, None], at, 0.0)
    i, j = (np.clip(np.rint(at[:, k]).astype(int), 0, n - 1) for k, n in enumerate(frame.shape))
    # What the network leaves open holds the noise of light too, which the fit knows better.
    uncertainty = np.maximum(np.sqrt((spread[:, :2] ** 2).mean(axis=1)), doubt)
    return at[inside], light[inside], uncertainty[inside], background[i, j][inside]


def _fit_alone(
    frame: np.ndarray, places: np.ndarray, imaging: ImagingModel
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As `_fit`, of every spot by itself in a window around it."""
    found = []
    for place in places:
        low = np.maximum(np.rint(place).astype(int) - WINDOW_PX, 0)
        high = np.rint(place).astype(int) + WINDOW_PX + 1
        window = frame[low[0] : high[0], low[1] : high[1]]
        one = fit_spots(window, (place - low)[None], imaging.sigma_px, imaging.noise)
        at = one.places[0] + low
        # A fit that left its maximum has gone to a neighbour, which has a fit of its own.
        if np.hypot(*(at - place)) <= imaging.sigma_px:
            y, x = np.rint(place - low).astype(int)
            uncertainty = np.sqrt((one.spread[0, :2] ** 2).mean())
            found.append((*at, one.light[0], uncertainty, one.background[y, x]))
    table = np.array(found).reshape(-1, 5)
    edge = np.array(frame.shape) - 0.5
    table = table[((table[:, :2] > -0.5) & (table[:, :2] < edge)).all(axis=1)]
    return table[:, :2], table[:, 2], table[:, 3], table[:, 4]


def _drawn(table: LocalizationTable, movie: Movie, time_series: bool) -> np.ndarray:
    """Picture (4Y, 4X), or (T, 4Y, 4X), of a table: where there is no network's map."""
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
        part = table.rows(table.frame == first + number)
        picture[...] = render(part, 0.25, roi=roi).image if len(part) else 0
    return out


def _kept(
    image: np.ndarray | None, maps: np.ndarray, time_series: bool, done: int, frames: int
) -> np.ndarray:
    if time_series:
        out = large_array((frames, *maps.shape[1:])) if image is None else image
        out[done : done + len(maps)] = np.maximum(maps, 0)
        return out
    total: np.ndarray = np.maximum(maps, 0).sum(axis=0)
    return total if image is None else image + total


def _table(movie: Movie, found: list[tuple[np.ndarray, ...]]) -> LocalizationTable:
    frame, at, light, spread, background = (
        np.concatenate([row[k] for row in found]) for k in range(5)
    )
    first = movie.first_frame
    y, x = movie.origin_px
    return LocalizationTable(
        frame=frame.astype(np.int64) + first,
        y_px=at[:, 0] + y,
        x_px=at[:, 1] + x,
        photons=light,
        uncertainty_px=spread,
        background=background,
        camera_pixel_um=movie.pixel_size_um,
        frames=movie.whole_shape[0],
        shape=(movie.whole_shape[1], movie.whole_shape[2]),
        name=movie.name,
    )

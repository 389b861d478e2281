"""Emitters of single frames, found by a network and placed by a fit: what methods share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from napari_sofinet.cores import workers
from napari_sofinet.errors import InputError
from napari_sofinet.localization.detection import places_in_frame, places_in_map
from napari_sofinet.localization.drift import correct_drift
from napari_sofinet.localization.fitting import (
    FOUND_PX,
    Noise,
    dark_level,
    fit_spots,
    measure_noise,
    measure_sigma,
)
from napari_sofinet.localization.table import LocalizationTable
from napari_sofinet.methods.model import (
    device_for,
    fast_form,
    film_space,
    has_fast_16_bits,
    on_device,
)
from napari_sofinet.movie import Saturation, time_blocks
from napari_sofinet.preprocess.stage import CalibrationSettings, calibrated, describe_stage
from napari_sofinet.settings import Report, Settings, parameter, silent

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from napari_sofinet.movie import Movie
    from napari_sofinet.networks.weights import Card

SMALLEST_SIDE = 12
TILE_PX = 256
PIXELS_AT_ONCE = 2**17
LOOKED_THROUGH, LOOKED_AT = 40, 8
"""Frames among which the brightest are taken, to measure PSF and noise from."""
PART_PX = 96
WINDOW_PX = 16
USUAL_SIGMA = 1.2
CROWD_SHARE = 0.2
DOUBTFUL_PX = 0.31
"""Where places are as uncertain, crowds of 10 emitters per um² and dim ones of 50 photons end."""


class TableDrift(Settings):
    """Drift of the sample, found in the table."""

    correct: bool = parameter(
        False,
        "Find the drift by comparing pictures of parts of the table, and move emitters back.",
    )
    block: int | None = parameter(
        None, "Frames of a part.", empty="500 emitters or more", ge=2, le=1_000_000
    )


class LocalizationSettings(CalibrationSettings):
    """How emitters are found in frames."""

    weights: str = parameter(
        "deepstorm",
        "What the network has learnt: 'deepstorm' expects single molecules; or own weights.",
        basic=True,
        weights="deepstorm",
    )
    finder: Literal["network", "single"] = parameter(
        "network",
        "'network' also separates molecules whose spots overlap; 'single' finds those that stand "
        "alone, without a network, and fits each by itself.",
        basic=True,
    )
    certainty: float = parameter(
        0.5, "Share of a molecule that the network must see to count it.", ge=0.05, le=1
    )
    psf_fwhm_px: float | None = parameter(
        None,
        "Width of the PSF (full width at half maximum); measured where empty.",
        unit="camera px",
        ge=1.0,
        le=8.0,
        empty="measured",
    )
    drift: TableDrift = TableDrift()


@dataclass(frozen=True, eq=False)
class Localized:
    """A table, and the picture that it was read from: (4Y, 4X), or (T, 4Y, 4X) as a film."""

    table: LocalizationTable
    image: np.ndarray
    details: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def localize(
    movie: Movie,
    settings: LocalizationSettings,
    report: Report = silent,
    device: str = "auto",
    film: bool = False,
) -> Localized:
    """The table of emitters of a movie, and the summed map; raises as `deepstorm` does."""
    if settings.finder == "single":
        return _localize(movie, settings, report, _SingleFinder(), film)
    notes: list[str] = []

    def work(chosen: str) -> Localized:
        finder = NetworkFinder(settings.weights, settings.certainty, chosen)
        return _localize(movie, settings, report, finder, film)

    found = on_device(device, notes, work)
    return replace(found, notes=(*found.notes, *notes))


def _localize(
    movie: Movie, settings: LocalizationSettings, report: Report, finder: Finder, film: bool
) -> Localized:
    frames, rows, columns = movie.shape
    if min(rows, columns) < SMALLEST_SIDE:
        raise InputError(
            f"At least {SMALLEST_SIDE} x {SMALLEST_SIDE} px are needed, this movie has {rows} x "
            f"{columns}."
        )
    stage = calibrated(movie, settings, lambda f, m="", p=None: report(0.1 * f, m))
    movie = stage.movie
    notes = [*stage.notes]
    view = measure_view(
        movie, finder, settings.psf_fwhm_px, notes, lambda: report(0.12, "width of the PSF")
    )
    saturation = Saturation()
    image: np.ndarray | None = None
    rows_of: list[tuple[np.ndarray, ...]] = []
    done = 0
    with ThreadPoolExecutor(workers()) as pool:
        for block in time_blocks(movie, saturation):
            saturation.add(block)
            some = max(1, PIXELS_AT_ONCE // (rows * columns))
            for start in range(0, len(block), some):
                part = block[start : start + some].astype(np.float32)
                maps, places = finder(part)
                work = partial(_fit, view=view, alone=finder.alone)
                for number, one in enumerate(pool.map(work, part, places)):
                    report(0.15 + 0.75 * (done + number) / frames, f"frame {done} of {frames}")
                    rows_of.append((np.full(len(one[0]), done + number), *one))
                if maps is not None:
                    image = _kept(image, maps, film, done, frames)
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
    if image is None or (settings.drift.correct and not film):
        image = _drawn(table, movie, film)
    camera = settings.camera
    notes += finder.notes(table, view, movie, camera.gain is not None or camera.estimate)
    if not len(table):
        notes.append("No emitters were found: they are too dim, or there are none.")
    elif (doubt := float(np.median(table.uncertainty_px))) > DOUBTFUL_PX:  # type: ignore[arg-type]
        notes.insert(
            0,
            f"Half of the emitters may be off by {doubt:.2g} camera px or more: too many shine in "
            "a frame, they are too dim, or no single molecules. Do not trust their places.",
        )
    details |= stage.details | {"psf_fwhm_px": 2.3548 * view.sigma_px}
    details |= {"localizations": float(len(table)), "noise_gain": view.noise.gain}
    return Localized(table, np.maximum(image, 0, out=image), details, tuple(notes))


def describe(settings: LocalizationSettings, details: dict[str, float]) -> str:
    """Sentence for a methods section."""
    width = details.get("psf_fwhm_px", settings.psf_fwhm_px or 0)
    if settings.finder == "single":
        how = "Spots that stand alone were found by a difference of Gaussians"
    else:
        how = f"Emitters were found in every frame by a neural network (weights {settings.weights})"
    return describe_stage(settings, details) + (
        f"{how} and placed by a fit of Gaussian spots (full width {width:.3g} camera pixels, "
        "integrated over pixels), weighted by the noise that the movie shows."
        + (
            " Drift was corrected by redundant cross-correlation (Wang et al., Opt. Express 22, "
            "15982 (2014))."
            if settings.drift.correct
            else ""
        )
    )


@dataclass(frozen=True)
class View:
    """What is the same in all frames."""

    sigma_px: float
    noise: Noise


Places = tuple[np.ndarray, np.ndarray]


class Finder(Protocol):
    """Frames (t, Y, X) to maps (t, 4Y, 4X), if it makes any, and places for each.

    Places (N, 2) come with their doubt (N,), as `places_in_map` gives them. ``notes`` are
    sentences for the user, ``alone`` says that spots are fitted one by one.
    """

    alone: bool

    def __call__(self, frames: np.ndarray) -> tuple[np.ndarray | None, list[Places]]:
        """Maps and places."""
        ...

    def notes(
        self, table: LocalizationTable, view: View, movie: Movie, photons_known: bool
    ) -> list[str]:
        """Sentences for the user."""
        ...


class _SingleFinder:
    alone = True
    sigma_px = USUAL_SIGMA

    def __call__(self, frames: np.ndarray) -> tuple[np.ndarray | None, list[Places]]:
        found = [places_in_frame(frame, self.sigma_px) for frame in frames]
        return None, [(at, np.zeros(len(at))) for at in found]

    def notes(
        self, table: LocalizationTable, view: View, movie: Movie, photons_known: bool
    ) -> list[str]:
        """Nothing: it has learnt nothing."""
        return []


class NetworkFinder:
    """Finds emitters with weights of `deepstorm`, by name or file, as certain as given."""

    alone = False

    def __init__(self, name: str, certainty: float, device: str) -> None:
        from napari_sofinet.networks import weights

        net, card, _ = weights.load(name, "deepstorm")
        self.card: Card = card
        self.name, self.certainty = name, certainty
        self.device = device_for(device)
        self.half = has_fast_16_bits(self.device)
        self.net: torch.nn.Module = fast_form(net, self.device)

    def __call__(self, frames: np.ndarray) -> tuple[np.ndarray | None, list[Places]]:
        """Maps and places; see `Finder`."""
        import torch

        from napari_sofinet.networks.deepstorm import FINENESS, normalize
        from napari_sofinet.networks.running import tiles

        rows, columns = frames.shape[-2:]
        maps = np.empty((len(frames), FINENESS * rows, FINENESS * columns), np.float32)
        x = normalize(torch.from_numpy(frames[:, None]))
        with (
            torch.inference_mode(),
            torch.autocast(self.device, torch.bfloat16, enabled=self.half),
        ):
            for seen, own in tiles(rows, columns, TILE_PX, self.net.reach_px):
                (top, bottom), (left, right) = seen
                part = x[..., top:bottom, left:right].to(self.device)
                out = self.net.of_normalized(part).float().cpu().numpy()[:, 0]
                place = [slice(FINENESS * a, FINENESS * b) for a, b in own]
                inside = [
                    slice(s.start - FINENESS * start, s.stop - FINENESS * start)
                    for s, start in zip(place, (top, left), strict=True)
                ]
                maps[:, place[0], place[1]] = out[:, inside[0], inside[1]]
        if not np.isfinite(maps).all():
            raise InputError(f"The weights {self.name} give no numbers; use others.")
        return maps, [places_in_map(m, self.certainty, FINENESS) for m in maps]

    def notes(
        self, table: LocalizationTable, view: View, movie: Movie, photons_known: bool
    ) -> list[str]:
        """What is outside of what the weights were trained for."""
        _, rows, columns = movie.shape
        values: dict[str, float] = {"psf_fwhm_px": 2.3548 * view.sigma_px}
        if len(table):
            counts = np.bincount(table.frame - table.frame.min())
            crowded = counts >= np.quantile(counts, 1 - CROWD_SHARE)
            values["density_per_px2"] = float(counts[crowded].mean()) / (rows * columns)
            assert table.photons is not None
            if photons_known:
                values["photons"] = float(np.median(table.photons))
        return [*outside(self.card, values), self.card.prior]


def outside(card: Card, values: dict[str, float]) -> list[str]:
    """A sentence where frames are of another kind than what was learnt from.

    ``values`` may hold ``psf_fwhm_px``, ``density_per_px2`` and ``photons``.
    """
    names = {
        "psf_fwhm_px": "PSF width in camera px",
        "density_per_px2": "emitters per camera px² and frame",
        "photons": "photons of an emitter",
    }
    found = [
        f"{names[name]} {value:.3g}, learnt from {low:.3g} to {high:.3g}"
        for name, value in values.items()
        for low, high in [card.ranges.get(name, (0.0, np.inf))]
        if not 0.93 * low <= value <= 1.07 * high
    ]
    if not found:
        return []
    return [
        f"This movie is outside of what {card.name} was trained for ({'; '.join(found)}): "
        "emitters may be missing or invented."
    ]


def measure_view(
    movie: Movie,
    finder: Finder,
    psf_fwhm_px: float | None,
    notes: list[str],
    between: Callable[[], None],
) -> View:
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
    places = [finder(frame[None])[1][0][0] for frame in frames]
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
    if isinstance(finder, _SingleFinder):
        finder.sigma_px = sigma
    fits = [fit_spots(f, p, sigma, Noise(), FOUND_PX) for f, p in zip(frames, places, strict=True)]
    return View(sigma, measure_noise(frames, fits))


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
    frame: np.ndarray, found: Places, view: View, alone: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Places (N, 2), light (N,), uncertainty in px (N,) and background (N,) of one frame."""
    rows, columns = frame.shape
    places, doubt = found
    if not len(places):
        return np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0)
    if alone:
        return _fit_alone(frame, places, view)
    one = fit_spots(frame, places, view.sigma_px, view.noise, FOUND_PX)
    at, light, spread, background = one.places, one.light, one.spread, one.background
    inside: np.ndarray = np.all((at > -0.5) & (at < np.array([rows, columns]) - 0.5), axis=1)
    at = np.where(inside[:, None], at, 0.0)
    i, j = (np.clip(np.rint(at[:, k]).astype(int), 0, n - 1) for k, n in enumerate(frame.shape))
    # What the network leaves open holds the noise of light too, which the fit knows better.
    uncertainty = np.maximum(np.sqrt((spread[:, :2] ** 2).mean(axis=1)), doubt)
    return at[inside], light[inside], uncertainty[inside], background[i, j][inside]


def _fit_alone(
    frame: np.ndarray, places: np.ndarray, view: View
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As `_fit`, of every spot by itself in a window around it."""
    found = []
    for place in places:
        low = np.maximum(np.rint(place).astype(int) - WINDOW_PX, 0)
        high = np.rint(place).astype(int) + WINDOW_PX + 1
        window = frame[low[0] : high[0], low[1] : high[1]]
        one = fit_spots(window, (place - low)[None], view.sigma_px, view.noise)
        at = one.places[0] + low
        # A fit that left its maximum has gone to a neighbour, which has a fit of its own.
        if np.hypot(*(at - place)) <= view.sigma_px:
            y, x = np.rint(place - low).astype(int)
            uncertainty = np.sqrt((one.spread[0, :2] ** 2).mean())
            found.append((*at, one.light[0], uncertainty, one.background[y, x]))
    table = np.array(found).reshape(-1, 5)
    edge = np.array(frame.shape) - 0.5
    table = table[((table[:, :2] > -0.5) & (table[:, :2] < edge)).all(axis=1)]
    return table[:, :2], table[:, 2], table[:, 3], table[:, 4]


def _drawn(table: LocalizationTable, movie: Movie, film: bool) -> np.ndarray:
    """Picture (4Y, 4X), or (T, 4Y, 4X), of a table: where there is no network's map."""
    from napari_sofinet.localization.rendering import render

    frames, rows, columns = movie.shape
    if not len(table):
        return np.zeros((*((frames,) if film else ()), 4 * rows, 4 * columns), np.float32)
    y, x = (int(v) for v in movie.origin_px)
    roi = (y, y + rows), (x, x + columns)
    if not film:
        return render(table, 0.25, roi=roi).image
    out = film_space((frames, 4 * rows, 4 * columns))
    first = 0 if movie.frame_range is None else movie.frame_range[0]
    for number, picture in enumerate(out):
        part = table.select(table.frame == first + number)
        picture[...] = render(part, 0.25, roi=roi).image if len(part) else 0
    return out


def _kept(
    image: np.ndarray | None, maps: np.ndarray, film: bool, done: int, frames: int
) -> np.ndarray:
    if film:
        out = film_space((frames, *maps.shape[1:])) if image is None else image
        out[done : done + len(maps)] = np.maximum(maps, 0)
        return out
    total: np.ndarray = np.maximum(maps, 0).sum(axis=0)
    return total if image is None else image + total


def _table(movie: Movie, found: list[tuple[np.ndarray, ...]]) -> LocalizationTable:
    frame, at, light, spread, background = (
        np.concatenate([row[k] for row in found]) for k in range(5)
    )
    first = 0 if movie.frame_range is None else movie.frame_range[0]
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

"""SOFI: cross-cumulants, flattened, deconvolved and linearised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion, silent
from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.methods.contract import Method
from napari_sofinet.preprocess.bleaching import half_life, mean_trace
from napari_sofinet.preprocess.corrections import (
    MovieSettings,
    calibrate_movie,
    describe_corrections,
)
from napari_sofinet.preprocess.drift import estimate_drift
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import (
    NARROWEST_FWHM_PX,
    WIDEST_FWHM_PX,
    estimate_psf_fwhm,
    flatten,
    noise_level,
    phase_weights,
)
from napari_sofinet.sofi.linearization import linearize
from napari_sofinet.sofi.molecules import (
    LONGEST_SHARE,
    Molecules,
    molecules,
    on_grid,
    on_ratio_gain,
)
from napari_sofinet.sofi.segments import mean_cumulant, plan_segments
from napari_sofinet.sofi.telegraph import correlation_time

FEW_FRAMES = 50
FALLBACK_FWHM_PX = 2.5
NOISE_PEAKS = 7.0
"""Pure noise reaches 4 to 5 times its RMS, the weakest simulated microtubules 28 times."""
LEAST_CLIPPED_NOISE, CLIPPED_NOISE = 0.6, 1.0
"""Level that noise leaves behind once its negative half is cut off, in units of its RMS. A normal
distribution leaves 0.4; 1.0 gave the cleanest background, less is better where few iterations leave
weak structure near it (docs/defaults.md)."""
FEWEST_ITERATIONS, MOST_ITERATIONS = 4, 23
FRAMES_FOR_WIDTH = 500
LARGEST_VALUE = 1e37

HIGH_ORDER_FRAMES = 500
"""Frames of sub-sequences for orders 5 and 6, whose estimate keeps the bias of few frames."""
FEW_FOR_MOLECULES = 1000
FEWEST_ERROR_SEGMENTS = 5
ERROR_SEGMENTS = 20
"""Sub-sequences whose scatter gives the standard error, where the movie is long enough."""
BEFORE_ROOT = 0.2
ACCELERATION = 0.5
"""With these two a point stays within 0.02 camera px of its place; see docs/defaults.md."""


class DeconvolutionSettings(Settings):
    """Richardson-Lucy deconvolution and what follows it."""

    iterations: int | None = parameter(
        None,
        "Iterations of the deconvolution; more sharpen and add noise, 0 leaves it out. If empty, "
        "4 for few frames or much noise, up to 23 for many and little.",
        ge=0,
        le=500,
    )
    reconvolve: bool = parameter(
        True, "Blur the result to the resolution that the order promises, which removes noise."
    )
    truncate_percent: float = parameter(
        2.0,
        "Values below this share of the maximum are set to zero before reconvolution.",
        unit="%",
        ge=0,
        lt=100,
    )
    weighted: bool = parameter(
        True, "Trust each sub-pixel by its noise, and expect a floor of noise in the image."
    )


class SubSequenceSettings(Settings):
    """Cutting the movie in time."""

    frames: int | None = parameter(
        None,
        "Frames of a sub-sequence; if empty the whole movie, or a fifth of its half-life where "
        "bleaching is corrected.",
        ge=20,
        le=1_000_000,
    )
    average: Literal["cumulants", "pictures"] = parameter(
        "cumulants",
        "What is averaged over sub-sequences: 'cumulants' has less noise, 'pictures' are each "
        "deconvolved and linearised first, so that moments of great brightness weigh less.",
    )


class SofiSettings(MovieSettings):
    """SOFI of orders 2 to 6 with cross-cumulants; the defaults need no adjustment."""

    order: int = parameter(
        2,
        "Order of the cumulant: n gives an n times finer grid and needs ever more frames.",
        basic=True,
        ge=2,
        le=6,
    )
    linearization: Literal["default", "adaptive", "none"] = parameter(
        "default",
        "'default' takes the n-th root, so brightness is linear; 'adaptive' also evens out where "
        "emitters are on more or less often (needs many frames); 'none' is the signed cumulant.",
        basic=True,
    )
    psf_fwhm_px: float | None = parameter(
        None,
        "Width (FWHM) of a single emitter in camera pixels; estimated from the movie if empty.",
        unit="camera px",
        ge=0.5,
        le=20,
    )
    pixel_sets: Literal["all", "weighted", "single"] = parameter(
        "all",
        "'all' averages all pixel pairs of equal distance, 'weighted' also wider ones by their "
        "signal (less camera noise), 'single' takes one (sofipackage).",
    )
    lag: int = parameter(
        0,
        "Frames between the pixels that are multiplied; 1 or more drops noise that neighbouring "
        "pixels share, and needs emitters that stay on as long.",
        unit="frames",
        ge=0,
        le=1000,
    )
    flattening: Literal["psf", "phase-mean", "none"] = parameter(
        "psf",
        "How sub-pixels get equal brightness: by the PSF, by their mean (sofipackage), or not.",
    )
    molecules: bool = parameter(
        False,
        "Also map brightness, share of time on, on-time and density of emitters (balanced SOFI) "
        "from orders 2 to 4; needs 1000 frames or more.",
    )
    snr: bool = parameter(
        False,
        "Also map how many times its own standard error the cumulant is, from the scatter of "
        "sub-sequences; 3 is little, 10 is much.",
    )
    sub_sequences: SubSequenceSettings = SubSequenceSettings()
    deconvolution: DeconvolutionSettings = DeconvolutionSettings()


def sofi(movie: Movie, settings: SofiSettings, report: Report) -> Reconstruction:
    """Reconstruct a movie by SOFI; see `cross_cumulants`, `flatten` and `linearize`.

    Returns
    -------
    ``image``: float32 in counts (linearised) or counts**order, on the cumulants' grid. With
    ``molecules`` also ``brightness`` (counts of an emitter that is on for a whole frame),
    ``on_ratio``, ``on_time_s`` (or ``on_time_frames``) and ``density_per_um2`` (or
    ``density_per_px2`` of camera pixels), NaN where there is too little signal; with ``snr`` the
    cumulant in units of its standard error.
    """
    n = settings.order
    stage = calibrate_movie(movie, settings, portion(report, 0.0, 0.1))
    movie, details = stage.movie, dict(stage.details)
    saturation = Saturation()
    plan, found, notes = _plan(movie, settings, report)
    details |= found

    def step(fraction: float, message: str = "", preview: Reconstruction | None = None) -> None:
        report(0.3 + 0.55 * fraction if plan.took_time else 0.85 * fraction, message, preview)

    def look(cumulants: dict[int, np.ndarray]) -> Reconstruction:
        return _result(movie, n, _quick_look(cumulants[n], settings, plan))

    cumulants, error = _cumulants(movie, (n,), settings, plan, step, look, saturation)
    if not np.any(cumulants[n]):
        raise InputError(
            f"{movie.name} does not change in time, so there is nothing for SOFI to find; choose a "
            "movie of blinking emitters."
        )
    report(0.85, "picture")
    maps = {}
    if settings.snr:
        if error is None or len(plan.segments) < FEWEST_ERROR_SEGMENTS:
            error = _standard_error(movie, settings, plan, report)
        if error is None:
            notes.append("The movie is too short for a map of signal to noise.")
        else:
            maps["snr"] = _signal_to_noise(cumulants[n], error)
    error = None
    width = plan.fwhm_px
    if settings.sub_sequences.average == "pictures" and len(plan.segments) > 1:
        width = width or _width(cumulants[n], n)[0]
        image, doubts = _mean_picture(movie, settings, replace(plan, fwhm_px=width), report)
    else:
        held = [cumulants.pop(n)]  # given away, so that it is freed as soon as it is not needed
        image, width, doubts, done = _picture(held, movie.shape[0], settings, plan, report)
        if settings.linearization != "none":
            details["iterations"] = done
    maps = {"image": image} | maps
    if settings.molecules or settings.linearization == "adaptive":
        seen = _molecules(movie, settings, plan, width, report)
        if settings.linearization == "adaptive":
            image *= on_grid(on_ratio_gain(seen.on_ratio, n), n).astype(np.float32)
        if settings.molecules:
            maps |= _molecule_maps(seen, n, movie)
            if movie.shape[0] < FEW_FOR_MOLECULES:
                notes.append(
                    f"Maps of what emitters are like are rough from {movie.shape[0]} frames; "
                    f"{FEW_FOR_MOLECULES} or more are advised."
                )
    notes = [note for note in (saturation.note, *stage.notes, *notes, *doubts) if note]
    if movie.shape[0] < FEW_FRAMES:
        notes.append(
            f"SOFI from {movie.shape[0]} frames is noisy; {FEW_FRAMES} or more are advised."
        )
    if settings.flattening == "psf" or settings.linearization != "none":
        details["psf_fwhm_px"] = width
    return replace(_result(movie, n, image), maps=maps, notes=tuple(notes), details=details)


@dataclass(frozen=True)
class _Plan:
    """How the cumulants are taken: in which sub-sequences, moved back by which drift.

    ``worth`` is the weight of each sub-sequence's frames, all alike if None, ``fwhm_px`` the PSF's
    width where it is known beforehand.
    """

    segments: list[tuple[int, int]]
    worth: list[float] | None = None
    drift_px: np.ndarray | None = None
    fwhm_px: float | None = None
    took_time: bool = False

    @property
    def flattened(self) -> bool:
        """Whether the cumulants come flattened, since each was moved."""
        return self.drift_px is not None


def _plan(
    movie: Movie, settings: SofiSettings, report: Report
) -> tuple[_Plan, dict[str, float], list[str]]:
    """The plan, what was found for it, and notes."""
    s = settings
    notes: list[str] = []
    details: dict[str, float] = {}
    longest, drift, fwhm = s.sub_sequences.frames, None, s.psf_fwhm_px
    life = None
    if s.bleaching.correct:
        life = half_life(*mean_trace(movie, portion(report, 0.1, 0.2)))
        if life is None:
            notes.append("The movie does not bleach measurably.")
        else:
            details["bleaching_half_life_frames"] = life
            longest = longest or max(int(life / 5), 20)
    if s.drift.correct:
        drift, found = estimate_drift(movie, s.drift.block, portion(report, 0.2, 0.3))
        fwhm = fwhm or found
        far = float(np.abs(drift).max())
        details["drift_px"] = far
        notes.append(f"The sample drifts by up to {far:.2g} camera px.")
    elif s.pixel_sets == "weighted" and fwhm is None:
        start = movie.first_frame
        part = movie.select(frames=(start, start + min(movie.shape[0], FRAMES_FOR_WIDTH)))
        fwhm = _width(cross_cumulants(part, (2,))[2], 2)[0]
    if longest is not None:
        longest = max(longest, _shortest(s))
    segments = plan_segments(movie.shape[0], longest, drift)
    if len(segments) > 1:
        details["sub_sequences"] = len(segments)
        shortest = min(b - a for a, b in segments)
        if s.order > 4 and shortest < HIGH_ORDER_FRAMES:
            raise InputError(
                f"Order {s.order} can not be taken from sub-sequences of {shortest} frames, which "
                f"drift, bleaching or sub_sequences.frames ask for; choose order 4 or lower, or "
                f"sub-sequences of at least {HIGH_ORDER_FRAMES} frames."
            )
    worth = None
    if life is not None:
        # Emitters that bleach late would else count for more than those that bleach early; the root
        # came nearest to the picture without bleaching.
        worth = [0.5 ** ((a + b) / 4 / life) for a, b in segments]
    took_time = s.bleaching.correct or s.drift.correct or bool(movie.steps)
    return _Plan(segments, worth, drift, fwhm, took_time), details, notes


def _shortest(settings: SofiSettings) -> int:
    """Frames that a sub-sequence must have for the order and its lags."""
    return 2 * (settings.order + (settings.order - 1) * settings.lag)


def _standard_error(
    movie: Movie, settings: SofiSettings, plan: _Plan, report: Report
) -> np.ndarray | None:
    """Standard error of the cumulant from the scatter of sub-sequences, None if there are few."""
    length = max(movie.shape[0] // ERROR_SEGMENTS, _shortest(settings))
    if settings.order > 4:
        length = max(length, HIGH_ORDER_FRAMES)
    segments = plan_segments(movie.shape[0], length, plan.drift_px)
    if len(segments) < FEWEST_ERROR_SEGMENTS:
        return None
    cut = replace(plan, segments=segments, worth=None)
    step = lambda f, m="", p=None: report(0.85, m)  # noqa: E731
    return _cumulants(movie, (settings.order,), settings, cut, step)[1]


def _signal_to_noise(cumulant: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Size of a cumulant in standard errors, float32; 0 where the error is not known."""
    known = np.isfinite(error) & (error > 0)
    out = np.zeros(cumulant.shape, np.float32)
    np.divide(np.abs(cumulant), error, out=out, where=known, casting="same_kind")
    return out


def _cumulants(
    movie: Movie,
    orders: tuple[int, ...],
    settings: SofiSettings,
    plan: _Plan,
    report: Report = silent,
    look: Callable[[dict[int, np.ndarray]], Reconstruction] | None = None,
    saturation: Saturation | None = None,
    lag: int | None = None,
) -> tuple[dict[int, np.ndarray], np.ndarray | None]:
    """Cumulants of some orders, and the standard error of the last where there is scatter."""
    s = settings
    lag = s.lag if lag is None else lag
    if len(plan.segments) == 1 and plan.drift_px is None:
        whole = cross_cumulants(
            movie,
            orders,
            s.pixel_sets,
            lag=lag,
            fwhm_px=plan.fwhm_px,
            report=report,
            preview=look,
            saturation=saturation,
        )
        return whole, None
    cumulants, error = {}, None
    for number, order in enumerate(orders):

        def step(
            fraction: float,
            message: str = "",
            preview: Reconstruction | None = None,
            done: int = number,
        ) -> None:
            report((done + fraction) / len(orders), message, preview)

        def look_at(cumulant: np.ndarray, order: int = order) -> Reconstruction | None:
            return look({order: cumulant}) if look else None

        cumulants[order], scatter = mean_cumulant(
            movie,
            order,
            s.pixel_sets,
            plan.segments,
            lag=lag,
            worth=plan.worth,
            drift_px=plan.drift_px,
            fwhm_px=plan.fwhm_px,
            report=step,
            preview=look_at,
            saturation=saturation if number == 0 else None,
        )
        error = scatter if len(plan.segments) > 1 else None
    return cumulants, error


def _mean_picture(
    movie: Movie, settings: SofiSettings, plan: _Plan, report: Report
) -> tuple[np.ndarray, list[str | None]]:
    """Mean of the sub-sequences' pictures, weighted by their frames, and notes."""
    total: np.ndarray | None = None
    weights = 0.0
    notes: list[str | None] = []
    quiet = lambda f, m="", p=None: report(0.85, m)  # noqa: E731
    for number, (a, b) in enumerate(plan.segments):
        one = replace(plan, segments=[(a, b)], worth=None)
        if plan.drift_px is None:
            start = movie.first_frame
            piece = movie.select(frames=(start + a, start + b))
            cumulants, _ = _cumulants(piece, (settings.order,), settings, one, quiet)
        else:
            cumulants, _ = _cumulants(movie, (settings.order,), settings, one, quiet)
        image, _, notes, _ = _picture([cumulants[settings.order]], b - a, settings, one, quiet)
        weight = (b - a) * (1.0 if plan.worth is None else plan.worth[number])
        total = weight * image if total is None else total + weight * image
        weights += weight
        report(0.85 + 0.15 * b / movie.shape[0], f"sub-sequence up to frame {b}")
    assert total is not None
    return np.asarray(total / weights, np.float32), notes


def _molecules(
    movie: Movie, settings: SofiSettings, plan: _Plan, fwhm_px: float, report: Report
) -> Molecules:
    """What emitters are like; from unbiased cumulants, whose bias depends on the on-time."""

    def step(fraction: float, message: str = "", preview: Reconstruction | None = None) -> None:
        report(0.85 + 0.15 * fraction, message or "molecules")

    second, lagged = (_cumulants(movie, (2,), settings, plan, lag=lag)[0][2] for lag in (0, 1))
    flat = [
        image if plan.flattened else flatten(image, 2, "psf", fwhm_px) for image in (lagged, second)
    ]
    share = float(flat[0].sum() / flat[1].sum())
    memory = float(correlation_time(share)) if 0 < share < LONGEST_SHARE else 0.0
    if len(plan.segments) == 1 and plan.drift_px is None:
        cumulants = cross_cumulants(
            movie,
            (2, 3, 4),
            settings.pixel_sets,
            fwhm_px=plan.fwhm_px,
            unbiased=True,
            correlation_frames=memory,
            report=step,
        )
    else:
        cumulants = _cumulants(movie, (2, 3, 4), settings, plan, step, lag=0)[0]
    return molecules(cumulants, fwhm_px, lagged, flattened=plan.flattened)


def _molecule_maps(found: Molecules, order: int, movie: Movie) -> dict[str, np.ndarray]:
    pixel_um, interval_s = movie.pixel_size_um, movie.frame_interval_s
    area = 1.0 if pixel_um is None else pixel_um**2
    maps = {
        "brightness": found.brightness,
        "on_ratio": found.on_ratio,
        "on_time_frames" if interval_s is None else "on_time_s": found.on_time * (interval_s or 1),
        "density_per_px2" if pixel_um is None else "density_per_um2": found.density / area,
    }
    return {name: on_grid(image, order).astype(np.float32) for name, image in maps.items()}


def describe(settings: SofiSettings, details: dict[str, float]) -> str:
    """Sentences for a methods section, with citations."""
    s, d = settings, settings.deconvolution
    lag = f"a time lag of {s.lag} frames" if s.lag else "zero time lag"
    text = (
        describe_corrections(s, details)
        + "SOFI images (Dertinger et al., PNAS 106, 22287 (2009)) of order "
        f"{s.order} were computed from cross-cumulants at {lag} "
        "(Dertinger et al., Opt. Express 18, 18875 (2010)), "
        + {
            "psf": "flattened by the PSF",
            "phase-mean": "flattened by the mean of each sub-lattice",
            "none": "not flattened",
        }[s.flattening]
    )
    text += {
        "all": "",
        "weighted": ", averaged over pixel sets weighted by their expected signal",
        "single": ", from a single pixel set for each sample",
    }[s.pixel_sets]
    count = int(details.get("sub_sequences", 1))
    pictures = s.sub_sequences.average == "pictures"
    if count > 1 and not pictures:
        text += f", as means over {count} sub-sequences"
        if "bleaching_half_life_frames" in details:
            text += " that are short against the bleaching, early ones weighing more"
    if s.drift.correct:
        text += (
            ", from sub-sequences that were moved back by the drift, which was found by "
            "cross-correlation of all pairs of their images (Wang et al., Opt. Express 22, 15982 "
            "(2014))"
        )
    if s.linearization != "none":
        iterations = d.iterations
        if iterations is None and "iterations" in details:
            iterations = int(details["iterations"])
        if iterations != 0:
            number = "" if iterations is None else f"{iterations} "
            text += (
                f", deconvolved by {number}accelerated Richardson-Lucy iterations "
                "(Biggs and Andrews, Appl. Opt. 36, 1766 (1997))"
            )
            text += " with weights and a noise floor" if d.weighted else ""
        text += f", linearised by the root of order {s.order} "
        text += "(Geissbuehler et al., Opt. Nanosc. 1, 4 (2012))"
        if s.linearization == "adaptive":
            text += " and corrected for the local on-ratio"
        if d.reconvolve:
            text += f", truncated at {d.truncate_percent:g} % of the maximum and reconvolved"
    if count > 1 and pictures:
        text += f", each for {count} sub-sequences, whose pictures were averaged"
    text += "."
    if s.molecules:
        text += (
            " Brightness, on-ratio, on-time and density of emitters were solved from local means "
            "of the second, third and fourth order (balanced SOFI, same reference) and of the "
            "second order at a lag of one frame, with blinking within frames accounted for."
        )
    if "psf_fwhm_px" in details:
        width = details["psf_fwhm_px"]
        origin = "given"
        if s.psf_fwhm_px is None:
            origin = "assumed" if width == FALLBACK_FWHM_PX else "estimated from the movie"
        text += f" The PSF's width (FWHM) was {width:.3g} camera pixels, {origin}."
    return text


def _result(movie: Movie, order: int, image: np.ndarray) -> Reconstruction:
    """An image on the cumulants' grid, which starts one camera pixel inside the movie."""
    return Reconstruction(
        {"image": image},
        pixel_px=(1 / order, 1 / order),
        origin_px=(movie.origin_px[0] + 1, movie.origin_px[1] + 1),
        camera_pixel_um=movie.pixel_size_um,
    )


def _quick_look(cumulant: np.ndarray, settings: SofiSettings, plan: _Plan) -> np.ndarray:
    """The flattened cumulant so far without deconvolution, its root for brightness."""
    flat, _, _ = _flat(_to_float32(cumulant)[0], settings, plan)
    np.maximum(flat, 0, out=flat)
    return np.asarray(np.power(flat, 1 / settings.order, out=flat))


def _flat(
    cumulant: np.ndarray, settings: SofiSettings, plan: _Plan
) -> tuple[np.ndarray, float, str | None]:
    """Cumulant, flattened in place, its structure positive; PSF width used; a note about it."""
    n = settings.order
    if n > 2 and settings.linearization != "none" and cumulant.sum() < 0:
        # Fourth cumulants of emitters that are on for a fifth to four fifths of the time are
        # negative, third ones above one half; the picture is the same with the other sign.
        np.negative(cumulant, out=cumulant)
    fwhm, note = plan.fwhm_px, None
    if fwhm is None:
        fwhm, note = _width(cumulant, n)
    if settings.flattening == "none" or plan.flattened:
        return cumulant, fwhm, note
    return flatten(cumulant, n, settings.flattening, fwhm, out=cumulant), fwhm, note


def _width(cumulant: np.ndarray, order: int) -> tuple[float, str | None]:
    """PSF width (FWHM) in camera pixels, and a note where it had to be assumed."""
    fwhm = estimate_psf_fwhm(cumulant, order)
    why = ""
    if fwhm == WIDEST_FWHM_PX:
        why = "bleaching or drift outweighs the blinking; try to correct them"
    elif not fwhm > NARROWEST_FWHM_PX:
        why = "there is little blinking above the noise; try more frames"
    if not why:
        return fwhm, None
    fwhm = FALLBACK_FWHM_PX
    return fwhm, f"The PSF width could not be estimated and {fwhm} px is used: {why}."


def _to_float32(cumulant: np.ndarray) -> tuple[np.ndarray, float]:
    """Values of at most 1 and their scale: counts to the fourth power may leave float32's range."""
    scale = float(max(cumulant.max(), -cumulant.min())) or 1.0
    small = np.empty(cumulant.shape, np.float32)
    np.divide(cumulant, scale, out=small, casting="same_kind")
    return small, scale


def _picture(
    held: list[np.ndarray], frames: int, settings: SofiSettings, plan: _Plan, report: Report
) -> tuple[np.ndarray, float, list[str | None], int]:
    """Final picture (float32), PSF width, notes and iterations; frees what is no longer needed."""
    n, d = settings.order, settings.deconvolution
    flat, scale = _to_float32(held.pop())
    # The noise of what keeps its sign: phase means take it away.
    raw_noise = noise_level(flat)
    flat, fwhm, note = _flat(flat, settings, plan)
    noise = raw_noise if settings.flattening == "phase-mean" else noise_level(flat)
    weak = flat.max() < NOISE_PEAKS * noise
    notes = [
        note,
        "The brightest fluctuations are hardly above the noise: do not trust this picture."
        if weak
        else None,
    ]
    if settings.linearization == "none":
        if scale > LARGEST_VALUE:
            raise InputError(
                f"Cumulants of order {n} of so bright a movie can not be saved in single "
                "precision; give a camera.gain to make the numbers smaller."
            )
        flat *= np.float32(scale)
        return flat, fwhm, notes, 0
    iterations = d.iterations
    if iterations is None:
        iterations = _iterations(flat, noise, frames)
    level = 0.0
    if d.weighted and settings.flattening != "phase-mean":
        level = noise * min(LEAST_CLIPPED_NOISE + iterations / 50, CLIPPED_NOISE)
    weighted = d.weighted and settings.flattening == "psf" and not plan.flattened
    linear = linearize(
        flat,
        n,
        fwhm,
        iterations=iterations,
        reconvolve=d.reconvolve,
        before_root=BEFORE_ROOT,
        truncate=d.truncate_percent / 100,
        weights=phase_weights(flat.shape, n, fwhm, settings.pixel_sets) if weighted else None,
        background=level,
        acceleration=ACCELERATION,
        report=portion(report, 0.85, 1.0),
    )
    linear *= np.float32(scale ** (1 / n))
    return linear, fwhm, notes, iterations


def _iterations(flat: np.ndarray, noise: float, frames: int) -> int:
    """How far to deconvolve: as far as signal over noise and the number of frames carry.

    Few frames show few emitters, whatever the noise. Fitted to what brought the pictures of 20 to
    600 frames of the 12 conditions nearest to the truth (docs/defaults.md).
    """
    bright = flat[flat > 5 * noise]
    if not bright.size:
        return FEWEST_ITERATIONS
    if noise <= 0:
        return MOST_ITERATIONS
    signal = float(np.square(bright, dtype=np.float64).sum() / bright.sum(dtype=np.float64) / noise)
    return int(np.clip(round(0.45 * (frames * signal) ** 0.5), FEWEST_ITERATIONS, MOST_ITERATIONS))


METHOD = Method("sofi", "SOFI", SofiSettings, sofi, describe)

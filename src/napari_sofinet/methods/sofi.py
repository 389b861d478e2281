"""SOFI: cross-cumulants, flattened, deconvolved and linearised."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.movie import Movie, Saturation
from napari_sofinet.reconstruction import Reconstruction
from napari_sofinet.settings import Report, Settings, parameter
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
from napari_sofinet.sofi.molecules import Molecules, molecules, on_grid, on_ratio_gain
from napari_sofinet.sofi.segments import mean_cumulant, plan_segments

FEW_FRAMES = 50
FALLBACK_FWHM_PX = 2.5
NOISE_PEAKS = 7.0
"""Pure noise reaches 4 to 5 times its RMS, the weakest simulated microtubules 28 times."""
CLIPPED_NOISE = 1.0
"""Level that noise leaves behind once its negative half is cut off, in units of its RMS. A normal
distribution leaves 0.4; 1.0 gave the cleanest background (docs/defaults.md)."""


ERROR_SEGMENTS = 20
"""Sub-sequences whose scatter gives the standard error, where the movie is long enough."""
BEFORE_ROOT = 0.2
ACCELERATION = 0.5
"""With these two a point stays within 0.02 camera px of its place; see docs/defaults.md."""


class DeconvolutionSettings(Settings):
    """Richardson-Lucy deconvolution and what follows it."""

    iterations: int = parameter(
        23,
        "Iterations of the deconvolution; 0 leaves it out, more sharpen and add noise.",
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


class BleachingSettings(Settings):
    """Slow change of brightness."""

    correct: bool = parameter(
        False,
        "Work in sub-sequences short against the bleaching, which then does not count as blinking.",
    )
    frames: int | None = parameter(
        None,
        "Frames of a sub-sequence; a fifth of the movie's half-life if empty, 20 or more.",
        ge=20,
        le=1_000_000,
    )


class DriftSettings(Settings):
    """Drift of the sample."""

    correct: bool = parameter(
        False, "Find the drift by comparing SOFI images of blocks of frames, and move them back."
    )
    block: int = parameter(
        50, "Frames of a block; more for dim movies, fewer for fast drift.", ge=20, le=100_000
    )


class SofiSettings(Settings):
    """Second to fourth order SOFI with cross-cumulants; the defaults need no adjustment."""

    order: int = parameter(
        2,
        "Order of the cumulant: n gives an n times finer grid and needs ever more frames.",
        basic=True,
        ge=2,
        le=4,
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
    pixel_sets: Literal["all", "single"] = parameter(
        "all",
        "'all' averages all pixel pairs of equal distance; 'single' takes one (sofipackage).",
    )
    flattening: Literal["psf", "phase-mean", "none"] = parameter(
        "psf",
        "How sub-pixels get equal brightness: by the PSF, by their mean (sofipackage), or not.",
    )
    molecules: bool = parameter(
        False,
        "Also map the brightness, the share of time on and the density of emitters (balanced "
        "SOFI), from orders 2 to 4; needs many frames, short against the on-time.",
    )
    snr: bool = parameter(
        False,
        "Also map how many times its own standard error the cumulant is, from the scatter of "
        "sub-sequences; 3 is little, 10 is much.",
    )
    bleaching: BleachingSettings = BleachingSettings()
    drift: DriftSettings = DriftSettings()
    deconvolution: DeconvolutionSettings = DeconvolutionSettings()


def sofi(movie: Movie, settings: SofiSettings, report: Report) -> Reconstruction:
    """Reconstruct a movie by SOFI; see `cross_cumulants`, `flatten` and `linearize`.

    Returns
    -------
    ``image``: float32 in counts (linearised) or counts**order, on the cumulants' grid. With
    ``molecules`` also ``brightness`` (counts of an emitter that is on for a whole frame),
    ``on_ratio`` and ``density_per_um2`` (or ``density_per_px2`` of camera pixels), NaN where
    there is too little signal.
    """
    n = settings.order
    saturation = Saturation()
    details: dict[str, float] = {}
    corrections: list[str] = []
    needs_all = settings.molecules or settings.linearization == "adaptive"
    orders = tuple(sorted({n, 2, 3, 4} if needs_all else {n}))
    error: np.ndarray | None = None
    if settings.bleaching.correct or settings.drift.correct or settings.snr:
        cumulants, error, settings, details, corrections = _corrected(
            movie, orders, settings, report, saturation
        )
    else:
        cumulants = cross_cumulants(
            movie,
            orders=orders,
            pixel_sets=settings.pixel_sets,
            report=lambda f, m="", p=None: report(0.85 * f, m, p),
            preview=lambda c: _result(movie, n, _quick_look(c[n], settings)),
            saturation=saturation,
        )
    if not np.any(cumulants[n]):
        raise InputError(
            f"{movie.name} does not change in time, so there is nothing for SOFI to find; choose a "
            "movie of blinking emitters."
        )
    report(0.85, "picture")
    found = None
    if needs_all:
        fwhm = settings.psf_fwhm_px or _width(cumulants[2], 2)[0]
        # After drift correction they are flattened already.
        found = molecules(cumulants, fwhm, flattened=settings.drift.correct)
    if error is not None:
        with np.errstate(all="ignore"):
            np.divide(np.abs(cumulants[n]), error, out=error, casting="same_kind")
    held = [cumulants.pop(n)]  # given away, so that it is freed as soon as it is not needed
    cumulants.clear()
    image, fwhm, doubts = _picture(held, settings, report)
    maps = {"image": image}
    if error is not None and settings.snr:
        maps["snr"] = error
    if found is not None and settings.linearization == "adaptive":
        image *= on_grid(on_ratio_gain(found.on_ratio, n), n).astype(np.float32)
    if found is not None and settings.molecules:
        maps |= _molecule_maps(found, n, movie.pixel_size_um)
    notes = [note for note in (saturation.note, *corrections, *doubts) if note]
    if movie.shape[0] < FEW_FRAMES:
        notes.append(
            f"SOFI from {movie.shape[0]} frames is noisy; {FEW_FRAMES} or more are advised."
        )
    uses_psf = settings.flattening == "psf" or settings.linearization != "none"
    if uses_psf:
        details["psf_fwhm_px"] = fwhm
    return replace(_result(movie, n, image), maps=maps, notes=tuple(notes), details=details)


def _molecule_maps(
    found: Molecules, order: int, pixel_size_um: float | None
) -> dict[str, np.ndarray]:
    area = 1.0 if pixel_size_um is None else pixel_size_um**2
    density = "density_per_px2" if pixel_size_um is None else "density_per_um2"
    maps = {
        "brightness": found.brightness,
        "on_ratio": found.on_ratio,
        density: found.density / area,
    }
    return {name: on_grid(image, order).astype(np.float32) for name, image in maps.items()}


def _corrected(
    movie: Movie,
    orders: tuple[int, ...],
    settings: SofiSettings,
    report: Report,
    saturation: Saturation,
) -> tuple[dict[int, np.ndarray], np.ndarray | None, SofiSettings, dict[str, float], list[str]]:
    """Cumulants free of bleaching and drift from sub-sequences, and the error of the picture's.

    Also settings for the rest, what was found, and notes.
    """
    from napari_sofinet.preprocess.bleaching import half_life, mean_trace
    from napari_sofinet.preprocess.drift import estimate_drift

    n, s = settings.order, settings
    notes: list[str] = []
    details: dict[str, float] = {}
    longest, drift, fwhm = None, None, s.psf_fwhm_px
    if s.bleaching.correct:
        longest = s.bleaching.frames
        if longest is None:
            life = half_life(mean_trace(movie, lambda f, m="", p=None: report(0.1 * f, m)))
            if life is None:
                notes.append("The movie does not bleach measurably.")
            else:
                details["bleaching_half_life_frames"] = life
                longest = max(int(life / 5), 20)
    if s.drift.correct:
        drift, found = estimate_drift(
            movie, s.drift.block, lambda f, m="", p=None: report(0.1 + 0.3 * f, m)
        )
        fwhm = fwhm or found
        far = float(np.abs(drift).max())
        details["drift_px"] = far
        notes.append(f"The sample drifts by up to {far:.2g} camera px.")
    if s.snr:
        most = max(movie.shape[0] // ERROR_SEGMENTS, 1)
        longest = min(longest or most, most)
    segments = plan_segments(movie.shape[0], longest, drift)

    if drift is not None:
        # Each sub-sequence is flattened before it is moved.
        settings = s.model_copy(update={"flattening": "none", "psf_fwhm_px": fwhm})
    cumulants = {}
    error = None
    for number, order in enumerate(orders):

        def step(
            fraction: float,
            message: str = "",
            preview: Reconstruction | None = None,
            done: int = number,
        ) -> None:
            report(0.4 + 0.45 * (done + fraction) / len(orders), message, preview)

        cumulants[order], scatter = mean_cumulant(
            movie,
            order,
            s.pixel_sets,
            segments,
            drift_px=drift,
            fwhm_px=fwhm,
            report=step,
            preview=(lambda c: _result(movie, n, _quick_look(c, settings))) if order == n else None,
            saturation=saturation if number == 0 else None,
        )
        if order == n and len(segments) > 1:
            error = scatter
    return cumulants, error, settings, details, notes


def describe(settings: SofiSettings, details: dict[str, float]) -> str:
    """Sentences for a methods section, with citations."""
    s, d = settings, settings.deconvolution
    text = (
        f"SOFI images (Dertinger et al., PNAS 106, 22287 (2009)) of order {s.order} were computed "
        "from cross-cumulants at zero time lag (Dertinger et al., Opt. Express 18, 18875 (2010)), "
        + {
            "psf": "flattened by the PSF",
            "phase-mean": "flattened by the mean of each sub-lattice",
            "none": "not flattened",
        }[s.flattening]
    )
    if s.bleaching.correct:
        text += ", as means over sub-sequences that are short against the bleaching"
    if s.drift.correct:
        text += (
            ", from sub-sequences that were moved back by the drift, which was found by "
            "cross-correlation of all pairs of their images (Wang et al., Opt. Express 22, 15982 "
            "(2014))"
        )
    if s.linearization != "none":
        if d.iterations:
            text += (
                f", deconvolved by {d.iterations} accelerated Richardson-Lucy iterations "
                "(Biggs and Andrews, Appl. Opt. 36, 1766 (1997))"
            )
            text += " with weights and a noise floor" if d.weighted else ""
        text += f", linearised by the root of order {s.order} "
        text += "(Geissbuehler et al., Opt. Nanosc. 1, 4 (2012))"
        if s.linearization == "adaptive":
            text += " and corrected for the local on-ratio"
        if d.reconvolve:
            text += f", truncated at {d.truncate_percent:g} % of the maximum and reconvolved"
    text += "."
    if s.molecules:
        text += (
            " Brightness, on-ratio and density of emitters were solved from local means of the "
            "second, third and fourth order (balanced SOFI, same reference)."
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


def _quick_look(cumulant: np.ndarray, settings: SofiSettings) -> np.ndarray:
    """The flattened cumulant so far without deconvolution, its root for brightness."""
    flat, _, _ = _flat(_to_float32(cumulant)[0], settings)
    np.maximum(flat, 0, out=flat)
    return np.asarray(np.power(flat, 1 / settings.order, out=flat))


def _flat(cumulant: np.ndarray, settings: SofiSettings) -> tuple[np.ndarray, float, str | None]:
    """Cumulant, flattened in place, its structure positive; PSF width used; a note about it."""
    n = settings.order
    if n > 2 and settings.linearization != "none" and cumulant.sum() < 0:
        # Fourth cumulants of emitters that are on for a fifth to four fifths of the time are
        # negative, third ones above one half; the picture is the same with the other sign.
        np.negative(cumulant, out=cumulant)
    fwhm, note = settings.psf_fwhm_px, None
    if fwhm is None:
        fwhm, note = _width(cumulant, n)
    if settings.flattening == "none":
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
    held: list[np.ndarray], settings: SofiSettings, report: Report
) -> tuple[np.ndarray, float, list[str | None]]:
    """Final picture (float32), PSF width and notes; what is no longer needed is freed at once."""
    n, d = settings.order, settings.deconvolution
    flat, scale = _to_float32(held.pop())
    # The noise of what keeps its sign: phase means take it away.
    raw_noise = noise_level(flat)
    flat, fwhm, note = _flat(flat, settings)
    noise = raw_noise if settings.flattening == "phase-mean" else noise_level(flat)
    weak = flat.max() < NOISE_PEAKS * noise
    notes = [
        note,
        "The brightest fluctuations are hardly above the noise: do not trust this picture."
        if weak
        else None,
    ]
    if settings.linearization == "none":
        flat *= np.float32(scale)
        return flat, fwhm, notes
    level = CLIPPED_NOISE * noise if d.weighted and settings.flattening != "phase-mean" else 0.0
    weighted = d.weighted and settings.flattening == "psf"
    linear = linearize(
        flat,
        n,
        fwhm,
        iterations=d.iterations,
        reconvolve=d.reconvolve,
        before_root=BEFORE_ROOT,
        truncate=d.truncate_percent / 100,
        weights=phase_weights(flat.shape, n, fwhm) if weighted else None,
        background=level,
        acceleration=ACCELERATION,
        report=lambda f, m="", p=None: report(0.85 + 0.15 * f, m, p),
    )
    linear *= np.float32(scale ** (1 / n))
    return linear, fwhm, notes

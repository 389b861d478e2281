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

FEW_FRAMES = 50
FALLBACK_FWHM_PX = 2.5
NOISE_PEAKS = 7.0
"""Pure noise reaches 4 to 5 times its RMS, the weakest simulated microtubules 28 times."""
CLIPPED_NOISE = 1.0
"""Level that noise leaves behind once its negative half is cut off, in units of its RMS. A normal
distribution leaves 0.4; 1.0 gave the cleanest background (docs/defaults.md)."""


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


class SofiSettings(Settings):
    """Second to fourth order SOFI with cross-cumulants; the defaults need no adjustment."""

    order: int = parameter(
        2,
        "Order of the cumulant: n gives an n times finer grid and needs ever more frames.",
        basic=True,
        ge=2,
        le=4,
    )
    linearization: Literal["default", "none"] = parameter(
        "default",
        "'default' takes the n-th root, so brightness is linear; 'none' is the signed cumulant.",
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
    deconvolution: DeconvolutionSettings = DeconvolutionSettings()


def sofi(movie: Movie, settings: SofiSettings, report: Report) -> Reconstruction:
    """Reconstruct a movie by SOFI; see `cross_cumulants`, `flatten` and `linearize`.

    Returns
    -------
    ``image``: float32 in counts (linearised) or counts**order, on the cumulants' grid.
    """
    n = settings.order
    saturation = Saturation()
    cumulants = cross_cumulants(
        movie,
        orders=(n,),
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
    image, fwhm, doubts = _picture(cumulants.pop(n), settings, report)
    notes = [note for note in (saturation.note, *doubts) if note]
    if movie.shape[0] < FEW_FRAMES:
        notes.append(
            f"SOFI from {movie.shape[0]} frames is noisy; {FEW_FRAMES} or more are advised."
        )
    uses_psf = settings.flattening == "psf" or settings.linearization == "default"
    return replace(
        _result(movie, n, image),
        notes=tuple(notes),
        details={"psf_fwhm_px": fwhm} if uses_psf else {},
    )


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
    if s.linearization == "default":
        if d.iterations:
            text += (
                f", deconvolved by {d.iterations} accelerated Richardson-Lucy iterations "
                "(Biggs and Andrews, Appl. Opt. 36, 1766 (1997))"
            )
            text += " with weights and a noise floor" if d.weighted else ""
        text += f", linearised by the root of order {s.order} "
        text += "(Geissbuehler et al., Opt. Nanosc. 1, 4 (2012))"
        if d.reconvolve:
            text += f", truncated at {d.truncate_percent:g} % of the maximum and reconvolved"
    text += "."
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
    if n > 2 and settings.linearization == "default" and cumulant.sum() < 0:
        # Fourth cumulants of emitters that are on for a fifth to four fifths of the time are
        # negative, third ones above one half; the picture is the same with the other sign.
        np.negative(cumulant, out=cumulant)
    fwhm, note = settings.psf_fwhm_px, None
    if fwhm is None:
        fwhm = estimate_psf_fwhm(cumulant, n)
        why = ""
        if fwhm == WIDEST_FWHM_PX:
            why = "bleaching or drift outweighs the blinking; try a later or shorter frame range"
        elif not fwhm > NARROWEST_FWHM_PX:
            why = "there is little blinking above the noise; try more frames"
        if why:
            fwhm = FALLBACK_FWHM_PX
            note = f"The PSF width could not be estimated and {fwhm} px is used: {why}."
    if settings.flattening == "none":
        return cumulant, fwhm, note
    return flatten(cumulant, n, settings.flattening, fwhm, out=cumulant), fwhm, note


def _to_float32(cumulant: np.ndarray) -> tuple[np.ndarray, float]:
    """Values of at most 1 and their scale: counts to the fourth power may leave float32's range."""
    scale = float(max(cumulant.max(), -cumulant.min())) or 1.0
    small = np.empty(cumulant.shape, np.float32)
    np.divide(cumulant, scale, out=small, casting="same_kind")
    return small, scale


def _picture(
    cumulant: np.ndarray, settings: SofiSettings, report: Report
) -> tuple[np.ndarray, float, list[str | None]]:
    """Final picture (float32), PSF width and notes; what is no longer needed is freed at once."""
    n, d = settings.order, settings.deconvolution
    flat, scale = _to_float32(cumulant)
    del cumulant
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

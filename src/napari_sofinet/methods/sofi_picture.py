"""From cumulant images to SOFI pictures: flattened, deconvolved and linearized."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods.sofi_cumulants import take_cumulants
from napari_sofinet.methods.sofi_plan import SofiPlan, psf_width
from napari_sofinet.methods.sofi_settings import SofiSettings
from napari_sofinet.sofi.flattening import flatten, noise_level, phase_weights
from napari_sofinet.sofi.linearization import linearize

NOISE_PEAKS = 7.0
"""Pure noise reaches 4 to 5 times its RMS, the weakest simulated microtubules 28 times."""
CLIPPED_NOISE_MIN, CLIPPED_NOISE_MAX = 0.6, 1.0
"""Level that noise leaves behind once its negative half is cut off, in units of its RMS. A normal
distribution leaves 0.4; 1.0 gave the cleanest background, less is better where few iterations leave
weak structure near it (docs/defaults.md)."""
ITERATIONS_MIN, ITERATIONS_MAX = 4, 23
VALUE_MAX = 1e37
BEFORE_ROOT = 0.2
ACCELERATION = 0.5
"""With these two a point stays within 0.02 camera px of its position; see docs/defaults.md."""


@dataclass(frozen=True, eq=False)
class SofiPicture:
    """A SOFI picture and how it was made.

    Parameters
    ----------
    image : numpy.ndarray
        Picture of shape (Y, X), float32.
    fwhm_px : float
        PSF width that was used, in camera pixels.
    iterations : int, optional
        Iterations of the deconvolution; None for a signed cumulant or a mean of pictures.
    notes : tuple of str
        Sentences for the user.
    """

    image: np.ndarray
    fwhm_px: float
    iterations: int | None = None
    notes: tuple[str, ...] = ()


def make_picture(
    movie: Movie,
    cumulants: dict[int, np.ndarray],
    settings: SofiSettings,
    plan: SofiPlan,
    report: Report,
) -> SofiPicture:
    """Make the picture from the cumulant, or as a mean of pictures of the sub-sequences.

    Parameters
    ----------
    movie : Movie
        Movie in counts or photoelectrons.
    cumulants : dict of int to ndarray
        Cumulant images; the one of the picture is removed, to free its memory early.
    settings : SofiSettings
        Settings of the method.
    plan : SofiPlan
        Sub-sequences and drift.
    report : Report
        Receives the progress.

    Returns
    -------
    SofiPicture
        The picture and how it was made.

    Raises
    ------
    InputError
        The signed cumulant does not fit single precision.
    """
    n = settings.order
    if settings.sub_sequences.average == "pictures" and len(plan.segments) > 1:
        width = plan.fwhm_px or psf_width(cumulants[n], n)[0]
        return _mean_picture(movie, settings, replace(plan, fwhm_px=width), report)
    return _picture(*_to_float32(cumulants.pop(n)), movie.shape[0], settings, plan, report)


def quick_look(cumulant: np.ndarray, settings: SofiSettings, plan: SofiPlan) -> np.ndarray:
    """Return the root of the flattened cumulant so far, without deconvolution."""
    flat, _, _ = _flat(_to_float32(cumulant)[0], settings, plan)
    np.maximum(flat, 0, out=flat)
    return np.asarray(np.power(flat, 1 / settings.order, out=flat))


def _mean_picture(
    movie: Movie, settings: SofiSettings, plan: SofiPlan, report: Report
) -> SofiPicture:
    """Return the mean of the sub-sequences' pictures, weighted by their frames."""
    total: np.ndarray | None = None
    weight_sum = 0.0
    quiet = portion(report, 0.85, 0.85)
    for number, (a, b) in enumerate(plan.segments):
        one = replace(plan, segments=[(a, b)], weights=None)
        piece = movie
        if plan.drift_px is None:
            start = movie.first_frame
            piece = movie.select(frames=(start + a, start + b))
        cumulants, _ = take_cumulants(piece, (settings.order,), settings, one, quiet)
        scaled = _to_float32(cumulants.pop(settings.order))
        picture = _picture(*scaled, b - a, settings, one, quiet)
        weight = (b - a) * (1.0 if plan.weights is None else plan.weights[number])
        total = weight * picture.image if total is None else total + weight * picture.image
        weight_sum += weight
        report(0.85 + 0.15 * b / movie.shape[0], f"sub-sequence up to frame {b}")
    assert total is not None
    image = np.asarray(total / weight_sum, np.float32)
    return SofiPicture(image, picture.fwhm_px, None, picture.notes)


def _picture(
    scaled: np.ndarray,
    scale: float,
    frames: int,
    settings: SofiSettings,
    plan: SofiPlan,
    report: Report,
) -> SofiPicture:
    """Return the picture of a cumulant that was divided by ``scale``; overwrites the cumulant."""
    n, d = settings.order, settings.deconvolution
    # Phase means take absolute values, so the noise is measured before.
    raw_noise = noise_level(scaled)
    flat, fwhm, note = _flat(scaled, settings, plan)
    noise = raw_noise if settings.flattening == "phase-mean" else noise_level(flat)
    notes: tuple[str, ...] = () if note is None else (note,)
    if flat.max() < NOISE_PEAKS * noise:
        notes += (
            "Even the brightest fluctuations are hardly above the noise: do not trust this "
            "picture.",
        )
    if settings.linearization == "none":
        return SofiPicture(_rescaled(flat, scale, n), fwhm, None, notes)
    iterations = _iterations(flat, noise, frames) if d.iterations is None else d.iterations
    background = 0.0
    if d.weighted and settings.flattening != "phase-mean":
        background = noise * min(CLIPPED_NOISE_MIN + iterations / 50, CLIPPED_NOISE_MAX)
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
        background=background,
        acceleration=ACCELERATION,
        report=portion(report, 0.85, 1.0),
    )
    linear *= np.float32(scale ** (1 / n))
    return SofiPicture(linear, fwhm, iterations, notes)


def _to_float32(cumulant: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the cumulant divided by its largest absolute value, and that value.

    Counts to the fourth power may exceed the range of float32.
    """
    scale = float(max(cumulant.max(), -cumulant.min())) or 1.0
    small = np.empty(cumulant.shape, np.float32)
    np.divide(cumulant, scale, out=small, casting="same_kind")
    return small, scale


def _flat(
    cumulant: np.ndarray, settings: SofiSettings, plan: SofiPlan
) -> tuple[np.ndarray, float, str | None]:
    """Flatten a cumulant in place and make its structure positive.

    Returns
    -------
    numpy.ndarray
        Flattened cumulant.
    float
        PSF width that was used, in camera pixels.
    str or None
        Note if that width had to be assumed.
    """
    n = settings.order
    if n > 2 and settings.linearization != "none" and cumulant.sum() < 0:
        # Fourth cumulants of emitters that are on for a fifth to four fifths of the time are
        # negative, third ones above one half; the picture is the same with the other sign.
        np.negative(cumulant, out=cumulant)
    fwhm, note = plan.fwhm_px, None
    if fwhm is None:
        fwhm, note = psf_width(cumulant, n)
    if settings.flattening == "none" or plan.flattened:
        return cumulant, fwhm, note
    return flatten(cumulant, n, settings.flattening, fwhm, out=cumulant), fwhm, note


def _rescaled(flat: np.ndarray, scale: float, order: int) -> np.ndarray:
    """Return the signed cumulant in counts**order."""
    if scale > VALUE_MAX:
        raise InputError(
            f"The movie is too bright for cumulants of order {order} in single precision; set "
            "camera.gain to make the numbers smaller."
        )
    flat *= np.float32(scale)
    return flat


def _iterations(flat: np.ndarray, noise: float, frames: int) -> int:
    """Return as many iterations as the signal to noise and the number of frames allow.

    Few frames show few emitters, whatever the noise. The formula was fitted to the numbers of
    iterations that brought pictures of 20 to 600 frames of the 12 conditions nearest to the ground
    truth (docs/defaults.md).
    """
    bright = flat[flat > 5 * noise]
    if not bright.size:
        return ITERATIONS_MIN
    if noise <= 0:
        return ITERATIONS_MAX
    signal = float(np.square(bright, dtype=np.float64).sum() / bright.sum(dtype=np.float64) / noise)
    return int(np.clip(round(0.45 * (frames * signal) ** 0.5), ITERATIONS_MIN, ITERATIONS_MAX))

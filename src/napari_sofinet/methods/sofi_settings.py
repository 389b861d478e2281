"""Settings of SOFI."""

from __future__ import annotations

from typing import Literal

from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.preprocess.corrections import MovieSettings


class DeconvolutionSettings(Settings):
    """Richardson-Lucy deconvolution and the steps after it."""

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
        "Values below this fraction of the maximum are set to zero before reconvolution.",
        unit="%",
        ge=0,
        lt=100,
    )
    weighted: bool = parameter(
        True, "Weight each sub-pixel by its noise, and expect a floor of noise in the image."
    )


class SubSequenceSettings(Settings):
    """Sub-sequences into which the movie is cut."""

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
        "deconvolved and linearized first, so that moments of great brightness weigh less.",
    )


class SofiSettings(MovieSettings):
    """SOFI of orders 2 to 6 from cross-cumulants; the defaults need no adjustment."""

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
        "pixels have in common, and needs emitters that stay on as long.",
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
        "Also map brightness, fraction of time on, on-time and density of emitters (balanced SOFI) "
        "from orders 2 to 4; needs 1000 frames or more.",
    )
    snr: bool = parameter(
        False,
        "Also map how many times its own standard error the cumulant is, from the scatter of "
        "sub-sequences; 3 is little, 10 is much.",
    )
    sub_sequences: SubSequenceSettings = SubSequenceSettings()
    deconvolution: DeconvolutionSettings = DeconvolutionSettings()

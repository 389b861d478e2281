"""Settings of SOFI."""

from __future__ import annotations

from typing import Literal

from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.preprocess.corrections import MovieSettings


class DeconvolutionSettings(Settings):
    """Richardson-Lucy deconvolution and the steps after it."""

    iterations: int | None = parameter(
        None,
        "Number of iterations of the deconvolution. More iterations sharpen the picture and add "
        "noise; 0 disables the deconvolution. If empty, the number is chosen from 4 (few frames "
        "or much noise) to 23 (many frames and little noise).",
        label="Iterations",
        ge=0,
        le=500,
    )
    reconvolve: bool = parameter(
        True,
        "Blur the result to the theoretical resolution of the order, which removes noise.",
        label="Blur to final resolution",
    )
    truncate_percent: float = parameter(
        2.0,
        "Values below this fraction of the maximum are set to zero before reconvolution.",
        label="Set to zero below",
        unit="%",
        ge=0,
        lt=100,
        only_if={"reconvolve": (True,)},
    )
    weighted: bool = parameter(
        True,
        "Weight each sub-pixel by its noise, and take a noise floor in the image into account.",
        label="Weight by noise",
        not_if={"iterations": (0,)},
    )


class SubSequenceSettings(Settings):
    """Sub-sequences into which the movie is divided."""

    title = "Sub-sequences"

    frames: int | None = parameter(
        None,
        "Number of frames per sub-sequence. If empty, the whole movie, or a fifth of the "
        "half-life if bleaching is corrected.",
        label="Frames per sub-sequence",
        ge=20,
        le=1_000_000,
    )
    average: Literal["cumulants", "pictures"] = parameter(
        "cumulants",
        "Quantity that is averaged over sub-sequences. 'cumulants' gives less noise; 'pictures' "
        "are deconvolved and linearized before averaging, so that moments of great brightness "
        "have less weight.",
        label="Averaged quantity",
    )


class SofiSettings(MovieSettings):
    """SOFI of orders 2 to 6 from cross-cumulants; the defaults need no adjustment."""

    title = "SOFI"

    order: int = parameter(
        2,
        "Order of the cumulant. Order n gives an n times finer grid; higher orders need more "
        "frames.",
        label="SOFI order",
        basic=True,
        ge=2,
        le=6,
    )
    linearization: Literal["default", "adaptive", "none"] = parameter(
        "default",
        "'default' takes the n-th root, so that brightness is linear; 'adaptive' also compensates "
        "for regions whose emitters are on more or less often (needs many frames); 'none' keeps "
        "the signed cumulant.",
        label="Linearisation",
        basic=True,
    )
    psf_fwhm_px: float | None = parameter(
        None,
        "Width of the PSF (full width at half maximum); estimated from the movie if empty.",
        unit="camera px",
        empty="estimated",
        ge=0.5,
        le=20,
    )
    pixel_sets: Literal["all", "weighted", "single"] = parameter(
        "all",
        "'all' averages all pixel pairs of equal distance, 'weighted' also includes wider pairs, "
        "weighted by their signal (less camera noise), 'single' uses one pair (as sofipackage).",
        label="Pixel pairs",
        choices={"weighted": "all, also wider ones", "single": "one per distance"},
    )
    lag: int = parameter(
        0,
        "Number of frames between the multiplied pixels. A lag of 1 or more removes noise that "
        "neighbouring pixels share; it requires emitters that stay on that long.",
        unit="frames",
        ge=0,
        le=1000,
    )
    flattening: Literal["psf", "phase-mean", "none"] = parameter(
        "psf",
        "Equalization of the brightness of sub-pixels: by the PSF, by their mean (as "
        "sofipackage), or none.",
        label="Even out sub-pixels",
        choices={"psf": "by the PSF", "phase-mean": "by their mean"},
    )
    molecules: bool = parameter(
        False,
        "Also map brightness, on-ratio, on-time and density of the emitters (balanced SOFI) from "
        "orders 2 to 4; needs 1000 frames or more.",
        label="Map molecule properties",
    )
    snr: bool = parameter(
        False,
        "Also map the signal to noise: the cumulant divided by its standard error, from the "
        "scatter of sub-sequences. 3 is low, 10 is high.",
        label="Map signal to noise",
    )
    sub_sequences: SubSequenceSettings = SubSequenceSettings()
    deconvolution: DeconvolutionSettings = DeconvolutionSettings()

"""Settings of posterior sampling."""

from __future__ import annotations

from napari_sofinet.base.settings import parameter
from napari_sofinet.networks.schedules import Schedule
from napari_sofinet.preprocess.corrections import MovieSettings


class DdpmSettings(MovieSettings):
    """Samples of what the truth behind a network's picture may be, and how far they differ."""

    weights: str = parameter(
        "ddpm-universal",
        "Picture around which samples are drawn: 'ddpm-universal' that of sofinet, from about 20 "
        "frames; 'ddpm-emitters' that of deepstorm, frame by frame; or own weights.",
        basic=True,
        weights="ddpm",
    )
    samples: int = parameter(
        16, "Pictures that are drawn; time and disk grow with them.", basic=True, ge=4, le=256
    )
    seed: int = parameter(
        0, "Seed of the samples: the same one gives the same samples.", ge=0, lt=2**31
    )
    steps: int = parameter(12, "Steps from noise to a sample.", ge=4, le=100)
    schedule: Schedule = parameter(
        "full",
        "'full' begins in noise; 'guided' at the network's picture with noise, and stays closer to "
        "it; 'paper' takes the 100 steps of Seitz and Liu, which do not begin in noise.",
    )
    psf_fwhm_px: float | None = parameter(
        None,
        "Width of the PSF (full width at half maximum), for emitters; measured where empty.",
        unit="camera px",
        ge=1.0,
        le=8.0,
        empty="measured",
    )

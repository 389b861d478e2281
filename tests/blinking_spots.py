"""Movies of single emitters for FluoGAN, and fits of few steps."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

import napari_sofinet as sofinet

WIDTH_PX = 3.0
KNOWN = {"camera.gain": 1.0, "camera.offset": 0.0, "read_noise": 1.0, "psf_fwhm_px": WIDTH_PX}


def spot_movie(
    places,
    frames: int = 200,
    shape=(14, 16),
    photons: float = 200.0,
    on: float = 0.2,
    seed: int = 0,
) -> np.ndarray:
    """Movie of emitters at places (N, 2) in camera pixels, over a background of 10 photons."""
    rng = np.random.default_rng(seed)
    light = []
    for axis, length in enumerate(shape):
        away = (np.arange(length)[:, None] - np.asarray(places, float)[:, axis]) / WIDTH_PX * 2.3548
        half = 0.5 / WIDTH_PX * 2.3548
        light.append(ndtr(away + half) - ndtr(away - half))
    lit = photons * (rng.random((frames, len(places))) < on)
    mean = 10 + np.einsum("yn,xn,tn->tyx", *light, lit)
    return rng.poisson(mean) + rng.normal(0, 1, mean.shape)


def run(movie: np.ndarray, report=None, **settings):
    extra = {} if report is None else {"report": report}
    return sofinet.reconstruct(
        sofinet.open_movie(movie, 0.1), "fluogan", device="cpu", **extra, **(KNOWN | settings)
    )

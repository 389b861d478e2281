"""Random settings of movies, from which networks are trained."""

from __future__ import annotations

import numpy as np

from napari_sofinet.simulation.rounded_draws import log_uniform, rounded, uniform
from napari_sofinet.simulation.sample_settings import BlinkingSettings, StructureSettings
from napari_sofinet.simulation.settings import (
    BackgroundSettings,
    CameraSettings,
    MotionSettings,
    OpticsSettings,
    SimulationSettings,
)

CHIP_PIXEL_UM = 6.5
"""Size of a pixel of the default camera."""
FRAME_S = 0.01
MOST_LABELS = 300_000
"""Highest number of labels on the vesicles of a field, so that large fields can be simulated."""
AIRY_WIDTHS_PX = np.geomspace(1.6, 5.0, 16)
"""Widths of Airy patterns: a few, so that their tables are made once."""
KINDS = {
    "microtubules": 0.2,
    "actin": 0.11,
    "mitochondria": 0.14,
    "vesicles": 0.22,
    "rings": 0.12,
    "random": 0.07,
    "points": 0.06,
    "empty": 0.08,
}
"""Probability of each structure. There are no test targets: their lines always lie the same way,
which a network would learn and draw into dim fields."""
OBJECTS_PER_UM2 = {
    "microtubules": (0.02, 0.2),
    "actin": (0.1, 1.0),
    "mitochondria": (0.015, 0.15),
    "vesicles": (0.1, 3.0),
    "rings": (0.1, 1.5),
    "points": (0.05, 5.0),
}
EMITTERS_PER_UM2 = {"random": (1, 60), "vesicles": (40, 5000)}
"""Limits of other densities than usual. Vesicles full of labels are the clusters that few frames
show as dots, like filaments."""


def draw_filaments(
    rng: np.random.Generator, seed: int, rows: int, columns: int, frames: int
) -> SimulationSettings:
    """Draw settings of microtubules, with PSFs of 1.6 to 5 px, 1 to 20 times the background.

    Labels lie evenly along those of odd seeds, at random along the others.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    seed : int
        Seed of the movie.
    rows, columns, frames : int
        Size of the movie.

    Returns
    -------
    SimulationSettings
        Settings of one movie.
    """
    fwhm_um, fwhm_px = uniform(rng, 0.2, 0.3), log_uniform(rng, 1.6, 5.0)
    pixel_um = fwhm_um / fwhm_px
    photons = log_uniform(rng, 30, 1000) * (fwhm_px / 2.2) ** 2
    peak = _peak(photons, fwhm_px)
    on_time_s = FRAME_S * log_uniform(rng, 0.5, 3)
    area = rows * columns * pixel_um**2
    camera = _draw_camera(rng)
    return SimulationSettings(
        rows=rows,
        columns=columns,
        frames=frames,
        seed=seed,
        structure=StructureSettings(
            count=max(int(np.ceil(area * log_uniform(rng, 0.02, 0.2))), 1),
            emitters_per_um=uniform(rng, 25, 100),
            spacing="even" if seed % 2 else "random",
        ),
        blinking=BlinkingSettings(
            on_time_s=rounded(on_time_s),
            off_time_s=rounded(on_time_s * log_uniform(rng, 30, 300)),
            photons=rounded(photons),
            spread=uniform(rng, 0, 0.5),
        ),
        optics=OpticsSettings(psf_fwhm_um=fwhm_um, magnification=rounded(CHIP_PIXEL_UM / pixel_um)),
        background=BackgroundSettings(
            photons=rounded(peak / log_uniform(rng, 1, 20)),
            structured=uniform(rng, 0, 0.5) if rng.random() < 0.3 else 0.0,
        ),
        camera=camera,
    )


def draw_universal(
    rng: np.random.Generator, seed: int, rows: int, columns: int, frames: int
) -> SimulationSettings:
    """Draw all settings but the size of a movie.

    PSFs are 1.6 to 5 px wide, emitters are on for a fifth of a frame to 30 frames and give 20 to
    5000 photons, their peaks are 0.05 to 20 times the background, offset and gain are any. Some
    movies have patches of background, light from out of focus, bleaching, still structure, labels
    that shine a bit while they are dark or lie evenly, drift or missing labels.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    seed : int
        Seed of the movie.
    rows, columns, frames : int
        Size of the movie.

    Returns
    -------
    SimulationSettings
        Settings of one movie.
    """
    # The order of the draws decides which movie a seed gives.
    optics, fwhm_um, fwhm_px = _draw_optics(rng)
    pixel_um = fwhm_um / fwhm_px
    duration_s = frames * FRAME_S
    on_frames = log_uniform(rng, 0.2, 30) if rng.random() < 0.4 else log_uniform(rng, 0.3, 3)
    off_time_s = rounded(on_frames * FRAME_S * log_uniform(rng, 4, 400))
    photons = log_uniform(rng, 20, 5000)
    peak = _peak(photons, fwhm_px)
    background = rounded(min(peak / log_uniform(rng, 0.05, 20), 3000.0))
    model = str(rng.choice(["two-state", "three-state", "dna-paint"], p=[0.7, 0.15, 0.15]))
    structured, out_of_focus = (
        uniform(rng, 0, 0.5) if rng.random() < 0.4 else 0.0 for _ in range(2)
    )
    settings = SimulationSettings(
        rows=rows,
        columns=columns,
        frames=frames,
        frame_interval_s=FRAME_S,
        seed=seed,
        structure=_draw_structure(rng, rows * pixel_um * columns * pixel_um),
        blinking=_draw_blinking(rng, model, on_frames * FRAME_S, off_time_s, photons),
        optics=optics,
        background=_draw_background(rng, background, structured, out_of_focus, peak, duration_s),
        camera=_draw_camera(rng),
        motion=_draw_motion(rng, pixel_um / duration_s),
    )
    spacing = "even" if rng.random() < 0.4 else "random"
    steady = _draw_steady(rng, settings.blinking) if rng.random() < 0.3 else 0.0
    return settings.model_copy(
        update={
            "structure": settings.structure.model_copy(update={"spacing": spacing}),
            "blinking": settings.blinking.model_copy(update={"steady_share": steady}),
        }
    )


def _peak(photons: float, fwhm_px: float) -> float:
    """Return the approximate number of photons of an emitter in its brightest pixel."""
    return photons / (1.133 * fwhm_px**2 + 1)


def _draw_optics(rng: np.random.Generator) -> tuple[OpticsSettings, float, float]:
    """Return optics and the width of the PSF in µm and in camera pixels."""
    fwhm_um, fwhm_px = uniform(rng, 0.2, 0.35), log_uniform(rng, 1.6, 5.0)
    airy = bool(rng.random() < 0.2)
    if airy:
        fwhm_px = float(AIRY_WIDTHS_PX[np.abs(AIRY_WIDTHS_PX - fwhm_px).argmin()])
    magnification = CHIP_PIXEL_UM / (fwhm_um / fwhm_px)
    optics = OpticsSettings(
        psf="airy" if airy else "gaussian",
        psf_fwhm_um=fwhm_um,
        magnification=magnification if airy else rounded(magnification),
    )
    return optics, fwhm_um, fwhm_px


def _draw_blinking(
    rng: np.random.Generator, model: str, on_time_s: float, off_time_s: float, photons: float
) -> BlinkingSettings:
    return BlinkingSettings(
        model=model,  # type: ignore[arg-type]
        on_time_s=rounded(on_time_s),
        off_time_s=off_time_s,
        long_off_time_s=rounded(10 * off_time_s),
        bleach_time_s=rounded(on_time_s * log_uniform(rng, 1, 20)) if rng.random() < 0.2 else None,
        photons=photons,
        spread=uniform(rng, 0, 0.8),
    )


def _draw_background(
    rng: np.random.Generator,
    photons: float,
    structured: float,
    out_of_focus: float,
    peak: float,
    duration_s: float,
) -> BackgroundSettings:
    return BackgroundSettings(
        photons=photons,
        structured=structured,
        out_of_focus=out_of_focus,
        scale_um=uniform(rng, 0.8, 3),
        half_life_s=rounded(duration_s * log_uniform(rng, 0.5, 10)) if rng.random() < 0.3 else None,
        still_photons=rounded(peak * log_uniform(rng, 0.02, 1)) if rng.random() < 0.3 else 0.0,
    )


def _draw_steady(rng: np.random.Generator, blinking: BlinkingSettings) -> float:
    """Draw steady light of 0.3 to 100 times that of two-state blinks, up to 300 photons."""
    on = blinking.on_time_s / (blinking.on_time_s + blinking.off_time_s)
    return rounded(min(on * log_uniform(rng, 0.3, 100), 1.0, 300 / blinking.photons))


def _draw_structure(rng: np.random.Generator, area_um2: float) -> StructureSettings:
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    missing = uniform(rng, 0.1, 0.6) if rng.random() < 0.25 else 0.0
    per_um2 = OBJECTS_PER_UM2.get(kind, (0.1, 1.0))
    count = max(int(np.ceil(area_um2 * log_uniform(rng, *per_um2))), 1)
    along = log_uniform(rng, 15, 120)
    dense = log_uniform(rng, *EMITTERS_PER_UM2.get(kind, (40, 800)))
    sizes = {
        "mitochondria": uniform(rng, 0.25, 0.8),
        "vesicles": uniform(rng, 0.05, 0.3),
        "rings": uniform(rng, 0.15, 1.0),
    }
    if kind == "vesicles":
        dense = min(dense, rounded(MOST_LABELS / (count * np.pi * sizes[kind] ** 2)))
    return StructureSettings(
        kind=kind,  # type: ignore[arg-type]
        count=count,
        emitters_per_um=along,
        emitters_per_um2=dense,
        size_um=sizes.get(kind),
        linker_um=uniform(rng, 0, 0.02),
        missing=missing,
        patch_um=uniform(rng, 0.1, 0.5),
    )


def _draw_camera(rng: np.random.Generator) -> CameraSettings:
    em = rng.random() < 0.1
    return CameraSettings(
        offset=uniform(rng, 0, 1000),
        gain=log_uniform(rng, 0.2, 5),
        read_noise_e=60.0 if em else uniform(rng, 0.7, 3),
        em_gain=uniform(rng, 50, 300) if em else 1.0,
        pixel_spread=0.0 if em else uniform(rng, 0, 0.03),
    )


def _draw_motion(rng: np.random.Generator, px_per_movie: float) -> MotionSettings:
    """Draw a drift of up to half a pixel in each direction, in most cases none."""
    if rng.random() > 0.15:
        return MotionSettings()
    drift = rng.uniform(-0.5, 0.5, 2) * px_per_movie
    limit = np.clip(drift, -100, 100)
    return MotionSettings(drift_y_um_per_s=rounded(limit[0]), drift_x_um_per_s=rounded(limit[1]))

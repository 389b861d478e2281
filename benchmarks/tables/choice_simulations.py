"""Varied movies for `choice.py` by the package's simulator."""

from __future__ import annotations

import numpy as np
from choice_scores import TestMovie
from scipy.spatial import cKDTree

from napari_sofinet.simulation import Simulation, simulate
from napari_sofinet.simulation.settings import (
    BackgroundSettings,
    BlinkingSettings,
    OpticsSettings,
    SimulationSettings,
    StructureSettings,
)

FIRST_SEED = 770_000
SIDE_PX, FRAME_S, CAMERA_UM, LONG = 64, 0.01, 6.5, 700
KINDS = "microtubules", "actin", "mitochondria", "vesicles", "rings", "points", "random"


def settings_of(number: int) -> SimulationSettings:
    """Draw the settings of one movie."""
    rng = np.random.default_rng([FIRST_SEED, number])

    def between(low: float, high: float) -> float:
        return float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.4g}")

    kind = KINDS[number % len(KINDS)]
    fwhm_px, fwhm_um = between(1.6, 5.0), 0.25
    area = (SIDE_PX * fwhm_um / fwhm_px) ** 2
    photons = between(30, 3000)
    peak = photons / (1.133 * fwhm_px**2 + 1)
    on_frames = between(0.3, 10)
    # Fewer long movies, which take most of the time; `measure` takes a quarter of the longest.
    frames = round(10 * 200 ** float(rng.random() ** 1.3))
    per_um2 = {
        "microtubules": (0.05, 0.4),
        "actin": (0.1, 1.0),
        "mitochondria": (0.03, 0.2),
        "vesicles": (0.2, 2.0),
        "rings": (0.2, 1.5),
        "points": (0.1, 5.0),
    }.get(kind, (1.0, 1.0))
    return SimulationSettings(
        rows=SIDE_PX,
        columns=SIDE_PX,
        frames=frames,
        frame_interval_s=FRAME_S,
        seed=FIRST_SEED + number,
        structure=StructureSettings(
            kind=kind,
            count=max(round(area * between(*per_um2)), 2),
            emitters_per_um=between(15, 120),
            emitters_per_um2=between(2, 60) if kind == "random" else between(60, 2000),
            size_um={"mitochondria": 0.4, "vesicles": 0.15, "rings": 0.6}.get(kind),
        ),
        blinking=BlinkingSettings(
            on_time_s=FRAME_S * on_frames,
            off_time_s=float(f"{FRAME_S * on_frames * between(8, 1000):.4g}"),
            photons=photons,
            spread=float(rng.uniform(0, 0.5)),
        ),
        optics=OpticsSettings(
            psf_fwhm_um=fwhm_um, magnification=float(f"{CAMERA_UM * fwhm_px / fwhm_um:.5g}")
        ),
        background=BackgroundSettings(
            photons=float(f"{peak / between(0.2, 20):.4g}"),
            structured=0.4 if rng.random() < 0.2 else 0.0,
            out_of_focus=0.4 if rng.random() < 0.2 else 0.0,
        ),
    )


def simulated_movie(number: int) -> TestMovie:
    """Make one movie."""
    movie = simulate(settings_of(number))
    s, b = movie.settings, movie.settings.blinking

    def truth(samples: np.ndarray, width: float) -> np.ndarray:
        return np.asarray(
            movie.truth.ideal(
                fineness=round(1 / (samples[1] - samples[0])),
                fwhm_um=s.optics.fwhm_um * width,
                origin_px=(samples[0], samples[0]),
                shape=(len(samples), len(samples)),
            ).image
        )

    described = {
        "seed": str(s.seed),
        "kind": s.structure.kind,
        "frames": str(s.frames),
        "psf_px": f"{s.psf_fwhm_px:.3f}",
        "photons": f"{b.photons:.4g}",
        "on_frames": f"{b.on_time_s / FRAME_S:.3g}",
        "off_frames": f"{b.off_time_s / FRAME_S:.4g}",
        "background": f"{s.background.photons:.4g}",
    }
    return TestMovie(movie.frames, s.psf_fwhm_px, overlap(movie), described, truth)


def overlap(movie: Simulation) -> float:
    """Return the mean number of emitters that shine within a PSF of another, in one frame."""
    s = movie.settings
    tree = cKDTree(movie.truth.positions_um)
    near = tree.count_neighbors(tree, s.optics.fwhm_um / 2) / max(tree.n, 1)
    b = s.blinking
    return float(near * min((b.on_time_s + FRAME_S) / (b.on_time_s + b.off_time_s), 1.0))

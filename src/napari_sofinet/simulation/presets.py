"""Named kinds of movies: each name and seed gives one complete description of a movie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import flatten_settings
from napari_sofinet.simulation.settings import (
    BackgroundSettings,
    BlinkingSettings,
    CameraSettings,
    MotionSettings,
    OpticsSettings,
    SimulationSettings,
    StructureSettings,
)

KOMEN_PHOTONS = 100.0, 80.0, 60.0, 40.0
KOMEN_OFF_TIMES_S = 0.6, 1.2, 2.4
KOMEN_BACKGROUND = 0.176 / 15
"""An emitter's own pixel gets 17.6 % of its photons; the background is a fifteenth of that."""
MOST_LABELS = 300_000
"""On the vesicles of a field, so that large ones can be simulated."""
AIRY_WIDTHS_PX = np.geomspace(1.6, 5.0, 16)


def microtubules(seed: int) -> SimulationSettings:
    """Microtubules whose dyes blink fast: the easiest case of komen2024, 8 filaments."""
    return SimulationSettings(seed=seed)


def komen2024(seed: int) -> SimulationSettings:
    """Microtubules in one of 12 conditions: photons 100 to 40, mean off times 0.6 to 2.4 s."""
    return komen2024_condition(seed, seed % 12)


def komen2024_condition(seed: int, condition: int) -> SimulationSettings:
    """One of the 12 conditions (0 the easiest, 11 the hardest) with a network drawn by the seed."""
    photons = KOMEN_PHOTONS[condition // 3]
    rng = np.random.default_rng([seed, 2])
    return SimulationSettings(
        seed=seed,
        structure=StructureSettings(count=int(rng.integers(4, 21))),
        blinking=BlinkingSettings(photons=photons, off_time_s=KOMEN_OFF_TIMES_S[condition % 3]),
        background=BackgroundSettings(photons=KOMEN_BACKGROUND * photons),
    )


def dblink_filaments(seed: int) -> SimulationSettings:
    """Moving filaments in sparse blinks: 32 x 32 px of 160 nm, 3000 frames."""
    rng = np.random.default_rng([seed, 2])
    return _dblink(
        seed,
        rng,
        StructureSettings(
            count=int(rng.integers(3, 12)), emitters_per_um=25, persistence_um=5, length_um=12
        ),
        speed_px=0.002,
    )


def dblink_mitochondria(seed: int) -> SimulationSettings:
    """Swaying, drifting mitochondria in sparse blinks: 32 x 32 px of 160 nm, 3000 frames."""
    rng = np.random.default_rng([seed, 2])
    structure = StructureSettings(
        kind="mitochondria", count=int(rng.integers(2, 6)), size_um=0.5, emitters_per_um2=200
    )
    return _dblink(seed, rng, structure, speed_px=0.05 * 20 / 3000, wobble_um=0.1)


def _dblink(
    seed: int,
    rng: np.random.Generator,
    structure: StructureSettings,
    speed_px: float,
    wobble_um: float = 0.0,
) -> SimulationSettings:
    speed = speed_px * 0.16 / 0.01  # px per frame to um/s
    return SimulationSettings(
        rows=32,
        columns=32,
        frames=3000,
        seed=seed,
        structure=structure,
        blinking=BlinkingSettings(on_time_s=0.01, off_time_s=5.0, photons=1000, spread=0.4),
        optics=OpticsSettings(psf_fwhm_um=0.3, magnification=100),
        background=BackgroundSettings(photons=10),
        camera=CameraSettings(pixel_um=16),
        motion=MotionSettings(
            drift_y_um_per_s=_uniform(rng, -speed, speed),
            drift_x_um_per_s=_uniform(rng, -speed, speed),
            rotation_deg_per_s=_uniform(rng, -0.02, 0.02),
            wobble_um=wobble_um,
        ),
    )


def deepstorm_kde(seed: int) -> SimulationSettings:
    """Ten steady emitters on a disc, 100 frames of 20 x 20 px, 200 photons each per frame."""
    return SimulationSettings(
        rows=20,
        columns=20,
        frames=100,
        seed=seed,
        structure=StructureSettings(kind="points", count=10, size_um=14 * 0.1083),
        blinking=BlinkingSettings(model="steady", photons=200),
        optics=OpticsSettings(psf_fwhm_um=0.92 * 2.3548 * 0.1083, magnification=60),
        background=BackgroundSettings(photons=0),
        camera=CameraSettings(pixel_um=6.498, read_noise_e=5**0.5, pixel_spread=0),
    )


def argolight(seed: int) -> SimulationSettings:
    """Ten pairs of lines 390 to 120 nm apart, PSF 318 nm, 500 frames."""
    return SimulationSettings(
        rows=64,
        columns=160,
        frames=500,
        seed=seed,
        structure=StructureSettings(kind="argolight", emitters_per_um=150),
        blinking=BlinkingSettings(photons=300),
        optics=OpticsSettings(psf_fwhm_um=0.318),
        background=BackgroundSettings(photons=3),
    )


def universal(seed: int) -> SimulationSettings:
    """Any structure under any microscope: what a network for everybody is trained on."""
    rng = np.random.default_rng([seed, 2])
    return draw_universal(rng, seed, 128, 128, int(_log_uniform(rng, 8, 200)))


def filaments(seed: int) -> SimulationSettings:
    """Microtubules under many microscopes: what a network for filaments is trained on."""
    rng = np.random.default_rng([seed, 2])
    return draw_filaments(rng, seed, 128, 128, int(_log_uniform(rng, 8, 200)))


def draw_komen2024(
    rng: np.random.Generator, seed: int, rows: int, columns: int, frames: int
) -> SimulationSettings:
    """Draw one of the 12 conditions of `komen2024` in a field of any size."""
    settings = komen2024_condition(seed, int(rng.integers(12)))
    # As many filaments per length of the border, since they are longer than the field.
    count = max(round(int(rng.integers(4, 21)) * np.sqrt(rows * columns) / 128), 1)
    structure = settings.structure.model_copy(update={"count": count})
    return settings.model_copy(
        update={"rows": rows, "columns": columns, "frames": frames, "structure": structure}
    )


def draw_filaments(
    rng: np.random.Generator, seed: int, rows: int, columns: int, frames: int
) -> SimulationSettings:
    """Draw microtubules with PSFs of 1.6 to 5 px, 1 to 20 times brighter than the background.

    Labels lie evenly along those of odd seeds, at random along the others.
    """
    fwhm_um, fwhm_px = _uniform(rng, 0.2, 0.3), _log_uniform(rng, 1.6, 5.0)
    pixel_um = fwhm_um / fwhm_px
    photons = _log_uniform(rng, 30, 1000) * (fwhm_px / 2.2) ** 2
    peak = photons / (1.133 * fwhm_px**2 + 1)
    on_time_s = 0.01 * _log_uniform(rng, 0.5, 3)
    area = rows * columns * pixel_um**2
    camera = _draw_camera(rng)
    return SimulationSettings(
        rows=rows,
        columns=columns,
        frames=frames,
        seed=seed,
        structure=StructureSettings(
            count=max(int(np.ceil(area * _log_uniform(rng, 0.02, 0.2))), 1),
            emitters_per_um=_uniform(rng, 25, 100),
            spacing="even" if seed % 2 else "random",
        ),
        blinking=BlinkingSettings(
            on_time_s=_rounded(on_time_s),
            off_time_s=_rounded(on_time_s * _log_uniform(rng, 30, 300)),
            photons=_rounded(photons),
            spread=_uniform(rng, 0, 0.5),
        ),
        optics=OpticsSettings(psf_fwhm_um=fwhm_um, magnification=_rounded(6.5 / pixel_um)),
        background=BackgroundSettings(
            photons=_rounded(peak / _log_uniform(rng, 1, 20)),
            structured=_uniform(rng, 0, 0.5) if rng.random() < 0.3 else 0.0,
        ),
        camera=camera,
    )


def draw_universal(
    rng: np.random.Generator, seed: int, rows: int, columns: int, frames: int
) -> SimulationSettings:
    """Draw everything but the size of a movie.

    PSF 1.6 to 5 px wide, on-times of a fifth of a frame to 30 frames, 20 to 5000 photons, an
    emitter's peak 0.05 to 20 times the background, any offset and gain, and in a part of the
    movies patches, light from out of focus, bleaching, still structure, labels that shine a bit
    while they are dark or lie evenly, drift and missing labels.
    """
    fwhm_um, fwhm_px = _uniform(rng, 0.2, 0.35), _log_uniform(rng, 1.6, 5.0)
    airy = bool(rng.random() < 0.2)
    if airy:
        # One of a few widths, so that their tables are made once.
        fwhm_px = float(AIRY_WIDTHS_PX[np.abs(AIRY_WIDTHS_PX - fwhm_px).argmin()])
    pixel_um = fwhm_um / fwhm_px
    interval = 0.01
    on_frames = _log_uniform(rng, 0.2, 30) if rng.random() < 0.4 else _log_uniform(rng, 0.3, 3)
    off_time_s = _rounded(on_frames * interval * _log_uniform(rng, 4, 400))
    photons = _log_uniform(rng, 20, 5000)
    peak = photons / (1.133 * fwhm_px**2 + 1)
    background = _rounded(min(peak / _log_uniform(rng, 0.05, 20), 3000.0))
    model = rng.choice(["two-state", "three-state", "dna-paint"], p=[0.7, 0.15, 0.15])
    structured, out_of_focus = (
        _uniform(rng, 0, 0.5) if rng.random() < 0.4 else 0.0 for _ in range(2)
    )
    settings = SimulationSettings(
        rows=rows,
        columns=columns,
        frames=frames,
        frame_interval_s=interval,
        seed=seed,
        structure=_draw_structure(rng, rows * pixel_um * columns * pixel_um),
        blinking=BlinkingSettings(
            model=str(model),  # type: ignore[arg-type]
            on_time_s=_rounded(on_frames * interval),
            off_time_s=off_time_s,
            long_off_time_s=_rounded(10 * off_time_s),
            bleach_time_s=_rounded(on_frames * interval * _log_uniform(rng, 1, 20))
            if rng.random() < 0.2
            else None,
            photons=photons,
            spread=_uniform(rng, 0, 0.8),
        ),
        optics=OpticsSettings(
            psf="airy" if airy else "gaussian",
            psf_fwhm_um=fwhm_um,
            magnification=6.5 / pixel_um if airy else _rounded(6.5 / pixel_um),
        ),
        background=BackgroundSettings(
            photons=background,
            structured=structured,
            out_of_focus=out_of_focus,
            scale_um=_uniform(rng, 0.8, 3),
            half_life_s=_rounded(frames * interval * _log_uniform(rng, 0.5, 10))
            if rng.random() < 0.3
            else None,
            still_photons=_rounded(peak * _log_uniform(rng, 0.02, 1))
            if rng.random() < 0.3
            else 0.0,
        ),
        camera=_draw_camera(rng),
        motion=_draw_motion(rng, pixel_um / (frames * interval)),
    )
    spacing = "even" if rng.random() < 0.4 else "random"
    steady = _draw_steady(rng, settings.blinking) if rng.random() < 0.3 else 0.0
    return settings.model_copy(
        update={
            "structure": settings.structure.model_copy(update={"spacing": spacing}),
            "blinking": settings.blinking.model_copy(update={"steady_share": steady}),
        }
    )


def _draw_steady(rng: np.random.Generator, blinking: BlinkingSettings) -> float:
    """Light of 0.3 to 100 times that of two-state blinks, up to 300 photons per emitter."""
    on = blinking.on_time_s / (blinking.on_time_s + blinking.off_time_s)
    return _rounded(min(on * _log_uniform(rng, 0.3, 100), 1.0, 300 / blinking.photons))


def _draw_structure(rng: np.random.Generator, area_um2: float) -> StructureSettings:
    kinds = {
        "microtubules": 0.2,
        "actin": 0.11,
        "mitochondria": 0.14,
        "vesicles": 0.22,
        "rings": 0.12,
        "random": 0.07,
        "points": 0.06,
        "empty": 0.08,
    }
    # No test targets: their lines always lie the same way, which a network would learn and draw
    # into dim fields.
    kind = str(rng.choice(list(kinds), p=list(kinds.values())))
    per_um2 = {
        "microtubules": (0.02, 0.2),
        "actin": (0.1, 1.0),
        "mitochondria": (0.015, 0.15),
        "vesicles": (0.1, 3.0),
        "rings": (0.1, 1.5),
        "points": (0.05, 5.0),
    }.get(kind, (0.1, 1.0))
    # Vesicles full of labels are the clusters that few frames show as dots, like filaments.
    densities = {"random": (1, 60), "vesicles": (40, 5000)}.get(kind, (40, 800))
    missing = _uniform(rng, 0.1, 0.6) if rng.random() < 0.25 else 0.0
    count = max(int(np.ceil(area_um2 * _log_uniform(rng, *per_um2))), 1)
    along, dense = _log_uniform(rng, 15, 120), _log_uniform(rng, *densities)
    sizes = {
        "mitochondria": _uniform(rng, 0.25, 0.8),
        "vesicles": _uniform(rng, 0.05, 0.3),
        "rings": _uniform(rng, 0.15, 1.0),
    }
    if kind == "vesicles":
        dense = min(dense, _rounded(MOST_LABELS / (count * np.pi * sizes[kind] ** 2)))
    return StructureSettings(
        kind=kind,  # type: ignore[arg-type]
        count=count,
        emitters_per_um=along,
        emitters_per_um2=dense,
        size_um=sizes.get(kind),
        linker_um=_uniform(rng, 0, 0.02),
        missing=missing,
        patch_um=_uniform(rng, 0.1, 0.5),
    )


def _draw_camera(rng: np.random.Generator) -> CameraSettings:
    em = rng.random() < 0.1
    return CameraSettings(
        offset=_uniform(rng, 0, 1000),
        gain=_log_uniform(rng, 0.2, 5),
        read_noise_e=60.0 if em else _uniform(rng, 0.7, 3),
        em_gain=_uniform(rng, 50, 300) if em else 1.0,
        pixel_spread=0.0 if em else _uniform(rng, 0, 0.03),
    )


def _draw_motion(rng: np.random.Generator, px_per_movie: float) -> MotionSettings:
    if rng.random() > 0.15:
        return MotionSettings()
    drift = rng.uniform(-0.5, 0.5, 2) * px_per_movie
    limit = np.clip(drift, -100, 100)
    return MotionSettings(drift_y_um_per_s=_rounded(limit[0]), drift_x_um_per_s=_rounded(limit[1]))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return _rounded(np.exp(rng.uniform(np.log(low), np.log(high))))


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return _rounded(rng.uniform(low, high))


def _rounded(value: float) -> float:
    """Three digits, which a person can read."""
    return float(f"{value:.3g}")


PRESETS: dict[str, Callable[[int], SimulationSettings]] = {
    "microtubules": microtubules,
    "komen2024": komen2024,
    "dblink-filaments": dblink_filaments,
    "dblink-mitochondria": dblink_mitochondria,
    "deepstorm-kde": deepstorm_kde,
    "argolight": argolight,
    "filaments": filaments,
    "universal": universal,
}


def preset_settings(
    name: str, seed: int = 1, changes: dict[str, Any] | None = None
) -> SimulationSettings:
    """Settings of a preset with some of them, by dotted names, changed.

    Raises
    ------
    InputError
        A preset or a setting that does not exist, or a value outside its limits.
    """
    from pydantic import ValidationError

    from napari_sofinet.base.settings import explain

    if name not in PRESETS:
        raise InputError(f"There is no preset {name!r}; choose one of {', '.join(PRESETS)}.")
    if not 0 <= seed < 2**32:
        raise InputError(f"The seed must be 0 to {2**32 - 1}, not {seed}.")
    settings = PRESETS[name](seed)
    if not changes:
        return settings
    tree = settings.model_dump()
    known = flatten_settings(settings)
    for key, value in changes.items():
        if key not in known:
            raise InputError(f"There is no setting called {key}.")
        *groups, last = key.split(".")
        node = tree
        for group in groups:
            node = node[group]
        node[last] = value
    try:
        return SimulationSettings.model_validate(tree)
    except ValidationError as error:
        raise InputError(explain(error)) from None

"""Gain that a movie's noise shows (`--camera.estimate`) against the gain of its simulation.

    python benchmarks/tables/camera_estimate.py [--movies 60] [--first 0] [--jobs 1]

Movies of every preset with more than one frame, and mitochondria: 50 to 500 frames of 48 to 128 px,
50 to 3000 photons, PSFs of 1.6 to 4 px, gains of 0.2 to 5 counts per electron, read noise of 1 to 5
electrons, some with electron multiplication, whose noise shows twice its gain. `filaments` and
`universal` draw their own PSF and background.

"Enough light": an ideal observer, who knows brightness and blinking of every pixel and sees all of
its noise, would find the gain to 1 %. (Detail finer than the PSF has a few per cent of the noise,
so 5 % remain at best.)
"""

from __future__ import annotations

import argparse
from multiprocessing import get_context

import numpy as np

import napari_sofinet as sofinet
from napari_sofinet.base.errors import InputError
from napari_sofinet.preprocess.photon_transfer import photon_transfer
from napari_sofinet.simulation import preset_settings, simulate
from napari_sofinet.simulation.settings import SimulationSettings

PRESETS = (
    "microtubules",
    "komen2024",
    "dblink-filaments",
    "dblink-mitochondria",
    "argolight",
    "filaments",
    "universal",
)
OWN_PSF = "filaments", "universal"
SEED = 77
ENOUGH = 0.01


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def drawn(number: int) -> tuple[str, SimulationSettings]:
    """Return the name and settings of one of the movies."""
    rng = np.random.default_rng([SEED, number])
    name = PRESETS[number % len(PRESETS)]
    gain = log_uniform(rng, 0.2, 5)
    changes = {"camera.offset": rng.uniform(50, 500), "camera.read_noise_e": rng.uniform(1, 5)}
    changes |= {f"{side}": int(rng.choice([48, 64, 96, 128])) for side in ("rows", "columns")}
    changes |= {"frames": int(rng.choice([50, 100, 200, 500]))}
    changes |= {"blinking.photons": log_uniform(rng, 50, 3000)}
    if rng.random() < 0.12:
        changes |= {"camera.em_gain": rng.uniform(50, 300), "camera.read_noise_e": 60.0}
        changes |= {"camera.gain": 4 * gain, "camera.pixel_spread": 0.0}
    else:
        changes |= {"camera.gain": gain, "camera.em_gain": 1.0}
    fwhm_px = log_uniform(rng, 1.6, 4)
    if number % 10 == 9:
        name, preset = "mitochondria", "microtubules"
        changes |= {"structure.kind": "mitochondria"}
    else:
        preset = name
    settings = preset_settings(preset, number + 1, changes)
    if name not in OWN_PSF:
        changes |= {"optics.psf_fwhm_um": fwhm_px * settings.pixel_size_um}
        settings = preset_settings(preset, number + 1, changes)
    return name, settings


def information(movie: sofinet.simulation.Simulation, gain: float) -> float:
    """Relative error of the gain that an ideal observer of independent normal noise would have."""
    frames = movie.settings.frames
    light = movie.light(0, frames) * movie.camera.quantum_efficiency
    variance = gain * movie.camera.gain * light + movie.camera.variance + 1 / 12
    weight = 1 / (2 * variance**2)
    light *= movie.camera.gain
    light -= (weight * light).sum() / weight.sum()
    return float(1 / np.sqrt((weight * light**2).sum()) / gain)


def measured(number: int) -> tuple[str, float, float, float, float, float]:
    """Return a description, the ideal error, true gain, found gain and error (or NaN), offset."""
    name, settings = drawn(number)
    movie = simulate(settings)
    em = movie.camera.em_gain > 1
    gain = float(movie.camera.gain.mean()) * (2 if em else 1)
    text = (
        f"{name}{', EM' if em else ''} | {settings.frames} x {settings.rows} x {settings.columns} "
        f"| {settings.blinking.photons:.0f} | {settings.psf_fwhm_px:.1f}"
    )
    ideal = information(movie, gain)
    try:
        found = photon_transfer(sofinet.open_movie(movie.frames))
    except InputError:
        return text, ideal, gain, np.nan, np.nan, np.nan
    # Where the noise would be zero is below the offset by the read noise.
    lower = float(np.mean(movie.camera.variance)) / gain
    offset = found.offset + lower - float(movie.camera.offset.mean())
    return text, ideal, gain, found.gain, found.gain_error, offset


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--movies", type=int, default=60)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.movies)
    print("| movie | px | photons | PSF (px) | ideal (%) | true gain | found | error of offset |")
    print("|---|---|---|---|---|---|---|---|")
    rows = []
    with get_context("spawn").Pool(options.jobs) as pool:
        for text, ideal, true, found, error, offset in pool.imap(measured, numbers):
            rows.append((ideal, true, found, error))
            shown = "refused | "
            if np.isfinite(found):
                wrong = " (!)" if abs(found - true) > 2 * error else ""
                shown = f"{found:.3g} ± {error:.2g}{wrong} | {offset:.2g}"
            print(f"| {text} | {100 * ideal:.2g} | {true:.3g} | {shown} |", flush=True)
    ideal, true, found, error = np.array(rows).T
    answered, light = np.isfinite(found), ideal <= ENOUGH
    scores, relative = (np.abs(found - true) / error)[answered], (error / found)[answered]
    print(
        f"\nAnswered {answered.sum()} of {len(rows)}; of {light.sum()} with enough light "
        f"{(answered & light).sum()}. Within 2 errors {100 * np.mean(scores <= 2):.1f} %, within "
        f"2.5 {100 * np.mean(scores <= 2.5):.1f} %; root mean square "
        f"{np.sqrt(np.mean(scores**2)):.2f} errors. Error: median {100 * np.median(relative):.1f} "
        f"%, at most {100 * np.max(relative):.1f} % of the gain."
    )


if __name__ == "__main__":
    main()

"""Drift that is found in movies that stand still, and how well real drift is found.

    python benchmarks/tables/drift.py [--still 160] [--moving 64] [--curved 24] [--first 0]

Still movies: molecules that never come again, and microtubules, mitochondria and single points that
blink, in fields of 32 to 64 px, 100 to 500 frames, 40 to 200 photons, mean on-times of one to five
frames, mean off-times of 0.2 to 5 s; every fifth is dim and blinks rarely (40 photons, 2.4 s off).
Moving movies: microtubules in fields of 48 to 64 px, with a straight drift of 0.5 to 3 px, or with
one jump of 1 to 5 px. Then fields of 96 px whose stage goes to and fro by 2 px, with the
correlation r of SOFI's picture with the emitters (blurred to 110 nm), also of the sample at rest;
and curved paths under haze that loses 94 % of its light. An error is the root mean square distance
of the path from the true one, after their mean distance is taken off.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from artefacts import OFFSET, counts, shaken, spot

import napari_sofinet as sofinet
from napari_sofinet.metrics import pearson
from napari_sofinet.preprocess.drift import Drift, estimate_drift
from napari_sofinet.simulation import Simulation, preset_settings, simulate
from napari_sofinet.simulation.presets import komen2024_condition

SEED = 20
STILL = "microtubules", "molecules", "microtubules", "mitochondria", "microtubules", "points"
PRECISE_PX = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--still", type=int, default=160, help="number of movies that stand still")
    parser.add_argument("--moving", type=int, default=64, help="number of movies that move")
    parser.add_argument("--curved", type=int, default=24, help="number of paths to and fro")
    parser.add_argument("--first", type=int, default=0, help="number of the first movie")
    args = parser.parse_args()
    still(range(args.first, args.first + args.still))
    moving(range(args.first, args.first + args.moving))
    to_and_fro(range(args.first, args.first + args.curved))
    bleaching(range(args.first, args.first + args.curved // 2))


def found_in(frames: np.ndarray) -> Drift:
    """Return the drift as the check of a movie measures it."""
    return estimate_drift(sofinet.open_movie(frames, 0.1), max(len(frames) // 6, 20))


def sample(kind: str, seed: int, **sizes: int) -> tuple[Simulation, str]:
    """Return a movie of blinking emitters at rest, and its settings in words."""
    rng = np.random.default_rng([SEED, seed])
    photons, off_s = rng.uniform(40, 200), float(np.exp(rng.uniform(np.log(0.2), np.log(5))))
    on_s = float(rng.choice([0.01, 0.02, 0.03, 0.05]))
    if seed % 5 == 0:
        photons, off_s, on_s = 40.0, 2.4, 0.03  # few, dim emitters
    changes = {"structure.count": int(rng.integers(3, 11)), "blinking.photons": photons}
    changes |= {"blinking.off_time_s": off_s, "blinking.on_time_s": on_s, "structure.kind": kind}
    made = simulate(preset_settings("microtubules", seed, changes | sizes))
    return made, f"{photons:.0f} photons, off {off_s:.2g} s, on {on_s:.2g} s"


def molecules(seed: int, side: int, frames: int) -> np.ndarray:
    """Return a movie of molecules that are seen only once."""
    rng = np.random.default_rng([SEED, seed])
    light = np.full((frames, side, side), rng.uniform(1, 8))
    number, photons, stay = rng.uniform(0.5, 6), rng.uniform(40, 200), int(rng.integers(1, 6))
    for t in range(1 - stay, frames):
        for y, x in rng.uniform(-2, side + 2, (rng.poisson(number / stay), 2)):
            one = photons / 5.67 * spot((side, side), y, x, 0.95)
            light[max(t, 0) : max(t + stay, 0)] += one
    return counts(OFFSET + 2 * rng.poisson(0.8 * light) + rng.normal(0, 2.8, light.shape))


def distance(found: np.ndarray, path: np.ndarray) -> float:
    """Return the root mean square distance of two paths after their mean distance is taken off."""
    apart = found - path
    return float(np.sqrt(np.square(apart - apart.mean(axis=0)).sum(axis=1).mean()))


def still(numbers: range) -> None:
    """Print how often drift is found in movies that stand still."""
    tried, found = dict.fromkeys(STILL, 0), dict.fromkeys(STILL, 0)
    for number in numbers:
        rng = np.random.default_rng([SEED, number, 1])
        kind = STILL[number % len(STILL)]
        side, frames = int(rng.choice([32, 40, 48, 56, 64])), int(rng.integers(100, 501))
        if kind == "molecules":
            movie, words = molecules(number, side, frames), ""
        else:
            made, words = sample(kind, number, rows=side, columns=side, frames=frames)
            movie = made.frames
        drift = found_in(movie)
        tried[kind] += 1
        found[kind] += drift.farthest_px > 0
        if drift.farthest_px:
            size = f"{frames} frames of {side} px"
            far, error = drift.farthest_px, drift.error_px
            print(
                f"still {number}, {kind}, {size}, {words}: {far:.2f} ± {error:.2f} px", flush=True
            )
    parts = ", ".join(f"{kind} {found[kind]} of {tried[kind]}" for kind in tried)
    print(f"drift in still movies: {sum(found.values())} of {len(numbers)} ({parts})", flush=True)


def moving(numbers: range) -> None:
    """Print how many real drifts and jumps are found, and how precisely."""
    errors: dict[str, list[float]] = {"drift": [], "jump": []}
    for number in numbers:
        rng = np.random.default_rng([SEED, number, 2])
        kind = ("drift", "jump")[number % 2]
        side, frames = int(rng.choice([48, 56, 64])), int(rng.integers(200, 501))
        size = rng.uniform(*((0.5, 3) if kind == "drift" else (1, 5)))
        angle = rng.uniform(0, 2 * np.pi)
        t = np.arange(frames)
        course = (
            t / (frames - 1) if kind == "drift" else t >= rng.integers(0.2 * frames, 0.8 * frames)
        )
        path = size * np.outer(course, (np.sin(angle), np.cos(angle)))
        made, words = sample("microtubules", number, rows=side, columns=side, frames=frames)
        drift = found_in(shaken(made, path, number))
        error = distance(drift.path_px, path)
        errors[kind].append(error)
        if error > PRECISE_PX:
            field = f"{frames} frames of {side} px"
            found = f"{drift.farthest_px:.2f} ± {drift.error_px:.2f} px"
            print(
                f"{kind} {number} of {size:.2f} px, {field}, {words}: found {found}, wrong by "
                f"{error:.2f} px",
                flush=True,
            )
    for kind, values in errors.items():
        if not values:
            continue
        within = sum(value <= PRECISE_PX for value in values)
        print(
            f"{kind}: within {PRECISE_PX} px {within} of {len(values)}, median error "
            f"{np.median(values):.3f} px",
            flush=True,
        )


def to_and_fro(numbers: range) -> None:
    """Print how well SOFI shows a sample whose stage goes to and fro by 2 px."""
    scores = []
    for number in numbers:
        period = (200, 120)[number % 2]
        angle = number * np.pi / 5
        settings = komen2024_condition(12 * (number // 2 + 1), 0)
        made = simulate(settings.model_copy(update={"rows": 96, "columns": 96, "frames": 300}))
        wave = 2 * np.sin(2 * np.pi * np.arange(300) / period)
        path = np.outer(wave, (np.sin(angle), np.cos(angle)))
        movie = sofinet.open_movie(shaken(made, path, number), 0.1)
        error = distance(estimate_drift(movie).path_px, path)
        rest = sofinet.open_movie(shaken(made, np.zeros_like(path), number), 0.1)
        shown = [
            score(made, movie, correct=False),
            score(made, movie, correct=True),
            score(made, rest, correct=False),
        ]
        scores.append(shown[1:])
        count = made.truth.settings.structure.count
        print(
            f"to and fro {number} in {period} frames, {count} filaments: wrong by {error:.3f} px, "
            f"r {shown[0]:.3f}, corrected {shown[1]:.3f}, at rest {shown[2]:.3f}",
            flush=True,
        )
    if scores:
        r, rest = np.transpose(scores)
        print(
            f"to and fro: r from {r.min():.3f} to {r.max():.3f}, at least 0.95 in "
            f"{np.sum(r >= 0.95)} of {len(r)}; at most {np.max(rest - r):.3f} below rest",
            flush=True,
        )


def score(made: Simulation, movie: sofinet.Movie, *, correct: bool) -> float:
    """Return the correlation of SOFI's picture with the emitters at 110 nm."""
    image = sofinet.reconstruct(movie, "sofi", **{"drift.correct": correct}).image
    truth = made.truth.ideal(origin_px=(1, 1), shape=image.shape, fwhm_um=0.11).image
    return pearson(image, truth)


def bleaching(numbers: range) -> None:
    """Print the errors of curved paths under a background that bleaches."""
    errors = []
    for number in numbers:
        rng = np.random.default_rng([SEED, number, 3])
        side, frames = int(rng.choice([64, 80, 96])), int(rng.integers(250, 501))
        made, words = sample("microtubules", 3 * number + 1, rows=side, columns=side, frames=frames)
        t = np.arange(frames)
        curves = 3 * (1 - np.exp(-6 * t / frames)), 2 * np.sin(2 * np.pi * t / frames)
        path = np.outer(curves[number % 2], (0.6, -0.8))
        haze = 5 + 25 * spot((side, side), *rng.uniform(0.2 * side, 0.8 * side, 2), side / 4)
        light = 0.5 ** (4 * t / frames)
        drift = found_in(shaken(made, path, number, light[:, None, None] * haze))
        error = distance(drift.path_px, path)
        errors.append(error)
        print(
            f"bleaching {number}, {frames} frames of {side} px, {words}: {error:.3f} px", flush=True
        )
    if errors:
        within = sum(error <= PRECISE_PX for error in errors)
        print(f"bleaching: within {PRECISE_PX} px {within} of {len(errors)}", flush=True)


if __name__ == "__main__":
    main()

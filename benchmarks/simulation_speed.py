"""Simulated movies per second: both engines against loops over frames and emitters.

    python benchmarks/simulation_speed.py [--repeats N] [--movies N]

Two jobs: (a) movies of 100 frames of 128 x 128 px, the twelve conditions of `komen2024`;
(b) samples of 20 frames of 64 x 64 px of `universal`, as a network is trained on: torch makes their
targets too. The loops are given the emitters, their events, the background and the camera's maps,
which the engines make for every movie, and are checked against the light that the simulation
expects. They differ in how they add a spot: the product of two lines of erf, or erf at every pixel
of the image. torch runs in one and two threads of Python, each of which uses one core. Rates are
those of the median of runs that take turns, ratios are to the loop with lines; a count is 2 bytes.
The time of cores hardly depends on what else the machine does; the rates do.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import erf

from napari_sofinet.base.threads import thread_count
from napari_sofinet.simulation import Simulation, SimulationSettings, simulate
from napari_sofinet.simulation.batched import Draw, draw_batch
from napari_sofinet.simulation.drawn_settings import draw_universal
from napari_sofinet.simulation.presets import komen2024_condition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BATCH = 12
LOOPED = 4  # movies that the loops make
SOME_FRAMES = 5  # of one movie, where erf is evaluated at every pixel


def draw_komen(
    rng: np.random.Generator, seed: int, rows: int, columns: int, frames: int
) -> SimulationSettings:
    """One of the twelve conditions of `komen2024`, of a given size."""
    settings = komen2024_condition(seed, int(rng.integers(12)))
    return settings.model_copy(update={"rows": rows, "columns": columns, "frames": frames})


def loop_light(simulation: Simulation, frames: int, every_pixel: bool = False) -> np.ndarray:
    """Expected photons: for each frame, add the spot of each emitter that is on."""
    s, truth = simulation.settings, simulation.truth
    scale = 1 / (np.sqrt(2) * s.psf_fwhm_px / (2 * np.sqrt(2 * np.log(2))))
    at = truth.positions_um / s.pixel_size_um
    y, x = np.arange(s.rows), np.arange(s.columns)
    yy, xx = np.meshgrid(y, x, indexing="ij")

    def share(line: np.ndarray, centre: float) -> np.ndarray:
        """How much of a spot falls between half a pixel before and after."""
        before, after = line - 0.5 - centre, line + 0.5 - centre
        return np.asarray(0.5 * (erf(after * scale) - erf(before * scale)))

    light = np.zeros((frames, s.rows, s.columns))
    for t in range(frames):
        events = truth.events.between(t, t + 1)
        for emitter, fraction in zip(events.emitter, events.fraction, strict=True):
            if every_pixel:
                spot = share(yy, at[emitter, 0]) * share(xx, at[emitter, 1])
            else:
                spot = np.outer(share(y, at[emitter, 0]), share(x, at[emitter, 1]))
            light[t] += truth.photons[emitter] * fraction * spot
        light[t] += simulation.background
    return light


def loop_counts(simulation: Simulation, frames: int, every_pixel: bool = False) -> np.ndarray:
    """Poisson and normal noise, frame by frame."""
    light = loop_light(simulation, frames, every_pixel)
    camera, rng = simulation.camera, np.random.default_rng(0)
    counts = np.empty(light.shape, camera.dtype)
    for t, expected in enumerate(light):
        electrons = rng.poisson(expected * camera.quantum_efficiency)
        noise = rng.normal(0.0, np.sqrt(camera.variance))
        value = np.rint(camera.gain * electrons + camera.offset + noise)
        counts[t] = np.clip(value, 0, camera.full_scale)
    return counts


def batched(draw: Draw, movies: int, size: tuple[int, int, int], threads: int) -> None:
    """Make that many movies with torch in that many threads, each on one core."""
    frames, rows, columns = size
    # torch keeps this number for each thread.
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        batches = range(movies // BATCH)
        list(pool.map(lambda seed: draw_batch(draw, BATCH, rows, columns, frames, seed), batches))


def medians(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, tuple[float, float]]:
    """Median time, and time of all cores together, in s of each run; runs take turns.

    The first turn does not count.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            start, start_cores = time.perf_counter(), time.process_time()
            run()
            if turn:
                took = time.perf_counter() - start, time.process_time() - start_cores
                times[name].append(took)
    return {name: tuple(np.median(t, axis=0).tolist()) for name, t in times.items()}


def loopable(s: SimulationSettings) -> bool:
    """Whether the loops, which know the plain case only, can make such a movie."""
    plain = s.optics.psf == "gaussian" and not s.motion.any and s.structure.kind != "empty"
    still = s.background.still_photons == 0 and s.background.half_life_s is None
    still &= s.blinking.steady_share == 0
    return plain and still and (s.camera.em_gain or 1) == 1


def largest_difference(simulations: Sequence[Simulation], frames: int) -> float:
    """Between the loops' expected light and the engine's, over the brightest pixel."""
    worst = 0.0
    for simulation in simulations:
        expected = simulation.light(0, frames)
        for every_pixel in (False, True):
            light = loop_light(simulation, frames, every_pixel)
            worst = max(worst, float(np.abs(light - expected).max() / expected.max()))
    return worst


def compare(title: str, draw: Draw, size: tuple[int, int, int], movies: int, repeats: int) -> None:
    frames, rows, columns = size
    rng = np.random.default_rng(1)
    settings = [draw(rng, seed, rows, columns, frames) for seed in range(movies)]
    same = [s for s in settings if loopable(s)][:LOOPED]
    given = [simulate(s) for s in same]
    few = min(SOME_FRAMES, frames)
    print(f"\n({title}) {frames} frames of {rows} x {columns} px")
    differ = largest_difference(given, few)
    events = np.mean([len(g.truth.events.frame) for g in given])
    print(f"  the loops' light differs from the engine's by {differ:.0e} of the brightest pixel")
    print(f"  their movies have {events:.0f} events each")

    def engine(chosen: list[SimulationSettings]) -> None:
        for s in chosen:
            simulate(s).frames  # noqa: B018

    cores = thread_count()
    jobs: dict[str, tuple[float, Callable[[], object]]] = {
        "loop, erf at every pixel": (few / frames, lambda: loop_counts(given[0], few, True)),
        "loop, product of two lines of erf": (
            len(given),
            lambda: [loop_counts(g, frames) for g in given],
        ),
        f"numpy, {cores} cores, the loop's movies": (len(same), lambda: engine(same)),
        f"numpy, {cores} cores": (movies, lambda: engine(settings)),
        "torch, one thread": (movies, lambda: batched(draw, movies, size, 1)),
        "torch, two threads": (movies, lambda: batched(draw, movies, size, 2)),
    }
    found = medians({name: run for name, (_, run) in jobs.items()}, repeats)
    rates = {name: jobs[name][0] / seconds for name, (seconds, _) in found.items()}
    cores_s = {name: seconds / jobs[name][0] for name, (_, seconds) in found.items()}
    loop = list(jobs)[1]
    for name, rate in rates.items():
        print(
            f"  {name:33} {rate:7.2f} movies/s {2e-6 * rate * np.prod(size):7.2f} MB/s "
            f"{rate / rates[loop]:6.3g} x | of one core {1000 * cores_s[name]:8.1f} ms/movie "
            f"{cores_s[loop] / cores_s[name]:6.3g} x",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--movies", type=int, default=24, help="movies of (a); of (b) 8 times more")
    options = parser.parse_args()
    movies = max(options.movies // BATCH, 2) * BATCH
    compare("a: komen2024", draw_komen, (100, 128, 128), movies, options.repeats)
    compare("b: universal", draw_universal, (20, 64, 64), 8 * movies, options.repeats)


if __name__ == "__main__":
    main()

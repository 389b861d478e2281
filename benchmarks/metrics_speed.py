"""Quality metrics against NanoPyx and scikit-image: time, processor time and values found.

    python benchmarks/metrics_speed.py [--nanopyx PYTHON] [--sides 256 512 1024] [--repeats N]

PYTHON is one that has NanoPyx (``pip install nanopyx`` in an environment of its own). Pictures are
simulated microtubules under a microscope: two exposures, and the emitters as finer spots as
super-resolved image. Every program runs in a process of its own, with as many threads as it takes
and with one; all get the same float32 files. What is compared takes turns; the first turn, in which
things are compiled and loaded, does not count, and times are medians of the others. Processor time
is that of all threads of the process, so it hardly depends on what else the machine does. Ours also
prepares some things once for each size of image: "first" is with that, "next" without. Ratios are
NanoPyx's processor time with one thread or with more, whichever is less, over ours in the same
manner.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM")
}
FRAMES = 8
"""Number of frames of one exposure."""
GOALS = {"decorrelation": 10, "FRC": 10, "SQUIRREL": 3}
ENOUGH_S = 10
"""Jobs whose turns took this long in total are not repeated."""
MAGNIFICATION = 4
CACHING = "decorrelation", "frc"
"""Modules of ours that keep what they prepare for a size of image."""


class Job(NamedTuple):
    """One metric of some files."""

    metric: str
    title: str
    files: tuple[str, ...]
    timed: bool = True


# --- What a worker runs: it must need nothing but numpy and its own program. ---


def ours() -> dict[str, Callable[..., dict[str, float | None]]]:
    from napari_sofinet import metrics

    def squirrel(reference: np.ndarray, image: np.ndarray) -> dict[str, float | None]:
        found = metrics.squirrel(image, reference)
        return {"RSP": found.rsp, "RSE": found.rse, "sigma": found.sigma_px}

    return {
        "decorrelation": lambda a: {"px": metrics.decorrelation_resolution(a).resolution_px},
        "FRC": lambda a, b: {"px": metrics.frc_resolution(a, b).resolution_px},
        "SQUIRREL": squirrel,
        "SSIM": lambda a, b: {"SSIM": metrics.likeness(b, a).ssim},
        "Pearson": lambda a, b: {"r": metrics.pearson(b, a)},
    }


def nanopyx() -> dict[str, Callable[..., dict[str, float | None]]]:
    from nanopyx.core.analysis.decorr import DecorrAnalysis
    from nanopyx.core.analysis.frc import FIRECalculator
    from nanopyx.core.analysis.pearson_correlation import pearson_correlation
    from nanopyx.core.transform.error_map import ErrorMap

    def decorrelation(image: np.ndarray) -> dict[str, float | None]:
        analysis = DecorrAnalysis()
        analysis.run_analysis(image)
        return {"px": analysis.resolution or None}

    def squirrel(reference: np.ndarray, image: np.ndarray) -> dict[str, float | None]:
        # As calculate_error_map does, which does not give the blur.
        found = ErrorMap()
        found.optimise(reference, image)
        np.asarray(found.imRSE, dtype=np.float32)
        return {"RSP": found.getRSP(), "RSE": found.getRSE(), "sigma": found.get_sigma()}

    return {
        "decorrelation": decorrelation,
        "FRC": lambda a, b: {"px": FIRECalculator().calculate_fire_number(a, b) or None},
        "SQUIRREL": squirrel,
        "Pearson": lambda a, b: {"r": pearson_correlation(b, a)},
    }


def scikit_image() -> dict[str, Callable[..., dict[str, float | None]]]:
    from skimage import metrics

    def ssim(truth: np.ndarray, image: np.ndarray) -> dict[str, float | None]:
        span = float(np.ptp(truth))
        return {"SSIM": metrics.structural_similarity(truth, image, data_range=span)}

    def four(truth: np.ndarray, image: np.ndarray) -> dict[str, float | None]:
        """Return the four values of `likeness`, in double precision."""
        a, b = truth.astype(np.float64), image.astype(np.float64)
        metrics.peak_signal_noise_ratio(a, b, data_range=float(np.ptp(a)))
        metrics.normalized_root_mse(a, b)
        metrics.mean_squared_error(a, b)
        return ssim(a, b)

    return {"SSIM": ssim, "SSIM, PSNR, NRMSE, MSE": four}


PROGRAMS = {"ours": ours, "nanopyx": nanopyx, "scikit-image": scikit_image}


def work(program: str) -> None:
    """Run the jobs that standard input names, and answer with one line of JSON each."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # programs may print what they like
    functions = PROGRAMS[program]()
    caches = []
    if program == "ours":
        for name in CACHING:
            module = importlib.import_module(f"napari_sofinet.metrics.{name}")
            caches += [f for f in vars(module).values() if hasattr(f, "cache_clear")]
    images: dict[str, np.ndarray] = {}
    for line in sys.stdin:
        metric, files, forget = json.loads(line)
        for file in files:
            if file not in images:
                images[file] = np.load(file)
        given = [images[file] for file in files]
        if forget:
            for cache in caches:
                cache.cache_clear()
        start, start_cores = time.perf_counter(), time.process_time()
        values = functions[metric](*given)
        took = time.perf_counter() - start, time.process_time() - start_cores
        plain = {key: None if v is None else float(v) for key, v in values.items()}
        print(json.dumps({"took": took, "values": plain}), file=answers, flush=True)


class Worker:
    """A program in a process of its own."""

    def __init__(self, program: str, python: str, one_thread: bool) -> None:
        self.program, self.one_thread = program, one_thread
        self.process = subprocess.Popen(
            [python, str(Path(__file__).resolve()), "--worker", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | (ONE_THREAD if one_thread else {}),
        )

    def run(self, metric: str, files: Iterable[str], forget: bool) -> dict[str, Any]:
        """Do one job; the answer has its times and values."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps([metric, list(files), forget]), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.program} failed in {metric}; run it with --worker to see why")
        return dict(json.loads(line))

    def end(self) -> None:
        """Let the process end by itself."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


# --- Pictures ---


def make_pictures(folder: Path, sides: Iterable[int]) -> list[Job]:
    """Write pictures as .npy, those that are there excepted, and say what is done with them."""
    jobs: list[Job] = []
    for side in sides:
        a, b, fine = exposures(folder, side, 1)
        wide, _, finer = exposures(folder, side // MAGNIFICATION, MAGNIFICATION)
        size = f"{side}²"
        jobs += [
            Job("decorrelation", size, (a,)),
            Job("FRC", size, (a, b)),
            Job("SQUIRREL", f"{size} on {size}", (a, fine)),
            Job("SQUIRREL", f"{size} on {side // MAGNIFICATION}²", (wide, finer)),
            Job("SSIM", size, (a, b)),
            Job("Pearson", size, (a, b)),
        ]
    rng = np.random.default_rng(0)
    for offset in (0, 100):
        noise = [str(folder / f"noise_{offset}_{name}.npy") for name in "ab"]
        for file in noise:
            np.save(file, rng.normal(offset, 10, (256, 256)).astype(np.float32))
        title = f"noise of 10 on {offset}" if offset else "pure noise"
        jobs.append(Job("decorrelation", title, (noise[0],), False))
        jobs.append(Job("FRC", f"{title}, twice", tuple(noise), False))
    jobs += [
        Job("FRC", "an image with itself", (jobs[0].files[0],) * 2, False),
    ]
    return jobs


def exposures(folder: Path, side: int, fineness: int) -> tuple[str, str, str]:
    """Two pictures of one sample, and its emitters as finer spots in ``fineness`` x the samples."""
    files = tuple(str(folder / f"{name}_{side}_{fineness}.npy") for name in ("a", "b", "fine"))
    if not all(Path(file).exists() for file in files):
        from napari_sofinet.simulation import preset_settings, simulate

        changes = {
            "rows": side,
            "columns": side,
            "frames": 2 * FRAMES,
            "structure.count": max(side**2 // 2048, 4),
            "blinking.model": "steady",
            "blinking.photons": 5,  # so that noise hides the finest structure
            "camera.pixel_spread": 0,  # a pattern in both exposures would count as structure
        }
        settings = preset_settings("microtubules", seed=1, changes=changes)
        movie = simulate(settings)
        frames = np.asarray(movie.frames, dtype=np.float32)
        # The samples cover just the camera's pixels.
        origin = (1 / fineness - 1) / 2
        truth = movie.truth.ideal(
            fineness=fineness,
            fwhm_um=settings.optics.fwhm_um / (2 if fineness == 1 else fineness),
            origin_px=(origin, origin),
            shape=(side * fineness, side * fineness),
        )
        pictures = frames[::2].mean(axis=0), frames[1::2].mean(axis=0), truth.image
        for file, picture in zip(files, pictures, strict=True):
            np.save(file, picture)
    return files[0], files[1], files[2]


# --- Comparison ---


class Found(NamedTuple):
    """Medians of wall-clock and processor time in s, and the values."""

    wall: float
    cores: float
    values: dict[str, float | None]


def compare(
    jobs: list[Job], workers: dict[str, Worker], repeats: int
) -> dict[tuple[Job, str], Found]:
    """Run every job in every worker that knows it, in turns."""
    times: dict[tuple[Job, str], list[tuple[float, float]]] = {}
    values: dict[tuple[Job, str], dict[str, float | None]] = {}
    for turn in range(repeats + 1):
        for job in jobs:
            if turn and not job.timed:
                continue
            for name, worker in workers.items():
                for label, metric, forget in runs_of(job, worker):
                    key = job, f"{name}{label}"
                    if sum(wall for wall, _ in times.get(key, [])[1:]) > ENOUGH_S:
                        continue
                    answer = worker.run(metric, job.files, forget)
                    values[key] = answer["values"]
                    times.setdefault(key, []).append(tuple(answer["took"]))
        print(f"turn {turn} of {repeats}", file=sys.stderr, flush=True)
    medians = {key: np.median(took[1:] or took, axis=0).tolist() for key, took in times.items()}
    return {key: Found(*medians[key], found) for key, found in values.items()}


def runs_of(job: Job, worker: Worker) -> list[tuple[str, str, bool]]:
    """Endings of the name, metric, and whether to forget what was prepared for the size."""
    if worker.program == "ours":
        caching = job.metric in ("decorrelation", "FRC")
        return [(", first", job.metric, True), (", next", job.metric, False)][: 1 + caching]
    if worker.program == "scikit-image":
        if job.metric != "SSIM":
            return []
        return [("", "SSIM", False), (", all four", "SSIM, PSNR, NRMSE, MSE", False)]
    return [] if job.metric == "SSIM" else [("", job.metric, False)]


def shown(values: dict[str, float | None]) -> str:
    parts = []
    for key, value in values.items():
        number = "none" if value is None else f"{value:.4g}"
        parts.append(f"{number} px" if key == "px" and value is not None else number)
    return ", ".join(parts)


def cell(found: Found | None) -> str:
    return f"{1e3 * found.wall:.1f} / {1e3 * found.cores:.1f}" if found else "-"


def print_tables(
    jobs: list[Job], found: dict[tuple[Job, str], Found], with_nanopyx: bool
) -> list[str]:
    """Print what was found; return the goals that were missed."""
    missed = []
    columns = ["ours", "ours, one thread"]
    if with_nanopyx:
        columns += ["NanoPyx", "NanoPyx, one thread", "ratio: first", "next"]
    print("\nms of wall-clock / processor time\n")
    print("| metric | image |", " | ".join(columns), "|")
    print("|---|---|" + "---|" * len(columns))
    for job in (j for j in jobs if j.timed and j.metric != "SSIM"):
        cells = []
        for name in ("ours", "ours, one thread"):
            both = [found.get((job, name + label)) for label in (", first", ", next")]
            cells.append(", then ".join(cell(f) for f in both if f))
        if with_nanopyx:
            theirs = [found[job, name] for name in ("NanoPyx", "NanoPyx, one thread")]
            cells += [cell(f) for f in theirs]
            least = min(f.cores for f in theirs)
            for label in (", first", ", next"):
                names = [n + label for n in ("ours", "ours, one thread")]
                mine = [found[job, n].cores for n in names if (job, n) in found]
                cells.append(f"{least / min(mine):.1f}" if mine else "")
            ratio = float(cells[-2])
            goal = GOALS.get(job.metric, 1)
            if ratio < goal:
                missed.append(f"{job.metric}, {job.title}: {ratio:.1f} x, the goal is {goal} x")
        print(f"| {job.metric} | {job.title} |", " | ".join(cells), "|")

    columns = ["ours", "ours, one thread", "SSIM alone", "SSIM, PSNR, NRMSE and MSE"]
    print("\nscikit-image; ours gives all four\n")
    print("| metric | image |", " | ".join(columns), "|")
    print("|---|---|" + "---|" * len(columns))
    names = "ours, first", "ours, one thread, first", "scikit-image", "scikit-image, all four"
    for job in (j for j in jobs if j.metric == "SSIM"):
        print(f"| SSIM | {job.title} |", " | ".join(cell(found[job, n]) for n in names), "|")
        if found[job, names[0]].cores > found[job, names[2]].cores:
            missed.append(f"SSIM, {job.title}: scikit-image takes less")

    columns = ["ours"]
    if with_nanopyx:
        columns += ["NanoPyx", "NanoPyx, one thread"]
    columns.append("scikit-image")
    print("\nvalues (SQUIRREL: RSP, RSE and sigma in samples)\n")
    print("| metric | image |", " | ".join(columns), "|")
    print("|---|---|" + "---|" * len(columns))
    for job in jobs:
        keys = [(job, "ours, first" if name == "ours" else name) for name in columns]
        cells = [shown(found[key].values) if key in found else "" for key in keys]
        print(f"| {job.metric} | {job.title} |", " | ".join(cells), "|")
    return missed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nanopyx", metavar="PYTHON", help="a Python that has NanoPyx")
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "sofinet-bench-metrics"
    )
    parser.add_argument("--worker", choices=PROGRAMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker)
        return
    folder: Path = options.folder
    folder.mkdir(exist_ok=True)
    jobs = make_pictures(folder, options.sides)
    workers = {
        "ours": Worker("ours", sys.executable, False),
        "ours, one thread": Worker("ours", sys.executable, True),
        "scikit-image": Worker("scikit-image", sys.executable, False),
    }
    if options.nanopyx:
        workers["NanoPyx"] = Worker("nanopyx", options.nanopyx, False)
        workers["NanoPyx, one thread"] = Worker("nanopyx", options.nanopyx, True)
    else:
        print("NanoPyx is not compared: give --nanopyx PYTHON")
    try:
        found = compare(jobs, workers, options.repeats)
    finally:
        for worker in workers.values():
            worker.end()
    missed = print_tables(jobs, found, bool(options.nanopyx))
    met = "all goals are met" if options.nanopyx else "nothing is slower than scikit-image"
    print("\nmissed:" if missed else f"\n{met}", *missed, sep="\n  ")


if __name__ == "__main__":
    main()

"""Which method suits which movie? Every method's picture of varied movies against their truth.

    python benchmarks/tables/choice.py measure [--first 0] [--count 180]
    python benchmarks/tables/choice.py facts | fit | report

`measure` adds the movies that are not in `choice.csv`, `facts` what the check measures in them,
`fit` prints the weights for the files of the methods, and `report` the tables of docs/choice.md.

Movies: 64 x 64 px, 10 to 2000 frames, of filaments, membranes, vesicles, rings, points or scattered
emitters; PSFs of 1.6 to 5 px; 30 to 3000 photons; on for a third of a frame to ten frames; from
emitters that never overlap to dozens that do; background from a twentieth of an emitter's peak to
five times as much. Of the movies of more than 700 frames a quarter is taken, since they take most
of the time. Movies in which the check finds no blinking are left out: no method is named there.

The truth is the emitters blurred to half the PSF, two samples per camera pixel. A picture that is
finer than that by its own definition (SOFI of orders 3 and 4, localisation) is blurred to the same
width, and one on a coarser grid is interpolated. Scores are Pearson's correlation with the truth,
2 px away from the border. Left out are localisation where more than 1.5 emitters overlap in a
frame and the check does not list it, and `sofinet-filaments` for other structures. "std" and
`sofinet-filaments` were not measured for the movies from number 180 on. The recurrent
network was worse than the other one for all movies of `models.py`, and posterior samples show
uncertainty and not a better picture.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

import napari_sofinet as sofinet
from napari_sofinet.methods.suitable import Choice, ranked
from napari_sofinet.metrics import pearson
from napari_sofinet.preprocess.movie_facts import MovieFacts
from napari_sofinet.preprocess.suitability import examine
from napari_sofinet.simulation import Simulation, simulate
from napari_sofinet.simulation.settings import (
    BackgroundSettings,
    BlinkingSettings,
    OpticsSettings,
    SimulationSettings,
    StructureSettings,
)

TABLE = Path(__file__).with_name("choice.csv")
FIRST_SEED = 770_000
SIDE_PX, BORDER_PX, FRAME_S, CAMERA_UM = 64, 2, 0.01, 6.5
FWHM = 2.3548
MOST_OVERLAP, LONG = 1.5, 700
KINDS = "microtubules", "actin", "mitochondria", "vesicles", "rings", "points", "random"
PICTURES: dict[str, tuple[str, dict[str, object]]] = {
    "average": ("average", {}),
    "std": ("std", {}),
    "sofi2": ("sofi", {"order": 2}),
    "sofi3": ("sofi", {"order": 3}),
    "sofi4": ("sofi", {"order": 4}),
    "sofinet-universal": ("sofinet", {"weights": "sofinet-universal"}),
    "sofinet-filaments": ("sofinet", {"weights": "sofinet-filaments"}),
    "deepstorm": ("deepstorm", {}),
}
STILL = "average", "sofi2", "sofi3", "sofi4", "sofinet-universal", "deepstorm"
FACTS = tuple(f.name for f in fields(MovieFacts) if f.name not in ("frames", "blinks", "moved_px"))
BEST_BY = "frames", "filled", "settled", "rarity"
COLUMNS = {
    "sofi2": ("frames", "repeated", "spots"),
    "sofi3": ("frames", "repeated", "spots", "rarity"),
    "sofi4": ("frames", "repeated", "spots", "rarity"),
    "sofinet-universal": ("frames", "repeated", "spots"),
    "deepstorm": ("agree", "spread"),
}
"""Facts from which the loss of each method is predicted."""
RIDGE, MOST_LOST, SHOWN = 0.1, 0.1, 0.7
FIRST_TEST, TEST_MOVIES = 180, 55
"""Number of the first movie that no weight, threshold or choice of facts has seen."""


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


def score(movie: Simulation, name: str) -> float:
    """Return the correlation of a method's picture with the truth."""
    method, settings = PICTURES[name]
    result = sofinet.reconstruct(sofinet.open_movie(movie.frames), method, **settings)
    fwhm_px = movie.settings.psf_fwhm_px
    own = {"sofi3": fwhm_px / 3, "sofi4": fwhm_px / 4, "deepstorm": FWHM / 4}.get(name)
    image = np.asarray(result.image, float)
    step = result.pixel_px[0]
    if own is not None:
        wider = max((fwhm_px / 2) ** 2 - own**2, 0.0) ** 0.5
        image = gaussian_filter(image, wider / FWHM / step)
    at = np.arange(BORDER_PX, SIDE_PX - 1 - BORDER_PX + 0.25, 0.5)
    y, x = ((at - origin) / step for origin in result.origin_px)
    seen = map_coordinates(image, np.meshgrid(y, x, indexing="ij"), order=1)
    truth = movie.truth.ideal(
        fineness=2, origin_px=(BORDER_PX, BORDER_PX), shape=(len(at), len(at))
    ).image
    return pearson(seen, truth) if np.ptp(seen) > 0 and np.ptp(truth) > 0 else 0.0


def useful(movie: Simulation, name: str, facts: MovieFacts) -> bool:
    """Return whether a picture may be the best one for a movie."""
    if name == "sofinet-filaments":
        return movie.settings.structure.kind in ("microtubules", "actin")
    return name != "deepstorm" or facts.single_emitters or overlap(movie) < MOST_OVERLAP


def overlap(movie: Simulation) -> float:
    """Return the mean number of emitters that shine within a PSF of another, in one frame."""
    s = movie.settings
    tree = cKDTree(movie.truth.positions_um)
    near = tree.count_neighbors(tree, s.optics.fwhm_um / 2) / max(tree.n, 1)
    b = s.blinking
    return float(near * min((b.on_time_s + FRAME_S) / (b.on_time_s + b.off_time_s), 1.0))


def measure(numbers: range) -> None:
    for number in numbers:
        s = settings_of(number)
        if s.frames > LONG and number % 4:
            continue
        if s.seed in {int(row["seed"]) for row in read()}:
            continue
        start, movie = time.monotonic(), simulate(s)
        b = s.blinking
        row = {
            "seed": s.seed,
            "kind": s.structure.kind,
            "frames": s.frames,
            "psf_px": f"{s.psf_fwhm_px:.3f}",
            "photons": f"{b.photons:.4g}",
            "on_frames": f"{b.on_time_s / FRAME_S:.3g}",
            "off_frames": f"{b.off_time_s / FRAME_S:.4g}",
            "background": f"{s.background.photons:.4g}",
        }
        facts = examine(sofinet.open_movie(movie.frames)).facts
        if not facts.blinks:
            continue
        row |= {
            name: f"{score(movie, name):.4f}" if useful(movie, name, facts) else ""
            for name in PICTURES
        }
        new = not TABLE.exists()
        with TABLE.open("a", newline="") as file:
            writer = csv.DictWriter(file, row, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)
        scores = " ".join(f"{name} {row[name]}" for name in PICTURES)
        print(f"{number} {s.frames} fr {time.monotonic() - start:.1f} s {scores}", flush=True)


def facts_in(facts: MovieFacts) -> dict[str, str]:
    """Return facts as cells of the table."""
    return {name: f"{getattr(facts, name):.4g}" for name in FACTS}


def facts_of(row: dict[str, str]) -> MovieFacts:
    """Return the facts in a row of the table."""
    return MovieFacts(int(row["frames"]), True, **{name: float(row[name]) for name in FACTS})


def add_facts() -> None:
    """Add facts to all rows; movies without blinking, or without a structure, are left out."""
    rows = []
    for row in sorted(read(), key=lambda row: int(row["seed"])):
        number = int(row["seed"]) - FIRST_SEED
        movie = simulate(settings_of(number))
        facts = examine(sofinet.open_movie(movie.frames)).facts
        if facts is not None and facts.blinks and any(float(row[m] or 0) for m in STILL):
            rows.append(row | facts_in(facts))
    for row in rows:
        row["set"] = "fit" if int(row["seed"]) < FIRST_SEED + FIRST_TEST else "test"
    write(rows)


def picture_of(choice: Choice) -> str:
    """Return the column of a choice."""
    order = choice.suggestion.settings.get("order", "")
    return choice.suggestion.settings.get("weights", f"{choice.method.name}{order}")


def lost(row: dict[str, str]) -> float:
    """Return by how much the picture of the first choice is worse than the best picture."""
    return best(row) - float(row[picture_of(ranked(facts_of(row))[0])] or "nan")


def best(row: dict[str, str]) -> float:
    """Return the score of the best picture."""
    return max(float(row[m]) for m in STILL if row[m])


def fit() -> None:
    """Print weights: of the logit of the best score, and of the loss of each method."""
    rows = [row for row in read() if row["set"] == "fit"]
    top = np.clip([best(row) for row in rows], 0.02, 0.99)
    print_fit("best", rows, BEST_BY, np.log(top / (1 - top)))
    for name, columns in COLUMNS.items():
        used = [row for row in rows if name != "deepstorm" or named(row, name)]
        loss = [min(best(row) - float(row[name] or 0), MOST_LOST) for row in used]
        print_fit(name, used, columns, np.array(loss))


def named(row: dict[str, str], name: str) -> bool:
    """Return whether the check lists a method for a movie at all."""
    return name in (picture_of(choice) for choice in ranked(facts_of(row)))


def print_fit(
    title: str, rows: list[dict[str, str]], columns: tuple[str, ...], y: np.ndarray
) -> None:
    """Print the weights of a ridge regression."""
    known = [facts_of(row).numbers() for row in rows]
    x = np.array([[k[c] for c in columns] for k in known])
    mean, scale = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / scale
    weights = (
        np.linalg.solve(z.T @ z + RIDGE * len(rows) * np.eye(len(columns)), z.T @ (y - y.mean()))
        / scale
    )
    found = {"constant": y.mean() - mean @ weights} | dict(zip(columns, weights, strict=True))
    print(title, len(rows), {key: float(f"{value:.3g}") for key, value in found.items()})


def report() -> None:
    """Print the tables of docs/choice.md."""
    for kind in ("fit", "test"):
        rows = [row for row in read() if row["set"] == kind]
        top = [best(row) for row in rows]
        shown = np.array(top) >= SHOWN
        print(f"\n{shown.sum()} with a best picture of {SHOWN} or more", end="")
        print(f"\n| {len(rows)} movies, {kind} | within 0.02 of the best | mean | worst loss |")
        print("|---|---|---|---|")
        for name in STILL:
            got = [float(row[name] or 0) for row in rows]
            print_row(f"always {name}", got, top)
        loss = np.array([lost(row) for row in rows])
        print_row("**first choice**", np.array(top) - loss, top)
        print_row("**first choice**, of these", (np.array(top) - loss)[shown], np.array(top)[shown])
        print_row("best of all (not known)", top, top)
        for row, x in zip(rows, loss, strict=True):
            if x > 0.02:
                shown = " ".join(f"{m} {row[m]}" for m in STILL)
                print(f"# {row['seed']} {row['kind']} {row['frames']} {x:.3f}: {shown}")


def print_row(title: str, got: Sequence[float], best: Sequence[float]) -> None:
    loss = np.array(best) - np.array(got)
    print(
        f"| {title} | {100 * np.mean(loss <= 0.02):.0f} % | {np.mean(got):.3f} | {loss.max():.2f} |"
    )


def write(rows: list[dict[str, str]]) -> None:
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read() -> list[dict[str, str]]:
    if not TABLE.exists():
        return []
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("task", choices=("measure", "facts", "fit", "report"))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=180)
    options = parser.parse_args()
    if options.task == "measure":
        measure(range(options.first, options.first + options.count))
    else:
        {"facts": add_facts, "fit": fit, "report": report}[options.task]()


if __name__ == "__main__":
    main()

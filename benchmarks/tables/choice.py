"""Which method suits which movie? Every method's picture of varied movies against their truth.

    python benchmarks/tables/choice.py measure SET [--first 0] [--count 180]
    python benchmarks/tables/choice.py facts SET
    python benchmarks/tables/choice.py fit | report

`measure` adds the movies of a set that are not in `choice.csv`, `facts` what the check measures in
them, `fit` prints the weights for the files of the methods, and `report` the tables of
docs/choice.md. Sets:

- fit: movies of the package's simulator, from which the weights come. 64 x 64 px, 10 to 2000
  frames, of filaments, membranes, vesicles, rings, points or scattered emitters; PSFs of 1.6 to
  5 px; 30 to 3000 photons; on for a third of a frame to ten frames; from emitters that never
  overlap to dozens that do; background from a twentieth of an emitter's peak to five times as much.
  Of the movies of more than 700 frames a quarter is taken, since they take most of the time.
- others: movies of another simulator, see `choice_movies.py`; weights come from these as well.
- test: movies of other structures under another PSF, which no weight has seen.
- artefacts: the same with drift, haze and bleaching, and the corrections that the check advises.

Movies in which the check finds no blinking are left out: no method is named there.

The truth is the emitters blurred to half the PSF, two samples per camera pixel; and, for the finest
detail, to a quarter of it, four samples per camera pixel. A picture that is finer than that by its
own definition (SOFI of orders 3 and 4, localisation, covariance) is blurred to the same width, and
one on a coarser grid is interpolated. Scores are Pearson's correlation with the truth, 2 px away
from the border. Localisation is left out where more than 1.5 emitters overlap in a frame and the
check does not list it, `covariance` below 40 frames, and `sofinet-filaments` for other structures.
`covariance`, which takes long, and the quarter of the PSF were measured for some movies only. The
recurrent network was worse than the other one for all movies of `models.py`, and posterior samples
show uncertainty and not a better picture.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from choice_movies import FIRST_ARTEFACT, FIRST_HELD_OUT, held_out_movie, varied_movie
from choice_movies import FIRST_SEED as FIRST_OTHER
from choice_scores import WIDTHS, TestMovie, picture_scores
from choice_simulations import FIRST_SEED, LONG, settings_of, simulated_movie

import napari_sofinet as sofinet
from napari_sofinet.methods.suitable import Choice, ranked
from napari_sofinet.preprocess.movie_facts import MovieFacts
from napari_sofinet.preprocess.suitability import examine

TABLE = Path(__file__).with_name("choice.csv")
MOST_OVERLAP, COVARIANCE_FRAMES = 1.5, 40
FIRST = {
    "fit": FIRST_SEED,
    "others": FIRST_OTHER,
    "test": FIRST_HELD_OUT,
    "artefacts": FIRST_ARTEFACT,
}
"""Seed of the first movie of each set."""
STILL = (
    "average",
    "sofi2",
    "sofi3",
    "sofi4",
    "sofinet-universal",
    "deepstorm",
    "covariance",
)
MEASURED = *STILL, "sofinet-filaments"
NOT_MEASURED = "frames", "blinks", "moved_px", "corrections"
FACTS = tuple(f.name for f in fields(MovieFacts) if f.name not in NOT_MEASURED)
BEST_BY = "frames", "filled", "settled", "rarity"
GENERAL = "frames", "repeated", "spots", "rarity", "spread"
COLUMNS = {
    "sofi2": GENERAL,
    "sofi3": GENERAL,
    "sofi4": GENERAL,
    "sofinet-universal": GENERAL,
    "deepstorm": ("repeated", "duration", "spread"),
    "covariance": ("frames", "settled"),
}
"""Facts from which the loss of each method is predicted."""
RIDGE, MOST_LOST, SHOWN = 0.1, 0.1, 0.7
TEST_MOVIES = 59
DESCRIBED = (
    "seed",
    "kind",
    "frames",
    "psf_px",
    "photons",
    "on_frames",
    "off_frames",
    "background",
)
WITHIN = 0.02


def movie_of(kind: str, number: int) -> TestMovie:
    """Make one movie of a set."""
    if kind == "fit":
        return simulated_movie(number)
    if kind == "others":
        return varied_movie(number)
    return held_out_movie(number, kind == "artefacts")


def useful(movie: TestMovie, name: str, facts: MovieFacts) -> bool:
    """Return whether a picture may be the best one for a movie."""
    if name == "sofinet-filaments":
        return movie.described["kind"] in ("microtubules", "actin")
    if name == "covariance":
        return facts.frames >= COVARIANCE_FRAMES
    return name != "deepstorm" or facts.single_emitters or movie.overlap < MOST_OVERLAP


def measure(kind: str, numbers: range) -> None:
    """Add movies of a set to the table."""
    for number in numbers:
        if kind == "fit" and settings_of(number).frames > LONG and number % 4:
            continue
        start, movie = time.monotonic(), movie_of(kind, number)
        if movie.described["seed"] in {row["seed"] for row in read()}:
            continue
        facts = examine(sofinet.open_movie(movie.frames)).facts
        if facts is None or not facts.blinks:
            continue
        row = movie.described | facts_in(facts) | {"set": kind}
        for name in MEASURED:
            if useful(movie, name, facts):
                row |= cells(name, picture_scores(movie, name, facts.corrections))
        write([*read(), row])
        print(f"{time.monotonic() - start:.1f} s {row}", flush=True)


def cells(name: str, scores: dict[str, float]) -> dict[str, str]:
    """Return the scores of a picture as cells of the table."""
    return {cell(name, width): f"{value:.4f}" for width, value in scores.items()}


def cell(name: str, width: str) -> str:
    """Return the column of a picture's score."""
    return name if width == "half" else f"{name} {width}"


def facts_in(facts: MovieFacts) -> dict[str, str]:
    """Return facts as cells of the table."""
    return {name: f"{getattr(facts, name):.4g}" for name in (*FACTS, "moved_px")}


def facts_of(row: dict[str, str]) -> MovieFacts:
    """Return the facts in a row of the table."""
    moved = float(row["moved_px"] or 0)
    measured = {name: float(row[name]) for name in FACTS}
    return MovieFacts(int(row["frames"]), True, moved_px=moved, **measured)


def add_facts(kind: str) -> None:
    """Measure the facts of a set again; movies in which nothing blinks then are left out."""
    rows = []
    for row in read():
        if row["set"] != kind:
            rows.append(row)
            continue
        movie = movie_of(kind, int(row["seed"]) - FIRST[kind])
        facts = examine(sofinet.open_movie(movie.frames)).facts
        if facts is not None and facts.blinks:
            rows.append(row | facts_in(facts))
    write(rows)


def picture_of(choice: Choice) -> str:
    """Return the column of a choice."""
    order = choice.suggestion.settings.get("order", "")
    return str(choice.suggestion.settings.get("weights", f"{choice.method.name}{order}"))


def named_first(row: dict[str, str], fine: bool = False) -> str:
    """Return the first picture in the list for a movie, or the first one of the finest detail."""
    choices = [c for c in ranked(facts_of(row)) if not c.suggestion.time_series]
    pictures = [c for c in choices if picture_of(c) != "fluogan"]
    if not row["covariance"]:
        pictures = [c for c in pictures if c.method.name != "covariance"]
    return picture_of(next((c for c in pictures if fine and c.suggestion.fine), pictures[0]))


def lost(row: dict[str, str], width: str = "half", fine: bool = False) -> float:
    """Return by how much the picture that is named first is worse than the best picture."""
    return best(row, width) - float(row[cell(named_first(row, fine), width)] or 0)


def best(row: dict[str, str], width: str = "half") -> float:
    """Return the score of the best picture."""
    return max(float(row[cell(m, width)] or 0) for m in STILL)


def fit() -> None:
    """Print weights: of the logit of the best score, and of the loss of each method."""
    rows = [row for row in read() if row["set"] in ("fit", "others")]
    top = np.clip([best(row) for row in rows], 0.02, 0.99)
    print_fit("best", rows, BEST_BY, np.log(top / (1 - top)))
    for name, columns in COLUMNS.items():
        sometimes = name in ("deepstorm", "covariance")
        used = [row for row in rows if row[name] and (not sometimes or named(row, name))]
        loss = [min(best(row) - float(row[name]), MOST_LOST) for row in used]
        print_fit(name, used, columns, np.array(loss))


def named(row: dict[str, str], name: str) -> bool:
    """Return whether the check lists a method for a movie at all."""
    return name in (picture_of(choice) for choice in ranked(facts_of(row)))


def print_fit(
    title: str, rows: list[dict[str, str]], columns: tuple[str, ...], y: np.ndarray
) -> None:
    """Print the weights of a ridge regression in which both simulators count the same."""
    sets = [row["set"] for row in rows]
    share = np.array([1 / sets.count(kind) for kind in sets]) / len(set(sets))
    known = [facts_of(row).numbers() for row in rows]
    x = np.array([[k[c] for c in columns] for k in known])
    mean, middle = share @ x, share @ y
    scale = np.sqrt(share @ (x - mean) ** 2)
    z = (x - mean) / scale
    weighted = z.T * share
    ridge = RIDGE * np.eye(len(columns))
    weights = np.linalg.solve(weighted @ z + ridge, weighted @ (y - middle)) / scale
    found = {"constant": middle - mean @ weights} | dict(zip(columns, weights, strict=True))
    print(title, len(rows), {key: float(f"{value:.3g}") for key, value in found.items()})


def report() -> None:
    """Print the tables of docs/choice.md."""
    for kind in FIRST:
        rows = [row for row in read() if row["set"] == kind]
        if not rows:
            continue
        top = np.array([best(row) for row in rows])
        shown = top >= SHOWN
        print(f"\n| {len(rows)} movies, {kind} | within 0.02 of the best | mean | worst loss |")
        print("|---|---|---|---|")
        for name in STILL:
            print_row(f"always {name}", [float(row[name] or 0) for row in rows], top)
        got = top - [lost(row) for row in rows]
        print_row("**first choice**", got, top)
        title = f"first choice, {shown.sum()} movies with a best picture of {SHOWN} or more"
        print_row(title, got[shown], top[shown])
        print_row("best of all (not known)", top, top)
        for row, x in zip(rows, top - got, strict=True):
            if x > WITHIN:
                scores = " ".join(f"{m} {row[m]}" for m in STILL)
                print(f"# {row['seed']} {row['kind']} {row['frames']} {x:.3f}: {scores}")
        report_fine(rows)


def report_fine(rows: list[dict[str, str]]) -> None:
    """Print the table for a truth as fine as a quarter of the PSF."""
    width = "quarter"
    complete = [m for m in STILL if m != "covariance"]
    rows = [row for row in rows if row[cell("covariance", width)]]
    rows = [row for row in rows if all(row[cell(m, width)] for m in complete if row[m])]
    if not rows:
        return
    top = [best(row, width) for row in rows]
    print(f"\n| {len(rows)} movies, a quarter of the PSF | within 0.02 | mean | worst loss |")
    print("|---|---|---|---|")
    for name in STILL:
        print_row(f"always {name}", [float(row[cell(name, width)] or 0) for row in rows], top)
    for fine, title in ((False, "first choice"), (True, "first of the finest detail")):
        got = [best(row, width) - lost(row, width, fine) for row in rows]
        print_row(title, got, top)
    print_row("best of all (not known)", top, top)


def print_row(title: str, got: Sequence[float], best: Sequence[float]) -> None:
    """Print a line of a table."""
    loss = np.array(best) - np.array(got)
    within = 100 * np.mean(loss <= WITHIN)
    print(f"| {title} | {within:.0f} % | {np.mean(got):.3f} | {loss.max():.2f} |")


def write(rows: list[dict[str, str]]) -> None:
    """Write the table, in the order of the seeds."""
    names = [cell(name, width) for width in WIDTHS for name in MEASURED]
    columns = [*DESCRIBED, *names, *FACTS, "moved_px", "set"]
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: int(row["seed"])))


def read() -> list[dict[str, str]]:
    """Read the table."""
    if not TABLE.exists():
        return []
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("task", choices=("measure", "facts", "fit", "report"))
    parser.add_argument("set", nargs="?", choices=tuple(FIRST), default="test")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=180)
    options = parser.parse_args()
    if options.task == "measure":
        measure(options.set, range(options.first, options.first + options.count))
    elif options.task == "facts":
        add_facts(options.set)
    else:
        {"fit": fit, "report": report}[options.task]()


if __name__ == "__main__":
    main()

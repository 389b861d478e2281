"""When can a network's picture be trusted? Tests of the default weights on known pitfalls.

    python benchmarks/tables/trust.py [--weights sofinet-universal] [--quick]

1. PSF widths, background, offset and gain: Pearson on the paper's 12 conditions from 20 frames.
2. Other structures than microtubules, 20 frames, against SOFI of 100 frames of the same movie, ours
   and the field's own program, re-implemented; and an upper bound for methods without a prior:
   every photon of the 20 frames at the position of its emitter.
3. False structure: the worst of several fields of noise, an empty field with background, and one
   bright bead.
4. Intervals: how often the ground truth lies within picture ± uncertainty, by brightness.
5. Out of range: how often movies inside and outside the training range are reported.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import pairwise

import numpy as np
from other_movies import reference_program

import napari_sofinet as sofinet
from napari_sofinet.methods.out_of_range import out_of_range_notes
from napari_sofinet.metrics import pearson
from napari_sofinet.networks.weights import Card, find, read_card
from napari_sofinet.preprocess.characteristics import characteristics_of
from napari_sofinet.simulation import Simulation, SimulationSettings, simulate
from napari_sofinet.simulation.drawn_settings import draw_filaments, draw_universal
from napari_sofinet.simulation.presets import komen2024_condition

SEED = 770_000


def changed(settings: SimulationSettings, **values: object) -> SimulationSettings:
    """Return settings with some values, named group__name, changed."""
    for name, value in values.items():
        group, _, last = name.partition("__")
        if last:
            part = getattr(settings, group).model_copy(update={last: value})
            settings = settings.model_copy(update={group: part})
        else:
            settings = settings.model_copy(update={group: value})
    return settings


def picture(frames: np.ndarray, weights: str):
    """Return the reconstruction of all frames by the network."""
    return sofinet.reconstruct(sofinet.open_movie(frames, 0.1), "sofinet", weights=weights)


def on_conditions(weights: str, **values: object) -> float:
    found = []
    for condition in range(12):
        base = komen2024_condition(SEED + condition, condition)
        movie = simulate(changed(base, frames=20, **values))
        truth = movie.truth.ideal().image
        found.append(pearson(picture(movie.frames, weights).image, truth))
    return float(np.mean(found))


def robustness(weights: str) -> None:
    print("| 20 frames, 12 conditions | Pearson |\n|---|---|")
    print(f"| as they are (PSF 2.2 px) | {on_conditions(weights):.3f} |")
    for width in (1.6, 3.0, 5.0):
        found = []
        for condition in range(12):
            base = komen2024_condition(SEED + condition, condition)
            photons = base.blinking.photons * (width / 2.2) ** 2
            movie = simulate(
                changed(base, frames=20, optics__psf_fwhm_um=0.1 * width, blinking__photons=photons)
            )
            truth = movie.truth.ideal().image
            found.append(pearson(picture(movie.frames, weights).image, truth))
        print(f"| PSF {width:g} px, photons by its area | {np.mean(found):.3f} |")
    found = []
    for condition in range(12):
        base = komen2024_condition(SEED + condition, condition)
        movie = simulate(changed(base, frames=20, background__photons=5 * base.background.photons))
        found.append(pearson(picture(movie.frames, weights).image, movie.truth.ideal().image))
    print(f"| background 5 x | {np.mean(found):.3f} |")
    movie = simulate(changed(komen2024_condition(SEED, 0), frames=20)).frames
    a, b = (picture(m.astype(np.float32), weights).image for m in (movie, 0.5 * movie + 500.0))
    print(f"| offset 500, gain 0.5: largest change of the picture | {np.abs(a - b).max():.4f} |")


def structures(weights: str, repeats: int) -> None:
    print(
        "\n| structure | network, 20 frames | SOFI, 20 | every photon of 20 | SOFI, 100 frames | "
        "reference program, 100 |\n|---|---|---|---|---|---|"
    )
    sizes = {"mitochondria": 5, "vesicles": 60, "points": 120, "rings": 25, "actin": 30}
    for kind, count in sizes.items():
        found = []
        for number in range(repeats):
            base = komen2024_condition(SEED + 50 + number, number % 12)
            structure = base.structure.model_copy(update={"kind": kind, "count": count})
            movie = simulate(changed(base, structure=structure))
            opened = sofinet.open_movie(movie.frames, 0.1)
            sofi = [sofinet.reconstruct(opened.select((0, n)), "sofi") for n in (20, 100)]
            ours = picture(movie.frames[:20], weights)
            images = [(r.image, r.origin_px) for r in (ours, *sofi)]
            images.insert(2, (every_photon(movie, 20), (0.0, 0.0)))
            images.append((reference_program(movie.frames), (1.0, 1.0)))
            found.append(
                [
                    pearson(image, movie.truth.ideal(origin_px=at, shape=image.shape).image)
                    for image, at in images
                ]
            )
        mean = np.mean(found, axis=0)
        print(f"| {kind} | " + " | ".join(f"{m:.3f}" for m in mean) + " |", flush=True)


def every_photon(movie: Simulation, frames: int) -> np.ndarray:
    """Return the ideal image with every emitter as bright as it was in the first frames."""
    events = movie.truth.events.between(0, frames)
    light = np.bincount(events.emitter, events.fraction, len(movie.truth.photons))
    seen = replace(movie.truth, photons=movie.truth.photons * light)
    return seen.ideal().image


def nothing(weights: str) -> None:
    rng = np.random.default_rng(SEED)
    structure = simulate(changed(komen2024_condition(SEED, 0), frames=20))
    level = np.quantile(picture(structure.frames, weights).image, 0.999)
    y, x = np.mgrid[:128, :128]
    bead = np.exp(-((y - 64.3) ** 2 + (x - 50.8) ** 2) / (2 * 0.93**2))
    empty = SimulationSettings(seed=SEED, frames=20)
    empty = changed(empty, structure__kind="empty", background__photons=10.0)
    fields = {
        **{
            f"pure noise around {100 + at:g}, {number}": np.round(
                rng.normal(100 + at, 5**0.5, (20, 128, 128))
            ).astype(np.uint16)
            for at in (0, 0.5)
            for number in range(4)
        },
        "empty field, 10 photons": simulate(empty).frames,
        "empty field, out of focus": simulate(
            changed(empty, background__structured=0.4, background__out_of_focus=0.4)
        ).frames,
        "one bright bead": (100 + rng.poisson(2 + 500 * bead, (20, 128, 128))).astype(np.uint16),
    }
    print("\n| field without structure | 99.9th percentile, % of a structure's |\n|---|---|")
    for name, frames in fields.items():
        image = picture(frames, weights).image.copy()
        if "bead" in name:
            image[118:139, 91:112] = 0  # the bead itself
        print(f"| {name} | {100 * np.quantile(image, 0.999) / level:.1f} |")


def intervals(weights: str, repeats: int) -> None:
    draw = draw_filaments if "filaments" in weights else draw_universal
    edges = 0.0, 0.05, 0.2, 0.5, 0.8, np.inf
    inside: list[list[float]] = [[] for _ in edges[1:]]
    for number in range(repeats):
        rng = np.random.default_rng([SEED, number])
        frames = int(np.geomspace(8, 50, 7)[rng.integers(7)])
        movie = simulate(draw(rng, SEED + number, 96, 96, frames))
        result = picture(movie.frames, weights)
        truth = movie.truth.ideal(time_s=frames / 2 * movie.settings.frame_interval_s).image
        lit = truth[truth > 0.02 * truth.max()]
        truth = truth / np.quantile(lit, 0.995) if lit.size else truth
        if "uncertainty" not in result.maps:
            print("\nThese weights give no uncertainty.")
            return
        close = np.abs(truth - result.image) <= result.maps["uncertainty"]
        for band, (low, high) in enumerate(pairwise(edges)):
            chosen = (result.image > low) & (result.image <= high)
            inside[band] += list(close[chosen])
    print("\n| brightness in the picture | truth within picture ± uncertainty, % |\n|---|---|")
    for (low, high), hits in zip(pairwise(edges), inside, strict=True):
        print(f"| {low:g} to {high:g} | {100 * np.mean(hits):.1f} ({len(hits)} samples) |")


def ranges(weights: str, count: int) -> None:
    card = read_card(find(weights, "sofinet"))
    outer = {
        "PSF 8 px": {"optics__psf_fwhm_um": 0.8, "blinking__photons": 1000.0},
        "PSF 1.0 px": {"optics__psf_fwhm_um": 0.1},
        "1 photon": {"blinking__photons": 1.0},
        "does not blink": {"blinking__model": "steady"},
        "moves 4 px": {"motion__drift_x_um_per_s": 2.0, "motion__drift_y_um_per_s": 0.3},
    }
    rows = []
    alarms = sum(
        bool(warnings(changed(komen2024_condition(SEED + n, n % 12), frames=20), card))
        for n in range(count)
    )
    rows.append(("inside: the 12 conditions", alarms, count))
    draw = draw_filaments if "filaments" in weights else draw_universal
    alarms = dark = 0
    for n in range(count):
        rng = np.random.default_rng([SEED, n, 2])
        said = warnings(draw(rng, SEED + n, 128, 128, int(rng.integers(8, 100))), card)
        dark += "Hardly" in "".join(said)
        alarms += "outside" in "".join(said)
    rows.append(("inside: as in training", alarms, count))
    rows.append(("as in training, reported to show hardly any light", dark, count))
    for name, values in outer.items():
        each = max(count // len(outer), 1)
        alarms = sum(
            bool(
                warnings(changed(komen2024_condition(SEED + n, n % 12), frames=20, **values), card)
            )
            for n in range(each)
        )
        rows.append((f"outside: {name}", alarms, each))
    print("\n| movies | reported as outside, or as showing hardly any light |\n|---|---|")
    for name, alarms, total in rows:
        print(f"| {name} | {alarms} of {total} |")


def warnings(settings: SimulationSettings, card: Card) -> list[str]:
    movie = sofinet.open_movie(simulate(settings).frames)
    return out_of_range_notes(characteristics_of(movie), card)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weights", default="sofinet-universal")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    print(f"## {options.weights}\n")
    robustness(options.weights)
    structures(options.weights, 3 if options.quick else 12)
    nothing(options.weights)
    intervals(options.weights, 12 if options.quick else 60)
    ranges(options.weights, 20 if options.quick else 100)


if __name__ == "__main__":
    main()

"""Fidelity and hallucination of time series of moving structures, as the DBlink paper counts them.

    python benchmarks/tables/dblink.py [--weights NAME_OR_FILE] [--scenes 3] [--pictures FOLDER]
        [--either] [--thin] [--times | --trained]

Scenes: 3000 frames of 128 x 128 samples of 40 nm, made by code of this file alone, after the
paper's description (rotation about the centre), and by the simulator's presets with 20 nm of
localisation error; the network is given the kind of structure, or not (``--either``).
Truth, at the time of the picture: filled shapes, or lines as the paper draws them (every sample
that the line passes through, 1.27 times as many as it is long), or thinner ones (``--thin``:
samples whose centre is within half a sample of the line, as many as it is long). For each bin,
means over the pictures:

- fidelity: fraction of true samples that are above the threshold, the same for all scenes;
- hallucination: samples above it that are false, in % of the background (as the paper counts);
- with a tolerance of 1 sample: recall, and false samples in % of the predicted;
- baseline: fidelity of the sum of 50 windows after a Gaussian of 0.8 samples, with the threshold
  that gives the same hallucination in the same scene;
- least sure, most sure: false samples in % of the least and the most confident quarter of those
  that are predicted; by the picture, where a network (the paper's) gives no confidence.

``--trained`` compares on scenes like those of the training, with seeds that no training uses: 40
sequences of as many windows, of which the middle picture is evaluated.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter
from skimage.draw import polygon

import napari_sofinet as sofinet
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.methods.moving_structure import THRESHOLD
from napari_sofinet.simulation import Simulation, preset_settings, simulate
from napari_sofinet.simulation.structures import place

if TYPE_CHECKING:
    from napari_sofinet.simulation.truth import Truth

SIDE, FRAMES, WINDOW, STEP = 128, 3000, 10, 50
FIRST_SEED = 770_000
BINS = (60, 140), (140, 300), (300, 500), (650, 800), (800, 1100)


@dataclass
class Scene:
    """Localisations in samples, and the truth (T, Y, X) in the middle of the windows."""

    frame: np.ndarray
    at: np.ndarray
    truth: np.ndarray

    def table(self) -> LocalizationTable:
        """The localisations in camera pixels of four samples."""
        at = (self.at + 0.5) / 4 - 0.5
        order = np.argsort(self.frame, kind="stable")
        return LocalizationTable(
            self.frame[order],
            *at[order].T,
            camera_pixel_um=0.16,
            frames=FRAMES,
            shape=(SIDE // 4, SIDE // 4),
        )


def times() -> np.ndarray:
    return np.arange(0, FRAMES - WINDOW + 1, STEP) + (WINDOW - 1) / 2


def line_picture(points: np.ndarray, thin: bool = True) -> np.ndarray:
    """Samples that a line of close points passes through, or whose centre is half a sample away."""
    if not thin:
        at = np.round(points).astype(int)
        at = at[((at >= 0) & (at < SIDE)).all(axis=1)]
        out = np.zeros((SIDE, SIDE), bool)
        out[at[:, 0], at[:, 1]] = True
        return out
    fine = np.ones((5 * (SIDE + 4),) * 2, bool)
    at = np.round(5 * (points + 2) + 2).astype(int)
    at = at[((at >= 0) & (at < len(fine))).all(axis=1)]
    if not len(at):
        return np.zeros((SIDE, SIDE), bool)
    fine[at[:, 0], at[:, 1]] = False
    return (distance_transform_edt(fine) <= 2.5)[2::5, 2::5][2:-2, 2:-2]


def rotated(points: np.ndarray, frame: float | np.ndarray, speed: np.ndarray, turn: float):
    angle = turn * np.asarray(frame, float)
    y, x = (points - (SIDE - 1) / 2).T
    c, s = np.cos(angle), np.sin(angle)
    out = np.stack([y * c - x * s, y * s + x * c], axis=1) + (SIDE - 1) / 2
    return out + np.asarray(frame, float).reshape(-1, 1) * speed


def paper_filaments(seed: int, low: int, high: int, thin: bool) -> Scene:
    """The paper's walk: steps of 0.5 to 0.75 um that turn by up to 32 degrees."""
    rng = np.random.default_rng([seed, 1])
    wanted = rng.uniform(low, high)
    lines: list[np.ndarray] = []
    while True:
        at, heading = rng.uniform(4, SIDE - 4, 2), rng.uniform(0, 2 * np.pi)
        corners = [at]
        for _ in range(int(rng.uniform(10, 15) / 0.625)):
            step = rng.uniform(12.5, 18.75)
            corners.append(corners[-1] + step * np.array([np.sin(heading), np.cos(heading)]))
            heading += rng.uniform(-1, 1) * np.arccos(0.85)
            if not ((corners[-1] > 0) & (corners[-1] < SIDE)).all():
                break
        line = np.array(corners)
        for _ in range(3):  # corners cut, as midpoint refinement does
            cut = np.stack([0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]])
            line = np.concatenate([line[:1], cut.transpose(1, 0, 2).reshape(-1, 2), line[-1:]])
        arc = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        along = np.arange(0, arc[-1], 0.1)
        lines.append(np.stack([np.interp(along, arc, line[:, k]) for k in (0, 1)], axis=1))
        amount = line_picture(np.concatenate(lines), thin).sum()
        if amount > high:
            lines.pop()
        elif amount >= wanted or (amount >= low and len(lines) > 40):
            break
    points = np.concatenate(lines)
    speed = rng.uniform(-0.002, 0.002, 2)
    turn = np.deg2rad(0.0002) * rng.choice([-1, 1])
    truth = np.stack([line_picture(rotated(points, t, speed, turn), thin) for t in times()])
    return Scene(*paper_blinks(points, amount, speed, turn, rng), truth)


def paper_blinks(points, amount, speed, turn, rng) -> tuple[np.ndarray, np.ndarray]:
    """Per frame ceil(0.002 per sample), off by up to a sample; clusters, and 0 to 4 false ones."""
    count = int(np.ceil(0.002 * amount))
    frame = np.repeat(np.arange(FRAMES), count)
    at = rotated(points[rng.integers(0, len(points), len(frame))], frame, speed, turn)
    at = np.round(at) + rng.integers(-1, 2, at.shape)
    near = np.repeat(np.flatnonzero(rng.random(len(at)) < 0.2), 1)
    near = np.repeat(near, rng.integers(1, 8, len(near)))
    false = np.repeat(np.arange(FRAMES), rng.integers(0, 5, FRAMES))
    places = [
        at,
        at[near] + rng.integers(-5, 6, (len(near), 2)),
        rng.integers(0, SIDE, (len(false), 2)),
    ]
    return np.concatenate([frame, frame[near], false]), np.concatenate(places).astype(float)


def paper_mitochondria(seed: int) -> Scene:
    """The paper's polygons, which drift and of whose corners some wobble."""
    rng = np.random.default_rng([seed, 2])
    shapes = []
    for _ in range(rng.integers(2, SIDE // 10)):
        angle = np.linspace(0, 2 * np.pi, rng.integers(30, 50), endpoint=False)
        lobes = rng.integers(10, 17) * np.abs(np.sin(angle + rng.uniform(0, np.pi)) ** 20)
        radius = rng.integers(2, 6) + lobes
        corners = radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        wobbling = (rng.random(len(angle)) < 0.25)[:, None] * rng.uniform(-1, 1, (len(angle), 2))
        shapes.append((rng.uniform(0, SIDE, 2) + corners, wobbling))
    frequency, speed = rng.uniform(-0.01, 0.01), rng.uniform(-0.05, 0.05, 2) * 20 / FRAMES

    def picture(t: float) -> np.ndarray:
        out = np.zeros((SIDE, SIDE), bool)
        for corners, wobbling in shapes:
            now = corners + 3 * abs(np.sin(2 * np.pi * frequency * t / 20)) * wobbling + speed * t
            out[polygon(*now.T, out.shape)] = True
        return out

    frames, places = [], []
    for t in range(FRAMES):
        if t % 10 == 0:
            inside = np.argwhere(picture(t))
        count = int(np.ceil(0.002 * len(inside)))
        frames.append(np.full(count, t))
        places.append(inside[rng.integers(0, len(inside), count)])
    frame, at = np.concatenate(frames), np.concatenate(places)
    at = at + rng.integers(-1, 2, at.shape)
    near = np.flatnonzero(rng.random(len(at)) < 0.2)
    near = np.repeat(near, rng.integers(1, 8, len(near)))
    false = np.repeat(np.arange(FRAMES), rng.integers(0, 5, FRAMES))
    all_places = (
        at,
        at[near] + rng.integers(-5, 6, (len(near), 2)),
        rng.integers(0, SIDE, (len(false), 2)),
    )
    return Scene(
        np.concatenate([frame, frame[near], false]),
        np.concatenate(all_places).astype(float),
        np.stack([picture(t) for t in times()]),
    )


def preset(name: str, seed: int, thin: bool) -> Scene:
    """A movie of the simulator, whose emitters are found to 20 nm."""
    settings = preset_settings(name, seed)
    movie = simulate(settings)
    truth, pixel, interval = movie.truth, settings.pixel_size_um, settings.frame_interval_s
    rng = np.random.default_rng([seed, 3])
    events = truth.events
    seen = events.fraction > 0.3
    frame, emitter = events.frame[seen], events.emitter[seen]
    at = truth.positions_at((frame + 0.5) * interval, emitter)
    at = at + rng.normal(0, 0.02, at.shape)
    solid = solid_truth(movie) if "filaments" in name else truth

    def picture(t: float) -> np.ndarray:
        points = 4 * solid.positions_at((t + 0.5) * interval) / pixel + 1.5
        if "filaments" in name:
            return line_picture(points, thin)
        # Emitters lie all over a membrane, about a sample apart: what is between them is in, too.
        wide = SIDE + 16
        at = np.round(points).astype(int) + 8
        at = at[((at >= 0) & (at < wide)).all(axis=1)]
        free = np.ones((wide, wide), bool)
        free[at[:, 0], at[:, 1]] = False
        grown = distance_transform_edt(free) <= 3
        closed = distance_transform_edt(binary_fill_holes(grown)) > 3
        return (closed | ~free)[8:-8, 8:-8]

    pictures = np.stack([picture(t) for t in times()])
    return Scene(frame, 4 * at / pixel + 1.5, pictures)


def solid_truth(movie: Simulation) -> Truth:
    """A movie's truth with so many emitters on the same filaments that they are whole."""
    settings = movie.settings
    many = settings.structure.model_copy(update={"emitters_per_um": 1000.0})
    whole = place(
        settings.model_copy(update={"structure": many}),
        np.random.default_rng([settings.seed, 0, 0]),
    )
    at = whole.positions_um - settings.pixel_size_um / 2
    return replace(movie.truth, positions_um=at, object=whole.object)


def baseline(scene: Scene) -> np.ndarray:
    """Sum of the 50 windows around each picture, blurred."""
    out = []
    places = np.round(scene.at).astype(int)
    inside = ((places >= 0) & (places < SIDE)).all(axis=1)
    for t in times():
        some = inside & (np.abs(scene.frame - t) < 25 * WINDOW)
        flat = places[some] @ (SIDE, 1)
        counts = np.bincount(flat, minlength=SIDE**2).reshape(SIDE, SIDE)
        out.append(gaussian_filter(counts.astype(float), 0.8))
    return np.stack(out)


def scores(scene: Scene, series: np.ndarray, confidence: np.ndarray, threshold: float) -> dict:
    truth, found = scene.truth, series > threshold
    wrong = found & ~truth
    hallucination = wrong.sum() / (~truth).sum()
    away = np.stack([distance_transform_edt(~one) > 1.5 if one.any() else ~one for one in truth])
    missed = np.stack(
        [
            t & (distance_transform_edt(~f) > 1.5 if f.any() else True)
            for t, f in zip(truth, found, strict=True)
        ]
    )
    trivial = baseline(scene)
    level = np.quantile(trivial[~truth], 1 - hallucination)
    sure = confidence[found]
    order = np.argsort(sure, kind="stable")
    quarter = max(len(order) // 4, 1)
    false, far = wrong[found][order], (found & away)[found][order]
    return {
        "samples": truth.sum() / len(truth),
        "fidelity": (found & truth).sum() / truth.sum(),
        "hallucination %": 100 * hallucination,
        "baseline": (trivial[truth] > level).mean(),
        "recall 1 px": 1 - missed.sum() / truth.sum(),
        "false 1 px %": 100 * (found & away).sum() / max(found.sum(), 1),
        "least sure %": 100 * false[:quarter].mean(),
        "most sure %": 100 * false[-quarter:].mean(),
        "least, 1 px %": 100 * far[:quarter].mean(),
        "most, 1 px %": 100 * far[-quarter:].mean(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="dblink")
    parser.add_argument("--scenes", type=int, default=3)
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--thin", action="store_true", help="true lines half a sample to each side")
    parser.add_argument("--either", action="store_true", help="do not give the kind of structure")
    parser.add_argument(
        "--times", action="store_true", help="milliseconds per picture, and no more"
    )
    parser.add_argument(
        "--trained", action="store_true", help="only scenes like those of the training"
    )
    options = parser.parse_args()
    if options.trained:
        compare_trained(options.weights, options.threshold)
        return
    if options.times:
        compare_times(options.weights)
        return
    kinds = {
        f"paper's filaments, {low} to {high}": lambda seed, low=low, high=high: paper_filaments(
            seed, low, high, options.thin
        )
        for low, high in BINS
    }
    kinds["paper's mitochondria"] = paper_mitochondria
    for name in ("dblink-filaments", "dblink-mitochondria"):
        kinds[f"preset {name}"] = lambda seed, name=name: preset(name, seed, options.thin)
    header = None
    for number, (kind, make) in enumerate(kinds.items()):
        found = []
        for k in range(options.scenes):
            scene = make(FIRST_SEED + 100 * number + k)
            known = "filaments" if "filaments" in kind else "mitochondria"
            result = sofinet.reconstruct(
                scene.table(),
                "dblink",
                weights=options.weights,
                window=WINDOW,
                step=STEP,
                structure="either" if options.either else known,
            )
            confidence = result.maps.get("confidence", result.image)
            found.append(scores(scene, result.image, confidence, options.threshold))
            if options.pictures and k == 0:
                options.pictures.mkdir(parents=True, exist_ok=True)
                draw(scene, result, options.pictures / f"{kind.replace(' ', '-')}.png")
        if header is None:
            header = list(found[0])
            print(f"{'':32}" + "".join(f"{name:>16}" for name in header))
        means = [np.mean([one[name] for one in found]) for name in header]
        print(f"{kind:32}" + "".join(f"{value:16.3f}" for value in means), flush=True)


def draw(scene: Scene, result, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 4, figsize=(16, 12))
    trivial = baseline(scene)
    for row, k in zip(axes, (3, len(scene.truth) // 2, len(scene.truth) - 3), strict=True):
        sure = result.maps.get("confidence", result.image)
        shown = trivial[k], result.image[k], sure[k], scene.truth[k]
        for axis, image in zip(row, shown, strict=True):
            axis.imshow(image, cmap="gray")
            axis.axis("off")
    for axis, name in zip(
        axes[0], ("sum of 50 windows", "time series", "confidence", "truth"), strict=True
    ):
        axis.set_title(name)
    figure.tight_layout()
    figure.savefig(path, dpi=55)
    plt.close(figure)


def compare_times(name: str) -> None:
    """Milliseconds per picture of 128 x 128 samples, on the threads that torch has."""
    import torch

    from napari_sofinet.networks.dblink import DBlink

    scene = paper_filaments(FIRST_SEED, *BINS[-1], thin=True)
    table = scene.table()
    spent = []
    for _ in range(2):
        begun = time.perf_counter()
        result = sofinet.reconstruct(table, "dblink", weights=name, window=WINDOW, step=WINDOW)
        spent.append((time.perf_counter() - begun) / len(result.image))
    paper = DBlink().eval()
    with torch.inference_mode():
        paper(torch.rand(1, 2, SIDE, SIDE))
        begun = time.perf_counter()
        paper(torch.rand(1, 10, SIDE, SIDE))
        theirs = (time.perf_counter() - begun) / 10
        with torch.autocast("cpu", torch.bfloat16):
            begun = time.perf_counter()
            paper(torch.rand(1, 10, SIDE, SIDE))
            half = (time.perf_counter() - begun) / 10
    print(f"ours, everything: {1000 * min(spent):.1f} ms; the paper's network: {1000 * theirs:.1f}")
    print(f"ms, {theirs / min(spent):.0f} x as much ({1000 * half:.1f} ms with 16 bits, ", end="")
    print(f"{half / min(spent):.0f} x)")


def compare_trained(name: str, threshold: float) -> None:
    """The paper's network and the sum of all windows, on sequences like those of its training."""
    import shlex

    import torch

    from napari_sofinet.base.settings import build
    from napari_sofinet.methods.dblink import NETWORK
    from napari_sofinet.networks import weights
    from napari_sofinet.training.dynamics import dynamics_sequences
    from napari_sofinet.training.settings import DynamicsTrainingSettings

    net, card, _ = weights.load(name, NETWORK)
    words = shlex.split(card.command)
    given = {
        word[2:].replace("-", "_"): value
        for word, value in pairwise(words)
        if word.startswith("--")
    }
    settings = build(DynamicsTrainingSettings, given)
    made = dynamics_sequences(settings, 40, FIRST_SEED)
    middle = settings.windows // 2
    with torch.inference_mode():
        series = torch.cat([net(one) for one in made.frames.split(1)])[:, middle].numpy()
    truth = made.target[:, middle].numpy() > 0
    summed = made.frames.sum(dim=1).numpy()
    blurred = np.stack([gaussian_filter(one, 0.8) for one in summed])
    found = series > threshold
    false = (found & ~truth).sum() / (~truth).sum()
    print(f"true samples: {100 * truth.mean():.1f} %; squared error, of nothing at all: 1")
    for what, one in (("network", series), ("sum", summed), ("blurred sum", blurred)):
        # With the brightness that suits it best.
        best = (one[truth].sum() / (one**2).sum()) if what != "network" else 1.0
        error = ((best * one - truth) ** 2).sum() / truth.sum()
        level = threshold if what == "network" else np.quantile(one[~truth], 1 - false)
        print(
            f"{what:12} squared error {error:.3f}, fidelity {(one[truth] > level).mean():.3f} "
            f"at {100 * (one[~truth] > level).mean():.2f} % of hallucination"
        )


if __name__ == "__main__":
    main()

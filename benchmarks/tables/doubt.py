"""How far can a picture be trusted? Three kinds of uncertainty on movies with ground truth.

    python benchmarks/tables/doubt.py [--quick] [--emitters WEIGHTS] [--pictures WEIGHTS]

1. An isolated emitter: the standard deviation of the samples of `ddpm` against the posterior of its
   position, sampled by the Metropolis algorithm from the movie's counts.
2. Crowded emitters and pictures of 20 frames: the network's own uncertainty, the standard deviation
   of its pictures of the flipped and rotated movie, and `ddpm`; how often the ground truth lies in
   their 90 % intervals, and how well they detect wrong pixels (AUROC). Foreground: ground truth or
   estimate above 0.1. Wrong: the estimate is off by 0.3 or more of the bright level.
3. Empty fields.
4. Computing time.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import rankdata

import napari_sofinet as sofinet
from napari_sofinet.metrics import pearson
from napari_sofinet.simulation import simulate
from napari_sofinet.simulation.drawn_settings import draw_universal
from napari_sofinet.simulation.presets import komen2024_condition
from napari_sofinet.training.data import make_samples
from napari_sofinet.training.emitters import emitter_map, spots

SIGMA_PX = 0.92
READ_VARIANCE = 5.0
SHOWS, WRONG = 0.1, 0.3
NORMAL_90 = 1.645
SEED = 880_000


def counts(rng: np.random.Generator, light: np.ndarray) -> np.ndarray:
    return np.round(rng.poisson(light) + rng.normal(100, READ_VARIANCE**0.5, light.shape))


def posterior(
    rng: np.random.Generator, frame: np.ndarray, start: np.ndarray, photons: float
) -> np.ndarray:
    """Sample positions (N, 2) of one emitter of known brightness by the Metropolis algorithm."""
    signal = frame - 100 + READ_VARIANCE  # with the variance added, it is nearly Poisson's

    def likelihood(place: np.ndarray) -> float:
        mean = spots(place[None], np.array([photons]), SIGMA_PX, *frame.shape) + READ_VARIANCE
        return float((signal * np.log(mean) - mean).sum())

    place, now, walk = start.copy(), likelihood(start), []
    for number in range(10_000):
        other = place + rng.normal(0, 0.5 * SIGMA_PX / photons**0.5, 2)
        then = likelihood(other)
        if np.log(rng.random()) < then - now:
            place, now = other, then
        if number >= 1000 and number % 10 == 0:
            walk.append(place.copy())
    return np.array(walk)


def isolated(weights: str, repeats: int) -> None:
    print("| photons | correlation of the maps (minimum) | scale | Pearson of estimate / mean |")
    print("|---|---|---|---|")
    for photons in (100, 200, 1000):
        rng = np.random.default_rng(SEED)
        places = 9.5 + rng.uniform(-1, 1, (repeats, 1, 2))
        light = [spots(at, np.array([photons]), SIGMA_PX, 20, 20) for at in places]
        movie = sofinet.open_movie(counts(rng, np.stack(light)).astype(np.float32))
        alike, scale, agree = [], [], []
        for number, place in enumerate(places):
            walk = posterior(rng, np.asarray(movie.frames[number]), place[0], photons)
            known = np.std([emitter_map(at[None], 20, 20) for at in walk], axis=0)
            found = sofinet.reconstruct(
                movie.select((number, number + 1)), "ddpm", weights=weights, psf_fwhm_px=2.166
            )
            spread = found.maps["standard_deviation"]
            truth = emitter_map(place, 20, 20)
            alike.append(pearson(spread, known))
            scale.append(np.sqrt((spread**2).sum() / (known**2).sum()))
            agree.append((pearson(found.maps["estimate"], truth), pearson(found.image, truth)))
        estimate, mean = np.mean(agree, axis=0)
        print(
            f"| {photons} | {np.mean(alike):.3f} ({min(alike):.3f}) | {np.mean(scale):.2f} "
            f"({min(scale):.2f} to {max(scale):.2f}) | {estimate:.4f} / {mean:.4f} |",
            flush=True,
        )


@dataclass
class Uncertainty:
    """Results of one kind of uncertainty over all movies."""

    inside: list[np.ndarray] = field(default_factory=list)
    score: list[np.ndarray] = field(default_factory=list)
    agree: list[float] = field(default_factory=list)
    seconds: float = 0.0


def opened(frames: np.ndarray) -> sofinet.Movie:
    """Open frames as a movie, also a single frame."""
    if len(frames) > 1:
        return sofinet.open_movie(frames)
    return sofinet.open_movie(np.repeat(frames, 2, axis=0)).select((0, 1))


def auroc(score: np.ndarray, wrong: np.ndarray) -> float:
    """Return the probability that a wrong pixel has a higher score than a right one."""
    ranks = rankdata(score)
    n = int(wrong.sum())
    return float((ranks[wrong].sum() - n * (n + 1) / 2) / (n * (len(wrong) - n)))


def flipped_and_rotated(frames: np.ndarray, method: str, **settings: object) -> np.ndarray:
    """Return the pictures (8, Y, X) of a movie in eight orientations, brought back to one."""
    pictures = []
    for mirrored in (False, True):
        for quarter in range(4):
            seen = np.rot90(frames[:, ::-1] if mirrored else frames, quarter, (1, 2))
            one = sofinet.reconstruct(opened(seen), method, **settings).image
            back = np.rot90(one, -quarter)
            pictures.append(back[::-1] if mirrored else back)
    return np.stack(pictures)


def compare(
    movies: list[tuple[np.ndarray, np.ndarray]], method: str, weights: str, own: str, **more: object
) -> None:
    """Print a row for every kind of uncertainty of a method's pictures."""
    kinds = {"own": Uncertainty(), "flip_rotate": Uncertainty(), "ddpm": Uncertainty()}
    estimates, truths = [], []
    for frames, truth in movies:
        movie = opened(frames)
        start = time.perf_counter()
        first = sofinet.reconstruct(movie, method, weights=own)
        estimate = first.image
        kinds["own"].seconds += time.perf_counter() - start
        half = first.maps.get("uncertainty")
        if half is not None:
            kinds["own"].inside.append(np.abs(truth - estimate) <= half)
            kinds["own"].score.append(half)
        kinds["own"].agree.append(pearson(estimate, truth) if truth.any() else np.nan)
        start = time.perf_counter()
        pictures = flipped_and_rotated(frames, method, weights=own)
        kinds["flip_rotate"].seconds += time.perf_counter() - start
        mean, spread = pictures.mean(axis=0), pictures.std(axis=0, ddof=1)
        kinds["flip_rotate"].inside.append(np.abs(truth - mean) <= NORMAL_90 * spread)
        kinds["flip_rotate"].score.append(spread)
        kinds["flip_rotate"].agree.append(pearson(mean, truth) if truth.any() else np.nan)
        start = time.perf_counter()
        found = sofinet.reconstruct(movie, "ddpm", weights=weights, **more)
        kinds["ddpm"].seconds += time.perf_counter() - start
        low, high = found.maps["lower"], found.maps["upper"]
        kinds["ddpm"].inside.append((truth >= low) & (truth <= high))
        kinds["ddpm"].score.append(found.maps["standard_deviation"])
        kinds["ddpm"].agree.append(pearson(found.image, truth) if truth.any() else np.nan)
        estimates.append(estimate)
        truths.append(truth)
    estimate, truth = (np.concatenate([m.ravel() for m in maps]) for maps in (estimates, truths))
    wrong = np.abs(estimate - truth) > WRONG
    shows = np.maximum(estimate, truth) > SHOWS
    bands = (truth > 0.5), (estimate > 0.5)
    for name, kind in kinds.items():
        row = f"| {method}: {name} | {np.nanmean(kind.agree):.3f} | "
        if kind.inside:
            inside, score = (
                np.concatenate([m.ravel() for m in maps]) for maps in (kind.inside, kind.score)
            )
            row += " | ".join(f"{100 * inside[at].mean():.1f}" for at in (shows, *bands))
            row += f" | {auroc(score[shows], wrong[shows]):.3f} | {auroc(score, wrong):.3f}"
        else:
            row += "– | – | – | – | –"
        print(f"{row} | {kind.seconds / len(movies):.2f} |", flush=True)


def crowded(density_um2: float, photons: float, frames: int, side: int = 40) -> list:
    rng = np.random.default_rng([SEED, round(10 * density_um2), round(photons)])
    out = []
    for _ in range(frames):
        number = rng.poisson(density_um2 * 0.01 * (side + 8) ** 2)
        places = rng.uniform(-4, side + 4, (number, 2))
        bright = photons * rng.lognormal(-0.125, 0.5, number)
        light = spots(places, bright, SIGMA_PX, side, side) + 1.0
        out.append((counts(rng, light)[None].astype(np.float32), emitter_map(places, side, side)))
    return out


def simulated(number: int, frames: int = 20, side: int = 64) -> list:
    made = make_samples(draw_universal, number, side, frames, SEED)
    return list(zip(made.frames.numpy(), made.target.numpy(), strict=True))


def conditions(number: int, side: int = 64) -> list:
    """Microtubules in the twelve conditions of Komen et al. (2024), one after the other."""
    out = []
    for k in range(number):
        settings = komen2024_condition(SEED + k, k % 12)
        movie = simulate(settings.model_copy(update={"frames": 20, "rows": side, "columns": side}))
        truth = movie.truth.ideal().image
        bright = np.quantile(truth[truth > 0.02 * truth.max()], 0.995)
        out.append((movie.frames.astype(np.float32), (truth / bright).astype(np.float32)))
    return out


def nothing(emitters: str, pictures: str) -> None:
    rng = np.random.default_rng(SEED)
    for background in (0.0, 5.0, 50.0):
        frames = counts(rng, np.full((20, 48, 48), background)).astype(np.float32)
        for weights, chosen in ((emitters, frames[:1]), (pictures, frames)):
            found = sofinet.reconstruct(opened(chosen), "ddpm", weights=weights)
            most = np.quantile(found.samples, 0.999)
            print(
                f"| {weights} | {background:g} | {most:.3f} | {found.samples.max():.3f} |",
                flush=True,
            )


def cost(emitters: str, pictures: str) -> None:
    ((frames, _),) = simulated(1, 20, 128)
    ((frame, _),) = crowded(1.0, 500, 1, 128)
    for weights, chosen in ((emitters, frame), (pictures, frames)):
        movie = opened(chosen)
        start = time.perf_counter()
        sofinet.reconstruct(movie, "ddpm", weights=weights)
        print(f"| {weights} | {time.perf_counter() - start:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer movies")
    parser.add_argument("--emitters", default="ddpm-emitters")
    parser.add_argument("--pictures", default="ddpm-universal")
    options = parser.parse_args()
    few = options.quick
    isolated(options.emitters, 5 if few else 20)
    print(
        "\n| | Pearson | in the 90 % interval, foreground | truth > 0.5 | estimate > 0.5 | "
        "AUROC, foreground | AUROC, everywhere | s |\n|---|---|---|---|---|---|---|---|"
    )
    for density, photons in ((0.5, 300.0), (2.0, 1000.0), (5.0, 1000.0)):
        print(f"| *{density:g} emitters per µm², {photons:g} photons* | | | | | | | |")
        compare(
            crowded(density, photons, 3 if few else 12), "deepstorm", options.emitters, "deepstorm"
        )
    for title, movies in (
        ("microtubules, 12 conditions", conditions(12 if few else 24)),
        ("any structure, some of it without visible signal", simulated(8 if few else 32)),
    ):
        print(f"| *20 frames: {title}* | | | | | | | |")
        compare(movies, "sofinet", options.pictures, "sofinet-universal")
    print("\n| empty field | background | 99.9 % of samples | brightest |\n|---|---|---|---|")
    nothing(options.emitters, options.pictures)
    print("\n| 128 x 128 px, 16 samples | s |\n|---|---|")
    cost(options.emitters, options.pictures)


if __name__ == "__main__":
    main()

"""Movies from another simulator than the one that networks learn from.

    python benchmarks/tables/other_movies.py [--seeds 2] [--weights NAME_OR_FILE ...]
        [--picture FILE.png]

Written from the description in Komen et al. (2024), in plain numpy and without any part of
`napari_sofinet.simulation`: filaments that end at the field's edge, 50 emitters per um; two-state
blinking with 10 ms on and 0.6, 1.2 or 2.4 s off, 100 frames per second; an emitter that is on for a
whole frame is 100, 80, 60 or 40 photons bright *at its peak*, 15 times the background; Gaussian PSF
of 220 nm; pixels of 100 nm with offset 100, 2 counts per electron and 3 electrons of read noise.
The truth is the emitters blurred to half the PSF. Other PSFs: 160, 300 and 500 nm, as bright at
their peak.

Simulators of the field interpret the paper's conditions differently. If the brightness is that of
the whole spot, there is five times less light than if it is that of the peak (`models.py`).
Emitters lie at random in the paper, and evenly along filaments elsewhere: 37 nm apart with a
standard deviation of 11 nm in the simulated movie that our SOFI is compared with others on
(shared/reference/sofi/a_filaments_truth.npz). Even emitters are easier to infer from the few that
blinked, so both are measured. The field's own program (sofipackage, re-implemented) shows how hard
the movies are, and is scored as well.

Other structures have the paper's 5000 emitters per um2: membranes of tubes and vesicles, rings as
many as if they were 10 nm wide, discs of 100 nm.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from scipy.special import erf

import napari_sofinet as sofinet
from napari_sofinet.metrics import false_filament_length, mask_scores, pearson
from napari_sofinet.sofi import cross_cumulants, flatten, linearize

SIDE_PX, PIXEL_NM, GRID_NM = 128, 100, 10
FIELD_NM = SIDE_PX * PIXEL_NM
EMITTERS_PER_UM2 = 5000
PEAK_PHOTONS, OFF_FRAMES = (100, 80, 60, 40), (60, 120, 240)
PERSISTENCE_NM, LENGTH_NM = 20_000, 25_000
EVEN_NM, EVEN_SPREAD_NM = 20, 4.2
PSF_NM = 220
OTHER_PSFS_NM = 160, 300, 500
FWHM = 2.3548
"""Full width at half maximum of a Gaussian over its standard deviation."""
OFFSET, COUNTS_PER_ELECTRON, READ_NOISE = 100, 2.0, 3.0
OTHER_STRUCTURES = "tubes", "vesicles", "rings", "discs"


def paths(rng: np.random.Generator, step_nm: float) -> np.ndarray:
    """Points (N, 2) in nm along 5 to 25 filaments: 20 to 100 in 25.6 um."""
    found = []
    for _ in range(rng.integers(5, 26)):
        bends = rng.normal(0, np.sqrt(2 * step_nm / PERSISTENCE_NM), int(LENGTH_NM / step_nm))
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(bends)
        path = np.cumsum(step_nm * np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0)
        path += rng.uniform(0, FIELD_NM, 2)
        out = np.flatnonzero(((path < 0) | (path >= FIELD_NM)).any(axis=1))
        found.append(path[: out[0]] if len(out) else path)
    return np.concatenate(found)


def random_filaments(rng: np.random.Generator) -> np.ndarray:
    """Emitters at random on the 10 nm pixels that filaments cover."""
    pixels = np.unique(np.floor(paths(rng, GRID_NM) / GRID_NM).astype(int), axis=0)
    number = rng.poisson(len(pixels) * EMITTERS_PER_UM2 * (GRID_NM / 1000) ** 2)
    return (pixels[rng.integers(0, len(pixels), number)] + rng.random((number, 2))) * GRID_NM


def even_filaments(rng: np.random.Generator) -> np.ndarray:
    """Emitters 20 nm apart, with a standard deviation of 6 nm from one to the next."""
    at = paths(rng, EVEN_NM)
    return at + rng.normal(0, EVEN_SPREAD_NM, at.shape)


def tubes(rng: np.random.Generator) -> np.ndarray:
    """Membranes of 4 to 12 bent tubes, 0.3 to 0.6 um wide and 2 to 5 um long, seen from above."""
    found = []
    for _ in range(rng.integers(4, 13)):
        length, radius = rng.uniform(2000, 5000), rng.uniform(150, 300)
        number = rng.poisson(length * 2 * np.pi * radius * EMITTERS_PER_UM2 / 1e6)
        along = np.sort(rng.uniform(0, length, number))
        heading = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.3) * along / 1000
        forward = np.stack([np.sin(heading), np.cos(heading)], axis=1)
        centre = np.cumsum(np.diff(along, prepend=0)[:, None] * forward, axis=0)
        beside = radius * np.cos(rng.uniform(0, 2 * np.pi, number))
        normal = forward[:, ::-1] * (1, -1)
        found.append(rng.uniform(0, FIELD_NM, 2) + centre + beside[:, None] * normal)
    return np.concatenate(found)


def vesicles(rng: np.random.Generator) -> np.ndarray:
    """Membranes of 20 to 80 spheres of 80 to 200 nm."""
    found = []
    for _ in range(rng.integers(20, 81)):
        radius = rng.uniform(40, 100)
        number = rng.poisson(4 * np.pi * radius**2 * EMITTERS_PER_UM2 / 1e6)
        height, angle = rng.uniform(-1, 1, number), rng.uniform(0, 2 * np.pi, number)
        out = radius * np.sqrt(1 - height**2)
        found.append(around(rng.uniform(0, FIELD_NM, 2), out, angle))
    return np.concatenate(found)


def rings(rng: np.random.Generator) -> np.ndarray:
    """20 to 60 circles of 0.3 to 1.2 um, with as many emitters as a band of 10 nm has."""
    found = []
    for _ in range(rng.integers(20, 61)):
        radius = rng.uniform(150, 600)
        number = rng.poisson(2 * np.pi * radius * GRID_NM * EMITTERS_PER_UM2 / 1e6)
        angle = rng.uniform(0, 2 * np.pi, number)
        found.append(around(rng.uniform(0, FIELD_NM, 2), radius, angle))
    return np.concatenate(found)


def discs(rng: np.random.Generator) -> np.ndarray:
    """50 to 200 spots of 100 nm, finer than the truth shows."""
    found = []
    for _ in range(rng.integers(50, 201)):
        number = rng.poisson(np.pi * 50**2 * EMITTERS_PER_UM2 / 1e6)
        out = 50 * np.sqrt(rng.random(number))
        found.append(around(rng.uniform(0, FIELD_NM, 2), out, rng.uniform(0, 2 * np.pi, number)))
    return np.concatenate(found)


def around(centre: np.ndarray, out: np.ndarray | float, angle: np.ndarray) -> np.ndarray:
    """Points (N, 2) at a distance from a centre."""
    return np.stack([centre[0] + out * np.sin(angle), centre[1] + out * np.cos(angle)], axis=1)


STRUCTURES = {
    "filaments, at random": random_filaments,
    "filaments, evenly": even_filaments,
    "tubes": tubes,
    "vesicles": vesicles,
    "rings": rings,
    "discs": discs,
}


def shares_of_frames(
    rng: np.random.Generator, count: int, frames: int, off: float, on: float = 1.0
) -> np.ndarray:
    """How much of each frame (N, T) an emitter is on; times in frames."""
    until = np.arange(1, frames + 1)
    lit = np.zeros((count, frames), np.float32)
    who, now, is_on = np.arange(count), np.zeros(count), rng.random(count) < on / (on + off)
    while len(who):
        then = now + rng.exponential(np.where(is_on, on, off))
        start, stop = now[is_on, None], then[is_on, None]
        lit[who[is_on]] += np.clip(np.minimum(stop, until) - np.maximum(start, until - 1), 0, 1)
        left = then < frames
        who, now, is_on = who[left], then[left], ~is_on[left]
    return lit


def movie(
    seed: int, condition: int, kind: str, frames: int = 100, psf_nm: float = PSF_NM
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts (T, 128, 128) and the truth (255, 255), sample (i, j) at camera pixel (i/2, j/2).

    And what is known of the truth from the first 20 frames by who knows where each photon came
    from: emitters as bright as they were.
    """
    rng = np.random.default_rng([seed, condition, 4242])
    peak, off = PEAK_PHOTONS[condition // 3], OFF_FRAMES[condition % 3]
    at = STRUCTURES[kind](rng) / PIXEL_NM - 0.5
    at = at[((at > -3) & (at < SIDE_PX + 2)).all(axis=1)]
    lit = shares_of_frames(rng, len(at), frames, off)
    sigma = psf_nm / PIXEL_NM / FWHM
    edges = np.arange(SIDE_PX + 1) - 0.5
    shares = [
        0.5 * np.diff(erf((edges - at[:, axis, None]) / (np.sqrt(2) * sigma)), axis=1)
        for axis in (0, 1)
    ]
    photons = peak * 2 * np.pi * sigma**2 * lit
    light = np.empty((frames, SIDE_PX, SIDE_PX))
    for t in range(frames):
        on = photons[:, t] > 0
        light[t] = (shares[0][on] * photons[on, t, None]).T @ shares[1][on]
    electrons = rng.poisson(light + peak / 15) + rng.normal(0, READ_NOISE, light.shape)
    counts = np.clip(np.round(COUNTS_PER_ELECTRON * electrons + OFFSET), 0, 65535)
    samples = np.arange(2 * SIDE_PX - 1) / 2
    narrow = sigma / 2
    y, x = (np.exp(-0.5 * ((samples - at[:, axis, None]) / narrow) ** 2) for axis in (0, 1))
    shone = y.T @ (x * photons[:, :20].sum(axis=1)[:, None])
    return counts.astype(np.uint16), y.T @ x, shone


def reference_program(frames: np.ndarray) -> np.ndarray:
    """Return the result of sofipackage, true PSF, reconvolved, without its half-pixel shift."""
    flat = flatten(cross_cumulants(frames, (2,), "single")[2], 2, "phase-mean")
    return linearize(flat, 2, PSF_NM / PIXEL_NM, iterations=10, reconvolve=True, boundary="wrap")


def scores(image: np.ndarray, truth: np.ndarray) -> tuple[float, float, float, float]:
    """Return Pearson, TPR, TNR and the fraction of false length."""
    masks = mask_scores(image, truth)
    return (
        pearson(image, truth),
        masks.tpr,
        masks.tnr,
        false_filament_length(image, truth).share,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--weights", nargs="*", default=["sofinet-universal", "sofinet-filaments"], metavar="W"
    )
    parser.add_argument("--picture", metavar="FILE.png")
    options = parser.parse_args()
    for kind in ("filaments, evenly", "filaments, at random"):
        print(f"\n| {kind} | frames | Pearson | TPR | TNR | false length | worst Pearson |")
        print("|---" * 7 + "|", flush=True)
        show(filament_scores(kind, options.seeds, options.weights))
    print("\n| other structures | frames | Pearson | TPR | TNR |  | worst Pearson |")
    print("|---" * 7 + "|", flush=True)
    for kind in OTHER_STRUCTURES:
        show(structure_scores(kind, options.seeds, options.weights))
    if options.picture:
        picture(options.weights, Path(options.picture))


Found = dict[tuple[str, int], list[tuple[float, ...]]]


def filament_scores(kind: str, seeds: int, weights: list[str]) -> Found:
    """Scores of the reference program and of weights, by frames and PSF, for each movie."""
    found: Found = {}
    for seed, condition in product(range(seeds), range(12)):
        frames, truth, _ = movie(seed, condition, kind)
        inner = truth[2:251, 2:251]  # the reference's grid
        for count in (20, 100):
            image = reference_program(frames[:count])
            found.setdefault(("reference program", count), []).append(scores(image, inner))
        opened = sofinet.open_movie(frames, PIXEL_NM / 1000)
        for name in weights:
            for count in (8, 20, 50):
                image = reconstructed(opened.select((0, count)), name)
                found.setdefault((Path(name).stem, count), []).append(scores(image, truth))
        for psf_nm in OTHER_PSFS_NM:
            frames, truth, _ = movie(seed, condition, kind, 20, psf_nm)
            opened = sofinet.open_movie(frames, PIXEL_NM / 1000)
            for name in weights:
                image = reconstructed(opened, name)
                label = f"{Path(name).stem}, PSF {psf_nm} nm"
                found.setdefault((label, 20), []).append(scores(image, truth))
    return found


def structure_scores(kind: str, seeds: int, weights: list[str]) -> Found:
    """Scores of 20 and 100 frames by weights, and of 100 by SOFI and by the reference program."""
    found: Found = {}
    for seed, condition in product(range(seeds), range(12)):
        frames, truth, shone = movie(seed, condition, kind)
        opened = sofinet.open_movie(frames, PIXEL_NM / 1000)
        made = {
            (f"{kind}: every photon at its emitter", 20): (shone, truth),
            (f"{kind}: reference program", 100): (reference_program(frames), truth[2:251, 2:251]),
            (f"{kind}: SOFI", 100): on_grid(sofinet.reconstruct(opened, "sofi"), truth),
        }
        for name, count in product(weights, (20, 100)):
            image = reconstructed(opened.select((0, count)), name)
            made[f"{kind}: {Path(name).stem}", count] = image, truth
        for key, (image, its_truth) in made.items():
            masks = mask_scores(image, its_truth)
            found.setdefault(key, []).append(
                (pearson(image, its_truth), masks.tpr, masks.tnr, np.nan)
            )
    return found


def reconstructed(opened: sofinet.Movie, weights: str) -> np.ndarray:
    """Return the picture of `sofinet` with these weights, or of the ConvGRU with its own."""
    method = "convgru" if "convgru" in weights else "sofinet"
    return np.asarray(sofinet.reconstruct(opened, method, weights=weights).image)


def on_grid(result: sofinet.Reconstruction, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An image of two samples per camera pixel, and the truth where it is."""
    rows, columns = result.image.shape
    first = [round(2 * origin) for origin in result.origin_px]
    part = truth[first[0] : first[0] + rows, first[1] : first[1] + columns]
    return result.image, part


def show(found: Found) -> None:
    """Print a line for each, the mean of its movies."""
    for (name, count), rows in found.items():
        mean = np.mean(rows, axis=0)
        worst = min(row[0] for row in rows)
        lengths = "" if np.isnan(mean[3]) else f"{100 * mean[3]:.1f} %"
        print(
            f"| {name} | {count} | {mean[0]:.3f} | {mean[1]:.3f} | {mean[2]:.3f} | {lengths} | "
            f"{worst:.3f} |",
            flush=True,
        )


def picture(weights: list[str], path: Path) -> None:
    """Draw the easiest, a middling and the hardest condition from 20 frames, beside the truth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.4 * (len(weights) + 3), 7.2), layout="constrained")
    axes = figure.subplots(3, len(weights) + 3, squeeze=False)
    for line, condition in zip(axes, (0, 5, 11), strict=True):
        frames, truth, _ = movie(0, condition, "filaments, evenly")
        opened = sofinet.open_movie(frames[:20], PIXEL_NM / 1000)
        images = {
            "mean of 20 frames": frames[:20].mean(axis=0),
            "reference, 100 frames": reference_program(frames),
            **{w: reconstructed(opened, w) for w in weights},
            "truth": truth,
        }
        for axis, (name, image) in zip(line, images.items(), strict=True):
            part = image[: image.shape[0] // 2, : image.shape[1] // 2]
            axis.imshow(part, cmap="inferno", vmax=np.quantile(part, 0.998))
            axis.set_title(Path(name).stem, fontsize=8)
            axis.axis("off")
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main()

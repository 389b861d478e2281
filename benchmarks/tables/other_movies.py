"""Movies of microtubules from another simulator than the one that networks learn from.

    python benchmarks/tables/other_movies.py [--seeds 2] [--weights NAME_OR_FILE ...]
        [--picture FILE.png]

Written from the description in Komen et al. (2024), in plain numpy and without any part of
`napari_sofinet.simulation`: filaments one pixel of 10 nm wide that end at the field's edge; 5000
emitters per um² of these pixels, at random; two-state blinking with 10 ms on and 0.6, 1.2 or 2.4 s
off, 100 frames per second; an emitter that is on for a whole frame is 100, 80, 60 or 40 photons
bright *at its peak*, 15 times the background; Gaussian PSF of 220 nm; pixels of 100 nm with offset
100, 2 counts per electron and 3 electrons of read noise. The truth is the emitters blurred to
half the PSF. Other PSFs: 160, 300 and 500 nm, as bright at their peak.

Simulators of the field differ in what they make of the paper's conditions: where the brightness is
that of the whole spot, there is five times less light than where it is that of the peak
(`models.py`). The field's own program (sofipackage, re-computed) tells how hard movies are, so it
is scored as well.
"""

from __future__ import annotations

import argparse
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
PSF_NM = 220
OTHER_PSFS_NM = 160, 300, 500
FWHM = 2.3548
"""Full width at half maximum of a Gaussian over its standard deviation."""
OFFSET, COUNTS_PER_ELECTRON, READ_NOISE = 100, 2.0, 3.0


def filaments(rng: np.random.Generator) -> np.ndarray:
    """Indices (N, 2) of the 10 nm pixels that 5 to 25 filaments cover: 20 to 100 in 25.6 um."""
    step = float(GRID_NM)
    covered = []
    for _ in range(rng.integers(5, 26)):
        bends = rng.normal(0, np.sqrt(2 * step / PERSISTENCE_NM), int(LENGTH_NM / step))
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(bends)
        path = np.cumsum(step * np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0)
        path += rng.uniform(0, FIELD_NM, 2)
        out = np.flatnonzero(((path < 0) | (path >= FIELD_NM)).any(axis=1))
        covered.append(path[: out[0]] if len(out) else path)
    return np.unique(np.floor(np.concatenate(covered) / GRID_NM).astype(int), axis=0)


def emitters(rng: np.random.Generator) -> np.ndarray:
    """Positions (N, 2) in nm from the corner of the field."""
    places = filaments(rng)
    number = rng.poisson(len(places) * EMITTERS_PER_UM2 * (GRID_NM / 1000) ** 2)
    return (places[rng.integers(0, len(places), number)] + rng.random((number, 2))) * GRID_NM


def shares_of_frames(
    rng: np.random.Generator, count: int, frames: int, off: float, on: float = 1.0
) -> np.ndarray:
    """How much of each frame (N, T) an emitter is on; times in frames."""
    lit = np.zeros((count, frames + 1))
    for n in range(count):
        is_on = rng.random() < on / (on + off)
        now = 0.0
        while now < frames:
            then = min(now + rng.exponential(on if is_on else off), frames)
            if is_on:
                first, last = int(now), int(then)
                lit[n, first : last + 1] += 1
                lit[n, first] -= now - first
                lit[n, last] -= last + 1 - then
            now, is_on = then, not is_on
    return lit[:, :frames]


def movie(
    seed: int, condition: int, frames: int = 100, psf_nm: float = PSF_NM
) -> tuple[np.ndarray, np.ndarray]:
    """Counts (T, 128, 128) and the truth (255, 255), sample (i, j) at camera pixel (i/2, j/2)."""
    rng = np.random.default_rng([seed, condition, 4242])
    peak, off = PEAK_PHOTONS[condition // 3], OFF_FRAMES[condition % 3]
    at = emitters(rng) / PIXEL_NM - 0.5
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
    return counts.astype(np.uint16), y.T @ x


def reference_program(frames: np.ndarray) -> np.ndarray:
    """What sofipackage computes with the true PSF and reconvolved, without its half-pixel shift."""
    flat = flatten(cross_cumulants(frames, (2,), "single")[2], 2, "phase-mean")
    return linearize(flat, 2, PSF_NM / PIXEL_NM, iterations=10, reconvolve=True, boundary="wrap")


def scores(image: np.ndarray, truth: np.ndarray) -> tuple[float, float, float, float]:
    """Pearson, TPR, TNR and share of false length."""
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
    parser.add_argument("--weights", nargs="*", default=["sofinet-universal", "sofinet-filaments"])
    parser.add_argument("--picture", metavar="FILE.png")
    options = parser.parse_args()
    found: dict[tuple[str, int], list[tuple[float, float, float, float]]] = {}
    for seed in range(options.seeds):
        for condition in range(12):
            frames, truth = movie(seed, condition)
            inner = truth[2:251, 2:251]  # the reference's grid
            for count in (20, 100):
                image = reference_program(frames[:count])
                found.setdefault(("reference program", count), []).append(scores(image, inner))
            opened = sofinet.open_movie(frames, PIXEL_NM / 1000)
            for name in options.weights:
                for count in (8, 20, 50):
                    part = opened.select((0, count))
                    image = sofinet.reconstruct(part, "sofinet", weights=name).image
                    found.setdefault((Path(name).stem, count), []).append(scores(image, truth))
            for psf_nm in OTHER_PSFS_NM:
                frames, truth = movie(seed, condition, 20, psf_nm)
                opened = sofinet.open_movie(frames, PIXEL_NM / 1000)
                for name in options.weights:
                    image = sofinet.reconstruct(opened, "sofinet", weights=name).image
                    label = f"{Path(name).stem}, PSF {psf_nm} nm"
                    found.setdefault((label, 20), []).append(scores(image, truth))
    print("| | frames | Pearson | TPR | TNR | false length | worst Pearson |\n" + "|---" * 7 + "|")
    for (name, count), rows in found.items():
        mean = np.mean(rows, axis=0)
        worst = min(row[0] for row in rows)
        print(
            f"| {name} | {count} | {mean[0]:.3f} | {mean[1]:.3f} | {mean[2]:.3f} | "
            f"{100 * mean[3]:.1f} % | {worst:.3f} |"
        )
    if options.picture:
        picture(options.weights, Path(options.picture))


def picture(weights: list[str], path: Path) -> None:
    """Draw the easiest, a middling and the hardest condition from 20 frames, beside the truth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.4 * (len(weights) + 3), 7.2), layout="constrained")
    axes = figure.subplots(3, len(weights) + 3, squeeze=False)
    for line, condition in zip(axes, (0, 5, 11), strict=True):
        frames, truth = movie(0, condition)
        opened = sofinet.open_movie(frames[:20], PIXEL_NM / 1000)
        images = {
            "mean of 20 frames": frames[:20].mean(axis=0),
            "reference, 100 frames": reference_program(frames),
            **{w: sofinet.reconstruct(opened, "sofinet", weights=w).image for w in weights},
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

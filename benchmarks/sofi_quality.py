"""Compare SOFI settings on simulated microtubules in the 12 conditions of the thesis.

    python benchmarks/sofi_quality.py [--seeds 2] [--frames 100] [--picture FILE.png]

Each condition is a movie of 128 x 128 px: 100, 80, 60 or 40 photons per frame, off times of 0.6,
1.2 or 2.4 s, one emitter 15 times brighter than the background at its peak. Truth: the emitters
blurred to half the PSF, on the SOFI grid. Scores: Pearson correlation, and true positive and
negative rates of Li masks. The reference is the field's own program (sofipackage), re-computed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

import napari_sofinet as sofinet
from napari_sofinet.metrics import mask_scores, pearson
from napari_sofinet.simulation import simulate
from napari_sofinet.simulation.presets import komen2024_condition
from napari_sofinet.sofi import cross_cumulants, flatten, linearize


def conditions(seed: int, frames: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Movies (T, Y, X) and their truth on the second-order grid."""
    movies = []
    for condition in range(12):
        settings = komen2024_condition(12 * seed + condition, condition)
        made = simulate(settings.model_copy(update={"frames": frames}))
        truth = made.truth.ideal(fineness=2, origin_px=(1, 1), shape=(249, 249))
        movies.append((made.frames, truth.image))
    return movies


def reference(frames: np.ndarray, reconvolve: bool) -> np.ndarray:
    """Return what sofipackage computes without its half-pixel shift, with the true PSF width."""
    cumulant = cross_cumulants(frames, (2,), "single")[2]
    flat = flatten(cumulant, 2, "phase-mean")
    return linearize(flat, 2, 2.2, iterations=10, reconvolve=reconvolve, boundary="wrap")


def average(frames: np.ndarray) -> np.ndarray:
    at = 1 + np.arange(249) / 2
    return map_coordinates(frames.mean(axis=0), np.meshgrid(at, at, indexing="ij"), order=1)


def ours(**settings: object) -> object:
    def run(frames: np.ndarray) -> np.ndarray:
        return sofinet.reconstruct(sofinet.open_movie(frames, 0.1), "sofi", **settings).image

    return run


VARIANTS = {
    "plain average": average,
    "reference program": lambda f: reference(f, False),
    "reference program, reconvolved": lambda f: reference(f, True),
    "**ours, default settings**": ours(),
    "one pixel set": ours(pixel_sets="single"),
    "flattening by phase means": ours(flattening="phase-mean"),
    "unweighted, no noise floor": ours(**{"deconvolution.weighted": False}),
    "not reconvolved": ours(**{"deconvolution.reconvolve": False}),
    "not truncated": ours(**{"deconvolution.truncate_percent": 0}),
    "15 iterations": ours(**{"deconvolution.iterations": 15}),
    "60 iterations": ours(**{"deconvolution.iterations": 60}),
    "true PSF width given (2.2 px)": ours(psf_fwhm_px=2.2),
}


def picture(path: Path, movies: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Draw the easiest and the hardest condition beside the average and the truth."""
    from matplotlib.figure import Figure

    names = "plain average", "reference program, reconvolved", "**ours, default settings**"
    figure = Figure(figsize=(14, 7.3), layout="constrained")
    axes = figure.subplots(2, 4)
    for row, (frames, truth) in zip(axes, (movies[0], movies[-1]), strict=True):
        images = [(name.strip("*"), VARIANTS[name](frames)) for name in names]
        for axis, (name, image) in zip(row, [*images, ("truth", truth)], strict=True):
            axis.imshow(image[60:200, 60:200], cmap="inferno", vmax=np.percentile(image, 99.7))
            axis.set(title=f"{name}, r = {pearson(image, truth):.2f}", xticks=[], yticks=[])
    figure.savefig(path, dpi=70)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    movies = [m for seed in range(1, options.seeds + 1) for m in conditions(seed, options.frames)]
    print(f"| {options.frames} frames, {len(movies)} movies | Pearson | worst | TPR | TNR |")
    print("|---|---|---|---|---|")
    for name, run in VARIANTS.items():
        scores = []
        for frames, truth in movies:
            image = run(frames)
            masks = mask_scores(image, truth)
            scores.append((pearson(image, truth), masks.tpr, masks.tnr))
        r, tpr, tnr = np.transpose(scores)
        print(
            f"| {name} | {r.mean():.3f} ± {r.std():.3f} | {r.min():.3f} | {tpr.mean():.3f} "
            f"| {tnr.mean():.3f} |",
            flush=True,
        )
    if options.picture:
        picture(options.picture, movies)


if __name__ == "__main__":
    main()

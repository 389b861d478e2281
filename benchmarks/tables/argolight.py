"""The smallest distance of two lines that each method resolves.

    python benchmarks/tables/argolight.py [--seeds 10] [--methods NAME ...] [--rows 24]
        [--picture FILE.png]

Movies of the preset `argolight`: ten pairs of lines 100 nm wide, 390 to 120 nm apart, PSF 318 nm,
pixels of 100 nm, uneven background, 500 frames. A pair is resolved if the dip between its lines is
at least 20 % of the lower one; the smallest resolved spacing is that which is resolved like all
wider ones. Dips are means over all movies.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import napari_sofinet as sofinet
from napari_sofinet.quality.lines import measure_pattern, pattern_of
from napari_sofinet.quality.picture import Picture
from napari_sofinet.simulation import preset_settings, simulate

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "average": ("average", {}),
    "SOFI-2": ("sofi", {"order": 2}),
    "SOFI-3": ("sofi", {"order": 3}),
    "SOFI-4": ("sofi", {"order": 4}),
    "sofinet-universal": ("sofinet", {"weights": "sofinet-universal"}),
    "sofinet-filaments": ("sofinet", {"weights": "sofinet-filaments"}),
    "deepstorm": ("deepstorm", {}),
    "covariance": ("covariance", {}),
    "fluogan": ("fluogan", {}),
    "fluogan, no critic": ("fluogan", {"critic_steps": 0}),
}


def pictures(
    names: Iterable[str], seed: int, rows: int
) -> Iterable[tuple[str, sofinet.Reconstruction, dict[str, Any], float]]:
    """Yield the picture of each method, what it shows of the lines, and its seconds."""
    settings = preset_settings("argolight", seed, {"rows": rows})
    movie = sofinet.open_movie(simulate(settings).frames, settings.pixel_size_um)
    for name in names:
        method, more = METHODS[name]
        began = time.process_time()
        made = sofinet.reconstruct(movie, method, device="cpu", **more)
        spent = time.process_time() - began
        picture = Picture(made.image, name, pixel_px=made.pixel_px, origin_px=made.origin_px)
        yield name, made, measure_pattern(picture, pattern_of(settings)), spent


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--picture", metavar="FILE.png", help="draw the pictures of the first seed")
    options = parser.parse_args()
    found: dict[str, list[tuple[dict[str, Any], float]]] = {name: [] for name in options.methods}
    shown: dict[str, sofinet.Reconstruction] = {}
    for seed in range(options.seeds):
        for name, made, facts, spent in pictures(options.methods, seed, options.rows):
            found[name].append((facts, spent))
            shown.setdefault(name, made)
            print(f"{seed} {name}: {facts['smallest_resolved_nm']} nm, {spent:.0f} s", flush=True)
        if options.picture and not seed:
            draw(shown, options.rows, Path(options.picture))
    show(found)


def show(found: dict[str, list[tuple[dict[str, Any], float]]]) -> None:
    """Print a line for each method."""
    spacings = [pair["spacing_nm"] for pair in next(iter(found.values()))[0][0]["pairs"]]
    print("\n| method | smallest resolved, nm (median; range) | s of processor | dip at", end=" ")
    print(" | ".join(f"{spacing:.0f}" for spacing in spacings), "|")
    print("|---" * (3 + len(spacings)) + "|")
    for name, rows in found.items():
        smallest = [facts["smallest_resolved_nm"] or np.inf for facts, _ in rows]
        dips = np.mean([[pair["dip"] for pair in facts["pairs"]] for facts, _ in rows], axis=0)
        median, low, high = (
            "none" if np.isinf(value) else f"{value:.0f}"
            for value in (np.quantile(smallest, 0.5, method="higher"), *_ends(smallest))
        )
        spent = np.mean([seconds for _, seconds in rows])
        row = " | ".join(f"{dip:.2f}" for dip in dips)
        print(f"| {name} | {median} ({low} to {high}) | {spent:.0f} | {row} |")


def _ends(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


def draw(shown: dict[str, sofinet.Reconstruction], rows: int, path: Path) -> None:
    """Draw the pictures of one movie under each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.55 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    columns = preset_settings("argolight").columns
    for axis, (name, made) in zip(axes, shown.items(), strict=True):
        image = np.asarray(made.image, float)
        y, x = (
            (origin - step / 2, origin + (count - 0.5) * step)
            for origin, step, count in zip(made.origin_px, made.pixel_px, image.shape, strict=True)
        )
        low = np.quantile(image, 0.02) if name == "average" else 0
        axis.imshow(
            image,
            cmap="inferno",
            vmin=low,
            vmax=np.quantile(image, 0.998),
            extent=(*x, y[1], y[0]),
            interpolation="nearest",
        )
        axis.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), facecolor="black")
        axis.set_title(name, fontsize=9, loc="left")
        axis.set_xticks([])
        axis.set_yticks([])
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main()

"""Classical SIM and the network that refines it, on simulated raw stacks with their truth.

    python benchmarks/tables/sim.py [--weights NAME_OR_FILE] [--parts clouds points ...]
        [--clouds 24] [--side 192] [--picture FILE.png]

Parts: `clouds`, chromatin (walks of 137 points) that no training has seen: widths along each axis
by autocorrelation, similarity to the truth after the best scale. `points`, pairs one above the
other: dip between them. `single`, lone points: width at half height of
their profiles. `planes`, three planes of dense points. `photons`, clouds of 16 to 2048
photons in the brightest pixel. `lines`, filaments: fraction of their length that is missing.
`structures`, other kinds, among them some that the training does not contain (helices, lattices).
`masked`, each exposure in turn without light. `nothing`, noise, empty stacks and light far out of
focus. `speed`, time and memory of the command for a stack of 40 x 7 x 256 x 256. The
microscope is that of Boland et al. (2021).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.signal import peak_widths

import napari_sofinet as sofinet
from napari_sofinet.base.errors import InputError
from napari_sofinet.data.sim_stack import open_sim_stack
from napari_sofinet.metrics import fwhm_by_autocorrelation, likeness
from napari_sofinet.simulation.sim_settings import SimStackSettings, sim_preset_settings
from napari_sofinet.simulation.sim_simulate import SimulatedStack, simulate_stack

FIRST_SEED = 9000
PIXEL_UM, PLANE_UM, FINER, FOLD = 6.5 / 60, 0.35, 3, 2
POINT_GRID_UM = 2.4
Pictures = dict[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="rcan-sim")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--clouds", type=int, default=24)
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    if options.picture:
        picture(options, options.picture)
        return
    for part in options.parts:
        print(f"\n## {part}", flush=True)
        PARTS[part](options)


def pictures(stack: SimulatedStack, weights: str, images: np.ndarray | None = None) -> Pictures:
    """Return the classical picture and that of the network, (3 Z, 2 Y, 2 X) each."""
    raw = stack.images() if images is None else images
    opened = open_sim_stack(np.moveaxis(raw, 0, 1), PIXEL_UM)
    found = sofinet.reconstruct(opened, "rcan_sim", weights=weights, plane_um=PLANE_UM)
    return {"sim": found.maps["classical"], "network": found.image}


def settings_of(
    kind: str, seed: int, options: argparse.Namespace, **more: object
) -> SimStackSettings:
    side = {"rows": options.side, "columns": options.side}
    return sim_preset_settings(kind, seed, side | more)


def scores(image: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """SSIM (mean over planes) and MSE, after the best scale; the truth is 1 at most."""
    image = np.maximum(image, 0)
    image = image * float((image * truth).sum() / max(float((image**2).sum()), 1e-30))
    busy = [z for z in range(len(truth)) if np.ptp(truth[z]) > 0.05]
    alike = [likeness(image[z] / np.ptp(truth[z]), truth[z] / np.ptp(truth[z])).ssim for z in busy]
    return float(np.mean(alike)), float(np.square(image - truth).mean())


def widths_nm(image: np.ndarray) -> np.ndarray:
    samples = 1000 * np.array([PLANE_UM / FINER, PIXEL_UM / FOLD, PIXEL_UM / FOLD])
    return np.array(fwhm_by_autocorrelation(image)) * samples


def clouds(options: argparse.Namespace) -> None:
    """Chromatin that no training has seen."""
    rows: dict[str, list[list[float]]] = {"sim": [], "network": [], "truth": []}
    for number in range(options.clouds):
        stack = simulate_stack(settings_of("sim-chromatin", FIRST_SEED + number, options))
        truth = stack.truth()
        for name, image in {**pictures(stack, options.weights), "truth": truth}.items():
            rows[name].append([*widths_nm(image), *scores(image, truth)])
    print("| picture | axial FWHM nm | lateral FWHM nm | SSIM | MSE |\n|---|---|---|---|---|")
    for name, values in rows.items():
        mean, spread = np.nanmean(values, 0), np.nanstd(values, 0)
        print(
            f"| {name} | {mean[0]:.0f} ± {spread[0]:.0f} | {mean[1:3].mean():.0f} | "
            f"{mean[3]:.4f} ± {spread[3]:.4f} | {mean[4]:.2e} ± {spread[4]:.1e} |"
        )
    ratio = np.array(rows["network"])[:, 0] / np.array(rows["sim"])[:, 0]
    print(f"\nnetwork / sim, axial: {np.mean(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f})")


def single(options: argparse.Namespace) -> None:
    """Lone points, by profiles through their brightest sample."""
    settings = settings_of("sim-chromatin", FIRST_SEED, options, photons=1000.0)
    rng = np.random.default_rng(4)
    places = grid_of_places(options, rng)
    z = settings.planes * PLANE_UM / 2 + rng.uniform(-1, 1, len(places))
    at_um = np.column_stack([z, places])
    stack = SimulatedStack(settings, at_um)
    print("| picture | axial FWHM nm | lateral FWHM nm |\n|---|---|---|")
    for name, image in {**pictures(stack, options.weights), "truth": stack.truth()}.items():
        axial, y, x = np.median([profile_widths_nm(image, at) for at in at_um], 0)
        print(f"| {name} | {axial:.0f} | {(y + x) / 2:.0f} |", flush=True)


def grid_of_places(options: argparse.Namespace, rng: np.random.Generator) -> np.ndarray:
    """Places (N, 2) in um on a grid, a little displaced."""
    at = np.arange(1.5, options.side * PIXEL_UM - 1.5, POINT_GRID_UM)
    places = np.stack(np.meshgrid(at, at, indexing="ij"), -1).reshape(-1, 2)
    return places + rng.uniform(-0.2, 0.2, places.shape)


def profile_widths_nm(image: np.ndarray, at_um: np.ndarray) -> list[float]:
    """FWHM along z, y and x of the point nearest to a place, from `scipy.signal.peak_widths`."""
    sample_um = np.array([PLANE_UM / FINER, PIXEL_UM / FOLD, PIXEL_UM / FOLD])
    corner = np.rint(at_um / sample_um + np.array([1, 0, 0])).astype(int) - 4
    near = image[tuple(slice(c, c + 9) for c in corner)]
    peak = corner + np.unravel_index(near.argmax(), near.shape)
    widths = []
    for axis, step in enumerate(sample_um):
        line = image[tuple(slice(None) if k == axis else int(peak[k]) for k in range(3))]
        # The base is zero, not the lowest value: ringing of the classical picture goes below it.
        width = peak_widths(np.maximum(line, 0), [peak[axis]], rel_height=0.5)[0][0]
        widths.append(1000 * float(step * width))
    return widths


def points(options: argparse.Namespace) -> None:
    """Pairs of points one above the other."""
    print("| distance nm | sim: dip | network: dip | separated (sim, network) |\n|---|---|---|---|")
    for distance in (1.2, 1.05, 0.9, 0.75, 0.6, 0.45):
        settings = settings_of("sim-chromatin", FIRST_SEED, options, photons=1000.0)
        rng = np.random.default_rng(1)
        places = grid_of_places(options, rng)
        middle = settings.planes * PLANE_UM / 2 + rng.uniform(-1, 1, len(places))
        both = [np.column_stack([middle + s * distance / 2, places]) for s in (-1, 1)]
        found = pictures(SimulatedStack(settings, np.concatenate(both)), options.weights)
        dips = {
            name: [dip_along_z(image, m, p, distance) for m, p in zip(middle, places, strict=True)]
            for name, image in found.items()
        }
        apart = ", ".join(f"{np.mean(np.array(v) >= 0.2):.0%}" for v in dips.values())
        print(
            f"| {1000 * distance:.0f} | {np.mean(dips['sim']):.2f} | "
            f"{np.mean(dips['network']):.2f} | {apart} |",
            flush=True,
        )


def dip_along_z(image: np.ndarray, z_um: float, at_um: np.ndarray, distance_um: float) -> float:
    """Dip of the profile through a pair: 1 less the lowest value over the lower peak."""
    z = np.arange(-distance_um, distance_um + 1e-6, 0.02)
    y, x = at_um / PIXEL_UM * FOLD
    index = np.stack([(z_um + z) / PLANE_UM * FINER + 1, np.full(len(z), y), np.full(len(z), x)])
    profile = np.maximum(map_coordinates(image, index, order=1), 0)
    near = np.abs(np.abs(z) - distance_um / 2) < 0.35 * distance_um
    peaks = [profile[near & (np.sign(z) == s)].max() for s in (-1, 1)]
    middle = profile[np.abs(z) < 0.2 * distance_um].min()
    return float(1 - middle / max(min(peaks), 1e-30))


def planes(options: argparse.Namespace) -> None:
    """Three planes of dense points, one above the other."""
    print("| distance nm | sim: contrast | network: contrast |\n|---|---|---|")
    for distance in (1.2, 0.9, 0.75, 0.6, 0.45):
        settings = settings_of("sim-chromatin", FIRST_SEED, options, photons=1000.0)
        rng = np.random.default_rng(2)
        side, middle = options.side * PIXEL_UM, settings.planes * PLANE_UM / 2
        flat = rng.uniform(1.5, side - 1.5, (3, 4000, 2))
        at = [
            np.column_stack([np.full(4000, middle + (k - 1) * distance), flat[k]]) for k in range(3)
        ]
        found = pictures(SimulatedStack(settings, np.concatenate(at)), options.weights)
        cells = []
        for image in found.values():
            inner = np.maximum(image[:, 40:-40, 40:-40], 0).mean((1, 2))
            z = (np.arange(len(inner)) - 1) / FINER * PLANE_UM - middle
            peaks = np.interp([-distance, 0, distance], z, inner)
            between = np.interp([-distance / 2, distance / 2], z, inner)
            cells.append(f"{(peaks.min() - between.max()) / (peaks.min() + between.max()):.2f}")
        print(f"| {1000 * distance:.0f} | {cells[0]} | {cells[1]} |", flush=True)


def photons(options: argparse.Namespace) -> None:
    """Clouds of chromatin at different brightness."""
    print("| photons | sim: SSIM, MSE | network: SSIM, MSE |\n|---|---|---|")
    for light in (16, 32, 64, 128, 256, 512, 1024, 2048):
        values = []
        for seed in range(3):
            changes = {"photons": float(light)}
            stack = simulate_stack(
                settings_of("sim-chromatin", FIRST_SEED + 100 + seed, options, **changes)
            )
            try:
                found = pictures(stack, options.weights)
            except InputError:
                continue
            values.append([scores(image, stack.truth()) for image in found.values()])
        if not values:
            print(f"| {light} | the pattern is not found | |")
            continue
        (a, b), (c, d) = np.mean(values, 0)
        print(f"| {light} | {a:.4f}, {b:.1e} | {c:.4f}, {d:.1e} |", flush=True)


def lines(options: argparse.Namespace) -> None:
    """Fraction of the length of filaments that is missing though the truth shows it."""
    print("| seed | filaments | sim: missing | network: missing |\n|---|---|---|---|")
    for number in range(4):
        count = (5, 10, 20, 40)[number]
        changes = {"structure": "filaments", "count": count, "photons": 500.0}
        seed = FIRST_SEED + 200 + number
        stack = simulate_stack(settings_of("sim-mixed", seed, options, **changes))
        truth = along(stack.truth(), stack.positions_um)
        # Only where the line itself is in the stack, and is not drowned by others.
        shown = truth > 0.5 * np.median(truth[truth > 0])
        cells = []
        for image in pictures(stack, options.weights).values():
            light = along(image, stack.positions_um)
            cells.append(f"{np.mean(light[shown] < 0.2 * np.median(light[shown])):.1%}")
        print(f"| {seed} | {count} | {cells[0]} | {cells[1]} |", flush=True)


def along(image: np.ndarray, at_um: np.ndarray) -> np.ndarray:
    """Values of a picture at points; 0 outside."""
    index = at_um / [PLANE_UM / FINER, PIXEL_UM / FOLD, PIXEL_UM / FOLD] + [1, 0, 0]
    return np.asarray(map_coordinates(image, index.T, order=1, cval=0.0))


def structures(options: argparse.Namespace) -> None:
    """Kinds of structure, the last two of which the training does not contain."""
    print("| structure | sim: SSIM, MSE | network: SSIM, MSE |\n|---|---|---|")
    kinds = "chromatin", "sphere", "filaments", "membranes", "volumes", "points"
    for number, kind in enumerate((*kinds, "helices", "lattice")):
        count = {"sphere": 5000, "points": 500, "filaments": 20}.get(kind, 4)
        known = kind if kind in kinds else "chromatin"
        changes = {"structure": known, "count": count, "photons": 500.0}
        settings = settings_of("sim-mixed", FIRST_SEED + 300 + number, options, **changes)
        stack = simulate_stack(settings)
        if kind not in kinds:
            stack = SimulatedStack(settings, UNSEEN[kind](options.side * PIXEL_UM, settings.planes))
        truth = stack.truth()
        (a, b), (c, d) = (scores(i, truth) for i in pictures(stack, options.weights).values())
        print(f"| {kind} | {a:.4f}, {b:.1e} | {c:.4f}, {d:.1e} |", flush=True)


def helices(side_um: float, count: int) -> np.ndarray:
    """Helices 1.2 um wide with a pitch of 1.5 um, upright."""
    t = np.arange(0, 8 * 2 * np.pi, 0.02)
    rng = np.random.default_rng(3)
    middles = rng.uniform(2, side_um - 2, (12, 2))
    coil = np.stack([1.5 * t / (2 * np.pi) + 1, 0.6 * np.sin(t), 0.6 * np.cos(t)], 1)
    return np.concatenate([coil + np.array([0, y, x]) for y, x in middles])


def lattice(side_um: float, count: int) -> np.ndarray:
    """Bars of a cubic lattice with a period of 2 um."""
    top = count * PLANE_UM
    steps = np.arange(0, max(side_um, top), 0.02)
    out = []
    for a in np.arange(1, side_um, 2.0):
        for b in np.arange(1, side_um, 2.0):
            z = steps[steps < top]
            out.append(np.stack([z, np.full(len(z), a), np.full(len(z), b)], 1))
        for b in np.arange(1, top, 2.0):
            y = steps[steps < side_um]
            out.append(np.stack([np.full(len(y), b), y, np.full(len(y), a)], 1))
            out.append(np.stack([np.full(len(y), b), np.full(len(y), a), y], 1))
    return np.concatenate(out)


def masked(options: argparse.Namespace) -> None:
    """Each exposure in turn without light."""
    stack = simulate_stack(settings_of("sim-chromatin", FIRST_SEED + 400, options, photons=1000.0))
    raw, truth = stack.images(), stack.truth()
    print("| dark exposure | sim: MSE | network: MSE |\n|---|---|---|")
    for dark in (None, *range(len(raw))):
        images = raw.copy()
        if dark is not None:
            images[dark] = stack.settings.offset
        try:
            found = pictures(stack, options.weights, images)
        except InputError as error:
            print(f"| {dark} | {error} | |")
            continue
        a, b = (scores(image, truth)[1] for image in found.values())
        print(f"| {'none' if dark is None else dark + 1} | {a:.1e} | {b:.1e} |", flush=True)


def nothing(options: argparse.Namespace) -> None:
    """Stacks without anything in focus."""
    settings = settings_of("sim-chromatin", FIRST_SEED + 500, options, photons=500.0)
    middle = settings.planes * PLANE_UM / 2
    rng = np.random.default_rng(5)
    some = simulate_stack(settings_of("sim-chromatin", FIRST_SEED + 501, options, photons=500.0))
    bright = float(np.quantile(pictures(some, options.weights)["network"], 0.9999))
    # The light sheet hardly reaches what lies 1.5 to 2.5 um beyond the last plane.
    far = rng.uniform([2 * middle + 1.5, 2, 2], [2 * middle + 2.5, 18, 18], (3000, 3))
    dim = settings.model_copy(update={"photons": 50.0})
    shape = settings.rows, settings.columns
    cases = {
        "read noise": 100 + rng.normal(0, 1.5, (7, 40, *shape)).round(),
        "even light": 100 + rng.poisson(200, (7, 40, *shape)),
        "out of focus": SimulatedStack(dim, far).images(),
    }
    print("| stack | what happens |\n|---|---|")
    for name, images in cases.items():
        try:
            found = pictures(some, options.weights, np.asarray(images, np.uint16))["network"]
            print(f"| {name} | drawn up to {np.abs(found).max() / bright:.1%} of a structure |")
        except InputError as error:
            print(f"| {name} | nothing is drawn: {error} |", flush=True)


def speed(options: argparse.Namespace) -> None:
    """Time and memory of the command, for a usual stack in a file."""
    command = str(Path(sys.executable).with_name("sofinet"))
    with TemporaryDirectory() as folder:
        raw = f"{folder}/stack.tif"
        made = [command, "simulate", "sim-chromatin", "-o", raw, "--seed", str(FIRST_SEED)]
        subprocess.run(made, check=True, capture_output=True)
        for method, more in (("sim", []), ("rcan_sim", ["--weights", options.weights])):
            run = [command, "reconstruct", method, raw, "-o", f"{folder}/{method}.ome.tif", *more]
            began = time.perf_counter()
            _, status, used = os.wait4(os.spawnv(os.P_NOWAIT, command, run), 0)
            if status:
                raise SystemExit(f"{method} failed")
            wall, spent = time.perf_counter() - began, used.ru_utime + used.ru_stime
            peak = used.ru_maxrss / 1e6
            print(f"{method}: {wall:.0f} s, {spent:.0f} s of processor, peak {peak:.2f} GB")


def picture(options: argparse.Namespace, path: Path) -> None:
    """Draw stacks from the side: wide field, classical, network and truth."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    kinds = ("sim-chromatin", {}), ("sim-mixed", {"structure": "filaments", "count": 20})
    figure, axes = plt.subplots(4, 4, figsize=(14, 11), layout="constrained")
    for k, (kind, more) in enumerate(kinds):
        stack = simulate_stack(settings_of(kind, FIRST_SEED + 600, options, photons=500.0, **more))
        raw = stack.images()
        shown = {"wide field": raw.mean(0) - 100, **pictures(stack, options.weights, raw)}
        shown["ideal confocal"] = stack.truth()
        for j, (name, image) in enumerate(shown.items()):
            top, side = image.max(0), image[:, image.shape[1] // 2 - 4 : image.shape[1] // 2 + 4]
            deep = PLANE_UM * (1 if j == 0 else 1 / FINER) / (PIXEL_UM / (1 if j == 0 else FOLD))
            for row, one, stretch in ((2 * k, top, 1.0), (2 * k + 1, side.max(1), deep)):
                axes[row, j].imshow(
                    one, cmap="inferno", vmin=0, vmax=np.quantile(one, 0.999), aspect=stretch
                )
                axes[row, j].set_axis_off()
            axes[2 * k, j].set_title(name)
    figure.savefig(path, dpi=80)


UNSEEN: dict[str, Callable[[float, int], np.ndarray]] = {"helices": helices, "lattice": lattice}
PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "clouds": clouds,
    "single": single,
    "points": points,
    "planes": planes,
    "photons": photons,
    "lines": lines,
    "structures": structures,
    "masked": masked,
    "nothing": nothing,
    "speed": speed,
}

if __name__ == "__main__":
    main()

"""Raw SIM stacks of other microscopes, and networks that see 1, 3 or 5 planes at a time.

    python benchmarks/tables/sim_others.py microscopes
    python benchmarks/tables/sim_others.py chunks rcan-1.safetensors rcan-3.safetensors ...

`microscopes`: stacks with another NA or distance of planes, which the settings tell or not; the
agreement of `rcan_sim` with the truth, and what the user reads. `chunks`: networks `rcan`, trained
alike, on chromatin that none of them has seen, with `rcan_sim` and the classical picture beside
them; `--weights` names those of `rcan_sim`.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import napari_sofinet as sofinet
from napari_sofinet.base.errors import InputError
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.sim_stack import open_sim_stack
from napari_sofinet.metrics import fwhm_by_autocorrelation, volume_agreement
from napari_sofinet.simulation.sim_settings import sim_preset_settings
from napari_sofinet.simulation.sim_simulate import SimulatedStack, simulate_stack

NA = "illumination.microscope.numerical_aperture"
PLANE = "illumination.plane_um"
USUAL_PLANE_UM = 0.35
FIRST_SEED = 7100


def reconstructed(
    stack: SimulatedStack, method: str, plane_um: float = USUAL_PLANE_UM, **settings: Any
) -> Reconstruction:
    raw = open_sim_stack(np.moveaxis(stack.images(), 0, 1), stack.settings.pixel_um)
    return sofinet.reconstruct(raw, method, plane_um=plane_um, **settings)


def microscopes(options: argparse.Namespace) -> None:
    size = {"rows": 96, "columns": 96, "planes": 24, "photons": 800.0}
    cases: list[tuple[str, dict[str, Any], dict[str, Any]]] = [("as in training", {}, {})]
    for na in (0.95, 1.0, 1.05, 1.2):
        cases.append((f"NA {na}", {NA: na}, {"microscope.numerical_aperture": na}))
        cases.append((f"NA {na}, settings say 1.1", {NA: na}, {}))
    for plane in (0.2, 0.28, 0.45, 0.6):
        cases.append((f"planes {plane} µm apart", {PLANE: plane}, {"plane_um": plane}))
        cases.append((f"planes {plane} µm apart, settings say 0.35", {PLANE: plane}, {}))
    print("| stack | Pearson to the truth | notes |\n|---|---|---|")
    for name, changes, given in cases:
        stack = simulate_stack(sim_preset_settings("sim-chromatin", 31, size | changes))
        try:
            found = reconstructed(stack, "rcan_sim", weights=options.weights, **given)
        except InputError as error:
            print(f"| {name} | | {error} |")
            continue
        r = np.corrcoef(found.image.ravel(), stack.truth().ravel())[0, 1]
        print(f"| {name} | {r:.3f} | {' '.join(found.notes[:-1])} |", flush=True)


def chunks(options: argparse.Namespace) -> None:
    runs = {path: ("rcan", path) for path in options.files}
    runs["rcan_sim"] = ("rcan_sim", options.weights)
    rows: dict[str, list[list[float]]] = {name: [] for name in (*runs, "classical")}
    for seed in range(FIRST_SEED, FIRST_SEED + options.stacks):
        size = {"rows": 96, "columns": 96, "planes": 24, "photons": 800.0}
        stack = simulate_stack(sim_preset_settings("sim-chromatin", seed, size))
        truth = stack.truth()
        pictures = {}
        for name, (method, weights) in runs.items():
            found = reconstructed(stack, method, weights=weights)
            pictures[name] = found.image
        pictures["classical"] = found.maps["classical"]
        for name, image in pictures.items():
            agreement = volume_agreement(image, truth)
            width = 1000 * USUAL_PLANE_UM / 3 * fwhm_by_autocorrelation(image)[0]
            rows[name].append([width, agreement.ssim, agreement.mse, agreement.pearson])
    print("| picture | axial FWHM, nm | SSIM | MSE | Pearson |\n|---|---|---|---|---|")
    for name, values in rows.items():
        width, ssim, mse, r = np.nanmean(values, 0)
        print(f"| {name} | {width:.0f} | {ssim:.4f} | {mse:.1e} | {r:.3f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("microscopes", "chunks"))
    parser.add_argument("files", nargs="*", help="weights of rcan")
    parser.add_argument("--weights", default="rcan-sim", help="weights of rcan_sim")
    parser.add_argument("--stacks", type=int, default=8)
    given = parser.parse_args()
    {"microscopes": microscopes, "chunks": chunks}[given.part](given)

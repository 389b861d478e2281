"""Whether the advice of the check helps, and how often it is given without reason.

    python benchmarks/tables/advice.py [--quick]

Artefacts of three strengths are added to simulated movies. The table shows the correlation of
SOFI's picture with the emitters (blurred to 110 nm) of the clean movie, of the spoilt one, and of
the spoilt one with the settings that the check advises. Then movies without artefacts, of presets
with varied structure, brightness, background and size, are checked for false alarms.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from artefacts import CHANGES, counts, lit, steady_structure

import napari_sofinet as sofinet
from napari_sofinet.metrics import pearson
from napari_sofinet.preprocess.suitability import check
from napari_sofinet.simulation import simulate
from napari_sofinet.simulation.presets import (
    filaments,
    komen2024_condition,
    microtubules,
    universal,
)

BESIDE_STEADY = {"lamp", "bleaching", "laser hop"}
OF_SAMPLE = {"blinking", "signal to noise", "PSF width", "frames", "convergence", "saturation"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, and ten clean movies")
    quick = parser.parse_args().quick
    advice(range(1 if quick else 3))
    false_alarms(10 if quick else 60)


def advice(seeds: range) -> None:
    """Print what following the advice does."""
    print(f"{'artefact':20} {'strength':>8} {'clean':>6} {'spoilt':>6} {'advised':>7}  advice")
    worse = 0
    for seed in seeds:
        settings = komen2024_condition(12 * (seed + 1), 0)
        made = simulate(settings.model_copy(update={"rows": 96, "columns": 96, "frames": 300}))
        best = score(made, made.frames, {})
        for name, (spoil, _) in CHANGES.items():
            spoilt = spoil(made.frames, np.random.default_rng(seed)).astype(float)
            base = made.frames.astype(float)
            if name in BESIDE_STEADY:
                base = lit(made.frames, steady_structure(made.frames), np.ones(300)).astype(float)
            for strength in (0.3, 1.0, 2.0):
                frames = counts(base + strength * (spoilt - base))
                findings = check(sofinet.open_movie(frames, 0.1))
                advised = {k: v for f in findings for k, v in f.settings.items()}
                before, after = score(made, frames, {}), score(made, frames, advised)
                worse += after < before - 0.005
                words = ", ".join(f"{k} {v}" for k, v in advised.items())
                print(f"{name:20} {strength:8} {best:6.3f} {before:6.3f} {after:7.3f}  {words}")
    print(f"advice that made it worse: {worse}")


def score(made: object, frames: np.ndarray, settings: dict) -> float:
    """Return the correlation of SOFI's picture with the emitters at 110 nm."""
    result = sofinet.reconstruct(sofinet.open_movie(frames, 0.1), "sofi", **settings)
    truth = made.truth.ideal(origin_px=(1, 1), shape=result.image.shape, fwhm_um=0.11).image
    return pearson(result.image, truth)


def false_alarms(count: int) -> None:
    """Print the findings on movies without artefacts that are not about the sample."""
    alarms = 0
    for seed in range(count):
        settings = (universal, filaments, microtubules)[seed % 3](seed + 100)
        side = (32, 48, 64, 96)[seed % 4]
        settings = settings.model_copy(
            update={
                "frames": (100, 200, 400)[seed // 3 % 3],
                "rows": side,
                "columns": side,
                "motion": type(settings.motion)(),
                "background": settings.background.model_copy(update={"half_life_s": None}),
            }
        )
        findings = check(sofinet.open_movie(simulate(settings).frames, 0.1))
        found = [f for f in findings if f.light != "good" and f.name not in OF_SAMPLE]
        alarms += bool(found)
        for finding in found:
            print(f"clean movie {seed} ({side} px): {finding.name}, {finding.value}")
    print(f"false alarms: {alarms} of {count}")


if __name__ == "__main__":
    main()

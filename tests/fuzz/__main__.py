"""Damage files at random and see that each command ends in time and says one sentence.

Usage: ``python -m fuzz [KIND ...] [-n CASES] [--seed SEED] [--keep FOLDER]``; without a kind, all.
Each case runs with at most 10 s and 1 GB and must end with 0, or with 2 and one sentence, without
changing anything but its own output. Cases that do not are kept and printed.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from fuzz.cases import Maker, Outcome, run_case
from fuzz.others import (
    hdf5_maker,
    picture_maker,
    recipe_maker,
    table_maker,
    truth_maker,
    weights_maker,
)
from fuzz.tiffs import maker as tiff_maker

KINDS: dict[str, Callable[[Path], Maker]] = {
    "tiff": tiff_maker,
    "table": table_maker,
    "recipe": recipe_maker,
    "weights": weights_maker,
    "truth": truth_maker,
    "hdf5": hdf5_maker,
    "picture": picture_maker,
}
LOADED = (
    "napari_sofinet.methods.network_picture", "napari_sofinet.methods.network_detector",
    "napari_sofinet.localization.rendering_kernel", "napari_sofinet.localization.drift",
    "napari_sofinet.sofi.pair_kernel", "napari_sofinet.simulation.rendering_kernel",
    "napari_sofinet.preprocess.suitability", "napari_sofinet.quality.scores",
    "napari_sofinet.cli.info", "napari_sofinet.cli.table", "napari_sofinet.cli.measure",
    "napari_sofinet.cli.simulate", "napari_sofinet.cli.reconstruct",
    "scipy.ndimage", "scipy.optimize", "scipy.interpolate", "pandas", "h5py", "dask.array",
    "imagecodecs", "skimage.filters", "skimage.io", "safetensors.torch",
)  # fmt: skip
"""Imported once, before the cases are forked."""


def outcomes(kind: str, count: int, seed: int, folder: Path) -> Iterator[Outcome]:
    """Run cases of one kind; the folders of those that went well are deleted."""
    base = folder / f"{kind}-sound"
    base.mkdir(parents=True)
    make = KINDS[kind](base)
    for number in range(count):
        place = folder / f"{kind}-{seed}-{number}"
        place.mkdir()
        outcome = run_case(make(Random(f"{kind} {seed} {number}"), place), place)
        if not outcome.complaints:
            shutil.rmtree(place)
        yield outcome


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}")
    parser.add_argument("-n", type=int, default=100, help="cases of each kind (default: 100)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for cases that fail")
    options = parser.parse_args()
    for name in LOADED:
        importlib.import_module(name)
    importlib.import_module("torch").set_num_threads(1)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    bad = 0
    for kind in options.kinds or KINDS:
        codes: Counter[int] = Counter()
        slowest: Outcome | None = None
        failed = 0
        for outcome in outcomes(kind, options.n, options.seed, folder):
            codes[outcome.code] += 1
            slowest = max(outcome, slowest or outcome, key=lambda one: one.seconds)
            if outcome.complaints:
                failed += 1
                print(f"FAILED {outcome}", flush=True)
        ended = ", ".join(f"{count} with {code}" for code, count in sorted(codes.items()))
        print(f"{kind}: {options.n} cases, {ended}; {failed} failed", flush=True)
        if slowest is not None:
            print(f"  slowest, {slowest.seconds:.1f} s: {slowest}", flush=True)
        bad += failed
    if not bad and options.keep is None:
        shutil.rmtree(folder)
    print(f"{bad} failed; files in {folder}" if bad else "all well")
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())

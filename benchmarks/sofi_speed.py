"""SOFI against the cost of merely reading the data, against pysofi, and its peak memory.

    python benchmarks/sofi_speed.py [--folder DIR] [--quick] [--pysofi FOLDER]

Movies are the bundled simulation repeated in space and time, so that their counts are real ones.
Times are medians of runs that alternate between what is compared; memory is the peak resident size
of a fresh process above that after importing the package. pysofi is compared where it can be
imported (or is installed in FOLDER: pip install --no-deps --target FOLDER pysofi).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile

import napari_sofinet as sofinet
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.simulation.demo import demo_movie
from napari_sofinet.sofi import cross_cumulants

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = """
import sys, time
import napari_sofinet as sofinet
from napari_sofinet.methods import reconstruct
import numba, dask.array, scipy.ndimage, tifffile
def peak_mib():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
before = peak_mib()
movie = sofinet.open_movie(sys.argv[1])
shown = []
start = time.perf_counter()
def report(fraction, message="", preview=None):
    if preview is not None and not shown:
        shown.append(time.perf_counter() - start)
reconstruct(movie, "sofi", order=int(sys.argv[2]), report=report)
took = time.perf_counter() - start
print(peak_mib() - before, took, shown[0] if shown else took)
"""


def write_movie(path: Path, side: int, gigabytes: float, compression: str | None = None) -> Path:
    """Write a movie of side x side px with the bundled movie's content; keep one that is there."""
    if path.exists():
        return path
    tile = demo_movie().frames
    repeat = -(-side // tile.shape[1])
    frames = round(gigabytes * 1e9 / (2 * side**2))
    rng = np.random.default_rng(0)

    def frame(t: int) -> np.ndarray:
        picture = np.tile(tile[t % len(tile)], (repeat, repeat))[:side, :side]
        # Repeated noise would be compressed far better than a camera's.
        return picture if compression is None else rng.poisson(picture).astype(np.uint16)

    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        tif.write(
            (frame(t) for t in range(frames)),
            shape=(frames, side, side),
            dtype=np.uint16,
            photometric="minisblack",
            compression=compression,
        )
    return path


def read_blocks(movie: Movie) -> None:
    """Copy every block into memory, as the method's own reader gives them."""
    for block in time_blocks(movie):
        block.copy()


def read_lazy_array(movie: Movie) -> None:
    """Copy every chunk of the movie's dask array into memory, on two cores."""
    array = movie.frames

    def copy(i: int) -> int:
        return array.blocks[i].compute(scheduler="synchronous").copy().nbytes

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(copy, range(array.numblocks[0])))


def medians(runs: dict[str, Callable[[], object]], repeats: int = 5) -> dict[str, float]:
    """Median time in s of each run; runs take turns, the first turn does not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: float(np.median(t)) for name, t in times.items()}


def compare_with_reading(path: Path) -> None:
    movie = sofinet.open_movie(path)
    runs = {
        "blocks read by the method's reader": lambda: read_blocks(movie),
        "chunks of the lazy array": lambda: read_lazy_array(movie),
        "SOFI order 2, cumulants": lambda: cross_cumulants(movie, (2,)),
        "SOFI order 2, whole method": lambda: sofinet.reconstruct(movie, "sofi"),
    }
    found = medians(runs)
    print(f"\n{path.name}: {movie.shape} {movie.dtype}")
    blocks, chunks, *_ = found.values()
    for name, seconds in found.items():
        print(
            f"  {name:38} {seconds:7.3f} s   {seconds / chunks:5.2f} x lazy array   "
            f"{seconds / blocks:5.2f} x blocks"
        )


def compare_with_pysofi(folder: Path, site: Path | None) -> None:
    if site:
        sys.path.insert(0, str(site))
    try:
        from pysofi import reconstruction
    except ImportError:
        print("\npysofi is not installed: not compared")
        return
    path = write_movie(folder / "m256.tif", 256, 0.131)
    movie = sofinet.open_movie(path)
    import contextlib
    import io

    def theirs() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            reconstruction.calc_moment_im(str(path.parent), path.name, 2)

    ours = medians({"ours": lambda: cross_cumulants(movie, (2,))})["ours"]
    start = time.perf_counter()
    theirs()
    seconds = time.perf_counter() - start
    print(
        f"\nsecond order, 1000 x 256 x 256: ours (cross) {ours:.3f} s, pysofi (auto) "
        f"{seconds:.2f} s: {seconds / ours:.0f} x"
    )


def memory(path: Path, order: int) -> None:
    found = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path), str(order)],
        capture_output=True,
        text=True,
        check=True,
    )
    mib, seconds, preview = map(float, found.stdout.split())
    print(
        f"  {path.name:18} order {order}: peak {mib:6.0f} MiB, {seconds:6.1f} s, "
        f"first preview after {preview:.2f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "sofinet-bench"
    )
    parser.add_argument("--quick", action="store_true", help="movies of up to 1 GB only")
    parser.add_argument("--pysofi", type=Path)
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(exist_ok=True)
    small = write_movie(folder / "m512_1GB.tif", 512, 1)
    compare_with_reading(small)
    compare_with_reading(write_movie(folder / "m512_zlib_noise.tif", 512, 0.12, "zlib"))
    compare_with_pysofi(folder, options.pysofi)
    print("\npeak memory above import, whole method:")
    for order in (2, 3, 4):
        memory(small, order)
    if not options.quick:
        memory(write_movie(folder / "m512_3GB.tif", 512, 3), 2)
        memory(write_movie(folder / "m512_10GB.tif", 512, 10), 2)
        memory(folder / "m512_3GB.tif", 4)
        for order in (2, 3):
            memory(write_movie(folder / "m2048_2GB.tif", 2048, 2), order)


if __name__ == "__main__":
    main()

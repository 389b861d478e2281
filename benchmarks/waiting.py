"""How well the time left is predicted, and how long a cancelled run goes on, in each method.

    python benchmarks/waiting.py [METHOD ...] [--frames 500] [--side 128] [--cold]

Each method runs in a process of its own, as in the first run after the start of napari; with
``--cold`` also without compiled functions on the disk. Each line gives the time left as a dock
shows it after 10, 20 ... 90 % of the time, divided by the true one ("-" where it shows none yet),
and the longest time between two reports, in which a cancelled run goes on. A dock itself does not
wait for that. Times begin with the first report, before which programs are imported.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time

TENTHS = range(1, 10)


def run(method: str, frames: int, side: int) -> None:
    """Run a method, and print its line."""
    from napari_sofinet import open_movie, reconstruct
    from napari_sofinet.base.progress import TimeLeft
    from napari_sofinet.simulation import preset_settings, simulate

    changes = {"frames": frames, "rows": side, "columns": side}
    counts = simulate(preset_settings("microtubules", 1, changes)).counts(0, frames)
    left = TimeLeft()
    began = time.monotonic()
    told: list[tuple[float, float, str, float | None]] = []

    def report(fraction: float, message: str = "", preview: object = None) -> None:
        now = time.monotonic()
        told.append((now - began, fraction, message, left.after(fraction, now, message)))

    reconstruct(open_movie(counts), method, report=report)
    end = time.monotonic() - began
    start = told[0][0]
    times = [t for t, *_ in told]
    gaps = [b - a for a, b in zip([0.0, *times], [*times, end], strict=True)]
    words = []
    for tenth in TENTHS:
        at = start + tenth / 10 * (end - start)
        when, _, _, shown = told[sum(t <= at for t in times) - 1]
        words.append(
            "  - " if shown is None else f"{max(shown - (at - when), 0) / (end - at):4.2f}"
        )
    longest = max(range(1, len(gaps)), key=gaps.__getitem__)
    print(
        f"{method:10s} {start:5.1f} s + {end - start:5.1f} s  {' '.join(words)}  longest "
        f"{gaps[longest]:.2f} s after {told[longest - 1][2]!r}",
        flush=True,
    )
    if os.environ.get("TRACE"):
        for t, fraction, message, shown in told[:: max(len(told) // 60, 1)]:
            print(f"  {(t - start) / (end - start):4.0%} {fraction:.3f} {message:30s} {shown}")


def main() -> None:
    """Run the methods that were asked for, each in a process of its own."""
    from napari_sofinet.data.movie import Movie
    from napari_sofinet.methods.registry import methods

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", help="names; all that take a movie by default")
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--cold", action="store_true", help="compile everything again")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.here:
        run(asked.methods[0], asked.frames, asked.side)
        return
    print("method     imports + run      shown time left / true time left after 10 % ... 90 %")
    names = asked.methods or [m.name for m in methods().values() if Movie in m.takes]
    for name in names:
        size = ["--frames", str(asked.frames), "--side", str(asked.side)]
        with tempfile.TemporaryDirectory() as cache:
            environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if asked.cold else {})
            words = [sys.executable, __file__, name, *size, "--here"]
            subprocess.run(words, env=environment, check=False)


if __name__ == "__main__":
    main()

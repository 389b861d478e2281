"""Networks on this machine's processor: windows of 20 frames, streams, and time series.

    python benchmarks/models_speed.py [--threads 2] [--sides 128,256,512] [--repeats 5]
        [--time-series 300]

Medians of runs that take turns. "Plain" is the network as one would write it down: single
precision, all frames at once, in the ConvGRU a loop over frames with three separate convolutions of
the joined input and state; "product" is what a reconstruction uses, 16 bits where the processor has
them. A time series is compared with the same windows one by one, both with the default settings and
with every picture computed and none interpolated.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

import napari_sofinet as sofinet
from napari_sofinet.networks.convgru import ConvGRU
from napari_sofinet.networks.device import half_precision_copy, precision
from napari_sofinet.networks.normalization import normalize
from napari_sofinet.networks.sofinet import StatisticsNet
from napari_sofinet.simulation import simulate
from napari_sofinet.simulation.presets import komen2024_condition

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMES = 20
WEIGHTS = {"sofinet": "sofinet-universal", "convgru": "convgru-komen2024"}


def medians(jobs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median time of each job in s; they take turns."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(repeats + 1):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: float(np.median(t)) for name, t in times.items()}


def plain_gru(net: ConvGRU, frames: torch.Tensor) -> torch.Tensor:
    """Run the ConvGRU without its optimisations."""
    x = normalize(frames)
    hidden = [None, None]
    total = 0
    for frame in x.unbind(1):
        seen = net.encoder(frame[:, None])
        for k, layer in enumerate((net.first, net.second)):
            h = hidden[k]
            if h is None:
                h = torch.zeros_like(seen)
            gates, candidate = layer.gates_of_input, layer.candidate_of_input
            of_h, candidate_of_h = layer.gates_of_hidden, layer.candidate_of_hidden
            n = h.shape[1]
            both = torch.cat([seen, h], 1)
            weights = torch.cat([gates.weight, of_h.weight], 1)
            update, reset = (
                torch.sigmoid(torch.conv2d(both, weights[s], gates.bias[s], padding=1))
                for s in (slice(0, n), slice(n, 2 * n))
            )
            joined = torch.cat([candidate.weight, candidate_of_h.weight], 1)
            new = torch.tanh(
                torch.conv2d(torch.cat([seen, reset * h], 1), joined, candidate.bias, padding=1)
            )
            hidden[k] = seen = (1 - update) * h + update * new
        total = total + seen
    return net.decoder(total / x.shape[1])


def window(net: torch.nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Return one picture as a reconstruction computes it."""
    with precision("cpu"):
        state = net.running(*frames.shape[2:])
        state.add(normalize(frames)[0])
        return state.result()


def time_series(length: int, repeats: int) -> None:
    """Time a picture for every window of a simulated movie."""
    made = simulate(komen2024_condition(1, 4).model_copy(update={"frames": length}))
    movie = sofinet.open_movie(made.frames, 0.1)
    print("\n| series of 128², per picture | series, ms | single windows, ms | times cheaper |")
    print("|---|---|---|---|")
    for method, name in WEIGHTS.items():
        jobs: dict[str, Callable[[], object]] = {
            "series": partial(sofinet.reconstruct, movie, method, weights=name, window=FRAMES),
            "window": partial(
                sofinet.reconstruct, movie.select((40, 40 + FRAMES)), method, weights=name
            ),
        }
        if method == "sofinet":
            jobs["all"] = partial(
                sofinet.reconstruct, movie, method, weights=name, window=FRAMES, every=1
            )
        t = medians(jobs, repeats)
        for job in [one for one in jobs if one != "window"]:
            each = t[job] / (length - FRAMES + 1)
            label = name if job == "series" else f"{name}, every picture computed"
            print(
                f"| {label} | {1e3 * each:.1f} | {1e3 * t['window']:.0f} | "
                f"{t['window'] / each:.1f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sides", default="128,256,512")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--time-series", type=int, default=300, help="frames of its movie")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    nets = {"sofinet": StatisticsNet(), "ConvGRU": ConvGRU()}
    print(
        "| 20 frames of | network | plain, ms | product, ms | times faster |\n|---|---|---|---|---|"
    )
    with torch.inference_mode():
        for side in map(int, options.sides.split(",")):
            frames = torch.rand(1, FRAMES, side, side) * 100
            for name, net in nets.items():
                net.eval()
                plain = partial(plain_gru, net) if name == "ConvGRU" else net
                jobs = {
                    "plain": partial(plain, frames),
                    "product": partial(window, half_precision_copy(net, "cpu"), frames),
                }
                t = medians(jobs, options.repeats)
                print(
                    f"| {side}² | {name} | {1e3 * t['plain']:.0f} | {1e3 * t['product']:.0f} | "
                    f"{t['plain'] / t['product']:.2f} |",
                    flush=True,
                )
    time_series(options.time_series, max(options.repeats // 2, 1))


if __name__ == "__main__":
    main()

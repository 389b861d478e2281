"""The command ``sofinet train``: training and fine-tuning of networks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from napari_sofinet.base.errors import Cancelled
from napari_sofinet.base.settings import Settings, build, flatten_settings, parameters
from napari_sofinet.cli.options import add_options, given_values
from napari_sofinet.cli.progress import ProgressLine, say
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.data.outputs import output_file, refuse_overwriting
from napari_sofinet.methods.registry import networks
from napari_sofinet.methods.run import check_device
from napari_sofinet.networks.weights import need_torch
from napari_sofinet.training.settings import missing_notes
from napari_sofinet.training.task import task_of

LOG_S = 60.0
"""Time between lines of progress in a file."""


def add_train(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Add the arguments of ``sofinet train``, and the settings of the network in ``words``."""
    trainable = [network for network in networks().values() if network.task is not None]
    names = [network.name for network in trainable]
    parser.add_argument("network", choices=names, metavar="NETWORK")
    parser.add_argument(
        "movies", nargs="*", default=[], metavar="MOVIE", help="your own movies of fixed cells"
    )
    parser.add_argument("-o", dest="output", required=True, metavar="WEIGHTS.safetensors")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    chosen = next((word for word in words if word in names), names[0])
    add_options(parser, task_of(networks()[chosen]).settings)


def run_train(options: argparse.Namespace) -> int:
    """Train or fine-tune a network."""
    need_torch()
    from napari_sofinet.training.train import train  # imports torch

    network = networks()[options.network]
    task = task_of(network)
    settings = build(task.settings, given_values(options, task.settings))
    check_device(options.device)
    output = output_file(options.output)
    refuse_overwriting(output, *map(Path, options.movies), *_files_of(settings))
    movies = [open_movie(path) for path in options.movies]
    try:
        card = train(
            network, output, settings, movies, device=options.device, report=ProgressLine(LOG_S)
        )
    except (Cancelled, KeyboardInterrupt):
        say(
            "note: run the same command again to resume; the best weights so far have been written."
        )
        raise
    for movie in movies:
        for note in movie.notes:
            say(f"note: {note}")
    for sentence in missing_notes(movies) if movies else ():
        say(f"note: {sentence}")
    say(f"{output}: {card.steps} steps in {card.minutes:g} min")
    for name, value in card.figures.items():
        say(f"{name}: {value}")
    return 0


def _files_of(settings: Settings) -> list[Path]:
    """Return the files and weights that settings name."""
    values = flatten_settings(settings)
    named = [values[one.name] for one in parameters(type(settings)) if one.file or one.weights]
    return [Path(name) for name in named if name]

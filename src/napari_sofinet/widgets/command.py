"""The command line that does what a widget does."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sofinet.io.localizations import SUFFIXES
from napari_sofinet.io.table_movie import TableSource
from napari_sofinet.movie import ArraySource
from napari_sofinet.options import command_options

if TYPE_CHECKING:
    from napari_sofinet.movie import Movie
    from napari_sofinet.settings import Settings


def bare_name(path: Path) -> str:
    """Name of a movie or a table without its folder and suffixes."""
    name = path.name
    for suffix in (".tif", ".tiff", ".ome", ".gz", *SUFFIXES):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return name


def command_for(method: str, movie: Movie, settings: Settings) -> tuple[str, str]:
    """Command for a terminal, and a sentence for the user about it."""
    source = movie.source
    words = ["sofinet", "reconstruct", method]
    if isinstance(source, ArraySource) or not source.paths:
        name = "TABLE.hdf5" if isinstance(source, TableSource) else "MOVIE.tif"
        path, hint = Path(name), f"Copied; save the layer as {name} first, it has no file."
    else:
        path, hint = source.path, "The command was copied; paste it into a terminal."
    words += [shlex.quote(str(path)), "-o"]
    words.append(shlex.quote(f"{bare_name(path)}_{method}.ome.tif"))
    if movie.frame_range is not None:
        words += ["--frames", "{}:{}".format(*movie.frame_range)]
    if movie.roi is not None:
        words += ["--roi", ",".join(f"{a}:{b}" for a, b in movie.roi)]
    if not isinstance(source, ArraySource):
        if source.channel:
            words += ["--channel", str(source.channel)]
        if source.stack_axis == "depth":
            words += ["--stack-axis", "depth", "--z", str(source.z)]
    if movie.pixel_size_um is not None:
        words += ["--pixel-size", f"{movie.pixel_size_um:.6g}"]
    if movie.frame_interval_s is not None:
        words += ["--frame-interval", f"{movie.frame_interval_s:.6g}"]
    return " ".join([*words, *command_options(settings)]), hint

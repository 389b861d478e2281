"""Commands for the terminal that do the same as a widget."""

from __future__ import annotations

import shlex
from pathlib import Path

from napari_sofinet.base.settings import Settings
from napari_sofinet.base.settings_text import command_options
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_input import MethodInput
from napari_sofinet.data.sim_stack import SimStack
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.data.table_files import SUFFIXES


def bare_name(path: Path) -> str:
    """Return the name of a movie or a table without its folder and suffixes.

    Examples
    --------
    >>> bare_name(Path("data/cell.ome.tif"))
    'cell'
    """
    name = path.name
    for suffix in (".tif", ".tiff", ".ome", ".gz", *SUFFIXES):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return name


def reconstruct_command(method: str, movie: MethodInput, settings: Settings) -> tuple[str, str]:
    """Return a command for a terminal, and a sentence for the user about it.

    Parameters
    ----------
    method : str
        Name of the method.
    movie : Movie, SimStack or LocalizationTable
        Input with its selection.
    settings : Settings
        Settings of the method.
    """
    words = ["sofinet", "reconstruct", method]
    if movie.path is None:
        name = "TABLE.hdf5" if isinstance(movie, LocalizationTable) else "MOVIE.tif"
        path = Path(name)
        hint = f"The command was copied. Save the layer as {name} first, since it has no file."
    else:
        path = Path(movie.path)
        hint = "The command was copied; paste it into a terminal."
    words += [shlex.quote(str(path)), "-o"]
    words.append(shlex.quote(f"{bare_name(path)}_{method}.ome.tif"))
    chosen = movie.file_range if isinstance(movie, Movie) else movie.frame_range
    if chosen is not None:
        words += ["--frames", "{}:{}".format(*chosen)]
    if isinstance(movie, Movie) and movie.left_out:
        words += ["--leave-out", ",".join(f"{a}:{b}" for a, b in movie.left_out)]
    if movie.roi is not None:
        words += ["--roi", ",".join(f"{a}:{b}" for a, b in movie.roi)]
    images = movie.movie if isinstance(movie, SimStack) else movie
    if isinstance(images, Movie):
        if images.source.channel:
            words += ["--channel", str(images.source.channel)]
        if images.source.stack_axis == "depth":
            words += ["--stack-axis", "depth", "--z", str(images.source.z)]
    if movie.pixel_size_um is not None:
        words += ["--pixel-size", repr(movie.pixel_size_um)]
    if movie.frame_interval_s is not None:
        words += ["--frame-interval", repr(movie.frame_interval_s)]
    return " ".join([*words, *command_options(settings)]), hint

"""The commands ``sofinet reconstruct``, ``sofinet run`` and ``sofinet methods``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from napari_sofinet.base.settings import build, parameters
from napari_sofinet.cli.arguments import add_movie_options, open_selected
from napari_sofinet.cli.options import add_options, describe_options, given_values
from napari_sofinet.cli.progress import ProgressLine, say
from napari_sofinet.data.outputs import check_output, output_file, refuse_overwriting
from napari_sofinet.data.recipe import Recipe
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table_files import SUFFIXES
from napari_sofinet.methods.channels import reconstruct_channels
from napari_sofinet.methods.registry import method_named, methods
from napari_sofinet.methods.repeat import repeat
from napari_sofinet.methods.run import check_device, reconstruct


def add_reconstruct(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Add the arguments of ``sofinet reconstruct``, and the settings of the method in ``words``."""
    parser.add_argument("method", metavar="METHOD")
    parser.add_argument("movie", metavar="MOVIE")
    parser.add_argument("-o", dest="output", required=True, metavar="OUT.ome.tif")
    add_movie_options(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    # argparse reports an unknown method later.
    free = [
        word
        for before, word in pairwise(words)
        if not word.startswith("-")
        and not (before == "-o" or (before.startswith("--") and "=" not in before))
    ]
    if free:
        chosen = next((word for word in free if word in methods()), free[0])
        add_options(
            parser.add_argument_group(f"settings of {chosen}"), method_named(chosen).settings
        )


def run_reconstruct(options: argparse.Namespace) -> int:
    """Run one method on one movie or table."""
    method = method_named(options.method)
    values = given_values(options, method.settings)
    build(method.settings, values)
    check_device(options.device)
    movie = open_selected(options, method.takes)
    output = output_file(options.output)
    check_output(output, "table" in method.gives)
    used = [str(movie.path), *movie.companions]
    for one in parameters(method.settings):
        if (one.file or one.weights) and values.get(one.name):
            used.append(values[one.name])
    for name in used:
        refuse_overwriting(output, Path(name))
    run = reconstruct_channels if options.channel == "all" else reconstruct
    result = run(movie, method.name, report=ProgressLine(), device=options.device, **values)
    return _save(result, output)


def add_run(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Add the arguments of ``sofinet run``."""
    parser.add_argument("recipe", metavar="RECIPE_OR_OUTPUT")
    parser.add_argument("--input", metavar="FILE", help="path of the movie, if it has moved")
    parser.add_argument("-o", dest="output", metavar="OUT.ome.tif")


def run_again(options: argparse.Namespace) -> int:
    """Repeat a recorded reconstruction."""
    source = Path(options.recipe)
    recipe = Recipe.load(source)
    stem = source.name.removesuffix(".json").removesuffix(".tif").removesuffix(".ome")
    output = output_file(options.output or source.with_name(f"{stem}_again.ome.tif"))
    refuse_overwriting(output, source)
    check_output(output, "table" in method_named(recipe.reconstruct.method).gives)
    refuse_overwriting(output, *recipe.inputs, *([Path(options.input)] if options.input else []))
    code = _save(repeat(recipe, options.input, ProgressLine()), output)
    if options.input is None and recipe.open.path is not None:
        say(f"note: {Path(recipe.open.path).resolve()}, which the recipe names, was read.")
    return code


def _save(result: Reconstruction, output: Path) -> int:
    result.save(output)
    for note in result.notes:
        say(f"note: {note}")
    if output.name.lower().endswith(SUFFIXES):
        assert result.localizations is not None
        say(f"{output}: {len(result.localizations)} localisations")
        return 0
    size = result.pixel_size_um
    scale = f"{1000 * size[1]:.4g} nm" if size else f"{result.pixel_px[1]:.3g} camera px"
    rows, columns = result.image.shape[-2:]
    planes = f"{len(result.image)} planes of " if result.axes == "ZYX" else ""
    say(f"{output}: {planes}{rows} x {columns} samples of {scale}")
    return 0


def add_methods(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Add the arguments of ``sofinet methods``."""
    parser.add_argument("method", nargs="?", metavar="METHOD")


def run_methods(options: argparse.Namespace) -> int:
    """List the methods, or the settings of one."""
    if options.method is None:
        for method in methods().values():
            print(f"{method.name:10} {method.title}")
    else:
        method = method_named(options.method)
        print(f"{method.name}: {method.title}")
        print("\n".join(describe_options(method.settings)) or "  no settings")
    return 0

"""The command `sofinet table`: convert, filter, correct and draw localisation tables."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sofinet.errors import InputError
from napari_sofinet.localization.steps import correct, draw_table, keep, record
from napari_sofinet.settings import Report, silent

if TYPE_CHECKING:
    import argparse

    from napari_sofinet.localization.table import LocalizationTable
    from napari_sofinet.recipe import Recipe
    from napari_sofinet.reconstruction import Reconstruction


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add what `sofinet table` understands."""
    parser.add_argument("table", metavar="IN", help=".csv, .csv.gz, .tsv, .txt or Picasso's .hdf5")
    parser.add_argument(
        "-o",
        dest="output",
        required=True,
        metavar="OUT",
        help=".csv, .csv.gz or .hdf5 for a table, .ome.tif for a picture",
    )
    parser.add_argument("--pixel-size", type=float, metavar="UM", help="camera pixel in um")
    parser.add_argument(
        "--where",
        action="append",
        default=None,
        metavar="CONDITION",
        help="keep rows, e.g. 'photons > 300' or 'uncertainty_nm < 20'; may be given again",
    )
    parser.add_argument(
        "--drift",
        default="no",
        metavar="FRAMES",
        help="correct drift: no, auto, or frames of a block (default: no)",
    )
    parser.add_argument(
        "--format",
        choices=("thunderstorm", "picasso"),
        default="thunderstorm",
        help="columns of a .csv (default: thunderstorm)",
    )
    picture = parser.add_argument_group("picture")
    distance = picture.add_mutually_exclusive_group()
    distance.add_argument(
        "--pixel-nm", type=float, metavar="NM", help="distance of samples (default: 20)"
    )
    distance.add_argument(
        "--fineness", type=float, metavar="N", help="instead: samples along one camera pixel"
    )
    picture.add_argument(
        "--render",
        choices=("gaussian", "histogram"),
        default="gaussian",
        help="spots as wide as their uncertainty, or counts (default: gaussian)",
    )
    picture.add_argument(
        "--window",
        metavar="FRAMES[:STEP]",
        help="a film whose pictures show so many frames each (default: one picture of all)",
    )


def run_table(options: argparse.Namespace, report: Report = silent) -> list[str]:
    """Do what the command says; return the sentences to tell, the last one about the output."""
    from napari_sofinet.io.localizations import check_table_output, write_localizations
    from napari_sofinet.reconstruction import check_output, keep_input

    source, output = Path(options.table), Path(options.output)
    drawn = output.suffix.lower() in (".tif", ".tiff")
    if drawn:
        check_output(output)
    else:
        check_table_output(output)
    keep_input(output, source)
    settings = {
        "where": list(options.where or ()),
        "drift": _drift(options.drift),
        "render": options.render,
        "pixel_nm": options.pixel_nm,
        "fineness": options.fineness,
        "window": _window(options.window),
    }
    if drawn:
        result = draw(source, options.pixel_size, settings, report)
        result.save(output)
        size = result.pixel_size_um
        scale = f"{1000 * size[1]:.4g} nm" if size else f"{result.pixel_px[1]:.3g} camera px"
        rows, columns = result.image.shape[-2:]
        return [*(f"note: {note}" for note in result.notes),
                f"{output}: {rows} x {columns} samples of {scale}"]  # fmt: skip
    table = prepare(source, options.pixel_size, settings, report)
    write_localizations(output, table, options.format)
    notes = list(table.notes)
    if (options.format == "picasso" or output.suffix != ".csv") and table.uncertainty_px is None:
        notes.append("The table has no uncertainties, without which Picasso draws nothing.")
    return [*(f"note: {note}" for note in notes), f"{output}: {len(table)} localisations"]


def prepare(
    path: str | Path,
    camera_pixel_um: float | None,
    settings: dict[str, Any],
    report: Report = silent,
) -> LocalizationTable:
    """Read a table, keep the rows of ``settings["where"]`` and correct ``settings["drift"]``."""
    from napari_sofinet.io.localizations import read_localizations

    table = keep(read_localizations(path, camera_pixel_um), settings["where"])
    return correct(table, settings["drift"], report)[1]


def draw(
    path: str | Path,
    camera_pixel_um: float | None,
    settings: dict[str, Any],
    report: Report = silent,
) -> Reconstruction:
    """Picture or film of a table in a file, with its recipe; ``settings`` as in `steps`."""
    table = prepare(path, camera_pixel_um, settings, report)
    result = draw_table(table, settings, report)
    return replace(result, recipe=record(table, settings, path))


def repeat_table(recipe: Recipe, input: str | Path | None, report: Report) -> Reconstruction:
    """Draw a recorded picture of a table again."""
    from napari_sofinet.recipe import fingerprint

    path = input if input is not None else recipe.open.path
    if path is None:
        raise InputError(
            f"The recipe was made from {recipe.open.name} in memory; save that table and give the "
            "file as input."
        )
    if not os.path.isfile(path):
        raise InputError(f"There is no file {path}; give the table to use as input.")
    if input is None and fingerprint((str(path),))[1] != recipe.open.fingerprint:
        raise InputError(
            f"{path} is not the table any more that the recipe was made from; give the table to "
            "use as input."
        )
    return draw(path, recipe.open.pixel_size_um, recipe.reconstruct.settings, report)


def _drift(text: str) -> str | int:
    if text in ("no", "auto"):
        return text
    if not text.isdecimal() or not 1 <= int(text) <= 10**9:
        raise InputError(f"--drift takes no, auto or a number of frames, not {text[:40]!r}.")
    return int(text)


def _window(text: str | None) -> list[int] | None:
    """Frames of a picture and frames between pictures, half as many where not said."""
    if text is None:
        return None
    words = text.split(":")
    if len(words) > 2 or not all(word.isdecimal() and 0 < int(word) < 10**9 for word in words):
        raise InputError(f"A window is given as frames or frames:step, not {text[:40]!r}.")
    length = int(words[0])
    return [length, int(words[1]) if len(words) == 2 else max(length // 2, 1)]

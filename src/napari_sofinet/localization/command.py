"""The command `sofinet table`: convert, filter, correct and draw localisation tables."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.settings import Report, silent

if TYPE_CHECKING:
    import argparse

    from napari_sofinet.localization.table import LocalizationTable
    from napari_sofinet.recipe import Recipe
    from napari_sofinet.reconstruction import Reconstruction

METHOD = "table"
USUAL_PIXEL_NM = 20.0
USUAL_PIXEL_PX = 0.2
"""Of a camera whose pixel is not known."""


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
    picture.add_argument(
        "--pixel-nm", type=float, metavar="NM", help="distance of samples (default: 20)"
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
    from napari_sofinet.localization.drift import correct_drift

    table = read_localizations(path, camera_pixel_um)
    before = len(table)
    table = table.filter(*settings["where"])
    if not len(table):
        raise InputError(f"No localisation of {table.name} meets the conditions; loosen them.")
    if len(table) < before:
        table = table.noted(f"{len(table)} of {before} localisations meet the conditions.")
    if settings["drift"] != "no":
        block = None if settings["drift"] == "auto" else int(settings["drift"])
        way, table = correct_drift(table, block, report)
        far = float(np.hypot(*(way.max(axis=0) - way.min(axis=0))))
        pixel = table.camera_pixel_um
        length = f"{far:.2g} camera px" if pixel is None else f"{1000 * far * pixel:.3g} nm"
        table = table.noted(f"The drift was {length}; it was corrected.")
    return table


def draw(
    path: str | Path,
    camera_pixel_um: float | None,
    settings: dict[str, Any],
    report: Report = silent,
) -> Reconstruction:
    """Picture or film of a table in a file, with its recipe.

    Parameters
    ----------
    settings
        ``where`` (conditions), ``drift`` ("no", "auto" or frames of a block), ``render``,
        ``pixel_nm`` (None: 20, or 0.2 camera pixels where their size is not known) and ``window``
        (frames and step of a film, or None).
    """
    from napari_sofinet.localization.rendering import render

    table = prepare(path, camera_pixel_um, settings, report)
    pixel_nm, camera = settings["pixel_nm"], table.camera_pixel_um
    if pixel_nm is not None and camera is None:
        raise InputError(
            f"The camera pixel of {table.name} is not known; give it in um (--pixel-size), or "
            "leave --pixel-nm."
        )
    if pixel_nm is not None and not pixel_nm > 0:
        raise InputError(f"The distance of samples must be above 0 nm, not {pixel_nm:g}.")
    pixel = USUAL_PIXEL_PX if camera is None else (pixel_nm or USUAL_PIXEL_NM) / 1000 / camera
    window = settings["window"]
    result = render(
        table,
        pixel,
        settings["render"],
        frames_window=tuple(window) if window else None,
        report=report,
    )
    return replace(result, recipe=_recipe(Path(path), table, settings))


def repeat_table(recipe: Recipe, input: str | Path | None, report: Report) -> Reconstruction:
    """Draw a recorded picture of a table again."""
    from napari_sofinet.recipe import fingerprint

    path = str(input if input is not None else recipe.open.path)
    if not os.path.isfile(path):
        raise InputError(f"There is no file {path}; give the table to use as input.")
    if input is None and fingerprint((path,))[1] != recipe.open.fingerprint:
        raise InputError(
            f"{path} is not the table any more that the recipe was made from; give the table to "
            "use as input."
        )
    return draw(path, recipe.open.pixel_size_um, recipe.reconstruct.settings, report)


def _recipe(path: Path, table: LocalizationTable, settings: dict[str, Any]) -> Recipe:
    from napari_sofinet.recipe import MethodStep, OpenStep, Recipe, fingerprint, versions

    size, digest = fingerprint((str(path),))
    rows, columns = table.shape or (
        int(np.ceil(values.max() + 0.5)) for values in (table.y_px, table.x_px)
    )
    drift = "" if settings["drift"] == "no" else (
        " Drift was corrected by redundant cross-correlation of blocks (Wang et al., Opt. Express "
        "22, 15982 (2014))."
    )  # fmt: skip
    kept = f" that meet {' and '.join(settings['where'])}" if settings["where"] else ""
    drawn = (
        "as normal distributions as wide as their uncertainty"
        if settings["render"] == "gaussian"
        else "as a histogram"
    )
    return Recipe(
        open=OpenStep(
            path=os.path.abspath(path),
            name=table.name,
            size_bytes=size,
            fingerprint=digest,
            pixel_size_um=table.camera_pixel_um,
            shape=(table.frame_count, rows, columns),
        ),
        reconstruct=MethodStep(method=METHOD, settings=settings),
        versions=versions(),
        methods_paragraph=(
            f"{len(table)} localisations{kept} in {table.frame_count} frames were drawn {drawn} "
            f"with napari-sofinet {versions().get('napari-sofinet', '')}.{drift}"
        ),
    )


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

"""The command ``sofinet table``: convert, filter, correct and draw localization tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.base.settings import build
from napari_sofinet.cli.progress import ProgressLine, say
from napari_sofinet.data.outputs import check_output, output_file, refuse_overwriting
from napari_sofinet.data.table_files import (
    check_table_output,
    read_localizations,
    write_localizations,
)
from napari_sofinet.methods.run import reconstruct
from napari_sofinet.methods.table import TableSettings, prepare


def add_table(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Add the arguments of ``sofinet table``."""
    parser.add_argument("table", metavar="IN", help=".csv, .csv.gz, .tsv, .txt or Picasso's .hdf5")
    parser.add_argument(
        "-o",
        dest="output",
        required=True,
        metavar="OUT",
        help=".csv, .csv.gz or .hdf5 for a table, .ome.tif for a picture",
    )
    parser.add_argument(
        "--pixel-size", type=float, metavar="UM", help="size of a camera pixel in um"
    )
    parser.add_argument(
        "--where",
        action="append",
        default=None,
        metavar="CONDITION",
        help="keep rows, e.g. 'photons > 300' or 'uncertainty_nm < 20'; may be repeated",
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
    _add_picture_options(parser)


def _add_picture_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a rendered picture."""
    picture = parser.add_argument_group("picture")
    distance = picture.add_mutually_exclusive_group()
    distance.add_argument(
        "--pixel-nm", type=float, metavar="NM", help="size of a sample (default: 20)"
    )
    distance.add_argument(
        "--fineness",
        type=float,
        metavar="N",
        help="alternatively, the number of samples along one camera pixel",
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
        help="make a time series in which each picture shows this many frames (default: one "
        "picture of all)",
    )


def run_table(options: argparse.Namespace) -> int:
    """Convert, filter, correct or draw a table."""
    for sentence in convert_or_draw(options, ProgressLine()):
        say(sentence)
    return 0


def convert_or_draw(options: argparse.Namespace, report: Report = silent) -> list[str]:
    """Convert or draw a table.

    Parameters
    ----------
    options : argparse.Namespace
        Parsed arguments.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    list of str
        Sentences for the user, the last one about the output.
    """
    source, output = Path(options.table), output_file(options.output)
    drawn = output.suffix.lower() in (".tif", ".tiff")
    refuse_overwriting(output, source)
    if drawn:
        check_output(output)
    else:
        check_table_output(output)
    window = _window(options.window)
    settings = {
        "where": " and ".join(options.where or ()),
        "drift": _drift(options.drift),
        "render": options.render,
        "pixel_nm": options.pixel_nm,
        "fineness": options.fineness,
        "window": window[0] if window else None,
        "step": window[1] if window else None,
    }
    for name, what in (("pixel_nm", "distance of samples"), ("fineness", "samples of a pixel")):
        value = settings[name]
        if value is not None and not value > 0:
            raise InputError(f"The {what} must be above 0, not {value:g}.")
    table = read_localizations(source, options.pixel_size)
    if drawn:
        result = reconstruct(table, "table", report=report, **settings)
        result.save(output)
        size = result.pixel_size_um
        scale = f"{1000 * size[1]:.4g} nm" if size else f"{result.pixel_px[1]:.3g} camera px"
        rows, columns = result.image.shape[-2:]
        return [
            *(f"note: {note}" for note in result.notes),
            f"{output}: {rows} x {columns} samples of {scale}",
        ]
    table = prepare(table, build(TableSettings, settings), report)[1]
    write_localizations(output, table, options.format)
    notes = list(table.notes)
    if (options.format == "picasso" or output.suffix != ".csv") and table.uncertainty_px is None:
        notes.append("The table has no uncertainties; Picasso draws nothing without them.")
    return [*(f"note: {note}" for note in notes), f"{output}: {len(table)} localisations"]


def _drift(text: str) -> str:
    """Check the value of ``--drift``."""
    if text in ("no", "auto"):
        return text
    if not text.isdecimal() or not 1 <= int(text) <= 10**9:
        raise InputError(f"--drift takes no, auto or a number of frames, not {text[:40]!r}.")
    return text


def _window(text: str | None) -> list[int] | None:
    """Read frames of a picture and frames from one to the next, by default half as many."""
    if text is None:
        return None
    words = text.split(":")
    if len(words) > 2 or not all(word.isdecimal() and 0 < int(word) < 10**9 for word in words):
        raise InputError(f"--window takes a number of frames or frames:step, not {text[:40]!r}.")
    length = int(words[0])
    return [length, int(words[1]) if len(words) == 2 else max(length // 2, 1)]

"""The command ``sofinet measure lines``: the smallest distance of lines that is resolved."""

from __future__ import annotations

import argparse
from typing import Any

from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.arguments import place_of
from napari_sofinet.quality.lines import measure_pattern, measure_two_lines, read_pattern
from napari_sofinet.quality.picture import Picture


def add_lines(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``sofinet measure lines``."""
    parser.add_argument("image", metavar="IMAGE")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--truth", metavar="TRUTH.npz", help="truth file of a simulated argolight pattern"
    )
    where.add_argument(
        "--line",
        metavar="Y0,X0:Y1,X1",
        help="a line across two lines of the picture, in samples of the picture",
    )
    parser.add_argument(
        "--width",
        type=float,
        default=1.0,
        metavar="PX",
        help="samples along the lines over which --line is averaged",
    )
    parser.add_argument(
        "--origin",
        metavar="Y,X",
        help="position of the first sample in camera pixels, for pictures whose files do not "
        "contain it",
    )


def measured_lines(picture: Picture, options: argparse.Namespace) -> dict[str, Any]:
    """Return what a picture shows of pairs of lines."""
    if options.truth is not None:
        return measure_pattern(picture, read_pattern(options.truth), place_of(options.origin))
    if not 0 < options.width < 1e6:
        raise InputError("The width of the line must be more than 0 samples.")
    start, end = _ends(options.line)
    return measure_two_lines(picture, start, end, options.width)


def table(facts: dict[str, Any]) -> list[str]:
    """Return the lines that show a pattern, and take its pairs out of the facts."""
    lines = ["spacing_nm  dip   distance_nm  width_nm  resolved"]
    for pair in facts.pop("pairs"):
        distance, width = (_whole(pair[name]) for name in ("distance_nm", "width_nm"))
        seen = "yes" if pair["resolved"] else "no"
        lines.append(
            f"{pair['spacing_nm']:<10.4g}  {pair['dip']:.2f}  {distance:<11}  {width:<8}  {seen}"
        )
    return lines


def _whole(number: float | None) -> str:
    return "-" if number is None else f"{number:.0f}"


def _ends(text: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Read ``y0,x0:y1,x1``."""
    try:
        (y0, x0), (y1, x1) = (map(float, end.split(",")) for end in text.split(":"))
    except ValueError:
        raise InputError(
            f"A line is given as y0,x0:y1,x1 in samples, e.g. 40,10:40,60, not {text[:40]!r}."
        ) from None
    return (y0, x0), (y1, x1)

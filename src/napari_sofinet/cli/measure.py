"""The command ``sofinet measure``: resolution of pictures and volumes, lines, and agreement."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from napari_sofinet.base.errors import InputError
from napari_sofinet.cli.arguments import box_of, place_of, rectangle, sector_of
from napari_sofinet.cli.measure_lines import add_lines, measured_lines, table
from napari_sofinet.data.selection import Roi
from napari_sofinet.quality.cautions import comparison_cautions
from napari_sofinet.quality.picture import Picture, open_picture, open_truth
from napari_sofinet.quality.placement import is_coarser, place
from napari_sofinet.quality.scores import (
    AGREEMENT_METRICS,
    RESOLUTION_METRICS,
    WIDE_FIELD_METRICS,
    AgreementMetric,
    compare,
    measure_resolution,
)
from napari_sofinet.quality.volume import measure_volume, open_volume


def add_measure(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Add the arguments of ``sofinet measure``."""
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)

    def kind(name: str, help: str) -> argparse.ArgumentParser:
        return kinds.add_parser(name, help=help, description=help, allow_abbrev=False)

    resolution = kind("resolution", "measure the resolution of a picture, or of a movie's mean")
    _add_resolution(resolution)
    agreement = kind(
        "compare", "measure the agreement of a picture with a reference or a truth file"
    )
    _add_agreement(agreement)
    lines = kind("lines", "measure the smallest distance of two lines that a picture resolves")
    add_lines(lines)
    volume = kind("volume", "measure widths and resolution of a volume along all axes")
    _add_volume(volume)
    for one in (resolution, agreement):
        one.add_argument("--roi", metavar="Y0:Y1,X0:X1", help="rectangle in samples of the picture")
    for one in (resolution, agreement, lines, volume):
        one.add_argument("--pixel-size", type=float, metavar="UM", help="size of a sample in um")
        one.add_argument("--json", action="store_true", help="print one JSON object")


def _add_resolution(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("--metric", choices=RESOLUTION_METRICS, default="decorrelation")
    parser.add_argument(
        "--sector", metavar="FROM:TO", help="directions in degrees: 0 is along x, 90 along y"
    )
    parser.add_argument(
        "--criterion",
        choices=("1/7", "half-bit", "3-sigma"),
        default="1/7",
        help="threshold of FRC",
    )


def _add_agreement(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="SR")
    parser.add_argument(
        "--reference",
        required=True,
        metavar="REF",
        help="a picture, a movie (its mean is taken), or the truth file of a simulation",
    )
    parser.add_argument(
        "--metric", choices=AGREEMENT_METRICS, help="metric to compute (default: all)"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.0,
        metavar="PX",
        help="largest distance at which masks still agree",
    )
    parser.add_argument(
        "--origin",
        metavar="Y,X",
        help="position of the first sample in camera pixels, for pictures whose files do not "
        "contain it",
    )


def _add_volume(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="VOLUME")
    parser.add_argument(
        "--reference", metavar="REF", help="the truth, or another volume to compare with"
    )
    parser.add_argument("--roi", metavar="Z0:Z1,Y0:Y1,X0:X1", help="box in samples of the volume")
    parser.add_argument("--plane-um", type=float, metavar="UM", help="distance of planes in um")


def run_measure(options: argparse.Namespace) -> int:
    """Print the resolution of a picture or volume, or its agreement with another one."""
    facts = _measured_volume(options) if options.kind == "volume" else _measured(options)
    if options.json:
        print(json.dumps(facts))
        return 0
    notes = facts.pop("notes", [])
    if "pairs" in facts:
        print(*table(facts), sep="\n")
    room = max(15, *(len(name) + 1 for name in facts)) if facts else 15
    for name, value in facts.items():
        shown = "none" if value is None else f"{value:.4g}" if isinstance(value, float) else value
        print(f"{name + ':':{room}} {shown}")
    for note in notes:
        print(f"note: {note}")
    return 0


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    picture = open_picture(options.image, options.pixel_size)
    if options.kind == "lines":
        return measured_lines(picture, options)
    roi = rectangle(options.roi)
    if options.kind == "resolution":
        picture = picture if roi is None else picture.cut(roi)
        sector = sector_of(options.sector)
        return measure_resolution(picture, options.metric, sector, options.criterion)
    return _compared(picture, roi, options)


def _measured_volume(options: argparse.Namespace) -> dict[str, Any]:
    for value, name in ((options.pixel_size, "pixel size"), (options.plane_um, "plane distance")):
        if value is not None and not 0 < value < 1e6:
            raise InputError(f"The {name} must be more than 0 µm.")
    volume = open_volume(options.image, options.pixel_size, options.plane_um)
    part = box_of(options.roi)
    volume = volume if part is None else volume.cut(part)
    reference = None if options.reference is None else open_volume(options.reference)
    return measure_volume(volume, reference)


def _compared(picture: Picture, roi: Roi | None, options: argparse.Namespace) -> dict[str, Any]:
    """Agreement of a picture with the given reference, with cautions about it."""
    notes: list[str] = []
    origin = place_of(options.origin)
    if options.reference.lower().endswith(".npz"):
        if origin is not None and picture.pixel_px is not None:
            picture = replace(picture, origin_px=origin)
        picture = picture if roi is None else picture.cut(roi)
        reference = open_truth(options.reference, picture)
    else:
        reference = open_picture(options.reference)
        picture = place(picture, reference, origin, notes)
        if roi is not None:
            picture = picture.cut(roi)
            reference = reference.cut(roi) if picture.origin_px is None else reference
    metrics: tuple[AgreementMetric, ...] = AGREEMENT_METRICS
    if options.metric:
        metrics = (options.metric,)
    elif reference.wide_field or is_coarser(reference, picture):
        metrics = WIDE_FIELD_METRICS
        notes.append(
            f"{reference.name} is no finer than a mean of frames: SSIM, masks, false filaments and "
            "FRC need the truth and are left out (--metric NAME prints one)."
        )
    facts = compare(picture, reference, metrics, options.tolerance)
    notes += comparison_cautions(picture, reference)
    if reference.belongs_to_another_movie(picture):
        notes.append(
            f"{picture.name} was made from a different movie than {reference.name} belongs to."
        )
    return facts | {"notes": notes} if notes else facts

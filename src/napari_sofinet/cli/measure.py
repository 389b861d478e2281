"""The command ``sofinet measure``: resolution of a picture, or agreement of two."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from napari_sofinet.cli.arguments import rectangle, sector_of
from napari_sofinet.cli.progress import say
from napari_sofinet.quality.picture import open_picture, open_truth
from napari_sofinet.quality.scores import (
    AGREEMENT_METRICS,
    RESOLUTION_METRICS,
    compare,
    measure_resolution,
)


def add_measure(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Add the arguments of ``sofinet measure``."""
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)

    def kind(name: str, help: str) -> argparse.ArgumentParser:
        return kinds.add_parser(name, help=help, description=help, allow_abbrev=False)

    resolution = kind("resolution", "resolution of a picture, or of a movie's mean")
    resolution.add_argument("image", metavar="IMAGE")
    resolution.add_argument("--metric", choices=RESOLUTION_METRICS, default="decorrelation")
    resolution.add_argument(
        "--sector", metavar="FROM:TO", help="directions in degrees: 0 is along x, 90 along y"
    )
    resolution.add_argument(
        "--criterion", choices=("1/7", "half-bit", "3-sigma"), default="1/7", help="of FRC"
    )
    agreement = kind("compare", "agreement of a picture with a reference or a truth file")
    agreement.add_argument("image", metavar="SR")
    agreement.add_argument(
        "--reference",
        required=True,
        metavar="REF",
        help="a picture, a movie (its mean is taken), or the truth file of a simulation",
    )
    agreement.add_argument("--metric", choices=AGREEMENT_METRICS, help="one of them (default: all)")
    agreement.add_argument(
        "--tolerance", type=float, default=0.0, metavar="PX", help="how far masks may lie apart"
    )
    for one in (resolution, agreement):
        one.add_argument("--roi", metavar="Y0:Y1,X0:X1", help="rectangle in samples of the picture")
        one.add_argument("--pixel-size", type=float, metavar="UM", help="sample in um")
        one.add_argument("--json", action="store_true", help="print one JSON object")


def run_measure(options: argparse.Namespace) -> int:
    """Print the resolution of a picture, or its agreement with another one."""
    picture = open_picture(options.image, options.pixel_size)
    roi = rectangle(options.roi)
    if roi is not None:
        picture = picture.cut(roi)
    if options.kind == "resolution":
        sector = sector_of(options.sector)
        facts = measure_resolution(picture, options.metric, sector, options.criterion)
    else:
        if options.reference.lower().endswith(".npz"):
            reference = open_truth(options.reference, picture)
        else:
            reference = open_picture(options.reference)
            if roi is not None and picture.origin_px is None:
                reference = reference.cut(roi)
        metrics = (options.metric,) if options.metric else AGREEMENT_METRICS
        facts = compare(picture, reference, metrics, options.tolerance)
        if reference.belongs_to_another_movie(picture):
            say(f"note: {picture.name} was made from another movie than {reference.name} is for.")
    if options.json:
        print(json.dumps(facts))
        return 0
    for name, value in facts.items():
        shown = "none" if value is None else f"{value:.4g}" if isinstance(value, float) else value
        print(f"{name + ':':15} {shown}")
    return 0

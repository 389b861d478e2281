"""The command ``sofinet info``: facts about a movie."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import build
from napari_sofinet.base.settings_text import command_options
from napari_sofinet.cli.arguments import add_movie_options, open_selected
from napari_sofinet.cli.progress import ProgressLine
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods.suitable import Choice, headline, ranked
from napari_sofinet.preprocess.corrections import MovieSettings
from napari_sofinet.preprocess.suitability import Finding, examine, overall_light


def add_info(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Add the arguments of ``sofinet info``."""
    parser.add_argument("movie", metavar="MOVIE")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_movie_options(parser)


def run_info(options: argparse.Namespace) -> int:
    """Print facts about a movie, and whether it is suitable for SOFI."""
    if options.channel == "all":
        raise InputError("Channels are checked one at a time; give --channel a number.")
    movie = open_selected(options)
    if not isinstance(movie, Movie):
        raise InputError(f"{movie.name} is a table of localisations, not a movie.")
    frames, height, width = movie.shape
    facts: dict[str, Any] = {
        "name": movie.name,
        "frames": frames,
        "height": height,
        "width": width,
        "dtype": movie.dtype.name,
        "size_mb": round(frames * height * width * movie.dtype.itemsize / 1e6, 3),
        "pixel_size_um": movie.pixel_size_um,
        "frame_interval_s": movie.frame_interval_s,
        "frame_range": movie.frame_range,
        "roi": movie.roi,
        "notes": list(movie.notes),
    }
    seen = examine(movie, report=ProgressLine())
    findings, choices = seen.findings, ranked(seen.facts)
    if options.json:
        facts["suitability"] = overall_light(findings)
        facts["findings"] = [asdict(finding) for finding in findings]
        facts["methods"] = [_facts_of(choice) for choice in choices]
        print(json.dumps(facts))
        return 0
    pixel, interval = movie.pixel_size_um, movie.frame_interval_s
    print(f"{movie.name}: {frames} frames of {height} x {width} px, {movie.dtype.name}")
    print("pixel size:     " + (f"{1000 * pixel:.4g} nm" if pixel else "not known (--pixel-size)"))
    print("frame interval: " + (f"{1000 * interval:.4g} ms" if interval else "not known"))
    for note in movie.notes:
        print(f"note: {note}")
    _print_findings(findings)
    _print_choices(choices, findings)
    return 0


def _print_findings(findings: tuple[Finding, ...]) -> None:
    for finding in findings:
        words = " ".join(command_options(build(MovieSettings, finding.settings)))
        advice = f"{finding.advice} ({words})" if words else finding.advice
        print(f"{finding.light:4}  {finding.name + ':':16} {finding.value}. {advice}")
    print(f"for SOFI this movie is {overall_light(findings)}")


def _print_choices(choices: tuple[Choice, ...], findings: tuple[Finding, ...]) -> None:
    if choices:
        print(headline(choices, findings))
    for number, choice in enumerate(choices, 1):
        print(f"{number}  {_command_of(choice)}: {_accuracy_of(choice)}{choice.suggestion.reason}")


def _command_of(choice: Choice) -> str:
    settings = build(choice.method.settings, choice.suggestion.settings)
    return " ".join(("sofinet reconstruct", choice.method.name, *command_options(settings)))


def _accuracy_of(choice: Choice) -> str:
    accuracy = choice.suggestion.accuracy
    return f"{accuracy:.2f}. " if math.isfinite(accuracy) else ""


def _facts_of(choice: Choice) -> dict[str, Any]:
    """Return a choice for JSON."""
    accuracy = choice.suggestion.accuracy
    return {
        "method": choice.method.name,
        "title": choice.title,
        "settings": choice.suggestion.settings,
        "accuracy": round(accuracy, 3) if math.isfinite(accuracy) else None,
        "reason": choice.suggestion.reason,
    }

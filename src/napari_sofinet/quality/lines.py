"""The smallest distance of two lines that a picture of a test pattern resolves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.truth_file import read_truth
from napari_sofinet.metrics.line_pairs import (
    Separation,
    separation,
    smallest_resolved,
    two_peaks,
)
from napari_sofinet.metrics.profiles import Profile, line_profile
from napari_sofinet.quality.picture import Picture, settings_of
from napari_sofinet.quality.placement import place
from napari_sofinet.simulation.resolution_targets import COVERED, LinePair, argolight_pairs
from napari_sofinet.simulation.settings import SimulationSettings

BESIDE_UM = 0.6
"""Length of a profile beyond a pair of lines, where it reaches its base."""
FROM_ENDS = 0.05
"""Part of the field's height at both ends of the lines that does not count."""


@dataclass(frozen=True)
class Pattern:
    """Pairs of lines of a simulated test pattern.

    Parameters
    ----------
    pairs : tuple of LinePair
        The lines.
    field_um : (float, float)
        Height and width of the field in µm.
    camera_um : float
        Size of a camera pixel in µm.
    movie : str
        Fingerprint of the movie, empty if it is not known.
    name : str, optional
        Name of the file.
    """

    pairs: tuple[LinePair, ...]
    field_um: tuple[float, float]
    camera_um: float
    movie: str = ""
    name: str = "truth"


def pattern_of(settings: SimulationSettings, movie: str = "", name: str = "truth") -> Pattern:
    """Return the lines that a simulation contains.

    Parameters
    ----------
    settings : SimulationSettings
        Settings of the simulation.
    movie, name : str, optional
        See `Pattern`.

    Raises
    ------
    InputError
        The structure is no pattern of lines.
    """
    s = settings.structure
    if s.kind != "argolight":
        raise InputError(
            f"{name} contains {s.kind}, not pairs of lines; give a line across two lines with "
            "--line instead."
        )
    spacing = None if s.spacing_nm is None else s.spacing_nm / 1000
    pairs = argolight_pairs(settings.field_um[1], spacing)
    return Pattern(pairs, settings.field_um, settings.pixel_size_um, movie, name)


def read_pattern(path: str | Path) -> Pattern:
    """Read the lines of a simulation from its truth file.

    Raises
    ------
    InputError
        The file is no truth file of this version, or the structure is no pattern of lines.
    """
    path = Path(path)
    truth = read_truth(path)
    return pattern_of(settings_of(truth, path), truth.movie, path.name)


def measure_pattern(
    picture: Picture, pattern: Pattern, origin: tuple[float, float] | None = None
) -> dict[str, Any]:
    """Measure the dip between the lines of every pair of a pattern in a picture.

    Parameters
    ----------
    picture : Picture
        Picture of the field of the pattern, on a grid of any fineness.
    pattern : Pattern
        The lines.
    origin : (float, float), optional
        Position (y, x) of the first sample in camera pixels, for pictures that do not contain it.

    Returns
    -------
    dict
        ``pairs``: a list with ``spacing_nm``, ``dip``, ``distance_nm`` (None if not resolved),
        ``width_nm`` (mean of both lines, None if nothing fits) and ``resolved`` of each;
        ``smallest_resolved_nm``, None if not
        even the widest pair is resolved; ``notes``.

    Raises
    ------
    InputError
        The position of the picture is not known, or it does not show all lines.
    """
    notes: list[str] = []
    rows, columns = (max(round(side / pattern.camera_um), 1) for side in pattern.field_um)
    field = Picture(
        np.zeros((rows, columns)),
        pattern.name,
        pixel_um=pattern.camera_um,
        pixel_px=(1.0, 1.0),
        origin_px=(0.0, 0.0),
        movie=pattern.movie or None,
        of_truth=True,
    )
    if field.belongs_to_another_movie(picture):
        notes.append(
            f"{picture.name} was made from a different movie than {pattern.name} belongs to."
        )
    placed = place(picture, field, origin, notes)
    if placed.pixel_px is None or placed.origin_px is None:
        placed = replace(placed, pixel_px=(1.0, 1.0), origin_px=(0.0, 0.0))
    across = _across(placed, pattern)
    beside = BESIDE_UM + max(pair.spacing_um for pair in pattern.pairs) / 2
    found = [separation(_cut(across, pair, beside), *_place(pair)) for pair in pattern.pairs]
    spacings = [round(1000 * pair.spacing_um, 3) for pair in pattern.pairs]
    facts = {
        "image": picture.name,
        "pairs": [
            {"spacing_nm": spacing} | _facts(one, 1000)
            for spacing, one in zip(spacings, found, strict=True)
        ],
        "smallest_resolved_nm": smallest_resolved(spacings, found),
    }
    return facts | {"notes": notes} if notes else facts


def measure_two_lines(
    picture: Picture,
    start: tuple[float, float],
    end: tuple[float, float],
    width: float = 1,
) -> dict[str, Any]:
    """Measure the dip between two lines that a profile crosses.

    Parameters
    ----------
    picture : Picture
        Any picture.
    start, end : (float, float)
        Ends (y, x) of the profile in samples of the picture.
    width : float, optional
        Samples along the lines over which the profile is averaged.

    Returns
    -------
    dict
        ``dip``, ``distance_px``, ``width_px`` and ``resolved``; with a pixel size also
        ``distance_nm`` and ``width_nm``. Distances are None if the two are not resolved.

    Raises
    ------
    InputError
        The profile is outside the picture or too short.
    """
    rows, columns = picture.image.shape
    inside = all(0 <= y <= rows - 1 and 0 <= x <= columns - 1 for y, x in (start, end))
    if not inside:
        raise InputError(
            f"The line leaves the image of {rows} x {columns} samples; give ends inside it."
        )
    profile = line_profile(picture.image, start, end, width)
    peaks = two_peaks(profile)
    facts: dict[str, Any] = {"image": picture.name}
    if peaks is None:
        return facts | {"dip": 0.0, "distance_px": None, "width_px": None, "resolved": False}
    found = separation(profile, (peaks[0] + peaks[1]) / 2, peaks[1] - peaks[0])
    facts |= _facts(found, 1, "px")
    if picture.pixel_um is not None:
        nm = 1000 * picture.pixel_um
        facts |= {k: v for k, v in _facts(found, nm).items() if k.endswith("_nm")}
    return facts


def _facts(found: Separation, factor: float, unit: str = "nm") -> dict[str, Any]:
    width = float(np.mean(found.widths)) * factor if found.widths else None
    return {
        "dip": found.dip,
        f"distance_{unit}": None if found.distance is None else found.distance * factor,
        f"width_{unit}": width,
        "resolved": found.resolved,
    }


def _place(pair: LinePair) -> tuple[float, float]:
    return pair.centre_um, pair.spacing_um


def _across(picture: Picture, pattern: Pattern) -> Profile:
    """Return the mean along the lines, over µm from the left edge of the field."""
    assert picture.pixel_px is not None
    assert picture.origin_px is not None
    y, x = (
        (origin + step * np.arange(count) + 0.5) * pattern.camera_um
        for origin, step, count in zip(
            picture.origin_px, picture.pixel_px, picture.image.shape, strict=True
        )
    )
    height = pattern.field_um[0]
    first, last = (COVERED[0] + FROM_ENDS) * height, (COVERED[1] - FROM_ENDS) * height
    rows = (y >= first) & (y <= last)
    if not rows.any():
        raise InputError(f"{picture.name} shows nothing of the lines of {pattern.name}.")
    return Profile(x, np.asarray(picture.image, np.float64)[rows].mean(axis=0))


def _cut(across: Profile, pair: LinePair, beside_um: float) -> Profile:
    """Return the part of a profile that belongs to a pair."""
    inside = np.abs(across.distance - pair.centre_um) <= beside_um
    return Profile(across.distance[inside], across.values[inside])

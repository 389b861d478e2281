"""Methods that suit a movie, best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.registry import methods
from napari_sofinet.methods.suggestion import Suggestion
from napari_sofinet.preprocess.findings import Finding
from napari_sofinet.preprocess.movie_facts import MovieFacts
from napari_sofinet.preprocess.suitability import examine

FINEST = "For the finest detail: it separates lines closer than half the width of the PSF."
CORRECTED = {
    "drift": "drift",
    "vibration": "vibration",
    "brightness": "brightness",
    "readout": "readout noise",
    "background": "haze",
}
"""Name of the defect that each group of settings corrects."""
WRONG = {
    "shared changes": "distant pixels change together, which is no blinking",
    "repetition": "its frames repeat themselves",
    "structured illumination": "it looks like a stack from structured illumination",
    "z stack": "the focus passes through the sample",
    "saturation": "too many of its pixels are saturated",
}
"""Findings with which every picture is wrong, in words."""
CUT_OFF = {"saturation", "cut off"}
POOR = 0.6
"""Expected accuracy below which a picture hardly shows the structure."""


@dataclass(frozen=True)
class Choice:
    """A method that suits a movie.

    Parameters
    ----------
    method : Method
        The method.
    suggestion : Suggestion
        Settings, expected accuracy and reason.
    """

    method: Method
    suggestion: Suggestion

    @property
    def title(self) -> str:
        """Name for people, with the settings."""
        label = self.suggestion.label
        return f"{self.method.title}, {label}" if label else self.method.title


def suitable_methods(movie: Movie, report: Report = silent) -> tuple[Choice, ...]:
    """Return the methods that suit a movie, best first.

    Parameters
    ----------
    movie : Movie
        Movie in counts.
    report : Report, optional
        Receives the progress.

    Returns
    -------
    tuple of Choice
        Methods with the accuracy that they are expected to reach with the corrections that the
        check advises, and the reason; empty if the movie is too small.

    Raises
    ------
    InputError
        The movie cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_sofinet import open_movie
    >>> still = np.random.default_rng(0).poisson(100, (20, 16, 16))
    >>> [choice.title for choice in suitable_methods(open_movie(still))]
    ['Average of all frames']
    """
    return ranked(examine(movie, report=report).facts)


def ranked(facts: MovieFacts | None) -> tuple[Choice, ...]:
    """Return the methods that suit a movie, best first.

    Parameters
    ----------
    facts : MovieFacts or None
        Facts about the movie, from `examine`; None gives no method.

    Returns
    -------
    tuple of Choice
        The best picture, and the best time series, of each method that suits: pictures in the
        order of the expected accuracy, in hundredths, and the finer one first where it is the same;
        then time series in theirs.
    """
    if facts is None:
        return ()
    found = [
        Choice(method, _corrected(method, suggestion, facts.corrections))
        for method in methods().values()
        if method.suits is not None
        for suggestion in method.suits(facts)
    ]

    def order(choice: Choice) -> tuple[bool, float, bool]:
        suggestion = choice.suggestion
        accuracy = round(float(np.nan_to_num(suggestion.accuracy)), 2)
        return suggestion.time_series, -accuracy, not suggestion.fine

    best: dict[tuple[str, bool], Choice] = {}
    for choice in sorted(found, key=order):
        best.setdefault((choice.method.name, choice.suggestion.time_series), choice)
    return tuple(_with_purpose(choice) for choice in best.values())


def _with_purpose(choice: Choice) -> Choice:
    suggestion = choice.suggestion
    if not suggestion.fine:
        return choice
    return replace(choice, suggestion=replace(suggestion, reason=f"{suggestion.reason} {FINEST}"))


def _corrected(method: Method, suggestion: Suggestion, advised: dict[str, Any]) -> Suggestion:
    """Add the advised corrections that a method has; a time series shows drift as it is."""
    groups = set(method.settings.model_fields) - ({"drift"} if suggestion.time_series else set())
    used = {name: value for name, value in advised.items() if name.split(".")[0] in groups}
    if not used:
        return suggestion
    words = dict.fromkeys(CORRECTED.get(name.split(".")[0], "artefacts") for name in used)
    label = ", ".join(filter(None, (suggestion.label, "corrected for " + " and ".join(words))))
    return replace(suggestion, settings=used | suggestion.settings, label=label)


def headline(choices: tuple[Choice, ...], findings: Sequence[Finding] = ()) -> str:
    """Return the line above a list of choices.

    Parameters
    ----------
    choices : tuple of Choice
        Result of `ranked`, not empty.
    findings : sequence of Finding, optional
        Result of `examine`.

    Returns
    -------
    str
        What the list is, after a warning where no method suits or all pictures are partly wrong.
    """
    expected = choices[0].suggestion.accuracy
    wrong = [WRONG[f.name] for f in findings if f.light == "bad" and f.name in WRONG]
    cut_off = any(f.name in CUT_OFF and f.light != "good" for f in findings)
    if np.isnan(expected):
        return "No method suits this movie, in which nothing blinks beyond doubt. What remains:"
    if wrong:
        return (
            f"No method gives a right picture of this movie: {' and '.join(wrong)} (see below). "
            "For a movie without this fault, best first, with the correlation with the truth to "
            "expect:"
        )
    if expected < POOR:
        return (
            "So far no method is expected to show the structure well: more frames, more light or "
            "more blinks are needed. Best first, with the correlation with the truth to expect:"
        )
    warning = "The brightest places are cut off and wrong in every picture. " if cut_off else ""
    return (
        f"{warning}Methods for this movie, best first, with the correlation with the truth to "
        "expect:"
    )

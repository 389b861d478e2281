"""Methods that suit a movie, best first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.data.movie import Movie
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.registry import methods
from napari_sofinet.methods.suggestion import Suggestion
from napari_sofinet.preprocess.movie_facts import MovieFacts
from napari_sofinet.preprocess.suitability import examine

MOVES_PX = 1.0
"""Distance in camera px from which a time series comes before still pictures."""


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
        Methods with the accuracy that they are expected to reach, and the reason; empty if the
        movie is too small.

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
        The best picture, and the best time series, of each method that suits: time series first if
        the sample moves, then in the order of the expected accuracy.
    """
    if facts is None:
        return ()
    found = [
        Choice(method, suggestion)
        for method in methods().values()
        if method.suits is not None
        for suggestion in method.suits(facts)
    ]
    moves = facts.moved_px >= MOVES_PX

    def order(choice: Choice) -> tuple[bool, float]:
        series = choice.suggestion.time_series
        return series != moves, -np.nan_to_num(choice.suggestion.accuracy)

    best: dict[tuple[str, bool], Choice] = {}
    for choice in sorted(found, key=order):
        best.setdefault((choice.method.name, choice.suggestion.time_series), choice)
    return tuple(best.values())


def headline(choices: tuple[Choice, ...]) -> str:
    """Return the line above a list of choices.

    Parameters
    ----------
    choices : tuple of Choice
        Result of `ranked`, not empty.
    """
    if choices[0].suggestion.accuracy < POOR:
        return (
            "So far no method is expected to show the structure well: more frames, more light or "
            "more blinks are needed. Best first, with the correlation with the truth to expect:"
        )
    return "Methods for this movie, best first, with the correlation with the truth to expect:"

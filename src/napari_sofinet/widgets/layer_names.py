"""Names of the layers of results, which can be distinguished in napari's narrow list of layers.

The list shows about ten characters from the start and nine from the end of a long name. The method
and the frames stand at the start, the settings that differ from the default at the end, and the
name of the movie between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from napari_sofinet.base.settings import Parameter, flatten_settings, parameters
from napari_sofinet.data.recipe import OpenStep, Recipe
from napari_sofinet.data.sim_stack import SimStack
from napari_sofinet.methods.registry import methods

SHOWN_FIRST, SHOWN_LAST = 10, 9
"""Characters of a long name that napari's list of layers shows before and after its dots."""
UNIT = re.compile(r"(_fwhm)?_(px|um|nm|percent)$")
WORDS = {"psf": "PSF", "snr": "S/N", "molecules": "molecules"}


def shown(name: str) -> str:
    """Return what a narrow list of layers shows of a name.

    Parameters
    ----------
    name : str
        Name of a layer.

    Returns
    -------
    str
        The name, or its beginning and its end.

    Examples
    --------
    >>> shown("SOFI2 0–99 microtubules, lag 1")
    'SOFI2 0–99…es, lag 1'
    """
    if len(name) <= SHOWN_FIRST + 1 + SHOWN_LAST:
        return name
    return f"{name[:SHOWN_FIRST]}…{name[-SHOWN_LAST:]}"


def run_name(recipe: Recipe | None) -> str:
    """Return the method and the frames of a result.

    Parameters
    ----------
    recipe : Recipe or None
        How the result was made.

    Returns
    -------
    str
        Tag of the method, first and last frame as napari's slider counts them, e.g. "SOFI2 0–99";
        the tag alone of SIM, which uses all images; "picture" without a recipe.
    """
    if recipe is None:
        return "picture"
    method = methods().get(recipe.reconstruct.method)
    whole = method is not None and method.takes == (SimStack,)
    return _tag(recipe) if whole else f"{_tag(recipe)} {_frames(recipe.open)}"


def _tag(recipe: Recipe) -> str:
    step = recipe.reconstruct
    method = methods().get(step.method)
    tag = method.tag if method is not None else ""
    try:
        return tag.format(**step.settings) or step.method
    except KeyError:  # of a version with other settings
        return step.method


def _frames(step: OpenStep) -> str:
    first, behind = step.frames or (0, step.shape[0])
    return f"{first}–{behind - 1}"


def differences(recipe: Recipe | None) -> tuple[str, ...]:
    """Return how a result differs from that of the whole movie with default settings.

    Parameters
    ----------
    recipe : Recipe or None
        How the result was made.

    Returns
    -------
    tuple of str
        Short words, e.g. "drift corr." or "window 20".
    """
    if recipe is None:
        return ()
    return (*_parts(recipe.open), *_changed(recipe))


def _parts(step: OpenStep) -> Iterator[str]:
    if step.left_out:
        ranges = (f"{a}–{b - 1}" if b - a > 1 else str(a) for a, b in step.left_out)
        yield f"without {' '.join(ranges)}"
    if step.channel and not step.every_channel:
        yield f"channel {step.channel}"
    if step.z:
        yield f"plane {step.z}"
    if step.roi is not None:
        (top, below), (left, right) = step.roi
        yield f"ROI {below - top}×{right - left} at {top},{left}"


def _changed(recipe: Recipe) -> Iterator[str]:
    method = methods().get(recipe.reconstruct.method)
    if method is None:
        return
    defaults = flatten_settings(method.settings())
    for leaf in parameters(method.settings):
        value = recipe.reconstruct.settings.get(leaf.name, defaults[leaf.name])
        named = f"{{{leaf.name}}}" in method.tag
        if not named and not _same(leaf, value, defaults[leaf.name]):
            yield _word(leaf, value)


def _same(leaf: Parameter, value: Any, default: Any) -> bool:
    if leaf.weights:
        return Path(str(value)).stem == Path(str(default)).stem
    return bool(value == default)


def _word(leaf: Parameter, value: Any) -> str:
    *groups, last = leaf.path
    label = WORDS.get(UNIT.sub("", last), UNIT.sub("", last).replace("_", " "))
    where = " ".join(groups).replace("_", " ")
    if leaf.weights:
        return f"{Path(str(value)).stem} {where}".rstrip()
    if last == "correct":
        return f"{where} corr." if value else f"{where} corr. off"
    label = where if last == "method" else f"{where} {label}".lstrip()
    if isinstance(value, bool):
        return label if value else f"{label} off"
    if value is None or value == "":
        return f"{label} {leaf.empty}"
    if leaf.file:
        return f"{label} {Path(str(value)).stem}"
    return f"{label} {value:g}" if isinstance(value, float) else f"{label} {value}"


def picture_name(recipe: Recipe | None, movie: str) -> str:
    """Return the name of the layer of a picture.

    Parameters
    ----------
    recipe : Recipe or None
        How the result was made.
    movie : str
        Name of the movie.

    Returns
    -------
    str
        E.g. "SOFI2 0–99 cell, drift corr.".
    """
    return ", ".join((f"{run_name(recipe)} {movie}", *differences(recipe)))


def map_name(kind: str, recipe: Recipe | None, movie: str) -> str:
    """Return the name of another layer of a result.

    Parameters
    ----------
    kind : str
        Content of the layer.
    recipe : Recipe or None
        How the result was made.
    movie : str
        Name of the movie.

    Returns
    -------
    str
        E.g. "uncertainty cell, net 0–19".
    """
    return ", ".join((f"{kind} {movie}", run_name(recipe), *differences(recipe)))


def told_apart(name: str, others: Iterable[str], recipe: Recipe | None = None) -> str:
    """Return a name that looks different from others in a narrow list of layers.

    Parameters
    ----------
    name : str
        Name of a new layer.
    others : iterable of str
        Names of the other layers.
    recipe : Recipe, optional
        How the layer was made.

    Returns
    -------
    str
        The name, with the frames at its end or a number if it would look like another.

    Examples
    --------
    >>> told_apart("SOFI2 0–99 microtubules", ["SOFI2 0–9 microtubules", "other"])
    'SOFI2 0–99 microtubules'
    >>> told_apart("SOFI2 0–999 microtubules", ["SOFI2 0–99 microtubules"])
    'SOFI2 0–999 microtubules (2)'
    """
    taken = {shown(other) for other in others}
    choices = [name]
    if recipe is not None:
        choices.append(f"{name}, {_frames(recipe.open)}")
    choices += [f"{name} ({number})" for number in range(2, len(taken) + 3)]
    return next(choice for choice in choices if shown(choice) not in taken)

"""Command line options and their values from a settings model (and commands from values)."""

from __future__ import annotations

import argparse
import shlex
import types
import typing
from typing import Any, Literal

from napari_sofinet.errors import InputError
from napari_sofinet.settings import Leaf, Settings, flatten_settings, leaves

if typing.TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "setting "  # no other option's destination has a blank in it


def kind_of(leaf: Leaf) -> tuple[Any, bool]:
    """Type of a parameter (bool, int, float, str or a tuple of choices), and if it may be empty."""
    annotation = leaf.info.annotation
    optional = False
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        kinds = [a for a in typing.get_args(annotation) if a is not type(None)]
        optional, annotation = True, kinds[0]
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation), optional
    return annotation, optional


def option_of(leaf: Leaf) -> str:
    """Option of a parameter, e.g. ``--deconvolution.iterations``."""
    return "--" + leaf.name.replace("_", "-")


def add_options(parser: Any, model: type[Settings]) -> None:
    """Add one option for every parameter of a settings model."""
    for leaf in leaves(model):
        parser.add_argument(
            option_of(leaf),
            dest=PREFIX + leaf.name,
            metavar=_values(leaf),
            help=_help(leaf, default_of(model, leaf)).replace("%", "%%"),
            default=argparse.SUPPRESS,
        )


def given_values(options: argparse.Namespace, model: type[Settings]) -> dict[str, Any]:
    """Values of the options that were given, by dotted name.

    Raises
    ------
    InputError
        A text that is no value of its parameter.
    """
    given = vars(options)
    return {
        leaf.name: parse(leaf, given[PREFIX + leaf.name])
        for leaf in leaves(model)
        if PREFIX + leaf.name in given
    }


def parse(leaf: Leaf, text: str) -> Any:
    """Value of a parameter from text; limits are left to the settings model."""
    kind, optional = kind_of(leaf)
    word = text.strip()
    if optional and word.lower() in ("", "none", "auto"):
        return None
    if isinstance(kind, tuple):
        if word not in kind:
            raise InputError(f"{option_of(leaf)} must be {' or '.join(kind)}, not {text!r}.")
        return word
    if kind is bool:
        if word.lower() in ("yes", "true", "on", "1"):
            return True
        if word.lower() in ("no", "false", "off", "0"):
            return False
        raise InputError(f"{option_of(leaf)} must be yes or no, not {text!r}.")
    try:
        return kind(word)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise InputError(f"{option_of(leaf)} must be {what}, not {text!r}.") from None


def text_of(value: Any) -> str:
    """Text that `parse` turns into ``value`` again."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def command_options(settings: Settings) -> list[str]:
    """Options that give these settings, leaving out those at their default."""
    values = flatten_settings(settings)
    words = []
    for leaf in leaves(type(settings)):
        if values[leaf.name] != default_of(type(settings), leaf):
            words += [option_of(leaf), shlex.quote(text_of(values[leaf.name]))]
    return words


def default_of(model: type[Settings], leaf: Leaf) -> Any:
    """Default of a parameter inside ``model``, whose nested groups may have their own."""
    return flatten_settings(model())[leaf.name]


def describe_options(model: type[Settings]) -> Iterator[str]:
    """One line for each parameter: option, values, unit, default and help."""
    for leaf in leaves(model):
        yield f"  {option_of(leaf)} {_values(leaf)}"
        yield f"      {_help(leaf, default_of(model, leaf))}"


def _values(leaf: Leaf) -> str:
    kind, _ = kind_of(leaf)
    if isinstance(kind, tuple):
        return "|".join(kind)
    return {bool: "yes|no", int: "INT", float: "NUMBER"}.get(kind, "TEXT")


def _help(leaf: Leaf, default: Any) -> str:
    notes = [leaf.unit] if leaf.unit else []
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    limits = [f"{word} {v:g}" for k, word in words.items() if (v := leaf.limit(k)) is not None]
    if limits:
        notes.append(", ".join(limits))
    notes.append(f"default {text_of(default)}")
    return f"{leaf.help} [{'; '.join(notes)}]"

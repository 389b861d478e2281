"""Command-line options of a settings model, and the values that were given."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from napari_sofinet.base.settings import Parameter, Settings, parameters
from napari_sofinet.base.settings_text import (
    default_of,
    help_text,
    option_named,
    option_of,
    parse,
    values_text,
)

PREFIX = "setting "
"""Prefix of the options' destinations; no other destination contains a blank."""


def add_options(parser: Any, model: type[Settings]) -> None:
    """Add one option for every parameter of a settings model.

    Parameters
    ----------
    parser : argparse.ArgumentParser or argument group
        Receives the options.
    model : type of Settings
        Settings model.
    """
    for leaf in parameters(model):
        parser.add_argument(
            option_of(leaf),
            dest=PREFIX + leaf.name,
            metavar=values_text(leaf),
            help=help_text(leaf, default_of(model, leaf)).replace("%", "%%"),
            default=argparse.SUPPRESS,
        )
        if leaf.formerly:
            parser.add_argument(
                option_named(_old_name(leaf)),
                dest=PREFIX + _old_name(leaf),
                help=argparse.SUPPRESS,
                default=argparse.SUPPRESS,
            )


def given_values(options: argparse.Namespace, model: type[Settings]) -> dict[str, Any]:
    """Return the values of the options that were given, by dotted name.

    Parameters
    ----------
    options : argparse.Namespace
        Parsed arguments.
    model : type of Settings
        Model whose options were added by `add_options`.

    Raises
    ------
    InputError
        A text is not a valid value of its parameter.
    """
    given = vars(options)
    return {
        name: parse(leaf, given[PREFIX + name])
        for leaf in parameters(model)
        for name in (leaf.name, _old_name(leaf))
        if PREFIX + name in given
    }


def _old_name(leaf: Parameter) -> str:
    """Return the dotted name of a parameter in older versions."""
    return ".".join((*leaf.path[:-1], leaf.formerly)) if leaf.formerly else leaf.name


def describe_options(model: type[Settings]) -> Iterator[str]:
    """Yield the lines of a help text: option and values, then unit, default and help."""
    for leaf in parameters(model):
        yield f"  {option_of(leaf)} {values_text(leaf)}"
        yield f"      {help_text(leaf, default_of(model, leaf))}"

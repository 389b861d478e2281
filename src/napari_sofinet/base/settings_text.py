"""Values of settings as text: for command lines, help and messages."""

from __future__ import annotations

import shlex
import types
import typing
from typing import Any, Literal

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import Parameter, Settings, flatten_settings, parameters


def kind_of(leaf: Parameter) -> tuple[Any, bool]:
    """Type of a parameter (bool, int, float, str or a tuple of choices), and if it may be empty."""
    annotation = leaf.info.annotation
    optional = False
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        kinds = [a for a in typing.get_args(annotation) if a is not type(None)]
        optional, annotation = True, kinds[0]
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation), optional
    return annotation, optional


def option_of(leaf: Parameter) -> str:
    """Option of a parameter, e.g. ``--deconvolution.iterations``."""
    return option_named(leaf.name)


def option_named(name: str) -> str:
    """Option of a dotted name.

    Examples
    --------
    >>> option_named("camera.dark_frames")
    '--camera.dark-frames'
    """
    return "--" + name.replace("_", "-")


def parse(leaf: Parameter, text: str, called: str = "", decimal_comma: bool = False) -> Any:
    """Read the value of a parameter from text; limits are left to the settings model.

    Parameters
    ----------
    leaf : Parameter
        The parameter.
    text : str
        What was typed.
    called : str, optional
        Name of the parameter in messages; by default its option.
    decimal_comma : bool, optional
        Whether ``2,5`` is a number, as people in many countries type it.

    Raises
    ------
    InputError
        The text is no value of the parameter.
    """
    kind, optional = kind_of(leaf)
    called = called or option_of(leaf)
    word = text.strip()
    if optional and word.lower() in ("", "none", "auto"):
        return None
    if isinstance(kind, tuple):
        if word not in kind and word not in leaf.formerly_choices:
            raise InputError(f"{called} must be {' or '.join(kind)}, not {text[:80]!r}.")
        return word
    if kind is bool:
        if word.lower() in ("yes", "true", "on", "1"):
            return True
        if word.lower() in ("no", "false", "off", "0"):
            return False
        raise InputError(f"{called} must be yes or no, not {text[:80]!r}.")
    if kind is float and decimal_comma:
        word = with_decimal_point(word)
    try:
        return kind(word)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise InputError(f"{called} must be {what}, not {text[:80]!r}.") from None


def with_decimal_point(text: str) -> str:
    """Return a number with its only comma as a decimal point; other text as it is.

    Examples
    --------
    >>> with_decimal_point("2,5"), with_decimal_point("1,000.5"), with_decimal_point("1,2,3")
    ('2.5', '1,000.5', '1,2,3')
    """
    return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text


def text_of(value: Any) -> str:
    """Text that `parse` turns into ``value`` again."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def command_options(settings: Settings) -> list[str]:
    """Options that give these settings, leaving out those at their default."""
    values = flatten_settings(settings)
    words = []
    for leaf in parameters(type(settings)):
        if values[leaf.name] != default_of(type(settings), leaf):
            words += [option_of(leaf), shlex.quote(text_of(values[leaf.name]))]
    return words


def default_of(model: type[Settings], leaf: Parameter) -> Any:
    """Default of a parameter inside ``model``, whose nested groups may have their own."""
    return flatten_settings(model())[leaf.name]


def values_text(leaf: Parameter) -> str:
    """Placeholder for the values of a parameter, e.g. ``INT`` or ``yes|no``."""
    kind, _ = kind_of(leaf)
    if isinstance(kind, tuple):
        return "|".join(kind)
    return {bool: "yes|no", int: "INT", float: "NUMBER"}.get(kind, "TEXT")


def help_text(leaf: Parameter, default: Any) -> str:
    """Help of a parameter with its unit, limits and default."""
    notes = [leaf.unit] if leaf.unit else []
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    limits = [f"{word} {v:g}" for k, word in words.items() if (v := leaf.limit(k)) is not None]
    if limits:
        notes.append(", ".join(limits))
    notes.append(f"default {text_of(default)}")
    return f"{leaf.help} [{'; '.join(notes)}]"

"""The base of all settings models.

A settings model is the only description of a method's parameters: forms, command line options,
presets and recipes are built from it. Every field has a type, limits, a default and a sentence of
help; ``label``, ``unit`` and ``basic`` (shown without opening "Advanced") ride in the field's extra
schema.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from napari_sofinet.base.errors import InputError


class Settings(BaseModel):
    """Base of all settings: frozen, strict about unknown names and about NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    title: ClassVar[str] = ""
    """Title of the settings as a group of a form; by default the name of the group."""

    @model_validator(mode="before")
    @classmethod
    def _accept_old_names(cls, values: Any) -> Any:
        """Take settings and choices under their names of older versions, with a warning."""
        if not isinstance(values, dict):
            return values
        values = dict(values)
        for name, info in cls.model_fields.items():
            leaf = Parameter((name,), info)
            if leaf.formerly and leaf.formerly in values:
                values[name] = values.pop(leaf.formerly)
                _warn_renamed("setting", leaf.formerly, name)
            chosen = values.get(name)
            if isinstance(chosen, str) and chosen in leaf.formerly_choices:
                values[name] = leaf.formerly_choices[chosen]
                _warn_renamed(f"choice of {name},", chosen, values[name])
        return values


class RenamedWarning(FutureWarning):
    """A setting was given under its name of an older version."""


def _warn_renamed(what: str, old: str, new: str) -> None:
    warnings.warn(f"The {what} {old} is now called {new}.", RenamedWarning, stacklevel=3)


S = TypeVar("S", bound=Settings)


def parameter(
    default: Any,
    help: str,
    *,
    label: str = "",
    unit: str = "",
    basic: bool = False,
    file: bool = False,
    weights: str = "",
    empty: str = "automatic",
    choices: dict[str, str] | None = None,
    formerly: str = "",
    formerly_choices: dict[str, str] | None = None,
    only_if: dict[str, tuple[Any, ...]] | None = None,
    not_if: dict[str, tuple[Any, ...]] | None = None,
    **limits: Any,
) -> Any:
    """Declare one field of a settings model.

    Parameters
    ----------
    default : Any
        Value where none is given.
    help : str
        Sentence for the user.
    label : str, optional
        Name in a form, without the unit; by default the name of the field in words.
    unit : str, optional
        Physical unit.
    basic : bool, optional
        Whether a form shows the field without opening "Advanced".
    file : bool, optional
        Whether the field is the name of a file.
    weights : str, optional
        Name of the network whose weights the field names.
    empty : str, optional
        Meaning of an empty field.
    choices : dict of str to str, optional
        Words of a form for choices whose own names say too little.
    formerly : str, optional
        Name of the field in older versions, which is still accepted.
    formerly_choices : dict of str to str, optional
        Choices of older versions, and what they are called now.
    only_if : dict of str to tuple, optional
        Values of other fields of the same model with which alone the field has an effect.
    not_if : dict of str to tuple, optional
        Values of other fields of the same model with which the field has no effect.
    **limits
        ``ge``, ``le``, ``gt`` or ``lt``.
    """
    extra: dict[str, Any] = {"unit": unit, "basic": basic, "file": file, "weights": weights}
    extra |= {"label": label, "empty": empty, "choices": choices or {}}
    extra |= {"formerly": formerly, "formerly_choices": formerly_choices or {}}
    extra |= {"only_if": only_if or {}, "not_if": not_if or {}}
    return Field(default=default, description=help, json_schema_extra=extra, **limits)


@dataclass(frozen=True)
class Condition:
    """Values of a parameter with which another one has an effect.

    Parameters
    ----------
    name : str
        Dotted name of the parameter.
    values : tuple
        Its values.
    allowed : bool
        Whether the other one has an effect with these values, or with all but these.
    """

    name: str
    values: tuple[Any, ...]
    allowed: bool

    def holds(self, value: Any) -> bool:
        """Return whether the other parameter has an effect with this value.

        Examples
        --------
        >>> Condition("method", ("none",), allowed=False).holds("percentile")
        True
        """
        return (value in self.values) == self.allowed


@dataclass(frozen=True)
class Parameter:
    """One parameter of a (nested) settings model, as forms and options need it."""

    path: tuple[str, ...]
    info: FieldInfo
    groups: tuple[str, ...] = ()
    """Titles of the groups in which it is, from the outermost."""
    group_conditions: tuple[Condition, ...] = ()
    """Conditions of the groups that it belongs to."""

    @property
    def name(self) -> str:
        """Dotted name, e.g. ``deconvolution.iterations``."""
        return ".".join(self.path)

    @property
    def default(self) -> Any:
        """Value where none is given."""
        return self.info.default

    @property
    def help(self) -> str:
        """Sentence for the user."""
        return self.info.description or ""

    @property
    def label(self) -> str:
        """Name in a form, without the unit."""
        return str(self._extra.get("label", "")) or in_words(self.path[-1])

    @property
    def choices(self) -> dict[str, str]:
        """Words of a form for choices whose own names say too little."""
        words: Any = self._extra.get("choices", {})
        return dict(words)

    @property
    def unit(self) -> str:
        """Physical unit, may be empty."""
        return str(self._extra.get("unit", ""))

    @property
    def basic(self) -> bool:
        """Whether it is shown without opening "Advanced"."""
        return bool(self._extra.get("basic", False))

    @property
    def file(self) -> bool:
        """Whether it is the name of a file."""
        return bool(self._extra.get("file", False))

    @property
    def weights(self) -> str:
        """The network whose weights it names, empty where it names none."""
        return str(self._extra.get("weights", ""))

    @property
    def empty(self) -> str:
        """Meaning of an empty field."""
        return str(self._extra.get("empty", "automatic"))

    @property
    def formerly(self) -> str:
        """Name of the field in older versions, empty where it had the same."""
        return str(self._extra.get("formerly", ""))

    @property
    def formerly_choices(self) -> dict[str, str]:
        """Choices of older versions, and what they are called now."""
        return self._named("formerly_choices")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Conditions that must all hold for it to have an effect, those of its groups included."""
        group = "".join(f"{part}." for part in self.path[:-1])
        own = (
            Condition(group + name, tuple(values), allowed)
            for kind, allowed in (("only_if", True), ("not_if", False))
            for name, values in self._named(kind).items()
        )
        return (*self.group_conditions, *own)

    def _named(self, kind: str) -> dict[str, Any]:
        named: Any = self._extra.get(kind, {})
        return dict(named)

    @property
    def _extra(self) -> dict[str, Any]:
        extra = self.info.json_schema_extra
        return extra if isinstance(extra, dict) else {}

    def limit(self, kind: str) -> float | None:
        """The limit ``ge``, ``gt``, ``le`` or ``lt`` of this parameter, if it has one."""
        return next((getattr(m, kind) for m in self.info.metadata if hasattr(m, kind)), None)


def in_words(name: str) -> str:
    """Return the name of a field in words, without its unit.

    Examples
    --------
    >>> in_words("psf_fwhm_px"), in_words("frames")
    ('PSF width', 'Frames')
    """
    for suffix in ("_px", "_percent", "_s", "_um", "_nm"):
        name = name if name.endswith(("per_s", "per_um")) else name.removesuffix(suffix)
    words = name.replace("_", " ")
    return (words[0].upper() + words[1:]).replace("Psf fwhm", "PSF width")


def parameters(
    model: type[BaseModel],
    prefix: tuple[str, ...] = (),
    titles: tuple[str, ...] = (),
    conditions: tuple[Condition, ...] = (),
) -> Iterator[Parameter]:
    """All parameters of a settings model, then those of nested groups under dotted names."""
    groups = []
    for name, info in model.model_fields.items():
        kind = info.annotation
        leaf = Parameter((*prefix, name), info, titles, conditions)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            groups.append((leaf, kind))
        else:
            yield leaf
    for group, kind in groups:
        title = getattr(kind, "title", "") or in_words(group.path[-1])
        yield from parameters(kind, group.path, (*titles, title), group.conditions)


def build(model: type[S], values: dict[str, Any], called: dict[str, str] | None = None) -> S:
    """Settings from dotted names and values; absent names keep their defaults.

    Parameters
    ----------
    model : type of Settings
        Model of the settings.
    values : dict of str to Any
        Values by dotted name.
    called : dict of str to str, optional
        What the settings are called in messages, by dotted name.

    Raises
    ------
    InputError
        An unknown name or a value outside its limits, in one sentence.
    """
    # From the defaults, since a group's may differ from those of its own model.
    tree: dict[str, Any] = model().model_dump()
    for name, value in values.items():
        *groups, last = name.split(".")
        node = tree
        for group in groups:
            node = node.setdefault(group, {})
            if not isinstance(node, dict):
                raise InputError(f"There is no setting called {name}.")
        if isinstance(value, Settings):
            value = value.model_dump()
        node[last] = value
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise InputError(explain(error, called)) from None


def explain(error: ValidationError, called: dict[str, str] | None = None) -> str:
    """One sentence about the first thing wrong with some settings."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    name = (called or {}).get(name, name)
    if first["type"] == "extra_forbidden":
        return f"There is no setting called {name}."
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    what = first["msg"].replace("Input should be", "must be", 1)
    return f"The setting {name} {what[0].lower() + what[1:]}, not {first['input']!r}."


def flatten_settings(settings: BaseModel) -> dict[str, Any]:
    """Values of all parameters by dotted name."""
    values: dict[str, Any] = {}
    for leaf in parameters(type(settings)):
        value: Any = settings
        for part in leaf.path:
            value = getattr(value, part)
        values[leaf.name] = value
    return values

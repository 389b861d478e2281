"""Recipes: a complete record of how a reconstruction was made."""

from __future__ import annotations

import json
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.ome_tiff import read_annotation
from napari_sofinet.io.regular_files import read_text
from napari_sofinet.io.tiff_folder import is_pattern

PACKAGES = "napari-sofinet", "numpy", "scipy", "numba", "dask", "tifffile", "torch"


class OpenStep(BaseModel):
    """The opened movie and the part of it that was used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str | None
    name: str
    size_bytes: int | None = None
    fingerprint: str | None = None
    channel: int = 0
    every_channel: bool = False
    z: int = 0
    stack_axis: Literal["time", "depth", "all"] = "time"
    frames: tuple[int, int] | None = None
    left_out: tuple[tuple[int, int], ...] = ()
    roi: tuple[tuple[int, int], tuple[int, int]] | None = None
    pixel_size_um: float | None = None
    frame_interval_s: float | None = None
    shape: tuple[int, int, int]


class CheckResult(BaseModel):
    """A doubtful property of a movie, found while a method read it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: str
    light: Literal["fair", "bad"]
    advice: str

    @property
    def sentence(self) -> str:
        """The finding as text for the user."""
        return f"{self.name[:1].upper()}{self.name[1:]}: {self.value}. {self.advice}"


class MethodStep(BaseModel):
    """The method that was run, with all its settings by dotted name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    settings: dict[str, Any]
    device: Literal["auto", "cpu", "cuda"] = "auto"
    details: dict[str, float] = {}
    fingerprints: dict[str, str] = {}
    weights_sha256: str | dict[str, str] | None = None
    """SHA-256 of the weights; a dictionary by setting where several settings name weights."""
    check: tuple[CheckResult, ...] = ()
    """Doubtful properties of the movie, the worst first."""


class Recipe(BaseModel):
    """Steps from a movie to a reconstruction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["napari-sofinet recipe 1"] = "napari-sofinet recipe 1"
    open: OpenStep
    reconstruct: MethodStep
    versions: dict[str, str]
    methods_paragraph: str

    @property
    def repeatable(self) -> bool:
        """Whether the input was a file, not a layer in memory, and the recipe can be run again."""
        return self.open.path is not None

    @property
    def files(self) -> dict[str, str]:
        """Files that settings name (dark frames), by the setting."""
        step = self.reconstruct
        return {name: str(step.settings[name]) for name in step.fingerprints}

    @property
    def inputs(self) -> tuple[Path, ...]:
        """All files that were read: the movie or table, and files that settings name."""
        settings = self.reconstruct.settings.values()
        names = [name for name in settings if isinstance(name, str) and os.path.isfile(name)]
        path = self.open.path
        if path is not None and (os.path.exists(path) or is_pattern(Path(path))):
            names.append(path)
        return tuple(map(Path, names))

    @model_validator(mode="after")
    def _files_are_named(self) -> Recipe:
        unknown = self.reconstruct.fingerprints.keys() - self.reconstruct.settings.keys()
        if unknown:
            raise ValueError(f"fingerprints of no settings: {sorted(unknown)}")
        return self

    def to_json(self) -> str:
        """The recipe as JSON text."""
        return self.model_dump_json(indent=1)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Read a recipe from JSON text; raise `InputError` if the text is not a recipe."""
        try:
            return cls.model_validate(json.loads(text))
        except (ValueError, RecursionError):  # pydantic's errors, and numbers of very many digits
            raise InputError("This is not a recipe of napari-sofinet.") from None

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read the recipe in an output file or a JSON file."""
        path = Path(path)
        if not os.path.isfile(path):  # Path.is_file raises for a name that is too long
            raise InputError(f"There is no file {path}.")
        if path.suffix.lower() == ".json":
            return cls.from_json(read_text(path))
        text = read_annotation(path, "recipe")
        if text is None:
            raise InputError(f"{path.name} contains no recipe of napari-sofinet.")
        return cls.from_json(text)


def recipe_beside(table: Path) -> Path:
    """Return the path of the recipe beside a saved table.

    Examples
    --------
    >>> recipe_beside(Path("found.csv")).name
    'found.csv.recipe.json'
    """
    return table.with_name(f"{table.name}.recipe.json")


@cache
def versions() -> dict[str, str]:
    """Versions of the packages that computed the result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

"""Recipes: how a reconstruction was made, kept with it, and enough to make it again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_sofinet.errors import InputError
from napari_sofinet.movie import ArraySource, Movie, open_movie
from napari_sofinet.settings import Report, flatten_settings, leaves, silent

if TYPE_CHECKING:
    from napari_sofinet.methods import Method
    from napari_sofinet.reconstruction import Reconstruction
    from napari_sofinet.settings import Settings

PACKAGES = "napari-sofinet", "numpy", "scipy", "numba", "dask", "tifffile", "torch"


class OpenStep(BaseModel):
    """Which movie was opened and what of it was used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str | None
    name: str
    size_bytes: int | None = None
    fingerprint: str | None = None
    channel: int = 0
    every_channel: bool = False
    z: int = 0
    stack_axis: Literal["time", "depth"] = "time"
    frames: tuple[int, int] | None = None
    roi: tuple[tuple[int, int], tuple[int, int]] | None = None
    pixel_size_um: float | None = None
    frame_interval_s: float | None = None
    shape: tuple[int, int, int]


class MethodStep(BaseModel):
    """Which method was run, with all its settings by dotted name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    settings: dict[str, Any]
    device: Literal["auto", "cpu", "cuda"] = "auto"
    details: dict[str, float] = {}
    fingerprints: dict[str, str] = {}
    weights_sha256: str | dict[str, str] | None = None
    """Of the weights, or of each by the setting that names them where there are several."""


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
        """Whether the input was a file; a layer in memory must be saved first."""
        return self.open.path is not None

    @property
    def files(self) -> dict[str, str]:
        """Files that settings name (dark frames), by the setting."""
        step = self.reconstruct
        return {name: str(step.settings[name]) for name in step.fingerprints}

    def to_json(self) -> str:
        """The recipe as JSON text."""
        return self.model_dump_json(indent=1)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Read a recipe from JSON text; `InputError` if it is none."""
        try:
            return cls.model_validate(json.loads(text))
        except (json.JSONDecodeError, RecursionError, ValidationError):
            raise InputError("This is not a recipe of napari-sofinet.") from None

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read the recipe in an output file or a JSON file."""
        path = Path(path)
        if not os.path.isfile(path):  # Path.is_file raises for a name that is too long
            raise InputError(f"There is no file {path}.")
        if path.suffix.lower() == ".json":
            try:
                return cls.from_json(path.read_text(encoding="utf-8", errors="replace"))
            except OSError as error:
                raise InputError(f"{path} can not be read ({error.strerror}).") from error
        text = annotation(path, "recipe")
        if text is None:
            raise InputError(f"{path.name} holds no recipe of napari-sofinet.")
        return cls.from_json(text)


def record(
    movie: Movie,
    method: Method,
    settings: Settings,
    device: Literal["auto", "cpu", "cuda"],
    details: dict[str, float],
) -> Recipe:
    """The recipe of ``method`` with ``settings`` on ``movie``, and what it found on its way."""
    values = flatten_settings(settings)
    fingerprints: dict[str, str] = {}
    sha256: dict[str, str] = {}
    for leaf in leaves(type(settings)):
        if leaf.weights:
            used = weights_used(values[leaf.name], leaf.weights)
            values[leaf.name], sha256[leaf.name] = used
        if leaf.file and values[leaf.name]:
            values[leaf.name] = os.path.abspath(values[leaf.name])
            fingerprints[leaf.name] = fingerprint((values[leaf.name],))[1]
    return Recipe(
        open=_open_step(movie),
        reconstruct=MethodStep(
            method=method.name,
            settings=values,
            device=device,
            details=details,
            fingerprints=fingerprints,
            weights_sha256=next(iter(sha256.values()), None) if len(sha256) < 2 else sha256,
        ),
        versions=versions(),
        methods_paragraph=_paragraph(movie, method, settings, details),
    )


def repeat(
    recipe: Recipe, input: str | Path | None = None, report: Report = silent
) -> Reconstruction:
    """Make a recorded reconstruction again.

    Parameters
    ----------
    recipe
        From `Recipe.load` or a reconstruction.
    input
        Another place of the movie, or another movie of the same size.

    Raises
    ------
    InputError
        The movie is gone, has changed since, or was only in memory.
    """
    from napari_sofinet.io.table_movie import names_table, open_table
    from napari_sofinet.methods import method_named, reconstruct
    from napari_sofinet.methods.channels import reconstruct_channels

    step = recipe.open
    if recipe.reconstruct.method == "table":
        from napari_sofinet.localization.command import repeat_table

        return repeat_table(recipe, input, report)
    path = input if input is not None else step.path
    if path is None:
        raise InputError(
            f"The recipe was made from {step.name} in memory; save that movie and give the file as "
            "input."
        )
    if names_table(path):
        movie = open_table(path, step.pixel_size_um, step.frame_interval_s)
    else:
        movie = open_movie(
            path,
            step.pixel_size_um,
            step.channel or None,
            step.z or None,  # plane 0 of a Z axis that is taken as time would mean that it is depth
            frame_interval_s=step.frame_interval_s,
            stack_axis=step.stack_axis,
        )
    if step.fingerprint is not None and _open_step(movie).fingerprint != step.fingerprint:
        if input is None:
            raise InputError(
                f"{path} is not the movie any more that the recipe was made from; give the movie "
                "to use as input."
            )
        note = "The movie is another one than the recipe was made from."
        movie = replace(movie, notes=(*movie.notes, note))
    for name, file in recipe.files.items():
        if not os.path.isfile(file):
            raise InputError(f"The file {file}, which the recipe needs for {name}, is gone.")
        if fingerprint((file,))[1] != recipe.reconstruct.fingerprints[name]:
            raise InputError(f"The file {file} is not the one any more that the recipe used.")
    known = recipe.reconstruct.weights_sha256
    if known is not None:
        for leaf in leaves(method_named(recipe.reconstruct.method).settings):
            used = str(recipe.reconstruct.settings.get(leaf.name))
            same = known if isinstance(known, str) else known.get(leaf.name)
            if leaf.weights and weights_used(used, leaf.weights)[1] != same:
                raise InputError(f"The weights {used} are other ones than the recipe used.")
    movie = movie.select(step.frames, step.roi)
    if movie.shape != step.shape:
        wanted, found = (f"{t} frames of {y} x {x} pixels" for t, y, x in (step.shape, movie.shape))
        raise InputError(f"The recipe is for {wanted}, {movie.name} has {found}.")
    run = reconstruct_channels if step.every_channel else reconstruct
    return run(
        movie,
        recipe.reconstruct.method,
        report=report,
        device=recipe.reconstruct.device,
        **recipe.reconstruct.settings,
    )


def weights_used(name: str, network: str) -> tuple[str, str]:
    """Name of weights, a full path where they are a file, and their SHA-256."""
    from napari_sofinet.networks import weights

    path = weights.find(name, network)  # type: ignore[arg-type]
    known = weights.available(network)  # type: ignore[arg-type]
    return name if name in known else os.path.abspath(path), weights.digest(path)


def fingerprint(paths: tuple[str, ...]) -> tuple[int, str]:
    """Total size in bytes, and a hash of size and of some blocks: fast for any size of movie."""
    digest = hashlib.blake2b(digest_size=16)
    total = 0
    for number, name in enumerate(paths):
        path = Path(name)
        size = path.stat().st_size
        total += size
        digest.update(size.to_bytes(8, "little"))
        if number in (0, len(paths) // 2, len(paths) - 1):
            with path.open("rb") as file:
                for start in (0, size // 3, 2 * size // 3, max(size - 65536, 0)):
                    file.seek(start)
                    digest.update(file.read(65536))
    return total, digest.hexdigest()


@cache
def versions() -> dict[str, str]:
    """Versions of what computed the result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _open_step(movie: Movie) -> OpenStep:
    source = movie.source
    shared: dict[str, Any] = {
        "name": movie.name,
        "shape": movie.shape,
        "frames": movie.frame_range,
        "roi": movie.roi,
        "pixel_size_um": movie.pixel_size_um,
        "frame_interval_s": movie.frame_interval_s,
    }
    if isinstance(source, ArraySource) or movie.steps or not source.paths:
        # Corrections made beforehand are not part of the recipe: such a movie must be saved first.
        return OpenStep(path=None, **shared)
    try:
        size, digest = fingerprint((*source.paths, *source.companions))
    except OSError as error:
        raise InputError(
            f"{movie.name} can not be read any more ({error.strerror}); copy it here again."
        ) from error
    return OpenStep(
        path=str(source.path),
        size_bytes=size,
        fingerprint=digest,
        channel=source.channel,
        z=source.z,
        stack_axis=source.stack_axis,
        **shared,
    )


def _paragraph(movie: Movie, method: Method, settings: Settings, details: dict[str, float]) -> str:
    frames, height, width = movie.shape
    pixel = "" if movie.pixel_size_um is None else f" of {1000 * movie.pixel_size_um:.4g} nm"
    interval = movie.frame_interval_s
    rate = "" if interval is None else f", {1000 * interval:.4g} ms per frame"
    made_by = versions().get("napari-sofinet", "")
    return (
        f"{frames} frames{rate}, {height} x {width} pixels{pixel}, were processed with "
        f"napari-sofinet {made_by}. {method.describe(settings, details)}"
    )


def annotation(path: Path, key: str) -> str | None:
    """Text that `Reconstruction.save` kept under ``key``; None where there is none."""
    from tifffile import TiffFile

    try:
        with TiffFile(path) as tif:
            xml = tif.ome_metadata
        root = ElementTree.fromstring(xml) if xml else None
    except Exception:  # tifffile raises many kinds for files that are not TIFF
        raise InputError(f"{path.name} is neither a TIFF file nor a recipe.") from None
    if root is None:
        return None
    kept = ".//{*}MapAnnotation[@Namespace='napari-sofinet/recipe']/{*}Value/{*}M"
    return next((m.text for m in root.iterfind(kept) if m.get("K") == key), None)

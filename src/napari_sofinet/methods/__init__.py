"""All methods by name, and the one way to run them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from napari_sofinet import recipe
from napari_sofinet.errors import InputError
from napari_sofinet.io.table_movie import as_movie, table_of
from napari_sofinet.localization.table import LocalizationTable
from napari_sofinet.methods import (
    convgru,
    dblink,
    ddpm,
    deepstorm,
    projections,
    sofi,
    sofinet,
    unet,
)
from napari_sofinet.movie import Movie
from napari_sofinet.settings import Report, Settings, build, silent

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sofinet.reconstruction import Reconstruction

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Method:
    """A method: its settings model, its function and how a paper would describe it.

    The function of a ``network`` is also told the device; a method of ``tables`` finds
    localisations, which can be saved too; one that ``takes_tables`` can start from them.
    """

    name: str
    title: str
    settings: type[Settings]
    run: Callable[..., Reconstruction]
    describe: Callable[[Any, dict[str, float]], str]
    network: bool = False
    tables: bool = False
    takes_tables: bool = False


METHODS = {
    m.name: m
    for m in (
        Method(
            "average",
            "Average of all frames",
            projections.ProjectionSettings,
            projections.average,
            projections.describe_average,
        ),
        Method(
            "std",
            "Standard deviation over time",
            projections.ProjectionSettings,
            projections.standard_deviation,
            projections.describe_std,
        ),
        Method("sofi", "SOFI", sofi.SofiSettings, sofi.sofi, sofi.describe),
        Method(
            "sofinet",
            "Statistics network (sofinet)",
            sofinet.SofinetSettings,
            sofinet.sofinet,
            sofinet.describe,
            network=True,
        ),
        Method(
            "convgru",
            "Recurrent network (ConvGRU)",
            convgru.ConvgruSettings,
            convgru.convgru,
            convgru.describe,
            network=True,
        ),
        Method("unet", "U-Net baseline", unet.UnetSettings, unet.unet, unet.describe, network=True),
        Method(
            "deepstorm",
            "Localisation (Deep-STORM)",
            deepstorm.DeepstormSettings,
            deepstorm.deepstorm,
            deepstorm.describe,
            network=True,
            tables=True,
        ),
        Method(
            "dblink",
            "Film of a moving structure (DBlink)",
            dblink.DblinkSettings,
            dblink.dblink,
            dblink.describe,
            network=True,
            tables=True,
            takes_tables=True,
        ),
        Method(
            "ddpm",
            "What may be true: samples (diffusion)",
            ddpm.DdpmSettings,
            ddpm.ddpm,
            ddpm.describe,
            network=True,
        ),
    )
}


def method_named(name: str) -> Method:
    """The method of that name; `InputError` with the nearest name otherwise."""
    if name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(name, METHODS, 1)
    hint = f"did you mean {near[0]}" if near else f"there are {', '.join(METHODS)}"
    raise InputError(f"There is no method {name}; {hint}.")


def reconstruct(
    movie: Movie | LocalizationTable,
    method: str,
    *,
    report: Report = silent,
    device: Device = "auto",
    **settings: Any,
) -> Reconstruction:
    """Run a method on a movie.

    Parameters
    ----------
    movie
        From `open_movie`, narrowed by `Movie.select`; for methods that take tables also one.
    method
        Name in `METHODS`.
    report
        Told how far it is; raising `Cancelled` in it stops the work.
    device
        Where networks run; a missing GPU is an error only if asked for.
    settings
        Fields of the method's settings by (dotted) name.

    Raises
    ------
    InputError
        The movie, a setting or the device is unusable.
    """
    if isinstance(movie, LocalizationTable):
        movie = as_movie(movie)
    if not isinstance(movie, Movie):
        raise InputError("Open the movie first: open_movie(array or file name).")
    chosen = method_named(method)
    values = build(chosen.settings, settings)
    if table_of(movie) is not None and not chosen.takes_tables:
        some = ", ".join(m.name for m in METHODS.values() if m.takes_tables)
        raise InputError(
            f"{movie.name} is a table of localisations; {method} needs a movie (methods for "
            f"tables: {some})."
        )
    check_device(device)
    result = chosen.run(movie, values, report, *((device,) if chosen.network else ()))
    return replace(
        result,
        recipe=recipe.record(movie, chosen, values, device, result.details),
        notes=tuple(dict.fromkeys((*movie.notes, *result.notes))),
    )


def check_device(device: str) -> None:
    """Raise `InputError` for an unknown device or a GPU that is not there."""
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"The device must be auto, cpu or cuda, not {device}.")
    if device == "cuda":
        try:
            import torch

            found = torch.cuda.is_available()
        except ImportError:
            found = False
        if not found:
            raise InputError("This machine has no usable NVIDIA GPU; use the device auto or cpu.")

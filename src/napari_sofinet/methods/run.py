"""Runs of a method on a movie or a table, with a record of the settings."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.base.settings import Settings, build, flatten_settings, parameters
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_input import MethodInput
from napari_sofinet.data.recipe import CheckResult, MethodStep, OpenStep, Recipe, versions
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.sim_stack import SimStack
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.io.fingerprint import fingerprint
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.registry import method_named, methods
from napari_sofinet.methods.watched_run import run_watched
from napari_sofinet.networks import weights
from napari_sofinet.preprocess.repair import describe_repair

Device = Literal["auto", "cpu", "cuda"]
KINDS: dict[type, str] = {
    Movie: "a movie",
    LocalizationTable: "a table of localisations",
    SimStack: "a raw SIM stack",
}
"""Kinds of input in words."""


def reconstruct(
    movie: MethodInput,
    method: str,
    *,
    report: Report = silent,
    device: Device = "auto",
    **settings: Any,
) -> Reconstruction:
    """Run a method on a movie, a table of localisations or a raw SIM stack.

    Parameters
    ----------
    movie : Movie, LocalizationTable or SimStack
        Input from `open_movie` or `open_input`, optionally restricted by its method ``select``.
    method : str
        Name of the method, one of `methods`.
    report : Report, optional
        Called with the progress; raise `Cancelled` in it to stop the work.
    device : {"auto", "cpu", "cuda"}, optional
        Device of networks; by default the GPU if there is one.
    **settings
        Settings of the method. Nested ones have dotted names and are passed as
        ``**{"drift.correct": True}``.

    Returns
    -------
    Reconstruction
        Result with the recipe that reproduces it.

    Raises
    ------
    InputError
        The movie, a setting or the device is unusable.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_sofinet import open_movie
    >>> frames = np.random.default_rng(0).poisson(100, (20, 16, 16))
    >>> reconstruct(open_movie(frames), "average").image.shape
    (16, 16)
    """
    if not isinstance(movie, MethodInput):
        raise InputError("Open the movie first: open_movie(array or file name).")
    chosen = method_named(method)
    values = build(chosen.settings, settings)
    check_input(movie, chosen)
    _load_torch(chosen, device)
    devices = (device,) if chosen.uses_torch else ()
    # Before the work: a file that is replaced meanwhile must not pass for what was used.
    used = _inputs_of(movie, values)
    try:
        result, check = run_watched(chosen, movie, values, report, *devices)
        # One that has gone by now was read as a whole.
        if (movie.path is None or os.path.exists(movie.path)) and _inputs_of(movie, values) != used:
            raise InputError("A file that a setting names changed during the run; run again.")
    finally:
        movie.close()
    recipe = Recipe(
        open=used.opened,
        reconstruct=MethodStep(
            method=chosen.name,
            settings=used.settings,
            device=device,
            details=result.details,
            fingerprints=used.fingerprints,
            weights_sha256=used.weights_sha256,
            check=check,
        ),
        versions=versions(),
        methods_paragraph=_paragraph(movie, chosen, values, result.details, check),
    )
    notes = *movie.notes, *(found.sentence for found in check[:1]), *result.notes
    return replace(result, recipe=recipe, notes=tuple(dict.fromkeys(notes)))


def made_before(
    results: Iterable[Reconstruction],
    movie: MethodInput,
    method: str,
    **settings: Any,
) -> Reconstruction | None:
    """Return the result that a run would give again.

    Parameters
    ----------
    results : iterable of Reconstruction
        Earlier results of the same data.
    movie : Movie or LocalizationTable
        Input of the run.
    method : str
        Name of the method.
    **settings
        Settings as for `reconstruct`.

    Returns
    -------
    Reconstruction or None
        The result of the same frames, region of interest, settings, weights and files; None if
        there is none.

    Raises
    ------
    InputError
        A setting is unusable.

    Examples
    --------
    >>> from napari_sofinet import open_movie
    >>> import numpy as np
    >>> movie = open_movie(np.random.default_rng(0).poisson(100, (20, 16, 16)))
    >>> result = reconstruct(movie, "average")
    >>> made_before([result], movie, "average") is result
    True
    >>> made_before([result], movie.select((0, 10)), "average")
    """
    used = _inputs_of(movie, build(method_named(method).settings, settings))
    for result in results:
        if result.recipe is None:
            continue
        step = result.recipe.reconstruct
        before = _Inputs(
            # Layers may be renamed.
            result.recipe.open.model_copy(update={"name": used.opened.name}),
            step.settings,
            step.fingerprints,
            step.weights_sha256,
        )
        if step.method == method and before == used:
            return result
    return None


def _load_torch(method: Method, device: str) -> None:
    """Check the device, and import PyTorch now, as it takes seconds that no progress can show."""
    check_device(device)
    method.check_installed()
    if method.uses_torch:
        weights.need_torch()


def check_input(movie: MethodInput, method: Method) -> None:
    """Raise `InputError` if a method cannot start from a movie, or from a table."""
    if isinstance(movie, method.takes):
        return
    others = ", ".join(m.name for m in methods().values() if isinstance(movie, m.takes))
    kind, needed = KINDS[type(movie)], " or ".join(KINDS[one] for one in method.takes)
    raise InputError(
        f"{movie.name} is {kind}; {method.name} needs {needed} (methods for {kind}: {others})."
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


@dataclass(frozen=True)
class _Inputs:
    """State of all files that a method reads, before the work begins."""

    opened: OpenStep
    settings: dict[str, Any]
    fingerprints: dict[str, str]
    weights_sha256: str | dict[str, str] | None


def _inputs_of(movie: MethodInput, settings: Settings) -> _Inputs:
    values = flatten_settings(settings)
    fingerprints: dict[str, str] = {}
    sha256: dict[str, str] = {}
    for leaf in parameters(type(settings)):
        if leaf.weights:
            used = weights.identity(values[leaf.name], leaf.weights)
            values[leaf.name], sha256[leaf.name] = used
        if leaf.file and values[leaf.name]:
            values[leaf.name] = os.path.abspath(values[leaf.name])
            try:
                fingerprints[leaf.name] = fingerprint((values[leaf.name],))[1]
            except OSError as error:
                raise InputError(
                    f"{values[leaf.name]} cannot be read ({error.strerror}); choose another file."
                ) from error
    return _Inputs(
        movie.provenance(),
        values,
        fingerprints,
        next(iter(sha256.values()), None) if len(sha256) < 2 else sha256,
    )


def _paragraph(
    movie: MethodInput,
    method: Method,
    settings: Settings,
    details: dict[str, float],
    check: tuple[CheckResult, ...],
) -> str:
    made_by = versions().get("napari-sofinet", "")
    described = describe_repair(details) + method.describe(settings, details)
    if check:
        doubts = "; ".join(f"{found.name}, {found.value}" for found in check)
        described += f" A check of the movie found deviations ({doubts})."
    if isinstance(movie, LocalizationTable):
        frames = movie.frame_count
        return (
            f"{len(movie)} localisations in {frames} frames were processed with napari-sofinet "
            f"{made_by}. {described}"
        )
    frames, height, width = movie.shape
    what = "frames" if isinstance(movie, Movie) else "images"
    pixel = "" if movie.pixel_size_um is None else f" of {1000 * movie.pixel_size_um:.4g} nm"
    interval = movie.frame_interval_s
    rate = "" if interval is None else f", {1000 * interval:.4g} ms per frame"
    return (
        f"{frames} {what}{rate}, {height} x {width} pixels{pixel}, were processed with "
        f"napari-sofinet {made_by}. {described}"
    )

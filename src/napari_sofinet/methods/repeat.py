"""Repetition of a recorded reconstruction."""

from __future__ import annotations

import os
from pathlib import Path

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, silent
from napari_sofinet.base.settings import parameters
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.open_input import MethodInput, open_input
from napari_sofinet.data.recipe import Recipe
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.io.fingerprint import fingerprint_input
from napari_sofinet.io.tiff_folder import is_pattern
from napari_sofinet.methods.channels import reconstruct_channels
from napari_sofinet.methods.registry import method_named
from napari_sofinet.methods.run import reconstruct
from napari_sofinet.networks import weights


def repeat(
    recipe: Recipe, input: str | Path | None = None, report: Report = silent
) -> Reconstruction:
    """Make a recorded reconstruction again.

    Parameters
    ----------
    recipe : Recipe
        The record, from `Recipe.load` or a reconstruction.
    input : path-like, optional
        New path of the movie, or another movie of the same size.
    report : Report, optional
        Called with the progress; raise `Cancelled` in it to stop the work.

    Returns
    -------
    Reconstruction
        The same picture, bit for bit on the same machine.

    Raises
    ------
    InputError
        The movie, a file or the weights no longer exist or have changed, or the movie was only in
        memory.
    """
    _check_files(recipe)
    _check_weights(recipe)
    movie = _open(recipe, input)
    run = reconstruct_channels if recipe.open.every_channel else reconstruct
    step = recipe.reconstruct
    settings = _without_repair(step.method) | step.settings
    return run(movie, step.method, report=report, device=step.device, **settings)


def _without_repair(method: str) -> dict[str, bool]:
    """Return the settings of recipes that were made before movies were repaired."""
    names = (leaf.name for leaf in parameters(method_named(method).settings))
    return {name: False for name in names if "repair." in name}


def _open(recipe: Recipe, input: str | Path | None) -> MethodInput:
    """Open the input of a recipe, with its selection."""
    step = recipe.open
    path = input if input is not None else step.path
    if path is None:
        raise InputError(
            f"The recipe was made from {step.name} in memory; save that movie and pass the file as "
            "input."
        )
    if not os.path.exists(path) and not is_pattern(Path(path)):
        raise InputError(f"There is no file {path}; pass the movie or table as input.")
    movie = open_input(
        path,
        step.pixel_size_um,
        step.channel or None,
        step.z or None,  # plane 0 of a Z axis that is taken as time would mean that it is depth
        frame_interval_s=step.frame_interval_s,
        stack_axis=step.stack_axis,
        frames=step.frames,
        takes=method_named(recipe.reconstruct.method).takes,
    )
    if step.fingerprint is None and input is None:
        raise InputError(
            f"The recipe names {os.path.abspath(path)} without a fingerprint, so the file cannot "
            "be verified; pass the movie as input."
        )
    if step.fingerprint is not None and movie.provenance().fingerprint != step.fingerprint:
        if input is None:
            raise InputError(
                f"{path} is no longer the movie that the recipe was made from; pass that movie as "
                "input."
            )
        movie = movie.noted("The movie differs from the one that the recipe was made from.")
    movie = movie.select(step.frames, step.roi)
    if isinstance(movie, Movie):
        movie = movie.leave_out(step.left_out)
    shape = movie.provenance().shape
    if shape != step.shape and isinstance(movie, Movie):
        wanted, found = (f"{t} frames of {y} x {x} pixels" for t, y, x in (step.shape, shape))
        raise InputError(f"The recipe is for {wanted}, {movie.name} has {found}.")
    return movie


def _check_files(recipe: Recipe) -> None:
    """Raise `InputError` if a file named in a setting is missing or has changed."""
    step = recipe.reconstruct
    for leaf in parameters(method_named(step.method).settings):
        file = step.settings.get(leaf.name)
        if not leaf.file or not file:
            continue
        if not isinstance(file, str) or not os.path.isfile(file):
            raise InputError(
                f"The file {file}, which the recipe needs for {leaf.name}, no longer exists."
            )
        # Without a fingerprint it might be any file of this machine.
        if fingerprint_input(file, (file,))[1] != step.fingerprints.get(leaf.name):
            raise InputError(f"The file {file} has changed since the recipe was made.")


def _check_weights(recipe: Recipe) -> None:
    """Raise `InputError` if the weights have changed."""
    known = recipe.reconstruct.weights_sha256
    if known is None:
        return
    for leaf in parameters(method_named(recipe.reconstruct.method).settings):
        used = str(recipe.reconstruct.settings.get(leaf.name))
        same = known if isinstance(known, str) else known.get(leaf.name)
        if leaf.weights and weights.identity(used, leaf.weights)[1] != same:
            raise InputError(f"The weights {used} have changed since the recipe was made.")

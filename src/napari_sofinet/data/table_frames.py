"""Frames of a movie that were searched for the localisations of a table."""

from __future__ import annotations

from pathlib import Path

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.recipe import OpenStep, Recipe, recipe_beside


def searched_frames(table: Path) -> tuple[int, int] | None:
    """Return the frames that a table in a file was made from, by the recipe beside it.

    Parameters
    ----------
    table : Path
        File with the table.

    Returns
    -------
    (int, int) or None
        First frame, and the one after the last; None without a recipe.
    """
    beside = recipe_beside(table)
    if not beside.is_file():
        return None
    try:
        return frames_of_step(Recipe.load(beside).open)
    except InputError:
        return None


def frames_of_step(opened: OpenStep) -> tuple[int, int]:
    """Return the first frame of a file that was used, and the one after the last.

    Examples
    --------
    >>> frames_of_step(OpenStep(path=None, name="a", shape=(90, 8, 8), left_out=((10, 20),)))
    (0, 100)
    """
    if opened.frames is not None:
        return opened.frames
    return 0, opened.shape[0] + sum(last - first for first, last in opened.left_out)

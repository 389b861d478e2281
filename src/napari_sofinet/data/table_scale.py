"""Size of the camera pixel of a table of localizations, from several sources."""

from __future__ import annotations

from pathlib import Path

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.recipe import Recipe, recipe_beside


def camera_pixel(
    path: Path, given: float | None, in_file: float | None, notes: list[str]
) -> float | None:
    """Return the size of a camera pixel in um.

    Parameters
    ----------
    path : Path
        The table; a recipe beside it also contains the size.
    given : float, optional
        Value given by the user, which takes precedence.
    in_file : float, optional
        The value in the file.
    notes : list of str
        A note is appended if the values contradict each other.

    Returns
    -------
    float or None
        None if the size is unknown.
    """
    beside = recipe_beside(path)
    known = [(given, "that was given"), (in_file, f"in {path.name}")]
    known.append((_of_recipe(beside), f"in {beside.name}"))
    there = [(size, where) for size, where in known if size is not None]
    if not there:
        return None
    taken, first = there[0]
    for size, where in there[1:]:
        if abs(size - taken) > 1e-3 * taken:
            notes.append(
                f"The camera pixel of {1000 * taken:.4g} nm {first} is taken, and not the "
                f"{1000 * size:.4g} nm {where}."
            )
    return taken


def _of_recipe(path: Path) -> float | None:
    """Camera pixel of the movie that a table was made from; None without a recipe."""
    if not path.is_file():
        return None
    try:
        return Recipe.load(path).open.pixel_size_um
    except InputError:
        return None

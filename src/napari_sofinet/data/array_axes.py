"""Arrays as movies, with axes identified by name where they have names, as in xarray."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError

NAMES = {
    "t": ("t", "time", "times", "frame", "frames", "timepoint", "timepoints", "cycle"),
    "z": ("z", "plane", "planes", "slice", "slices", "depth"),
    "c": ("c", "ch", "channel", "channels", "wavelength", "band"),
    "y": ("y", "row", "rows", "height"),
    "x": ("x", "col", "cols", "column", "columns", "width"),
}
OPTIONS = {"c": ("channels", "channel"), "z": ("planes", "z")}


def frames_of_array(array: Any, channel: int | None, z: int | None, notes: list[str]) -> Any:
    """Return the frames (T, Y, X) of an array.

    Parameters
    ----------
    array : array-like
        Array of three axes, or of more axes in any order if they have names.
    channel, z : int, optional
        Channel and plane of an array with named axes.
    notes : list of str
        A note on the chosen axes, channel and plane is appended.

    Returns
    -------
    array-like
        Array of shape (T, Y, X).

    Raises
    ------
    InputError
        The array has other axes, or no such channel or plane.
    """
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        try:
            array = np.asarray(array)
        except (TypeError, ValueError) as error:
            raise InputError(f"This is not an array of numbers ({error}).") from error
    dims = _names_of(array)
    if dims is not None:
        array, channel, z = _by_names(array, dims, channel, z, notes)
    if channel or z:
        raise InputError(
            "Channels and planes of an array without axis names cannot be chosen; select them "
            "by indexing first."
        )
    if len(array.shape) == 2:
        raise InputError("This is a single image; a movie of at least two frames is needed.")
    if len(array.shape) != 3:
        raise InputError(
            f"A movie has three axes (time, y, x), but this array has {len(array.shape)}; select a "
            "channel and a plane by indexing first."
        )
    return array


def _names_of(array: Any) -> tuple[str, ...] | None:
    """Names of an array's axes, as xarray and zarr keep them; None without any."""
    dims = getattr(array, "dims", None)
    if dims is None:
        dims = getattr(getattr(array, "metadata", None), "dimension_names", None)
    if not isinstance(dims, tuple) or len(dims) != len(array.shape) or None in dims:
        return None
    return tuple(map(str, dims))


def _by_names(
    array: Any, dims: tuple[str, ...], channel: int | None, z: int | None, notes: list[str]
) -> tuple[Any, int | None, int | None]:
    """Bring axes into the order of time, y and x, and take one channel and one plane."""
    found = {meaning: _named(dims, words) for meaning, words in NAMES.items()}
    known = {name for name in found.values() if name is not None}
    data = getattr(array, "data", array)  # a numpy or dask array below xarray's
    if not known & {found["t"], found["y"], found["x"]}:
        return data, channel, z
    chosen = {"c": channel, "z": z}
    order, index = _order(array, dims, found)
    for axis, name in enumerate(dims):
        if name in order:
            continue
        meaning = next((m for m in ("c", "z") if found[m] == name), None)
        size = int(array.shape[axis])
        wanted = chosen.pop(meaning, None) if meaning else None
        if size > 1 and meaning is None:
            raise InputError(
                f"This array has an axis {name} of {size} that is neither time nor channel nor "
                "plane; select one element of it first."
            )
        if wanted is not None and not 0 <= wanted < size:
            raise InputError(
                f"This array has {size} along {name}: choose a number from 0 to {size - 1}."
            )
        if size > 1 and wanted is None and meaning:
            what, option = OPTIONS[meaning]
            notes.append(f"The array has {size} {what} ({name}); {option} 0 is taken.")
        index[axis] = wanted or 0
    kept = [name for name in dims if name in order]
    if order == list(dims):
        return data, chosen.get("c"), chosen.get("z")
    if not hasattr(data, "transpose"):
        import dask.array as da

        data = da.from_array(data, name=False)
    frames = data[tuple(index)].transpose([kept.index(name) for name in order])
    if order != kept:
        notes.append(f"The axes of the array ({', '.join(dims)}) are identified by their names.")
    return frames, chosen.get("c"), chosen.get("z")


def _named(dims: tuple[str, ...], words: tuple[str, ...]) -> str | None:
    """The first axis with one of some names."""
    return next((name for name in dims if name.lower() in words), None)


def _order(
    array: Any, dims: tuple[str, ...], found: dict[str, str | None]
) -> tuple[list[str], list[Any]]:
    """Names of time, y and x; of an axis without a name that is known, the one that is left."""
    left = [name for name in dims if name not in found.values()]
    long = [name for name in left if int(array.shape[dims.index(name)]) > 1] or left
    order = []
    for meaning in "tyx":
        name = found[meaning]
        if name is None and meaning == "t" and not long and found["z"] is not None:
            name = found["z"]  # a stack without time, as in files
        if name is None:
            if not long:
                raise InputError(
                    f"The axes of the array ({', '.join(dims)}) cannot be identified; name them "
                    "time, y and x."
                )
            name = long.pop(0)
        order.append(name)
    return order, [slice(None)] * len(dims)

"""Writers for napari: results with scale and recipe, localizations as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.outputs import PICTURES
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.data.table_files import SUFFIXES, write_localizations
from napari_sofinet.io.scale import UM_PER
from napari_sofinet.widgets.file_names import file_name, with_ending
from napari_sofinet.widgets.held_film import film_itself
from napari_sofinet.widgets.measurement_layers import MADE_HERE
from napari_sofinet.widgets.movie_files import save_movie, save_simulation, save_stack
from napari_sofinet.widgets.notices import expand, tell, warn
from napari_sofinet.widgets.result_layers import CONTENT
from napari_sofinet.widgets.shown_picture import ARRAY, SHOWN, save_array, save_as_shown
from napari_sofinet.widgets.tables import table_of_points
from napari_sofinet.widgets.writer_order import save_as_without_plugin

PICTURE, TABLE = ".ome.tif", ".csv"
ENDINGS = *PICTURES, *SUFFIXES, *SHOWN, ARRAY
Writer = Callable[..., list[str]]


def _explained(write: Writer) -> Writer:
    """Return a writer whose errors napari shows.

    napari takes a ValueError, which an `InputError` is, for a missing writer and hides its text.
    """

    @wraps(write)
    def explained(*args: Any) -> list[str]:
        try:
            return write(*args)
        except InputError as error:
            expand(str(error))
            raise OSError(str(error)) from error

    return explained


@_explained
def write_reconstruction(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save an image layer; a result of this plugin with its scale and recipe.

    Parameters
    ----------
    path : str
        File to write: OME-TIFF (any name ending in .tif or .tiff, or with no ending), the table
        that a picture was made with (.csv, .hdf5), or a picture or an array with the recipe in a
        file beside it (.png, .jpg, .bmp, .npy).
    data : array
        Array of the layer.
    attributes : dict
        Attributes of the layer.

    Returns
    -------
    list of str
        The files that were written.

    Raises
    ------
    OSError
        If the layer cannot be saved in this way.
    """
    data = film_itself(data)
    metadata = attributes.get("metadata", {})
    if not _is_own(metadata):
        single = np.ndim(data) == 2 and not attributes.get("rgb")
        if not (single and path.lower().endswith((".ome.tif", ".ome.tiff"))):
            return save_as_without_plugin(path, data, attributes, "image")
    if _is_movie(data, metadata):
        return _write_movie(path, metadata)
    result = _result_of(data, attributes)
    where = with_ending(path, PICTURE, ENDINGS)
    if where.suffix.lower() in SHOWN:
        return save_as_shown(where, result, data, attributes)
    if where.suffix.lower() == ARRAY:
        return save_array(where, result)
    result.save(where)
    _tell(where, result)
    return [str(where)]


@_explained
def write_table(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save points that are localizations as a table, without those that were deleted.

    Parameters
    ----------
    path : str
        File to write: HDF5, or text in the style of ThunderSTORM.
    data : array
        Positions (N, 2) in camera pixels.
    attributes : dict
        Attributes of the layer.

    Returns
    -------
    list of str
        The path.

    Raises
    ------
    OSError
        If points were added to the localizations.
    """
    metadata = attributes.get("metadata", {})
    table = metadata.get("sofinet_table")
    if not isinstance(table, LocalizationTable):
        return save_as_without_plugin(path, data, attributes, "points")
    where = with_ending(path, TABLE, SUFFIXES)
    kept = table_of_points(data, attributes.get("features"), table)
    result = metadata.get("sofinet_result")
    if isinstance(result, Reconstruction) and result.localizations is kept:
        result.save(where)
        _tell(where, result)
        return [str(where)]
    known = kept.camera_pixel_um is not None
    write_localizations(where, kept, "thunderstorm" if known else "picasso")
    tell(f"Saved {len(kept)} localisations to {where}.")
    if kept is not table and isinstance(result, Reconstruction):
        warn("Points were deleted after the analysis, so no recipe is saved.")
    return [str(where)]


@_explained
def write_layers(path: str, layers: Sequence[tuple[Any, dict[str, Any], str]]) -> list[str]:
    """Save several layers to a folder, results of this plugin with scale and recipe.

    Parameters
    ----------
    path : str
        Folder, which is made if there is none.
    layers : sequence of (data, attributes, kind)
        Layers as napari gives them to writers.

    Returns
    -------
    list of str
        The files that were written.

    Raises
    ------
    OSError
        If one of the layers cannot be saved.
    """
    folder = Path(path)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be made ({error.strerror}).") from error
    written: list[str] = []
    saved: set[int] = set()  # results, of which all maps go to one file
    for data, attributes, kind in sorted(layers, key=_is_further_map):
        target = str(folder / file_name(attributes["name"]))
        metadata = attributes.get("metadata", {})
        write = {"image": write_reconstruction, "points": write_table}.get(kind)
        if write is None or not _is_own(metadata):
            written += save_as_without_plugin(target, data, attributes, kind)
            continue
        result = metadata.get("sofinet_result")
        if kind == "image" and isinstance(result, Reconstruction):
            if id(result) in saved:
                continue
            saved.add(id(result))
        written += write(target, data, attributes)
    return written


def _is_own(metadata: dict[str, Any]) -> bool:
    """Return whether this plugin has made or opened a layer, from its metadata."""
    return any(str(key).startswith("sofinet") for key in metadata)


def _is_further_map(layer: tuple[Any, dict[str, Any], str]) -> bool:
    """Return whether a layer is not the picture of its result, after which the file is named."""
    metadata = layer[1].get("metadata", {})
    result = metadata.get("sofinet_result")
    if not isinstance(result, Reconstruction) or CONTENT not in metadata:
        return False
    return bool(metadata[CONTENT] != next(iter(result.maps)))


def _is_movie(data: Any, metadata: dict[str, Any]) -> bool:
    if "sofinet_simulation" in metadata:
        return True
    return "sofinet_movie" in metadata and np.ndim(data) == 3


def _write_movie(path: str, metadata: dict[str, Any]) -> list[str]:
    """Save a simulated movie with its truth, or a copy of a movie with its scale."""
    where = with_ending(path, ".tif", ENDINGS)
    if where.suffix.lower() not in PICTURES:
        raise InputError(f"A movie cannot be saved as {where.name}; choose a name ending in .tif.")
    movie = metadata.get("sofinet_movie")
    if isinstance(movie, Movie):
        written = save_movie(where, movie)
    else:
        settings = metadata["sofinet_simulation"]
        written = (save_stack if "illumination" in settings else save_simulation)(where, settings)
    tell(f"Saved {' and '.join(map(str, written))}.")
    return list(map(str, written))


def _result_of(data: Any, attributes: dict[str, Any]) -> Reconstruction:
    """Return the result that a layer shows, or one without recipe made from the layer itself."""
    metadata = attributes.get("metadata", {})
    result = metadata.get("sofinet_result")
    # A time series has all axes of its movie, which is another shape of the same memory.
    # Relative uncertainty is computed from the maps of the result, which are saved then.
    derived = MADE_HERE in metadata
    if isinstance(result, Reconstruction) and any(
        derived or (np.size(data) == image.size and np.may_share_memory(data, image))
        for image in result.maps.values()
    ):
        return result
    array = np.asarray(data)
    if array.ndim != 2 or attributes.get("rgb"):
        raise InputError(
            f"Only single pictures of grey values can be saved here, and {attributes['name']} is "
            "none; it was changed after the analysis."
            if isinstance(result, Reconstruction)
            else "Only a single picture of grey values can be saved as OME-TIFF here."
        )
    if "sofinet" in metadata:
        warn("The picture has changed since its reconstruction, so no recipe is saved.")
    scale, translate = attributes.get("scale", (1, 1)), attributes.get("translate", (0, 0))
    return Reconstruction(
        {"image": array},
        pixel_px=(float(scale[0]), float(scale[1])),
        origin_px=(float(translate[0]), float(translate[1])),
        camera_pixel_um=UM_PER.get(str(attributes.get("units", ("pixel",))[-1])),
    )


def _tell(path: Path, result: Reconstruction) -> None:
    known = [
        word
        for word, there in (
            ("scale", result.camera_pixel_um is not None),
            ("recipe", result.recipe is not None),
        )
        if there
    ]
    tell(f"Saved {path}{' with ' if known else ''}{' and '.join(known)}.")

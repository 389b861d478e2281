"""The order of napari's writers, and saving of layers that are not results of this plugin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from npe2 import PluginManager

from napari_sofinet.base.errors import InputError

OWN = "napari-sofinet"


def put_first(context: Any = None) -> None:
    """Make napari try the writers of this plugin before others.

    napari saves with the first writer that takes a file name, and its own writers drop the scale
    and the recipe of a result. It has no setting for the order. Layers of other origin are saved
    as without this plugin, by `save_as_without_plugin`.

    Parameters
    ----------
    context : npe2.PluginContext, optional
        Given by npe2 when it activates the plugin; not used.
    """
    index = getattr(PluginManager.instance(), "_contrib", None)
    writers = getattr(index, "_writers", None)
    if isinstance(writers, list):
        writers.sort(key=lambda entry: entry[-1].plugin_name != OWN)  # keeps the order of others


def save_as_without_plugin(
    path: str, data: Any, attributes: dict[str, Any], kind: str
) -> list[str]:
    """Save a layer with the writer that napari would use if this plugin was not installed.

    Parameters
    ----------
    path : str
        File to write.
    data : array
        Data of the layer.
    attributes : dict
        Attributes of the layer.
    kind : str
        Type of the layer, e.g. "image".

    Returns
    -------
    list of str
        Files that were written.

    Raises
    ------
    InputError
        If no other writer takes the file name.
    """
    name = Path(path).name
    ending = Path(path).suffix.lower()
    for writer in PluginManager.instance().iter_compatible_writers([kind]):
        endings: Sequence[str] = writer.filename_extensions
        if writer.plugin_name == OWN or not endings or (ending and ending not in endings):
            continue
        written = writer.exec(args=(path, data, attributes))
        if written:
            return [written] if isinstance(written, str) else list(written)
    raise InputError(f"This layer cannot be saved as {name}; choose a name with another ending.")

"""Files that the docks save their results to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_sofinet.base.progress import silent
from napari_sofinet.base.settings import build
from napari_sofinet.data.recipe import recipe_beside
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.data.table_files import files_of_table, write_localizations
from napari_sofinet.methods.table import TableSettings, prepare
from napari_sofinet.widgets.layer_names import picture_name
from napari_sofinet.widgets.save_dialog import PICASSO, PICTURE, THUNDERSTORM, FileKind, Saving
from napari_sofinet.widgets.table_work import make

USUAL_SPOTS = "gaussian"


def saving_of(result: Reconstruction, movie: str) -> Saving:
    """Return how the result of a dock is saved.

    Parameters
    ----------
    result : Reconstruction
        Result of any method.
    movie : str
        Name of the movie.

    Returns
    -------
    Saving
        Picture, and a table first if the method found localizations.
    """
    tables = () if result.localizations is None else (THUNDERSTORM, PICASSO)

    def save(path: Path, kind: FileKind) -> Sequence[Path]:
        result.save(path)
        if kind is PICTURE:
            return ()
        return _beside(path, result.recipe is not None)

    return Saving(picture_name(result.recipe, movie), (PICTURE, *tables), save)


def saving_of_table(table: LocalizationTable, form: dict[str, Any], name: str) -> Saving:
    """Return how localizations are saved that pass a filter and have no drift.

    Parameters
    ----------
    table : LocalizationTable
        Table of the layer.
    form : dict
        Settings of the method "table", as for `table_work.make`.
    name : str
        Name of the layer.

    Returns
    -------
    Saving
        Table or picture, which is made when it is saved.
    """

    def save(path: Path, kind: FileKind) -> Sequence[Path]:
        if kind is PICTURE or form["render"]:
            made = make(table, form | {"render": form["render"] or USUAL_SPOTS}, silent)
            assert made.picture is not None
            made.picture.save(path)
            return () if kind is PICTURE else _beside(path, made.picture.recipe is not None)
        settings = build(TableSettings, {k: v for k, v in form.items() if v not in ("", None)})
        kept = prepare(table, settings, silent)[1]
        known = kept.camera_pixel_um is not None
        write_localizations(path, kept, "thunderstorm" if known else "picasso")
        return _beside(path, False)

    return Saving(f"{name} kept", (THUNDERSTORM, PICASSO, PICTURE), save)


def _beside(path: Path, recipe: bool) -> list[Path]:
    """Return the files beside a table."""
    return [*files_of_table(path)[1:], *([recipe_beside(path)] if recipe else [])]

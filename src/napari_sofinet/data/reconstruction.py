"""The result of a method: named maps on one grid, their position and their recipe."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    ValidationError,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.outputs import (
    check_output,
    output_file,
    refuse_overwriting,
)
from napari_sofinet.data.recipe import Recipe, recipe_beside
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.data.table_files import SUFFIXES, write_localizations
from napari_sofinet.io.ome_tiff import read_annotation, write_ome_tiff
from napari_sofinet.io.tiff_file import opened_tiff
from napari_sofinet.io.tiff_trust import check_unpacked

SAMPLE = "sample "


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Named maps on one grid.

    World coordinates have the centre of camera pixel (0, 0) of the file at (0, 0); the sample
    (i, j) of a map lies at ``origin + (i, j) * pixel size``.

    Parameters
    ----------
    maps : dict of str to ndarray
        Arrays of one shape by name. The first is ``"image"``, or ``"channel 0"`` of several.
    pixel_px, origin_px : (float, float), optional
        Pixel size, and position of pixel (0, 0), along y and x in camera pixels.
    camera_pixel_um : float, optional
        Size of a camera pixel in um; None if unknown.
    axes : {"YX", "TYX", "ZYX"}, optional
        Axes of the maps.
    plane_um : float, optional
        Distance of the planes of a ``Z`` axis in um.
    first_plane_um : float, optional
        Depth of the first plane in um, that of the first plane in the file being 0.
    frame_interval_s : float, optional
        Time step of a ``T`` axis in s.
    time_series : (float, float), optional
        For a time series: the frame of the file at the centre of its first picture, and the number
        of frames between pictures.
    localizations : LocalizationTable, optional
        The emitters that were found, for methods that find any.
    samples : ndarray of shape (K, Y, X), optional
        Posterior samples, for methods that draw any.
    recipe : Recipe, optional
        How the maps were made.
    notes : tuple of str, optional
        Sentences that the user should read, e.g. about saturated pixels.
    details : dict of str to float, optional
        Values that the method measured, e.g. ``psf_fwhm_px``; kept in the recipe.

    Examples
    --------
    >>> picture = Reconstruction({"image": np.zeros((5, 5))}, (0.5, 0.5), (1.0, 1.0), 0.1)
    >>> picture.pixel_size_um
    (0.05, 0.05)
    >>> picture.origin_um
    (0.1, 0.1)
    """

    maps: dict[str, np.ndarray]
    pixel_px: tuple[float, float] = (1.0, 1.0)
    origin_px: tuple[float, float] = (0.0, 0.0)
    camera_pixel_um: float | None = None
    axes: str = "YX"
    plane_um: float | None = None
    first_plane_um: float = 0.0
    frame_interval_s: float | None = None
    time_series: tuple[float, float] | None = None
    localizations: LocalizationTable | None = None
    samples: np.ndarray | None = None
    recipe: Recipe | None = None
    notes: tuple[str, ...] = ()
    details: dict[str, float] = field(default_factory=dict)

    @property
    def image(self) -> np.ndarray:
        """The picture, or that of the first of several channels."""
        return next(iter(self.maps.values()))

    @property
    def pixel_size_um(self) -> tuple[float, float] | None:
        """Pixel size along y and x in um; None if the camera pixel is unknown."""
        return self._in_um(self.pixel_px)

    @property
    def origin_um(self) -> tuple[float, float] | None:
        """Position y, x of pixel (0, 0) in um; None if the camera pixel is unknown."""
        return self._in_um(self.origin_px)

    def _in_um(self, yx: tuple[float, float]) -> tuple[float, float] | None:
        um = self.camera_pixel_um
        return None if um is None else (yx[0] * um, yx[1] * um)

    def noted(self, *notes: str) -> Reconstruction:
        """Return the reconstruction with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def save(self, path: str | Path) -> None:
        """Write a float32 OME-TIFF with scale, position and recipe, readable by Fiji.

        The maps become named channels, followed by the posterior samples. The file appears only
        when it is complete.

        Parameters
        ----------
        path : path-like
            A name that ends in .ome.tif; or in .csv or .hdf5 to save the table of localisations,
            with its recipe in a file .recipe.json beside it.

        Raises
        ------
        InputError
            The name has another ending, there is no table, or the folder cannot be written to.
        """
        path = output_file(path)
        if self.recipe is not None:
            refuse_overwriting(path, *self.recipe.inputs)
        if path.name.lower().endswith(SUFFIXES):
            self._save_table(path)
            return
        check_output(path)
        self.write(path)

    def write(self, path: Path) -> None:
        """Write the OME-TIFF of `save` to a path of any name."""
        write_ome_tiff(
            path,
            [*self.maps.values(), *([] if self.samples is None else self.samples)],
            self._names(),
            self.axes,
            pixel_size_um=self.pixel_size_um,
            origin_um=self.origin_um,
            plane_um=self.plane_um,
            first_plane_um=self.first_plane_um,
            frame_interval_s=self.frame_interval_s,
            annotations=self._annotations(),
        )

    def _save_table(self, path: Path) -> None:
        if self.localizations is None:
            raise InputError(
                f"This method does not produce localisations to write to {path.name}; choose a "
                "name that ends in .ome.tif."
            )
        # ThunderSTORM's columns are in nm; where these are not known, Picasso's in pixels.
        known = self.localizations.camera_pixel_um is not None
        recipe = {} if self.recipe is None else {recipe_beside(path): self.recipe.to_json()}
        write_localizations(
            path, self.localizations, "thunderstorm" if known else "picasso", beside=recipe
        )

    def _annotations(self) -> dict[str, str]:
        # Also without a known pixel size, where OME has no place for them.
        grid = {
            "pixel_px": self.pixel_px,
            "origin_px": self.origin_px,
            "axes": self.axes,
            "plane_um": self.plane_um,
            "first_plane_um": self.first_plane_um,
            "time_series": self.time_series,
            "frame_interval_s": self.frame_interval_s,
        }
        if self.recipe is None:
            grid["camera_pixel_um"] = self.camera_pixel_um
        recipe = {} if self.recipe is None else {"recipe": self.recipe.to_json()}
        return recipe | {"grid": json.dumps(grid), "maps": ",".join(self._names())}

    def _names(self) -> list[str]:
        count = 0 if self.samples is None else len(self.samples)
        return [*self.maps, *(f"{SAMPLE}{number + 1}" for number in range(count))]

    @classmethod
    def load(cls, path: str | Path) -> Reconstruction:
        """Read a saved reconstruction with its place, scale and recipe.

        Raises
        ------
        InputError
            The file was not written by `save`.
        """
        path = Path(path)
        recipe = Recipe.load(path) if has_recipe(path) else None
        grid = _Grid.read(path)
        names = (read_annotation(path, "maps") or "image").split(",")
        with opened_tiff(path) as tif:
            series = tif.series[0]
            check_unpacked(series.keyframe, path.name, 2 * len(series))
            data = series.asarray(maxworkers=1)
        maps = list(np.moveaxis(data, -3, 0)) if len(names) > 1 and data.ndim > 2 else [data]
        if grid.axes != "YX" and maps[0].ndim == 2:
            maps = [one[None] for one in maps]  # tifffile leaves out an axis of length 1
        kept = [name for name in names if not name.startswith(SAMPLE)]
        if len(maps) != len(names) or not kept or maps[0].ndim != len(grid.axes):
            raise InputError(
                f"{path.name} is damaged, since some of its maps are missing; copy it again."
            )
        return cls(
            dict(zip(kept, maps, strict=False)),
            pixel_px=grid.pixel_px,
            origin_px=grid.origin_px,
            camera_pixel_um=recipe.open.pixel_size_um if recipe else grid.camera_pixel_um,
            axes=grid.axes,
            plane_um=grid.plane_um,
            first_plane_um=grid.first_plane_um,
            frame_interval_s=grid.frame_interval_s,
            time_series=grid.time_series,
            samples=np.asarray(maps[len(kept) :]) if len(kept) < len(names) else None,
            recipe=recipe,
        )


def has_recipe(path: Path) -> bool:
    """Return False for a picture that was saved without a recipe, e.g. a difference of two.

    Parameters
    ----------
    path : Path
        Any TIFF file.

    Returns
    -------
    bool
        True also for files of other programs, whose missing recipe is an error.

    Raises
    ------
    InputError
        If the file is no TIFF file.
    """
    return read_annotation(path, "grid") is None or read_annotation(path, "recipe") is not None


class _Grid(BaseModel):
    """Place of a picture, as it is kept in its file."""

    model_config = ConfigDict(allow_inf_nan=False)

    pixel_px: tuple[PositiveFloat, PositiveFloat]
    origin_px: tuple[float, float]
    axes: Literal["YX", "TYX", "ZYX"] = "YX"
    plane_um: PositiveFloat | None = None
    first_plane_um: float = 0.0
    time_series: tuple[float, float] | None = Field(
        None,
        validation_alias=AliasChoices("time_series", "film"),  # its name in older versions
    )
    frame_interval_s: float | None = None
    camera_pixel_um: PositiveFloat | None = None

    @classmethod
    def read(cls, path: Path) -> _Grid:
        """Read the grid of a saved picture; `InputError` if the file is none."""
        try:
            return cls.model_validate_json(read_annotation(path, "grid") or "")
        except ValidationError as error:
            raise InputError(f"{path.name} contains no picture of napari-sofinet.") from error

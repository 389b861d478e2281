"""The result of a method: named maps on one grid, where they lie in the world, and the recipe."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.outputs import check_output, refuse_overwriting
from napari_sofinet.data.recipe import Recipe
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.data.table_files import SUFFIXES, write_localizations
from napari_sofinet.io.atomic import atomic_write
from napari_sofinet.io.ome_tiff import read_annotation, write_ome_tiff

SAMPLE = "sample "


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Maps of one movie on one grid.

    World coordinates have the centre of camera pixel (0, 0) of the file at (0, 0); the sample
    (i, j) of a map lies at ``origin + (i, j) * pixel size``.

    Attributes
    ----------
    maps
        Arrays of one shape by name; the first is ``"image"``, or ``"channel 0"`` of several.
    pixel_px, origin_px
        Distance of samples and place of sample (0, 0), (y, x) in camera pixels.
    camera_pixel_um
        Size of a camera pixel in um, None where it is not known.
    axes
        ``"YX"``, ``"TYX"`` or ``"ZYX"``.
    frame_interval_s
        Time step of a ``T`` axis in s.
    time_series
        Frame of the file in the middle of the first picture of a time series, and frames from one
        picture to the next; None for a single picture.
    localizations
        Table of the emitters that were found, of methods that find any.
    samples
        Pictures (K, Y, X) of what the truth may be, of methods that draw any.
    recipe
        How the maps were made.
    notes
        Sentences that the user should read, e.g. about saturated pixels.
    details
        What the method found on its way, e.g. ``psf_fwhm_px``; kept in the recipe.
    """

    maps: dict[str, np.ndarray]
    pixel_px: tuple[float, float] = (1.0, 1.0)
    origin_px: tuple[float, float] = (0.0, 0.0)
    camera_pixel_um: float | None = None
    axes: str = "YX"
    frame_interval_s: float | None = None
    time_series: tuple[float, float] | None = None
    localizations: LocalizationTable | None = None
    samples: np.ndarray | None = None
    recipe: Recipe | None = None
    notes: tuple[str, ...] = ()
    details: dict[str, float] = field(default_factory=dict)

    @property
    def image(self) -> np.ndarray:
        """The picture itself, of several channels the first."""
        return next(iter(self.maps.values()))

    @property
    def pixel_size_um(self) -> tuple[float, float] | None:
        """Distance of samples along y and x in um, None without a known camera pixel."""
        return self._in_um(self.pixel_px)

    @property
    def origin_um(self) -> tuple[float, float] | None:
        """World coordinate y, x of sample (0, 0) in um, None without a known camera pixel."""
        return self._in_um(self.origin_px)

    def _in_um(self, yx: tuple[float, float]) -> tuple[float, float] | None:
        um = self.camera_pixel_um
        return None if um is None else (yx[0] * um, yx[1] * um)

    def save(self, path: str | Path) -> None:
        """Write a float32 OME-TIFF with scale, position and recipe, readable by Fiji.

        The maps become named channels, ``image`` the first, and samples those after them. The file
        appears only when complete.
        A name that ends in .csv or .hdf5 gets the table of localisations instead, and a file
        .recipe.json beside it.

        Raises
        ------
        InputError
            The name ends otherwise, there is no table, or the place can not be written to.
        """
        path = Path(path)
        if path.name.lower().endswith(SUFFIXES):
            self._save_table(path)
            return
        check_output(path)
        if self.recipe is not None:
            for name in (self.recipe.open.path, *self.recipe.files.values()):
                if name is not None:
                    refuse_overwriting(path, Path(name))
        write_ome_tiff(
            path,
            [*self.maps.values(), *([] if self.samples is None else self.samples)],
            self._names(),
            self.axes,
            pixel_size_um=self.pixel_size_um,
            origin_um=self.origin_um,
            frame_interval_s=self.frame_interval_s,
            annotations=self._annotations(),
        )

    def _save_table(self, path: Path) -> None:
        if self.localizations is None:
            raise InputError(
                f"This method finds no localisations to write to {path.name}; choose a name that "
                "ends in .ome.tif."
            )
        # ThunderSTORM's columns are in nm; where these are not known, Picasso's in pixels.
        known = self.localizations.camera_pixel_um is not None
        write_localizations(path, self.localizations, "thunderstorm" if known else "picasso")
        if self.recipe is not None:
            with atomic_write(path.with_name(f"{path.name}.recipe.json")) as partial:
                partial.write_text(self.recipe.to_json(), encoding="utf-8")

    def _annotations(self) -> dict[str, str] | None:
        if self.recipe is None:
            return None
        # Also without a known pixel size, where OME has no place for them.
        grid = {
            "pixel_px": self.pixel_px,
            "origin_px": self.origin_px,
            "axes": self.axes,
            "time_series": self.time_series,
            "frame_interval_s": self.frame_interval_s,
        }
        return {
            "recipe": self.recipe.to_json(),
            "grid": json.dumps(grid),
            "maps": ",".join(self._names()),
        }

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
        from tifffile import imread

        path = Path(path)
        recipe = Recipe.load(path)
        grid = json.loads(read_annotation(path, "grid") or "{}")
        if not grid:
            raise InputError(f"{path.name} holds no picture of napari-sofinet.")
        data = imread(path)
        names = (read_annotation(path, "maps") or "image").split(",")
        maps = [data] if len(names) == 1 else np.moveaxis(data, -3, 0)
        named = [pair for pair in zip(names, maps, strict=True) if not pair[0].startswith(SAMPLE)]
        series = grid.get("time_series") or grid.get("film")  # its name in older versions
        return cls(
            dict(named),
            pixel_px=tuple(grid["pixel_px"]),
            origin_px=tuple(grid["origin_px"]),
            camera_pixel_um=recipe.open.pixel_size_um,
            axes=grid.get("axes", "YX"),
            frame_interval_s=grid.get("frame_interval_s"),
            time_series=tuple(series) if series else None,
            samples=np.asarray(maps[len(named) :]) if len(named) < len(names) else None,
            recipe=recipe,
        )

"""The result of a method: named maps on one grid, where they lie in the world, and the recipe."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.io.atomic import written_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sofinet.localization.table import LocalizationTable
    from napari_sofinet.recipe import Recipe


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
    film
        Frame of the file in the middle of the first picture of a film, and frames from one picture
        to the next; None for a single picture.
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
    film: tuple[float, float] | None = None
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
        from tifffile import imwrite

        from napari_sofinet.io.localizations import SUFFIXES

        path = Path(path)
        if path.name.lower().endswith(SUFFIXES):
            self._save_table(path)
            return
        check_output(path)
        if self.recipe is not None and self.recipe.open.path is not None:
            keep_input(path, Path(self.recipe.open.path))
        for name in self.recipe.files.values() if self.recipe is not None else ():
            keep_input(path, Path(name))
        arrays = [*self.maps.values(), *([] if self.samples is None else self.samples)]
        axes = self.axes if len(arrays) == 1 else f"{self.axes[:-2]}CYX"
        *lead, rows, columns = self.image.shape
        shape = (*lead, *((len(arrays),) if len(arrays) > 1 else ()), rows, columns)
        planes = math.prod(shape[:-2])
        options: dict[str, Any] = {"metadata": self._ome(axes, planes), "ome": True}
        if self.pixel_size_um is not None:
            y, x = self.pixel_size_um
            options |= {"resolution": (1e4 / x, 1e4 / y), "resolutionunit": "CENTIMETER"}
        with written_whole(path) as partial:
            imwrite(
                partial,
                _planes(arrays, lead),
                shape=shape,
                dtype=np.float32,
                photometric="minisblack",
                bigtiff=4 * math.prod(shape) > 3 * 2**30,
                **options,
            )

    def _save_table(self, path: Path) -> None:
        from napari_sofinet.io.localizations import write_localizations

        if self.localizations is None:
            raise InputError(
                f"This method finds no localisations to write to {path.name}; choose a name that "
                "ends in .ome.tif."
            )
        # ThunderSTORM's columns are in nm; where these are not known, Picasso's in pixels.
        known = self.localizations.camera_pixel_um is not None
        write_localizations(path, self.localizations, "thunderstorm" if known else "picasso")
        if self.recipe is not None:
            with written_whole(path.with_name(f"{path.name}.recipe.json")) as partial:
                partial.write_text(self.recipe.to_json(), encoding="utf-8")

    def _ome(self, axes: str, planes: int) -> dict[str, Any]:
        names = self._names()
        ome: dict[str, Any] = {"axes": axes, "Channel": {"Name": names}}
        if self.pixel_size_um is not None and self.origin_um is not None:
            for axis, size, origin in zip("YX", self.pixel_size_um, self.origin_um, strict=True):
                ome |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
                ome.setdefault("Plane", {}).update(
                    {f"Position{axis}": [origin] * planes, f"Position{axis}Unit": ["µm"] * planes}
                )
        if self.frame_interval_s is not None and "T" in axes:
            ome |= {"TimeIncrement": self.frame_interval_s, "TimeIncrementUnit": "s"}
        if self.recipe is not None:
            ome["MapAnnotation"] = {
                "Namespace": "napari-sofinet/recipe",
                "recipe": self.recipe.to_json(),
                # Also without a known pixel size, where OME has no place for them.
                "grid": json.dumps(
                    {
                        "pixel_px": self.pixel_px,
                        "origin_px": self.origin_px,
                        "axes": self.axes,
                        "film": self.film,
                        "frame_interval_s": self.frame_interval_s,
                    }
                ),
                "maps": ",".join(names),
            }
        return ome

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

        from napari_sofinet.recipe import Recipe, annotation

        path = Path(path)
        recipe = Recipe.load(path)
        grid = json.loads(annotation(path, "grid") or "{}")
        if not grid:
            raise InputError(f"{path.name} holds no picture of napari-sofinet.")
        data = imread(path)
        names = (annotation(path, "maps") or "image").split(",")
        maps = [data] if len(names) == 1 else np.moveaxis(data, -3, 0)
        named = [pair for pair in zip(names, maps, strict=True) if not pair[0].startswith(SAMPLE)]
        return cls(
            dict(named),
            pixel_px=tuple(grid["pixel_px"]),
            origin_px=tuple(grid["origin_px"]),
            camera_pixel_um=recipe.open.pixel_size_um,
            axes=grid.get("axes", "YX"),
            frame_interval_s=grid.get("frame_interval_s"),
            film=tuple(grid["film"]) if grid.get("film") else None,
            samples=np.asarray(maps[len(named) :]) if len(named) < len(names) else None,
            recipe=recipe,
        )


def _planes(arrays: list[np.ndarray], lead: list[int]) -> Iterator[np.ndarray]:
    """Planes (Y, X) float32 in the order of a file: channels are the last axis before them."""
    for at in np.ndindex(*lead):
        for array in arrays:
            yield np.asarray(array[at], np.float32)


def check_output(path: Path, table: bool = False) -> None:
    """Raise `InputError` unless a result can be written at ``path``; made before long work.

    An OME-TIFF, or with ``table`` also a table of localisations.
    """
    from napari_sofinet.io.atomic import check_writable
    from napari_sofinet.io.localizations import SUFFIXES, check_table_output

    if table and path.name.lower().endswith(SUFFIXES):
        check_table_output(path)
        return
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise InputError(f"The output {path.name} must end in .ome.tif, the format it is saved in.")
    check_writable(path)


def keep_input(output: Path, movie: Path) -> None:
    """Raise `InputError` where the output would replace the movie, or become a frame of it."""
    for place in output, output.parent:
        # Path.exists would raise for names that are too long.
        if os.path.exists(movie) and os.path.exists(place) and place.samefile(movie):
            raise InputError(
                f"The output {output} would change the movie {movie}; choose another place."
            )

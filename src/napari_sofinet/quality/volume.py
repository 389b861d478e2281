"""Volumes from files, their widths, resolution and agreement with a reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.sim_stack import open_sim_stack
from napari_sofinet.io.ome_tiff import read_annotation
from napari_sofinet.io.picture_file import is_other_picture, read_other_picture
from napari_sofinet.metrics.profiles import fwhm_by_autocorrelation
from napari_sofinet.metrics.volumes import (
    SectionResolutions,
    axial_resolutions,
    plane_resolutions,
    volume_agreement,
)
from napari_sofinet.quality.cautions import LIMIT_PX

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First sample and the one after the last, along z, y and x."""
AXES = "z", "y", "x"
NARROWEST_PX = 2.0


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume with its scale.

    Parameters
    ----------
    image : ndarray
        (Z, Y, X) float32.
    name : str
        Name for messages.
    step_um : tuple of float or None
        Distance of samples along z, y and x in um; None where it is not known.
    origin_um : tuple of float
        Position of sample (0, 0, 0) in um; 0 where it is not known.
    """

    image: np.ndarray
    name: str
    step_um: tuple[float | None, float | None, float | None] = (None, None, None)
    origin_um: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def cut(self, box: Box) -> Volume:
        """Return a part with its place.

        Raises
        ------
        InputError
            The box is empty or reaches beyond the volume.
        """
        if any(not 0 <= a < b <= n for (a, b), n in zip(box, self.image.shape, strict=True)):
            text = ",".join(f"{a}:{b}" for a, b in box)
            size = " x ".join(map(str, self.image.shape))
            raise InputError(f"The ROI {text} is empty or outside the volume of {size} samples.")
        (z0, z1), (y0, y1), (x0, x1) = box
        z, y, x = (
            at + first * (step or 0.0)
            for at, (first, _), step in zip(self.origin_um, box, self.step_um, strict=True)
        )
        return replace(self, image=self.image[z0:z1, y0:y1, x0:x1], origin_um=(z, y, x))


def open_volume(
    path: str | Path, pixel_size_um: float | None = None, plane_um: float | None = None
) -> Volume:
    """Open a volume from a file.

    Parameters
    ----------
    path : path-like
        Volume of this package, of which the first map is used, another TIFF file with one axis
        besides y and x, or an array (.npy).
    pixel_size_um, plane_um : float, optional
        Distance of samples along y and x, and along z, in um; by default those in the file.

    Returns
    -------
    Volume
        Named after the file.

    Raises
    ------
    InputError
        The file cannot be read, or is a picture, a film or a raw stack.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no file {path}.")
    if path.suffix.lower() in (".tif", ".tiff") and read_annotation(path, "grid"):
        return _of_result(path, pixel_size_um, plane_um)
    if is_other_picture(path):
        image, size, plane = read_other_picture(path), None, None
    else:
        stack = open_sim_stack(path, pixel_size_um)
        if len(stack.axes) != 1:
            shown = " x ".join(f"{axis} {length}" for axis, length in stack.axes)
            raise InputError(
                f"{path.name} has several axes besides y and x ({shown}); a volume has one, the "
                "depth. A raw SIM stack must be reconstructed first."
            )
        image = np.asarray(stack.movie.frames)
        size, plane = stack.pixel_size_um, stack.plane_um
    size, plane = pixel_size_um or size, plane_um or plane
    return _checked(Volume(image, path.name, (plane, size, size)))


def _of_result(path: Path, pixel_size_um: float | None, plane_um: float | None) -> Volume:
    result = Reconstruction.load(path)
    if result.axes != "ZYX":
        what = "a time series" if result.axes == "TYX" else "a single picture"
        raise InputError(f"{path.name} is {what} and no volume (Z, Y, X).")
    size = result.pixel_size_um or (None, None)
    y, x = result.origin_um or (0.0, 0.0)
    step = plane_um or result.plane_um, pixel_size_um or size[0], pixel_size_um or size[1]
    return _checked(Volume(result.image, path.name, step, (result.first_plane_um, y, x)))


def _checked(volume: Volume) -> Volume:
    image = volume.image
    if image.ndim != 3 or min(image.shape) < 2:
        raise InputError(
            f"{volume.name} is no volume: it has {' x '.join(map(str, image.shape))} samples."
        )
    image = np.asarray(image, np.float32)
    if not np.isfinite(image).all():
        raise InputError(f"{volume.name} contains values that are not finite; replace them.")
    return replace(volume, image=image)


def on_samples_of(volume: Volume, reference: Volume) -> Volume:
    """Return a reference on the samples of a volume, interpolated linearly.

    Parameters
    ----------
    volume, reference : Volume
        Volumes with known scales, or of the same shape.

    Raises
    ------
    InputError
        A scale is not known and the shapes differ.
    """
    from scipy.ndimage import map_coordinates

    if None in volume.step_um or None in reference.step_um:
        if volume.image.shape == reference.image.shape:
            return replace(reference, step_um=volume.step_um, origin_um=volume.origin_um)
        raise InputError(
            f"{volume.name} and {reference.name} differ in size, and the scale of one is not "
            "known; give --pixel-size and --plane-um, or volumes of one size."
        )
    places = []
    for n, step, at, ref_step, ref_at in zip(
        volume.image.shape,
        volume.step_um,
        volume.origin_um,
        reference.step_um,
        reference.origin_um,
        strict=True,
    ):
        assert step is not None
        assert ref_step is not None
        places.append((at + step * np.arange(n) - ref_at) / ref_step)
    same = all(
        len(p) == n and np.allclose(p, np.arange(n), atol=1e-3)
        for p, n in zip(places, reference.image.shape, strict=True)
    )
    if same:
        return replace(reference, step_um=volume.step_um, origin_um=volume.origin_um)
    out = np.empty(volume.image.shape, np.float32)
    y, x = np.meshgrid(places[1], places[2], indexing="ij")
    for z, at in enumerate(places[0]):
        grid = np.stack([np.full(y.shape, at), y, x])
        out[z] = map_coordinates(reference.image, grid, order=1, mode="nearest")
    return Volume(out, reference.name, volume.step_um, volume.origin_um)


def covered_box(volume: Volume, reference: Volume) -> Box:
    """Return the part of a volume that its reference covers, or all of it without scales.

    Raises
    ------
    InputError
        The volumes do not overlap.
    """
    box = []
    for n, step, at, m, ref_step, ref_at in zip(
        volume.image.shape,
        volume.step_um,
        volume.origin_um,
        reference.image.shape,
        reference.step_um,
        reference.origin_um,
        strict=True,
    ):
        if step is None or ref_step is None:
            box.append((0, n))
            continue
        place = (at + step * np.arange(n) - ref_at) / ref_step
        inside = np.flatnonzero((place > -0.51) & (place < m - 0.49))
        if not len(inside):
            raise InputError(f"{volume.name} and {reference.name} show different places.")
        box.append((int(inside[0]), int(inside[-1]) + 1))
    z, y, x = box
    return z, y, x


def volume_scores(volume: Volume, reference: Volume) -> dict[str, Any]:
    """Compare a volume with a reference where the reference covers it.

    Returns
    -------
    dict
        ``pearson``, ``ssim_fitted``, ``mse``, and ``planes`` with structure.
    """
    part = volume.cut(covered_box(volume, reference))
    found = volume_agreement(part.image, on_samples_of(part, reference).image)
    return {
        "pearson": found.pearson,
        "ssim_fitted": found.ssim,
        "mse": found.mse,
        "planes": found.planes,
    }


def measure_volume(volume: Volume, reference: Volume | None = None) -> dict[str, Any]:
    """Measure widths and resolution of a volume, and its agreement with a reference.

    Parameters
    ----------
    volume : Volume
        The volume.
    reference : Volume, optional
        The truth, or another volume, which is interpolated on the samples of the first.

    Returns
    -------
    dict
        ``fwhm_z_nm``, ``fwhm_y_nm``, ``fwhm_x_nm``: widths of spots by autocorrelation;
        ``resolution_xy_nm`` and ``resolution_z_nm`` with ``_low`` and ``_high``: decorrelation of
        planes and of xz sections, median and range; lengths end in ``_px`` (samples) where the
        scale is not known. With a reference ``ssim``, ``mse`` and ``pearson``. ``notes``: what
        limits the numbers, if anything.

    Raises
    ------
    InputError
        The volume is smaller than 8 samples along an axis, or see `on_samples_of`.
    """
    facts: dict[str, Any] = {}
    notes: list[str] = []
    widths = fwhm_by_autocorrelation(volume.image)
    for axis, width, step in zip(AXES, widths, volume.step_um, strict=True):
        known = float(width) if np.isfinite(width) else None
        facts |= _length(f"fwhm_{axis}", known, step)
        if known is not None and known < NARROWEST_PX:
            notes.append(
                f"The width along {axis} is less than two samples: it is that of the samples."
            )
        elif known is not None and known > volume.image.shape[AXES.index(axis)] / 2:
            notes.append(
                f"The width along {axis} is more than half of the volume: it is that of the "
                "structure, no resolution."
            )
    for name, found, step in (
        ("resolution_xy", plane_resolutions(volume.image), volume.step_um[2]),
        ("resolution_z", axial_resolutions(volume.image), volume.step_um[0]),
    ):
        facts |= _sections(name, found, step, notes)
    if reference is not None:
        part = volume.cut(covered_box(volume, reference))
        agreement = volume_agreement(part.image, on_samples_of(part, reference).image)
        facts |= {
            "ssim": agreement.ssim,
            "mse": agreement.mse,
            "pearson": agreement.pearson,
            "planes_compared": agreement.planes,
        }
        share = part.image.size / volume.image.size
        if share < 0.9:
            notes.append(
                f"{reference.name} covers only {100 * share:.0f} % of {volume.name}; the rest is "
                "not compared."
            )
    return facts | {"notes": notes} if notes else facts


def _length(name: str, px: float | None, step_um: float | None) -> dict[str, float | None]:
    if step_um is None:
        return {f"{name}_px": px}
    return {f"{name}_nm": None if px is None else 1000 * step_um * px}


def _sections(
    name: str, found: SectionResolutions, step_um: float | None, notes: list[str]
) -> dict[str, float | None]:
    where = "planes" if name.endswith("xy") else "sections along z"
    if found.reason:
        notes.append(f"No resolution of {where}: {found.reason}")
        return _length(name, None, step_um)
    if found.median_px is not None and found.median_px < LIMIT_PX:
        notes.append(f"The resolution of {where} is limited by the samples.")
    return (
        _length(name, found.median_px, step_um)
        | _length(f"{name}_low", found.lowest_px, step_um)
        | _length(f"{name}_high", found.highest_px, step_um)
    )

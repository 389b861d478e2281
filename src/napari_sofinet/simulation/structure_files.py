"""Structures from files: tables of positions, and images that give the density of emitters."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.text_table import read_text_table
from napari_sofinet.io.tiff_file import read_image
from napari_sofinet.io.truth_file import read_truth_positions
from napari_sofinet.simulation.filaments import Field
from napari_sofinet.simulation.labels import Labels
from napari_sofinet.simulation.sample_settings import StructureSettings


def labels_from_file(
    settings: StructureSettings, field_um: Field, pixel_size_um: float, rng: np.random.Generator
) -> Labels:
    """Place emitters at the positions in a table, or at random with the density of an image.

    Parameters
    ----------
    settings : StructureSettings
        Structure of the kind "table" or "image". An image is stretched to the field, and
        ``emitters_per_um2`` is its mean density.
    field_um : tuple of float
        Height and width of the field of view in µm.
    pixel_size_um : float
        Size of a camera pixel in the sample in µm.
    rng : numpy.random.Generator
        Source of randomness, for images.

    Returns
    -------
    Labels
        Every emitter of a table is an object of its own; an image is one object.

    Raises
    ------
    InputError
        There is no file, or it cannot be read.
    """
    if not settings.file:
        raise InputError(f"The structure '{settings.kind}' needs a file; give structure.file.")
    path = Path(settings.file)
    if not path.is_file():
        raise InputError(f"There is no file {path}; give another structure.file.")
    if settings.kind == "table":
        positions = read_positions(path, pixel_size_um) + pixel_size_um / 2
        return Labels(positions, np.arange(len(positions)))
    image = _read_image(path)
    density = image / image.sum()
    rows, columns = image.shape
    n = rng.poisson(settings.emitters_per_um2 * field_um[0] * field_um[1])
    pixel = rng.choice(image.size, n, p=density.ravel())
    y, x = np.divmod(pixel, columns)
    inside = np.stack([y, x], axis=1) + rng.random((n, 2))
    positions = inside * (np.asarray(field_um) / (rows, columns))
    return Labels(positions, np.zeros(n, np.int64))


def read_positions(path: Path, pixel_size_um: float) -> np.ndarray:
    """Read the positions of emitters from a text table or from the truth of a simulation.

    The columns of a table are ``y_um`` and ``x_um`` in world coordinates (zero in the middle of
    the first pixel), or ``y [nm]`` and ``x [nm]`` as in tables of localizations, with zero at the
    corner of the image.

    Parameters
    ----------
    path : Path
        Text, plain or gzip, or a truth file (.npz). Of a moving truth, the first frame is read.
    pixel_size_um : float
        Size of a camera pixel in the sample in µm.

    Returns
    -------
    ndarray
        (n, 2) world coordinates y, x in µm.

    Raises
    ------
    InputError
        There are no such columns, or something else than finite numbers in them.
    """
    if path.suffix == ".npz":
        positions = read_truth_positions(path)
    else:
        positions = _read_table(path, pixel_size_um)
    if not np.isfinite(positions).all():
        raise InputError(
            f"Some positions in {path.name} are not finite numbers; take them out of the table."
        )
    return positions


def _read_table(path: Path, pixel_size_um: float) -> np.ndarray:
    """Return the positions (n, 2) in µm, NaN where the columns hold text."""
    table = read_text_table(path)
    names = {name.lower(): name for name in (*table.columns, *table.dropped)}
    for y, x, scale, shift in (
        ("y_um", "x_um", 1.0, 0.0),
        ("y [nm]", "x [nm]", 1e-3, pixel_size_um / 2),
    ):
        if y in names and x in names:
            if {names[y], names[x]} & set(table.dropped):
                return np.full((1, 2), np.nan)
            columns = [table.columns[names[axis]] for axis in (y, x)]
            return scale * np.stack(columns, axis=1) - shift
    raise InputError(
        f"{path.name} has no columns y_um and x_um, or 'y [nm]' and 'x [nm]'; name them so."
    )


def _read_image(path: Path) -> np.ndarray:
    image = read_image(path)
    if image.ndim != 2 or not np.isfinite(image).all() or image.min() < 0 or image.sum() <= 0:
        raise InputError(
            f"{path.name} is no image of densities; give one that is 2-D, not negative and not "
            "empty."
        )
    return image

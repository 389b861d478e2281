"""Structures in continuous coordinates (um): where the emitters sit."""

from __future__ import annotations

import csv
import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.simulation.settings import SimulationSettings, StructureSettings

ARGOLIGHT_SPACINGS_UM = np.arange(0.39, 0.11, -0.03)
"""Distances of the ten line pairs (Argolight's slide as used by FluoGAN)."""
SIEMENS_SPOKES = 36
UNREADABLE = OSError, EOFError, BadZipFile, zlib.error, csv.Error

Field = tuple[float, float]


@dataclass(frozen=True)
class Labels:
    """Emitters: ``positions_um`` (n, 2) y, x, and which object (filament, ring) each belongs to.

    The origin is the corner of the field of view.
    """

    positions_um: np.ndarray
    object: np.ndarray

    def __len__(self) -> int:
        return len(self.positions_um)


def place(settings: SimulationSettings, rng: np.random.Generator) -> Labels:
    """Emitters of the structure that the settings ask for, in and a little around the field.

    Raises
    ------
    InputError
        A file of positions or of an image that cannot be read.
    """
    s = settings.structure
    margin = settings.margin_um
    height, width = settings.field_um
    if s.kind in ("table", "image"):
        made = _from_file(s, settings.field_um, settings.pixel_size_um, rng)
        return _labelled(made, s, rng)
    if s.kind == "argolight":
        return _labelled(argolight(settings.field_um, s.emitters_per_um, rng), s, rng)
    if s.kind == "siemens-star":
        return _labelled(siemens_star(settings.field_um, s.emitters_per_um2, rng), s, rng)
    if s.kind == "points":
        return _labelled(points(settings.field_um, s.count, rng, disc_um=s.size_um), s, rng)
    field = height + 2 * margin, width + 2 * margin
    persistence, length, even = s.persistence_um, s.length_um, s.spacing == "even"
    if s.kind == "microtubules":
        curves = microtubules(
            field, s.count, rng, persistence_um=persistence or 20.0, length_um=length or 25.0
        )
        made = label(curves, s.emitters_per_um, rng, even=even)
    elif s.kind == "actin":
        curves = actin(
            field, s.count, rng, persistence_um=persistence or 30.0, length_um=length or 12.0
        )
        made = label(curves, s.emitters_per_um, rng, even=even)
    elif s.kind == "mitochondria":
        made = mitochondria(
            field,
            s.count,
            s.emitters_per_um2,
            rng,
            diameter_um=s.size_um or 0.4,
            persistence_um=persistence or 6.0,
            length_um=length or 3.0,
        )
    elif s.kind == "vesicles":
        made = vesicles(field, s.count, s.emitters_per_um2, rng, diameter_um=s.size_um or 0.12)
    elif s.kind == "rings":
        diameter = s.size_um or 0.3
        made = rings(field, s.count, s.emitters_per_um, rng, diameter_um=diameter, even=even)
    elif s.kind == "random":
        made = uniform(field, s.emitters_per_um2, rng)
    else:
        made = Labels(np.empty((0, 2)), np.empty(0, np.int64))
    made = Labels(made.positions_um - margin, made.object)
    return _labelled(made, s, rng)


def microtubules(
    field_um: Field,
    count: int,
    rng: np.random.Generator,
    *,
    persistence_um: float = 20.0,
    length_um: float = 25.0,
    step_um: float = 0.02,
) -> list[np.ndarray]:
    """Filaments as persistent random walks that end at their length or at the field's edge.

    The heading does a random walk with variance ``2 step / persistence`` per step, so tangents a
    distance s apart have a mean cosine of exp(-s / persistence) (worm-like chain).

    Parameters
    ----------
    field_um
        Height and width of the field.
    count
        Number of filaments.

    Returns
    -------
    One (n, 2) array of y, x in um per filament, points ``step_um`` apart.
    """
    start, outside = _starts(field_um, count, length_um, rng)
    heading = rng.uniform(0, 2 * np.pi, len(start))
    return _walks(field_um, start, heading, rng, persistence_um, length_um, step_um, outside)


def actin(
    field_um: Field,
    count: int,
    rng: np.random.Generator,
    *,
    persistence_um: float = 30.0,
    length_um: float = 12.0,
    step_um: float = 0.02,
) -> list[np.ndarray]:
    """Bundles of three to eight filaments side by side, in one or two directions of the cell.

    Bundles head within 10 degrees of a direction, their filaments within 2 degrees of the bundle,
    0.1 um apart.
    """
    bundles = rng.integers(3, 9, max(count // 5, min(count, 1)))
    starts, outside = _starts(field_um, len(bundles), length_um, rng)
    bundles = np.resize(bundles, len(starts))
    main = rng.uniform(0, 2 * np.pi, 2)
    ways = main[rng.integers(0, rng.integers(1, 3), len(starts))] + rng.normal(0, 0.17, len(starts))
    which = np.repeat(np.arange(len(starts)), bundles)
    heading = ways[which] + rng.normal(0, 0.035, len(which))
    along = np.stack([np.sin(ways), np.cos(ways)], axis=1)[which]
    across = along[:, ::-1] * (1, -1)
    start = starts[which] + rng.normal(0, 0.1, (len(which), 1)) * across
    start += rng.uniform(0, 2, (len(which), 1)) * along
    return _walks(field_um, start, heading, rng, persistence_um, length_um, step_um, outside)


def _starts(
    field_um: Field, count: int, length_um: float, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Starts (n, 2) in the field and as far outside as what comes in matters.

    ``count`` of them per area of the field, so that the field's edges are as full as its middle.
    """
    outside = min(length_um, 0.3 * max(field_um))
    larger = [side + 2 * outside for side in field_um]
    ratio = larger[0] * larger[1] / (field_um[0] * field_um[1])
    total = int(rng.poisson(count * (ratio - 1))) + count
    start = rng.uniform((-outside, -outside), np.asarray(field_um) + outside, (total, 2))
    # Exactly as many inside as were asked for.
    start[:count] = rng.uniform((0.0, 0.0), field_um, (count, 2))
    for k in range(count, total):
        while np.all((start[k] >= 0) & (start[k] <= field_um)):
            start[k] = rng.uniform((-outside, -outside), np.asarray(field_um) + outside)
    return start, outside


def _walks(
    field_um: Field,
    start: np.ndarray,
    heading: np.ndarray,
    rng: np.random.Generator,
    persistence_um: float,
    length_um: float,
    step_um: float,
    outside_um: float = 0.0,
) -> list[np.ndarray]:
    """Worm-like chains from their starts until their length, cut to the field.

    A chain ends where it leaves the field by more than ``outside_um``; one that comes in again
    gives several curves.
    """
    count, steps = len(start), max(int(length_um / step_um), 2)
    # Chains leave a small field long before their end: they are made in pieces.
    piece = min(steps, max(int(1.5 * max(field_um) / step_um), 2))
    point, angle, alive = start.copy(), heading.copy(), np.arange(count)
    found: list[list[np.ndarray]] = [[] for _ in range(count)]
    for first in range(0, steps, piece):
        n = min(piece, steps - first)
        turns = rng.normal(0.0, np.sqrt(2 * step_um / persistence_um), (len(alive), n))
        angles = angle[alive, None] + np.cumsum(turns, axis=1)
        steps_taken = step_um * np.stack([np.sin(angles), np.cos(angles)], axis=2)
        points = point[alive, None] + np.cumsum(steps_taken, axis=1)
        low, high = -outside_um, np.asarray(field_um) + outside_um
        inside = np.all((points >= low) & (points <= high), axis=2)
        ends = np.where(inside.all(axis=1), n, inside.argmin(axis=1))
        for k, end, chain in zip(alive, ends, points, strict=True):
            found[k].append(chain[:end])
        go_on = ends == n
        alive = alive[go_on]
        point[alive], angle[alive] = points[go_on, -1], angles[go_on, -1]
        if not len(alive):
            break
    curves = []
    for parts in found:
        chain = np.concatenate(parts)
        inside = np.all((chain >= 0) & (chain <= np.asarray(field_um)), axis=1)
        cuts = np.flatnonzero(np.diff(inside)) + 1
        pieces = np.split(chain, cuts)
        first = bool(inside[0]) if len(inside) else False
        curves += [c for c in pieces[0 if first else 1 :: 2] if len(c) > 1]
    return curves


def label(
    curves: list[np.ndarray],
    density_per_um: float,
    rng: np.random.Generator,
    *,
    even: bool = False,
) -> Labels:
    """Emitters along curves, at random (Poisson in number) or equally far apart."""
    return _along(curves, density_per_um, rng, even=even)[0]


def _along(
    curves: list[np.ndarray],
    density_per_um: float | np.ndarray,
    rng: np.random.Generator,
    *,
    even: bool = False,
) -> tuple[Labels, np.ndarray]:
    """Emitters along curves, and the direction (n, 2) of the curve at each.

    The density is one for all curves or one for each.
    """
    density = np.broadcast_to(density_per_um, len(curves))
    placed, directions = [np.empty((0, 2))], [np.empty((0, 2))]
    objects = [np.empty(0, np.int64)]
    for number, points in enumerate(curves):
        steps = np.diff(points, axis=0)
        lengths = np.hypot(steps[:, 0], steps[:, 1])
        arc = np.concatenate([[0.0], np.cumsum(lengths)])
        at = _spaced(arc[-1], density[number], rng, even)
        segment = np.clip(np.searchsorted(arc, at, side="right") - 1, 0, len(steps) - 1)
        share = (at - arc[segment]) / np.maximum(lengths[segment], 1e-12)
        placed.append(points[segment] + share[:, None] * steps[segment])
        directions.append(steps[segment] / np.maximum(lengths[segment], 1e-12)[:, None])
        objects.append(np.full(len(at), number))
    labels = Labels(np.concatenate(placed), np.concatenate(objects))
    return labels, np.concatenate(directions)


def _spaced(length: float, density: float, rng: np.random.Generator, even: bool) -> np.ndarray:
    """Places on a line, ``density`` of them per length."""
    if not even:
        return rng.uniform(0, length, rng.poisson(density * length))
    places = (np.arange(np.ceil(density * length)) + rng.random()) / max(density, 1e-12)
    return np.asarray(places[places < length])


def mitochondria(
    field_um: Field,
    count: int,
    density_per_um2: float,
    rng: np.random.Generator,
    *,
    diameter_um: float = 0.4,
    persistence_um: float = 6.0,
    length_um: float = 3.0,
) -> Labels:
    """Labelled outer membranes: bent tubes with round ends, and a tenth of them spheres.

    Diameters spread by a fifth. Seen from above: an emitter at the angle phi on a tube lies
    cos(phi) radii beside its axis.
    """
    spheres = rng.random(count) < 0.1
    start, outside = _starts(field_um, int((~spheres).sum()), length_um, rng)
    heading = rng.uniform(0, 2 * np.pi, len(start))
    curves = _walks(field_um, start, heading, rng, persistence_um, length_um, 0.02, outside)
    radii = 0.5 * diameter_um * np.clip(rng.normal(1, 0.2, len(curves)), 0.5, 1.6)
    radius = diameter_um / 2
    lengths = rng.uniform(0.3, 1.0, len(curves))
    curves = [c[: max(int(share * len(c)), 2)] for c, share in zip(curves, lengths, strict=True)]
    tubes, direction = _along(curves, 2 * np.pi * radii * density_per_um2, rng)
    beside = radii[tubes.object] * np.cos(rng.uniform(0, 2 * np.pi, len(tubes)))
    normal = np.stack([direction[:, 1], -direction[:, 0]], axis=1)
    parts = [Labels(tubes.positions_um + beside[:, None] * normal, tubes.object)]
    for k, curve in enumerate(curves):
        for end, before in ((curve[-1], curve[-2]), (curve[0], curve[1])):
            cap = _sphere(end, radii[k], density_per_um2, rng)
            outward = end - before
            parts.append(_one_object(cap[(cap - end) @ outward > 0], k))
    centres = rng.uniform((0.0, 0.0), field_um, (int(spheres.sum()), 2))
    for k, centre in enumerate(centres):
        size = radius * rng.uniform(0.8, 1.8)
        parts.append(_one_object(_sphere(centre, size, density_per_um2, rng), len(curves) + k))
    return _joined(parts)


def vesicles(
    field_um: Field,
    count: int,
    density_per_um2: float,
    rng: np.random.Generator,
    *,
    diameter_um: float = 0.12,
) -> Labels:
    """Spheres with labelled membranes, half of them huddled together."""
    centres = rng.uniform((0.0, 0.0), field_um, (count, 2))
    together = rng.random(count) < 0.5
    if count:
        seeds = centres[rng.integers(0, max(count // 6, 1), count)]
        centres[together] = (seeds + rng.normal(0, 0.4, (count, 2)))[together]
    parts = [Labels(np.empty((0, 2)), np.empty(0, np.int64))]
    for k, centre in enumerate(centres):
        size = 0.5 * diameter_um * rng.uniform(0.7, 1.3)
        parts.append(_one_object(_sphere(centre, size, density_per_um2, rng), k))
    return _joined(parts)


def rings(
    field_um: Field,
    count: int,
    density_per_um: float,
    rng: np.random.Generator,
    *,
    diameter_um: float = 0.3,
    even: bool = False,
) -> Labels:
    """Circles, each up to 20 % smaller or larger than the diameter."""
    centres = rng.uniform((0.0, 0.0), field_um, (count, 2))
    diameters = diameter_um * rng.uniform(0.8, 1.2, count)
    mean = np.pi * diameters * density_per_um
    number = np.floor(mean + rng.random(count)).astype(np.int64) if even else rng.poisson(mean)
    which = np.repeat(np.arange(count), number)
    angle = rng.uniform(0, 2 * np.pi, count if even else len(which))
    if even:
        turn = np.arange(len(which)) - np.repeat(number.cumsum() - number, number)
        angle = angle[which] + 2 * np.pi * turn / number[which]
    offset = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return Labels(centres[which] + 0.5 * diameters[which, None] * offset, which)


def uniform(field_um: Field, density_per_um2: float, rng: np.random.Generator) -> Labels:
    """Emitters anywhere, each an object of its own."""
    n = rng.poisson(density_per_um2 * field_um[0] * field_um[1])
    return Labels(rng.uniform((0.0, 0.0), field_um, (n, 2)), np.arange(n))


def points(
    field_um: Field, count: int, rng: np.random.Generator, *, disc_um: float | None = None
) -> Labels:
    """So many emitters anywhere, or on a disc of that diameter in the middle."""
    if disc_um is None:
        return Labels(rng.uniform((0.0, 0.0), field_um, (count, 2)), np.arange(count))
    distance = disc_um / 2 * np.sqrt(rng.random(count))
    angle = rng.uniform(0, 2 * np.pi, count)
    offset = distance[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return Labels(np.asarray(field_um) / 2 + offset, np.arange(count))


def argolight(field_um: Field, density_per_um: float, rng: np.random.Generator) -> Labels:
    """Pairs of vertical lines, 390 to 120 nm apart in steps of 30 nm, from left to right."""
    height, width = field_um
    centres = width * (np.arange(len(ARGOLIGHT_SPACINGS_UM)) + 0.5) / len(ARGOLIGHT_SPACINGS_UM)
    curves = []
    for centre, spacing in zip(centres, ARGOLIGHT_SPACINGS_UM, strict=True):
        for side in (-0.5, 0.5):
            x = centre + side * spacing
            curves.append(np.array([[0.1 * height, x], [0.9 * height, x]]))
    return label(curves, density_per_um, rng)


def siemens_star(field_um: Field, density_per_um2: float, rng: np.random.Generator) -> Labels:
    """A star of 36 spokes that fills 90 % of the field: bright and dark sectors of 5 degrees."""
    radius = 0.45 * min(field_um)
    n = rng.poisson(density_per_um2 * np.pi * radius**2 / 2)
    spoke = rng.integers(0, SIEMENS_SPOKES, n)
    angle = 2 * np.pi * (spoke + 0.5 * rng.random(n)) / SIEMENS_SPOKES
    distance = radius * np.sqrt(rng.random(n))
    centre = np.asarray(field_um) / 2
    offset = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return Labels(centre + distance[:, None] * offset, spoke)


def _sphere(
    centre: np.ndarray, radius: float, density_per_um2: float, rng: np.random.Generator
) -> np.ndarray:
    """Emitters on a sphere, seen from above: uniform heights give a uniform surface."""
    n = rng.poisson(4 * np.pi * radius**2 * density_per_um2)
    z = rng.uniform(-1, 1, n)
    angle = rng.uniform(0, 2 * np.pi, n)
    flat = radius * np.sqrt(1 - z**2)
    offset = flat[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return np.asarray(centre + offset)


def _one_object(positions_um: np.ndarray, number: int) -> Labels:
    return Labels(positions_um, np.full(len(positions_um), number))


def _joined(parts: list[Labels]) -> Labels:
    return Labels(
        np.concatenate([p.positions_um for p in parts]), np.concatenate([p.object for p in parts])
    )


def _labelled(labels: Labels, s: StructureSettings, rng: np.random.Generator) -> Labels:
    """Without the labels that are missing, the others at the end of their linkers."""
    positions, objects = labels.positions_um, labels.object
    if s.missing and len(positions):
        keep = _patches(positions, s.patch_um, rng)
        keep = keep > np.quantile(keep, s.missing)
        positions, objects = positions[keep], objects[keep]
    if s.linker_um and len(positions):
        # A direction in space, seen from above.
        flat = np.sqrt(1 - rng.uniform(-1, 1, len(positions)) ** 2)
        angle = rng.uniform(0, 2 * np.pi, len(positions))
        offset = np.stack([np.sin(angle), np.cos(angle)], axis=1)
        positions = positions + s.linker_um * flat[:, None] * offset
    return Labels(positions, objects)


def _patches(positions_um: np.ndarray, size_um: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth random field at the positions: a sum of waves (Gaussian correlation)."""
    waves = 60
    k = rng.normal(0, 1 / size_um, (waves, 2))
    phase = rng.uniform(0, 2 * np.pi, waves)
    return np.asarray(np.cos(positions_um @ k.T + phase).sum(axis=1))


def _from_file(
    s: StructureSettings, field_um: Field, pixel_size_um: float, rng: np.random.Generator
) -> Labels:
    if not s.file:
        raise InputError(f"The structure '{s.kind}' needs a file; give structure.file.")
    path = Path(s.file)
    if not path.is_file():
        raise InputError(f"There is no file {path}; give another structure.file.")
    if s.kind == "table":
        positions = read_positions(path, pixel_size_um) + pixel_size_um / 2
        return Labels(positions, np.arange(len(positions)))
    image = _read_image(path)
    density = image / image.sum()
    rows, columns = image.shape
    n = rng.poisson(s.emitters_per_um2 * field_um[0] * field_um[1])
    pixel = rng.choice(image.size, n, p=density.ravel())
    y, x = np.divmod(pixel, columns)
    inside = np.stack([y, x], axis=1) + rng.random((n, 2))
    positions = inside * (np.asarray(field_um) / (rows, columns))
    return Labels(positions, np.zeros(n, np.int64))


def read_positions(path: Path, pixel_size_um: float) -> np.ndarray:
    """World coordinates (n, 2) y, x in um from a CSV table with a header or from a truth file.

    Columns are ``y_um`` and ``x_um`` in world coordinates (zero in the middle of the first pixel),
    or ``y [nm]`` and ``x [nm]`` as localisation programs write, with zero at the image's corner.

    Raises
    ------
    InputError
        No such columns, or something that is not a finite number in them.
    """
    try:
        positions = _positions_in(path, pixel_size_um)
    except (*UNREADABLE, ValueError, TypeError, LookupError) as error:
        why = str(error).split(". ")[0]
        raise InputError(f"The positions in {path.name} cannot be read ({why}).") from None
    if positions is None:
        raise InputError(
            f"{path.name} has no columns y_um and x_um, or 'y [nm]' and 'x [nm]'; name them so."
        )
    if not np.isfinite(positions).all():
        raise InputError(
            f"Some positions in {path.name} are not finite numbers; take them out of the table."
        )
    return positions


def _positions_in(path: Path, pixel_size_um: float) -> np.ndarray | None:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            positions = np.asarray(stored["positions_um"], dtype=np.float64)
        if positions.ndim not in (2, 3) or positions.shape[-1] not in (2, 3):
            raise ValueError(f"positions_um has the shape {positions.shape}")
        return (positions[0] if positions.ndim == 3 else positions)[:, -2:]
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        names = {n.strip().strip('"').lower(): n for n in table.fieldnames or ()}
        for y, x, scale, shift in (
            ("y_um", "x_um", 1.0, 0.0),
            ("y [nm]", "x [nm]", 1e-3, pixel_size_um / 2),
        ):
            if y in names and x in names:
                rows = [(float(r[names[y]]), float(r[names[x]])) for r in table]
                table_um = scale * np.asarray(rows, dtype=np.float64).reshape(-1, 2)
                return np.asarray(table_um - shift)
    return None


def _read_image(path: Path) -> np.ndarray:
    from tifffile import imread

    try:
        image = np.asarray(imread(path), dtype=np.float64)
    except Exception as error:
        raise InputError(f"{path.name} cannot be read as a TIFF ({error}).") from None
    if image.ndim != 2 or not np.isfinite(image).all() or image.min() < 0 or image.sum() <= 0:
        raise InputError(
            f"{path.name} is no image of densities; give one that is 2-D, not negative and not "
            "empty."
        )
    return image

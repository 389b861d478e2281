"""Structures of all kinds, as positions of their emitters in µm."""

from __future__ import annotations

import numpy as np

from napari_sofinet.simulation.filaments import Field, actin, microtubules
from napari_sofinet.simulation.labels import (
    Labels,
    label_curves,
    label_imperfectly,
    no_labels,
)
from napari_sofinet.simulation.membranes import mitochondria, vesicles
from napari_sofinet.simulation.resolution_targets import (
    ARGOLIGHT_WIDTH_UM,
    argolight,
    siemens_star,
)
from napari_sofinet.simulation.sample_settings import StructureSettings
from napari_sofinet.simulation.settings import SimulationSettings
from napari_sofinet.simulation.structure_files import labels_from_file


def place(settings: SimulationSettings, rng: np.random.Generator) -> Labels:
    """Place the emitters of a structure in the field of view and a little around it.

    Parameters
    ----------
    settings : SimulationSettings
        Structure, field of view and width of the PSF.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Labels
        Emitters; the origin is the corner of the field of view.

    Raises
    ------
    InputError
        A file of positions or an image cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_sofinet.simulation import SimulationSettings
    >>> from napari_sofinet.simulation.sample_settings import StructureSettings
    >>> points = SimulationSettings(structure=StructureSettings(kind="points", count=5))
    >>> len(place(points, np.random.default_rng(1)))
    5
    """
    s = settings.structure
    if s.kind in ("table", "image"):
        made = labels_from_file(s, settings.field_um, settings.pixel_size_um, rng)
    elif s.kind == "argolight":
        made = argolight(
            settings.field_um,
            s.emitters_per_um,
            rng,
            spacing_um=None if s.spacing_nm is None else s.spacing_nm / 1000,
            line_um=s.size_um or ARGOLIGHT_WIDTH_UM,
        )
    elif s.kind == "siemens-star":
        made = siemens_star(settings.field_um, s.emitters_per_um2, rng)
    elif s.kind == "points":
        made = points(settings.field_um, s.count, rng, disc_um=s.size_um)
    else:
        margin = settings.margin_um
        height, width = settings.field_um
        around = _fill(s, (height + 2 * margin, width + 2 * margin), rng)
        made = Labels(around.positions_um - margin, around.object)
    return label_imperfectly(made, s, rng)


def _fill(s: StructureSettings, field_um: Field, rng: np.random.Generator) -> Labels:
    """Return a structure that goes on beyond the field of view, in a field of this size."""
    if s.kind in ("microtubules", "actin"):
        draw, persistence, length = {
            "microtubules": (microtubules, 20.0, 25.0),
            "actin": (actin, 30.0, 12.0),
        }[s.kind]
        curves = draw(
            field_um,
            s.count,
            rng,
            persistence_um=s.persistence_um or persistence,
            length_um=s.length_um or length,
        )
        return label_curves(curves, s.emitters_per_um, rng, even=s.spacing == "even")
    if s.kind == "mitochondria":
        return mitochondria(
            field_um,
            s.count,
            s.emitters_per_um2,
            rng,
            diameter_um=s.size_um or 0.4,
            persistence_um=s.persistence_um or 6.0,
            length_um=s.length_um or 3.0,
        )
    if s.kind == "vesicles":
        diameter = s.size_um or 0.12
        return vesicles(field_um, s.count, s.emitters_per_um2, rng, diameter_um=diameter)
    if s.kind == "rings":
        diameter, even = s.size_um or 0.3, s.spacing == "even"
        return rings(field_um, s.count, s.emitters_per_um, rng, diameter_um=diameter, even=even)
    if s.kind == "random":
        return scattered(field_um, s.emitters_per_um2, rng)
    return no_labels()


def rings(
    field_um: Field,
    count: int,
    density_per_um: float,
    rng: np.random.Generator,
    *,
    diameter_um: float = 0.3,
    even: bool = False,
) -> Labels:
    """Label circles at random positions.

    Parameters
    ----------
    field_um : tuple of float
        Height and width of the field in µm.
    count : int
        Number of rings.
    density_per_um : float
        Emitters per µm of a ring.
    rng : numpy.random.Generator
        Source of randomness.
    diameter_um : float, default 0.3
        Mean diameter in µm; rings are up to 20 % smaller or larger.
    even : bool, default False
        Whether the emitters of a ring are equally far apart, or lie at random.

    Returns
    -------
    Labels
        Every ring is one object.
    """
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


def scattered(field_um: Field, density_per_um2: float, rng: np.random.Generator) -> Labels:
    """Place emitters anywhere in a field.

    Parameters
    ----------
    field_um : tuple of float
        Height and width of the field in µm.
    density_per_um2 : float
        Mean number of emitters per µm².
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Labels
        Every emitter is an object of its own.
    """
    n = rng.poisson(density_per_um2 * field_um[0] * field_um[1])
    return Labels(rng.uniform((0.0, 0.0), field_um, (n, 2)), np.arange(n))


def points(
    field_um: Field, count: int, rng: np.random.Generator, *, disc_um: float | None = None
) -> Labels:
    """Place a given number of emitters anywhere in a field, or on a disc in its middle.

    Parameters
    ----------
    field_um : tuple of float
        Height and width of the field in µm.
    count : int
        Number of emitters.
    rng : numpy.random.Generator
        Source of randomness.
    disc_um : float, optional
        Diameter of the disc in µm; by default emitters lie anywhere.

    Returns
    -------
    Labels
        Every emitter is an object of its own.
    """
    if disc_um is None:
        return Labels(rng.uniform((0.0, 0.0), field_um, (count, 2)), np.arange(count))
    distance = disc_um / 2 * np.sqrt(rng.random(count))
    angle = rng.uniform(0, 2 * np.pi, count)
    offset = distance[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return Labels(np.asarray(field_um) / 2 + offset, np.arange(count))

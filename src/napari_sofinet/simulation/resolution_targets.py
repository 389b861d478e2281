"""Test patterns for resolution: pairs of lines and a Siemens star."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.simulation.filaments import Field
from napari_sofinet.simulation.labels import Labels, label_curves

ARGOLIGHT_SPACINGS_UM = np.arange(0.39, 0.11, -0.03)
"""Distances of the ten pairs of lines, those on the slide of Argolight that FluoGAN used."""
ARGOLIGHT_WIDTH_UM = 0.1
LEAST_PITCH_UM = 1.0
"""Least distance of neighbouring pairs: with less, light of one covers the next."""
COVERED = 0.1, 0.9
"""First and last part of the field's height that the lines cover."""
SIEMENS_SPOKES = 36


@dataclass(frozen=True)
class LinePair:
    """Two vertical lines.

    Parameters
    ----------
    centre_um : float
        Middle between them in µm from the field's left edge.
    spacing_um : float
        Distance of their middles in µm.
    """

    centre_um: float
    spacing_um: float


def argolight_pairs(width_um: float, spacing_um: float | None = None) -> tuple[LinePair, ...]:
    """Return the pairs of lines in a field of a width.

    Parameters
    ----------
    width_um : float
        Width of the field in µm.
    spacing_um : float, optional
        Distance of the lines of a single pair in the middle of the field. By default there are ten
        pairs, 390 to 120 nm apart; of these, a field narrower than 10 µm has the closest ones.

    Returns
    -------
    tuple of LinePair
        From left to right.

    Raises
    ------
    InputError
        The single pair does not fit into the field.

    Examples
    --------
    >>> [round(1000 * pair.spacing_um) for pair in argolight_pairs(4.0)]
    [210, 180, 150, 120]
    """
    if spacing_um is not None:
        if spacing_um >= width_um:
            raise InputError(
                f"Lines {1000 * spacing_um:.4g} nm apart do not fit into a field {width_um:.4g} µm "
                "wide; lower structure.spacing_nm or simulate more columns."
            )
        return (LinePair(width_um / 2, spacing_um),)
    count = int(np.clip(width_um / LEAST_PITCH_UM, 1, len(ARGOLIGHT_SPACINGS_UM)))
    centres = width_um * (np.arange(count) + 0.5) / count
    spacings = ARGOLIGHT_SPACINGS_UM[-count:]
    return tuple(LinePair(float(c), float(d)) for c, d in zip(centres, spacings, strict=True))


def argolight(
    field_um: Field,
    density_per_um: float,
    rng: np.random.Generator,
    *,
    spacing_um: float | None = None,
    line_um: float = ARGOLIGHT_WIDTH_UM,
) -> Labels:
    """Label pairs of vertical lines, see `argolight_pairs`.

    Parameters
    ----------
    field_um : tuple of float
        Height and width of the field in µm. Lines cover the middle 80 % of its height.
    density_per_um : float
        Emitters per µm of a line.
    rng : numpy.random.Generator
        Source of randomness.
    spacing_um : float, optional
        Distance of the lines of a single pair.
    line_um : float, default 0.1
        Width of a line in µm.

    Returns
    -------
    Labels
        Every line is one object.

    Raises
    ------
    InputError
        The single pair does not fit into the field.
    """
    height, width = field_um
    first, last = (part * height for part in COVERED)
    lines = [
        np.array([[first, x], [last, x]])
        for pair in argolight_pairs(width, spacing_um)
        for x in (pair.centre_um - pair.spacing_um / 2, pair.centre_um + pair.spacing_um / 2)
    ]
    made = label_curves(lines, density_per_um, rng)
    across = np.stack([np.zeros(len(made)), rng.uniform(-0.5, 0.5, len(made)) * line_um], axis=1)
    return Labels(made.positions_um + across, made.object)


def siemens_star(field_um: Field, density_per_um2: float, rng: np.random.Generator) -> Labels:
    """Label a star of 36 spokes: bright and dark sectors of 5 degrees, 90 % of the field wide.

    Parameters
    ----------
    field_um : tuple of float
        Height and width of the field in µm.
    density_per_um2 : float
        Emitters per µm² of a spoke.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Labels
        Every spoke is one object.
    """
    radius = 0.45 * min(field_um)
    n = rng.poisson(density_per_um2 * np.pi * radius**2 / 2)
    spoke = rng.integers(0, SIEMENS_SPOKES, n)
    angle = 2 * np.pi * (spoke + 0.5 * rng.random(n)) / SIEMENS_SPOKES
    distance = radius * np.sqrt(rng.random(n))
    centre = np.asarray(field_um) / 2
    offset = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return Labels(centre + distance[:, None] * offset, spoke)

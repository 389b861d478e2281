"""Test patterns for resolution: pairs of lines and a Siemens star."""

from __future__ import annotations

import numpy as np

from napari_sofinet.simulation.filaments import Field
from napari_sofinet.simulation.labels import Labels, label_curves

ARGOLIGHT_SPACINGS_UM = np.arange(0.39, 0.11, -0.03)
"""Distances of the ten pairs of lines, those on the slide of Argolight that FluoGAN used."""
SIEMENS_SPOKES = 36


def argolight(field_um: Field, density_per_um: float, rng: np.random.Generator) -> Labels:
    """Label pairs of vertical lines, from left to right 390 to 120 nm apart in steps of 30 nm.

    Parameters
    ----------
    field_um : tuple of float
        Height and width of the field in µm. Lines cover the middle 80 % of its height.
    density_per_um : float
        Emitters per µm of a line.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Labels
        Every line is one object.
    """
    height, width = field_um
    centres = width * (np.arange(len(ARGOLIGHT_SPACINGS_UM)) + 0.5) / len(ARGOLIGHT_SPACINGS_UM)
    lines = []
    for centre, spacing in zip(centres, ARGOLIGHT_SPACINGS_UM, strict=True):
        for side in (-0.5, 0.5):
            x = centre + side * spacing
            lines.append(np.array([[0.1 * height, x], [0.9 * height, x]]))
    return label_curves(lines, density_per_um, rng)


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

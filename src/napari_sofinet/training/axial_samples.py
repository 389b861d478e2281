"""Simulated SIM stacks for the training of a network that refines them, with their truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from napari_sofinet.networks.axial import FINER, FOLD
from napari_sofinet.networks.axial_maps import axial_maps
from napari_sofinet.simulation.sim_rendering import render_confocal, render_exposures
from napari_sofinet.simulation.sim_structures import STRUCTURES, Box
from napari_sofinet.structured_illumination.geometry import StackGeometry
from napari_sofinet.structured_illumination.noise import noise_over_signal, noise_variance
from napari_sofinet.structured_illumination.optics import Optics
from napari_sofinet.structured_illumination.pattern import Pattern, hexagonal
from napari_sofinet.structured_illumination.wiener import WienerFilter

OPTICS = Optics()
GEOMETRY = StackGeometry(6.5 / 60, 0.35, continuous=True)
"""Microscope and sampling of Boland et al. (2021)."""
MARGIN_PX, MARGIN_PLANES = 8, 2
"""Borders of a simulated stack that are reconstructed, but not learnt."""
TARGET_GAIN = 4.0
"""Factor of the truth, whose samples share the light of a plane, so that it is of the size of the
input."""
KINDS = {
    "chromatin": (0.18, 1, 4),
    "sphere": (0.1, 300, 6000),
    "filaments": (0.2, 3, 30),
    "membranes": (0.16, 1, 8),
    "volumes": (0.12, 1, 6),
    "points": (0.1, 10, 500),
    "beyond": (0.08, 100, 6000),
    "nothing": (0.06, 0, 0),
}
"""Share of each structure, and least and largest number of objects. ``beyond``: points above or
below the stack; all light is out of focus, and nothing is to be drawn."""
DIM_SHARE = 0.35
"""Share of stacks with fewer than 150 photons in their brightest pixel, which are the hardest."""


@dataclass(frozen=True)
class Stack:
    """Input of the network for one simulated stack, and its truth.

    Parameters
    ----------
    maps : torch.Tensor
        (Z, 6, Y, X) input.
    target : torch.Tensor
        (3 Z, 2 Y, 2 X) ideal confocal picture.
    """

    maps: torch.Tensor
    target: torch.Tensor


def simulate_stack(rng: np.random.Generator, side_px: int, planes: int, kind: str = "") -> Stack:
    """Return a stack of a random structure.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    side_px, planes : int
        Size that can be used, without borders.
    kind : str, optional
        One of `KINDS`; by default one of them by its share.

    Returns
    -------
    Stack
        Input and truth, in units in which the bright parts of the reconstruction are 1.
    """
    made = simulate_exposures(rng, side_px, planes, kind)
    maps, scale = _reconstructed(rng, made.exposures, made.pattern)
    return Stack(maps, torch.from_numpy(made.truth * np.float32(TARGET_GAIN / scale)))


@dataclass(frozen=True)
class Exposed:
    """Exposures of a random structure, and its truth.

    Parameters
    ----------
    exposures : ndarray
        (P, Z, Y, X) counts above the offset, with `MARGIN_PLANES` and `MARGIN_PX` on every side.
    pattern : Pattern
        The pattern.
    truth : ndarray
        (3 Z, 2 Y, 2 X) ideal confocal picture without the margins, in counts of a point that is as
        bright.
    """

    exposures: np.ndarray
    pattern: Pattern
    truth: np.ndarray


def simulate_exposures(
    rng: np.random.Generator, side_px: int, planes: int, kind: str = ""
) -> Exposed:
    """Return exposures of a random structure; see `simulate_stack`."""
    kind = kind or str(rng.choice(list(KINDS), p=[share for share, _, _ in KINDS.values()]))
    side, depth = side_px + 2 * MARGIN_PX, planes + 2 * MARGIN_PLANES
    positions, brightness = _sample(rng, kind, side, depth)
    pattern = _any_pattern(rng)
    light = _light(rng, positions, brightness, pattern, (pattern.exposures, depth, side, side))
    exposures, per_photon = _exposed(rng, light)
    fine = FINER * planes, FOLD * side_px, FOLD * side_px
    truth = np.zeros(fine, np.float32)
    if len(positions) and kind != "beyond":
        truth += _ideal(positions, brightness, fine) * np.float32(per_photon)
    return Exposed(exposures, pattern, truth)


def _any_pattern(rng: np.random.Generator) -> Pattern:
    """Return a hexagonal pattern of any angle, phase and contrast."""
    pattern = hexagonal(
        OPTICS.cutoff_per_um,
        rng.uniform(0.88, 1.0),
        bool(rng.random() < 0.5),
        rng.uniform(0, 60),
        (rng.uniform(0, 0.3), rng.uniform(0, 0.3)),
    )
    return replace(pattern, weights=pattern.weights * rng.uniform(0.6, 1))


def _light(
    rng: np.random.Generator,
    positions: np.ndarray,
    brightness: np.ndarray,
    pattern: Pattern,
    shape: tuple[int, int, int, int],
) -> np.ndarray:
    """Return the images (P, Z, Y, X) of points under a microscope that is not quite the nominal."""
    if not len(positions):
        return np.zeros(shape, np.float32)
    optics = Optics(
        OPTICS.numerical_aperture * rng.uniform(0.96, 1.03),
        OPTICS.refractive_index,
        OPTICS.wavelength_um,
        OPTICS.sheet_fwhm_um * rng.uniform(0.8, 1.25),
    )
    at = np.arange(shape[1]) * GEOMETRY.plane_um
    depths = GEOMETRY.exposure_depths_um(shape[0])[:, None] + at
    pixel = GEOMETRY.pixel_um
    area = bool(rng.random() < 0.5)
    return render_exposures(
        positions, brightness, pattern, optics, pixel, depths, shape[2:], pixel_area=area
    )


def _reconstructed(
    rng: np.random.Generator, exposures: np.ndarray, pattern: Pattern
) -> tuple[torch.Tensor, float]:
    """Return the input of the network (Z, 6, Y, X) without borders, and what became 1."""
    found = _roughly_known(rng, pattern, exposures.shape[-1] * GEOMETRY.pixel_um)
    variance = noise_variance(exposures, OPTICS, GEOMETRY)
    noise = noise_over_signal(exposures, variance, found, OPTICS, GEOMETRY)
    planes, rows, columns = exposures.shape[1:]
    wiener = WienerFilter(found, OPTICS, GEOMETRY, (planes, rows, columns), noise)
    inner, fine = (
        np.s_[
            MARGIN_PLANES:-MARGIN_PLANES,
            step * MARGIN_PX : -step * MARGIN_PX,
            step * MARGIN_PX : -step * MARGIN_PX,
        ]
        for step in (1, FOLD)
    )
    sigma = float(np.sqrt(variance)) * wiener.noise_gain()
    return axial_maps(wiener.apply(exposures)[fine], exposures.mean(0)[inner], sigma)


def _ideal(
    positions: np.ndarray, brightness: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """Return the ideal confocal picture (3 Z, 2 Y, 2 X) of points."""
    pixel = GEOMETRY.pixel_um
    depths = (MARGIN_PLANES + (np.arange(shape[0]) - 1) / FINER) * GEOMETRY.plane_um
    corner = np.array([0, MARGIN_PX * pixel, MARGIN_PX * pixel])
    confocal = OPTICS.with_wavelength(OPTICS.wavelength_um / float(np.sqrt(2)))
    return render_confocal(
        positions - corner, brightness, confocal, pixel / FOLD, depths, shape[1:]
    )


def _sample(
    rng: np.random.Generator, kind: str, side: int, depth: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (N, 3) of points in um and their brightness (N,)."""
    if kind == "nothing":
        return np.zeros((0, 3)), np.zeros(0)
    box = Box(depth * GEOMETRY.plane_um, side * GEOMETRY.pixel_um, side * GEOMETRY.pixel_um)
    _, least, most = KINDS[kind]
    count = int(np.exp(rng.uniform(np.log(least), np.log(most + 1))))
    if kind == "beyond":
        positions = STRUCTURES["points"](rng, box, count)
        distance = rng.uniform(0.8, 1.8) + positions[:, 0] * rng.uniform(0.1, 0.6)
        positions[:, 0] = np.where(rng.random() < 0.5, -distance, box.depth_um + distance)
        return positions, np.ones(count)
    positions = STRUCTURES[kind](rng, box, count)
    spread = rng.uniform(0, 0.7)
    brightness = rng.lognormal(0, spread, len(positions))
    if kind == "filaments":  # dyes on a filament are many: it is its label that varies
        brightness = np.repeat(rng.lognormal(0, 0.3, -(-len(positions) // 50)), 50)[
            : len(positions)
        ]
    if rng.random() < 0.2:  # all of it out of focus, at one end
        positions[:, 0] += rng.choice([-1, 1]) * rng.uniform(0.5, 1) * box.depth_um
    return positions, brightness


def _exposed(rng: np.random.Generator, light: np.ndarray) -> tuple[np.ndarray, float]:
    """Return counts of exposures, and counts per unit of light."""
    most = 150 if rng.random() < DIM_SHARE else 3000
    photons = np.exp(rng.uniform(np.log(12), np.log(most)))
    brightest = float(light.max())
    per_photon = photons / brightest if brightest > 0 else 1.0
    haze = photons * rng.uniform(0, 0.3) * (rng.random() < 0.6)
    counts = rng.poisson(np.maximum(light * per_photon, 0) + haze).astype(np.float32) - haze
    counts += rng.normal(0, rng.uniform(0, 2.5), light.shape).astype(np.float32)
    return np.asarray(counts, np.float32), per_photon


def _roughly_known(rng: np.random.Generator, pattern: Pattern, field_um: float) -> Pattern:
    """Return a pattern as well as it is known from exposures."""
    gratings = len(pattern.frequencies_per_um)
    frequencies = pattern.frequencies_per_um + rng.normal(0, 0.02 / field_um, (gratings, 2))
    factor = rng.uniform(0.85, 1.1, gratings) * np.exp(1j * rng.normal(0, 0.08, gratings))
    return replace(pattern, frequencies_per_um=frequencies, weights=pattern.weights * factor)

"""Patterns of structured illumination: gratings and their phases in each exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.base.errors import InputError


@dataclass(frozen=True)
class Pattern:
    """Illumination of a series of exposures: a mean and gratings.

    The brightness of exposure j at (z, y, x) is ``1 + Re(sum_h weights[j, h] exp(2 pi i
    frequencies[h] . (y, x)) cos(2 pi axial[h] (z - focus)))``, with coordinates in um from the
    centre of pixel (0, 0).

    Parameters
    ----------
    frequencies_per_um : ndarray
        (H, 2) frequencies along y and x in cycles per um.
    weights : ndarray
        (P, H) complex: modulation and phase of each grating in each exposure.
    axial_per_um : ndarray
        (H,) frequencies along z in cycles per um; 0 for gratings that are the same at all depths.
    name : str
        Name for messages.
    orders : tuple of int
        1 for a grating of its own; 2 for one with twice the frequency of the grating before.
    """

    frequencies_per_um: np.ndarray
    weights: np.ndarray
    axial_per_um: np.ndarray
    name: str
    orders: tuple[int, ...]

    def __post_init__(self) -> None:
        gratings = len(self.frequencies_per_um)
        assert self.frequencies_per_um.shape == (gratings, 2)
        assert self.weights.shape[1] == gratings == len(self.axial_per_um)

    @property
    def exposures(self) -> int:
        """Number of exposures of a plane."""
        return len(self.weights)

    def brightness(self, positions_um: np.ndarray, depth_um: float = 0.0) -> np.ndarray:
        """Return the illumination (P, N) at positions (N, 2) in um, at a distance from focus."""
        waves = np.exp(2j * np.pi * positions_um @ self.frequencies_per_um.T)
        waves = waves * np.cos(2 * np.pi * self.axial_per_um * depth_um)
        return np.asarray(1 + (waves @ self.weights.T).real.T)


def hexagonal(
    cutoff_per_um: float,
    fineness: float = 1.0,
    axial_polarisation: bool = False,
    angle_deg: float = 0.0,
    offset_um: tuple[float, float] = (0.0, 0.0),
) -> Pattern:
    """Return the hexagonal pattern of three beams with seven exposures.

    Ingerman et al., J. Microsc. 273, 3 (2019); Gong et al., Phil. Trans. R. Soc. A 379, 20200162
    (2021). In each exposure the three gratings are shifted by other multiples of a seventh, so that
    a Fourier transform over the exposures separates them.

    Parameters
    ----------
    cutoff_per_um : float
        Highest lateral frequency that the objective passes, in cycles per um.
    fineness : float, default 1
        Frequency of the gratings over ``cutoff_per_um``.
    axial_polarisation : bool, optional
        Whether beams are polarised along the optical axis, which gives bright spots, rather than in
        the plane, which gives dark ones.
    angle_deg : float, optional
        Angle by which the pattern is turned.
    offset_um : (float, float), optional
        Shift of the pattern along y and x in um.

    Returns
    -------
    Pattern
        Three gratings and seven exposures.
    """
    angles = np.deg2rad(angle_deg) + np.array([0, 2, 4]) * np.pi / 3
    frequencies = fineness * cutoff_per_um * np.stack([np.cos(angles), np.sin(angles)], 1)
    # Closed triangle of frequencies, hence the shifts add up to a whole turn in each exposure.
    turns = np.outer(np.arange(7) + 1, [-3, 1, 2]) / 7
    # Three beams in the plane: contrast 1/3 with dark spots; along the axis: 2/3 with bright ones.
    modulation = 2 / 3 if axial_polarisation else -1 / 3
    phases = turns - frequencies @ np.asarray(offset_um)
    return Pattern(
        frequencies,
        modulation * np.exp(2j * np.pi * phases),
        np.zeros(3),
        "hexagonal, 7 exposures",
        (1, 1, 1),
    )


def stripes(
    frequency_per_um: float,
    directions: int = 3,
    phases: int = 3,
    contrast: float = 1.0,
    axial_per_um: float = 0.0,
    angle_deg: float = 0.0,
    offsets: np.ndarray | None = None,
) -> Pattern:
    """Return stripes in several directions, shifted in even steps.

    Exposures go through the phases of the first direction, then of the second. Three phases are
    those of two beams; five those of three beams, whose coarse grating has half the frequency and
    changes with depth (Gustafsson et al., Biophys. J. 94, 4957 (2008)).

    Parameters
    ----------
    frequency_per_um : float
        Frequency of the finest stripes in cycles per um.
    directions : int, default 3
        Number of directions, at even angles over half a turn.
    phases : {3, 5}
        Exposures per direction.
    contrast : float, default 1
        Modulation of the stripes, 0 to 1.
    axial_per_um : float, optional
        Axial frequency of the coarse grating of three beams in cycles per um.
    angle_deg : float, optional
        Angle of the first direction.
    offsets : ndarray, optional
        (directions,) phases of the first exposures in turns; by default 0.

    Returns
    -------
    Pattern
        One grating per direction and order.

    Raises
    ------
    InputError
        There are other numbers of phases, or no direction.
    """
    if phases not in (3, 5) or directions < 1:
        raise InputError("Stripes have one direction or more and three or five phases.")
    orders = 1 if phases == 3 else 2
    begin = np.zeros(directions) if offsets is None else np.asarray(offsets, float)
    frequencies: list[np.ndarray] = []
    axial: list[float] = []
    weights = np.zeros((directions * phases, directions * orders), complex)
    for d in range(directions):
        angle = np.deg2rad(angle_deg) + np.pi * d / directions
        finest = frequency_per_um * np.array([np.cos(angle), np.sin(angle)])
        for order in range(1, orders + 1):
            h = len(frequencies)
            frequencies.append(finest * order / orders)
            axial.append(axial_per_um if order < orders else 0.0)
            turns = order * (begin[d] + np.arange(phases) / phases)
            # Three beams of equal strength: 3 + 4 cos + 2 cos of twice the phase.
            strength = contrast * (1.0 if orders == 1 else (4 / 3, 2 / 3)[order - 1])
            weights[d * phases : (d + 1) * phases, h] = strength * np.exp(2j * np.pi * turns)
    beams = "two" if phases == 3 else "three"
    name = f"stripes of {beams} beams, {directions} x {phases} exposures"
    order_of = tuple(range(1, orders + 1)) * directions
    return Pattern(np.array(frequencies), weights, np.array(axial), name, order_of)

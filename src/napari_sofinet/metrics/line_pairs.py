"""How well two parallel lines are separated: the dip between them and their distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.metrics.profiles import Profile, fit_peaks

RESOLVED = 0.2
"""Least dip of two lines that count as resolved."""
APART = 0.25
"""Distance of a peak from its line, in spacings, up to which it counts as that of the line."""
STEPS = 41
"""Points at which a profile is looked at within a spacing."""


@dataclass(frozen=True)
class Separation:
    """Two lines in a profile across them.

    Parameters
    ----------
    dip : float
        1 minus the lowest value between the peaks over the lower peak; 0 if there is no dip, 1 if
        it reaches the base.
    distance : float or None
        Distance of the lines in the unit of the profile, by a fit of two Gaussians or, where it
        fails, that of the highest values; None if they are not resolved.
    widths : tuple of float
        Full width at half maximum of both lines by this fit, in the same unit; empty if nothing
        fits.
    """

    dip: float
    distance: float | None
    widths: tuple[float, ...]

    @property
    def resolved(self) -> bool:
        """Whether the dip is at least 20 %."""
        return self.dip >= RESOLVED


def separation(profile: Profile, centre: float, spacing: float) -> Separation:
    """Measure the dip between two lines at known places.

    The peaks are the highest values within a quarter of the spacing of either line. Values count
    from the lowest one of the profile, which is its base, so that a camera's offset or a background
    does not hide a dip.

    Parameters
    ----------
    profile : Profile
        Brightness across the lines and beside them.
    centre : float
        Middle between the lines.
    spacing : float
        Their distance, in the unit of the profile.

    Returns
    -------
    Separation
        Dip, distance and widths.

    Raises
    ------
    InputError
        The profile does not contain the lines.

    Examples
    --------
    >>> x = np.arange(0, 40.0)
    >>> two = np.exp(-((x - 14) ** 2) / 18) + np.exp(-((x - 25) ** 2) / 18)
    >>> found = separation(Profile(x, two), 19.5, 11)
    >>> round(found.dip, 2), round(found.distance, 1), found.resolved
    (0.62, 11.0, True)
    """
    x, y = profile.distance, np.asarray(profile.values, np.float64)
    half, reach = spacing / 2, APART * spacing
    if len(x) < 2 or centre - half < x[0] or centre + half > x[-1]:
        raise InputError("The picture does not show all of the two lines; take a larger part.")
    y = y - y.min()
    peaks = []
    for line in (centre - half, centre + half):
        at = np.linspace(line - reach, line + reach, STEPS)
        values = np.interp(at, x, y)
        peaks.append((float(at[values.argmax()]), float(values.max())))
    (left, low), (right, high) = peaks
    between = float(np.interp(np.linspace(left, right, 2 * STEPS), x, y).min())
    lower = min(low, high)
    dip = max(1 - between / lower, 0.0) if lower > 0 else 0.0
    if dip < RESOLVED:
        return Separation(dip, None, ())
    fit = fit_peaks(profile, 2)
    if fit.reason is not None:
        return Separation(dip, right - left, ())
    return Separation(dip, fit.centers[1] - fit.centers[0], fit.fwhm)


def two_peaks(profile: Profile) -> tuple[float, float] | None:
    """Return the places of the two most prominent peaks of a profile, None if it has one or none.

    Parameters
    ----------
    profile : Profile
        Brightness across two lines.

    Examples
    --------
    >>> x = np.arange(40.0)
    >>> y = np.exp(-((x - 14) ** 2) / 18) + np.exp(-((x - 25) ** 2) / 18)
    >>> two_peaks(Profile(x, y))
    (14.0, 25.0)
    """
    from scipy.signal import find_peaks

    tops, found = find_peaks(profile.values, prominence=0)
    if len(tops) < 2:
        return None
    left, right = sorted(tops[np.argsort(found["prominences"])[-2:]])
    return float(profile.distance[left]), float(profile.distance[right])


def smallest_resolved(spacings: list[float], found: list[Separation]) -> float | None:
    """Return the smallest spacing that is resolved, like all wider ones; None if not even one is.

    Parameters
    ----------
    spacings : list of float
        Spacing of each pair of lines.
    found : list of Separation
        What was measured of it.
    """
    smallest = None
    for spacing, one in sorted(zip(spacings, found, strict=True), key=lambda pair: -pair[0]):
        if not one.resolved:
            break
        smallest = spacing
    return smallest

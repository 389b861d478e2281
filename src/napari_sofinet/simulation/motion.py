"""Motion of the sample: where what was at a place at time zero is later."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sofinet.simulation.settings import MotionSettings

GOLDEN_ANGLE = float(np.pi * (3 - np.sqrt(5)))


def moved(
    settings: MotionSettings,
    y_um: Any,
    x_um: Any,
    objects: Any,
    time_s: Any,
    centre_um: tuple[float, float],
    xp: Any = np,
) -> tuple[Any, Any]:
    """Coordinates at a time.

    Parameters
    ----------
    y_um, x_um
        (n,) coordinates at time zero.
    objects
        (n,) number of the object each belongs to; objects are transported in directions of their
        own, which follow from their numbers.
    time_s
        (n,).
    centre_um
        What the rotation turns about: x (columns) turns towards y (rows, downwards).
    xp
        numpy or torch, whichever the arrays are of.

    Returns
    -------
    y and x: transport and sway come first, the whole is then turned and shifted.
    """
    s = settings
    y, x = y_um, x_um
    if s.transport_um_per_s:
        angle = GOLDEN_ANGLE * objects
        y = y + s.transport_um_per_s * time_s * xp.sin(angle)
        x = x + s.transport_um_per_s * time_s * xp.cos(angle)
    if s.wobble_um:
        swing = s.wobble_um * xp.sin(2 * np.pi / s.wobble_period_s * time_s)
        # Each axis sways along the other, so that nothing is squeezed.
        wave = 2 * np.pi / s.wobble_wave_um
        y, x = y + swing * xp.sin(wave * x_um), x + swing * xp.sin(wave * y_um)
    if s.rotation_deg_per_s:
        angle = float(np.deg2rad(s.rotation_deg_per_s)) * time_s
        cosine, sine = xp.cos(angle), xp.sin(angle)
        y, x = y - centre_um[0], x - centre_um[1]
        y, x = centre_um[0] + y * cosine + x * sine, centre_um[1] + x * cosine - y * sine
    return y + s.drift_y_um_per_s * time_s, x + s.drift_x_um_per_s * time_s

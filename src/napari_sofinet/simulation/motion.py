"""Motion of the sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sofinet.simulation.settings import MotionSettings

GOLDEN_ANGLE = float(np.pi * (3 - np.sqrt(5)))
"""Angle between the directions in which objects with successive numbers are transported."""


def moved(
    settings: MotionSettings,
    y_um: Any,
    x_um: Any,
    objects: Any,
    time_s: Any,
    centre_um: tuple[float, float],
    xp: Any = np,
) -> tuple[Any, Any]:
    """Return coordinates at other times.

    Transport and deformation come first; the whole is then rotated and shifted.

    Parameters
    ----------
    settings : MotionSettings
        Speeds and amplitudes.
    y_um, x_um : ndarray or torch.Tensor
        (n,) coordinates in µm at time zero.
    objects : ndarray or torch.Tensor
        (n,) number of the object that each belongs to. Objects are transported in directions of
        their own, which follow from their numbers.
    time_s : ndarray or torch.Tensor
        (n,) times in s.
    centre_um : tuple of float
        Centre y, x in µm of the rotation, which turns x (columns) towards y (rows, downwards).
    xp : module, default numpy
        Module of the arrays: numpy or torch.

    Returns
    -------
    y, x : ndarray or torch.Tensor
        (n,) coordinates in µm.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_sofinet.simulation.settings import MotionSettings
    >>> drift = MotionSettings(drift_x_um_per_s=0.1)
    >>> y, x = moved(drift, np.ones(2), np.ones(2), np.arange(2), np.array([0.0, 10.0]), (0, 0))
    >>> x
    array([1., 2.])
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

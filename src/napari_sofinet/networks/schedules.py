"""Levels of noise from the first to the last step of a sample; needs no torch."""

from __future__ import annotations

from typing import Literal

import numpy as np

Schedule = Literal["full", "guided", "paper"]
FIRST_LEVEL, LAST_LEVEL = 20.0, 0.005
GUIDED_LEVEL = 1.0
PAPER_STEPS, PAPER_BETAS = 100, (1e-4, 1e-2)


def noise_levels(schedule: Schedule, steps: int) -> np.ndarray:
    """Return the standard deviations of the noise, from the first to the last step.

    Parameters
    ----------
    schedule : {"full", "guided", "paper"}
        ``"full"`` begins with noise that hides any picture of brightness 1, ``"guided"`` with the
        prior estimate and as much noise as structure. Both go down in equal ratios, with which 12
        steps of second order keep a standard deviation within 4 %. ``"paper"`` are the 100 steps
        of Seitz and Liu (2024): beta from 1e-4 to 1e-2 for pictures from -1 to 1.
    steps : int
        Number of steps, except for ``"paper"``.

    Returns
    -------
    ndarray
        (steps,) in units of the picture.

    Examples
    --------
    >>> noise_levels("guided", 3).round(4)
    array([1.    , 0.0707, 0.005 ])
    """
    if schedule == "paper":
        left = np.cumprod(1 - np.linspace(*PAPER_BETAS, PAPER_STEPS))
        out: np.ndarray = np.sqrt((1 - left) / left)[::-1] / 2
        return out
    first = FIRST_LEVEL if schedule == "full" else GUIDED_LEVEL
    out = np.geomspace(first, LAST_LEVEL, steps)
    return out

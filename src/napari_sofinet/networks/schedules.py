"""How much noise there is at each step from noise to a sample; needs no torch."""

from __future__ import annotations

from typing import Literal

import numpy as np

Schedule = Literal["full", "guided", "paper"]
FIRST_LEVEL, LAST_LEVEL = 20.0, 0.005
GUIDED_LEVEL = 1.0
PAPER_STEPS, PAPER_BETAS = 100, (1e-4, 1e-2)


def noise_levels(schedule: Schedule, steps: int) -> np.ndarray:
    """Standard deviations of noise, from the first to the last step, in units of the picture.

    ``"full"`` begins where no picture of brightness 1 can be told from noise, ``"guided"`` at the
    first guess with as much noise as the picture has structure; both in equal ratios, with which 12
    steps of second order keep a spread within 4 %. ``"paper"`` are the 100 steps of Seitz and Liu
    (2024) whatever ``steps`` says: beta from 1e-4 to 1e-2 for pictures from -1 to 1.
    """
    if schedule == "paper":
        left = np.cumprod(1 - np.linspace(*PAPER_BETAS, PAPER_STEPS))
        out: np.ndarray = np.sqrt((1 - left) / left)[::-1] / 2
        return out
    first = FIRST_LEVEL if schedule == "full" else GUIDED_LEVEL
    out = np.geomspace(first, LAST_LEVEL, steps)
    return out

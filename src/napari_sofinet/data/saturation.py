"""Pixels at the camera's full scale."""

from __future__ import annotations

import numpy as np

FEWEST_SATURATED = 3
"""Least number of pixels, since a single pixel may reach the end of 12 bits by chance."""


class Saturation:
    """Counts pixels at full scale, which bias every statistic of a movie."""

    def __init__(self) -> None:
        self.count = 0
        self.seen = 0
        self.highest = 0

    def add(self, block: np.ndarray) -> None:
        """Count the pixels in a block of unsigned integers that are at the camera's full scale.

        Full scale is the largest value of the dtype, or of 10, 12 or 14 bits if no pixel is
        brighter.
        """
        if block.dtype.kind != "u":
            return
        self.seen += block.size
        highest = int(block.max(initial=0))
        if highest > self.highest:
            self.highest, self.count = highest, 0
        ends = (np.iinfo(block.dtype).max, 1023, 4095, 16383)
        if highest == self.highest and highest in ends:
            self.count += int(np.count_nonzero(block == highest))

    @property
    def note(self) -> str | None:
        """Sentence about the percentage of saturated pixels; None if there are none."""
        certain = self.highest in (255, 65535)
        if self.count < (1 if certain else FEWEST_SATURATED):
            return None
        percentage = 100 * self.count / self.seen
        return f"{percentage:.2g} % of the pixels are saturated; the picture is not reliable there."

"""Frames of a sample that moves, each moved back to one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EDGE_PX = 8
"""Mirrored pixels around a frame that is moved."""


@dataclass(frozen=True, eq=False)
class MoveBack:
    """Move every frame back by the position of the sample.

    Whole pixels are moved as they are, with the outermost ones repeated; the remainder is a shift
    of phases in Fourier space, which leaves the noise of neighbouring pixels independent. Splines
    would not, and SOFI would draw that noise.

    Parameters
    ----------
    start : int
        Number in the file of the first frame of the path.
    path : ndarray
        (T, 2) position y, x of the sample in every frame in camera pixels.
    """

    start: int
    path: np.ndarray

    def __call__(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Correct frames (t, Y, X) float32."""
        from scipy import fft

        _, rows, columns = frames.shape
        shape = (fft.next_fast_len(rows + 2 * EDGE_PX), fft.next_fast_len(columns + 2 * EDGE_PX))
        sides = [
            (EDGE_PX, long - n - EDGE_PX) for long, n in zip(shape, (rows, columns), strict=True)
        ]
        ky = 2j * np.pi * fft.fftfreq(shape[0])[:, None]
        kx = 2j * np.pi * fft.rfftfreq(shape[1])
        out = np.empty_like(frames)
        for t, frame in enumerate(frames):
            at = self.path[min(max(first + t - self.start, 0), len(self.path) - 1)]
            whole = np.round(at).astype(int)
            y, x = at - whole
            # Row i shows what was in row i + whole.
            inside = (
                np.clip(np.arange(n) + by, 0, n - 1)
                for n, by in zip((rows, columns), whole, strict=True)
            )
            phases = (np.exp(ky * y) * np.exp(kx * x)).astype(np.complex64)
            padded = np.pad(frame[np.ix_(*inside)], sides, mode="symmetric")
            moved = fft.irfft2(fft.rfft2(padded) * phases, shape)
            out[t] = moved[EDGE_PX : EDGE_PX + rows, EDGE_PX : EDGE_PX + columns]
        return out

"""Tables of localisations that several tests start from."""

from __future__ import annotations

import numpy as np

from napari_sofinet.data.table import LocalizationTable


def some_table(n: int = 500, seed: int = 0, **more) -> LocalizationTable:
    rng = np.random.default_rng(seed)
    return LocalizationTable(
        frame=np.sort(rng.integers(0, 100, n)),
        y_px=rng.uniform(-0.5, 40, n),
        x_px=rng.uniform(-0.5, 60, n),
        photons=rng.uniform(100, 5000, n),
        uncertainty_px=rng.uniform(0.01, 0.3, n),
        background=rng.uniform(0, 50, n),
        z_um=rng.normal(0, 0.3, n),
        camera_pixel_um=0.1,
        frames=100,
        **more,
    )


def drifting(n: int, frames: int, seed: int = 0, uncertainty: float = 0.1):
    """Curved lines of 40 px that move by 2.5 and 1.5 px; their table and the drift, y, x."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, (12, 1)) + np.cumsum(rng.normal(0, 0.03, (12, 500)), axis=1)
    step = 0.1 * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    lines = (rng.uniform(5, 35, (12, 1, 2)) + np.cumsum(step, axis=1)).reshape(-1, 2)
    t = np.arange(frames) / frames
    way = np.stack([2.5 * t + 0.3 * np.sin(5 * t), -1.5 * t**2 + 0.2 * np.cos(7 * t)], axis=1)
    way -= way[0]
    frame = np.sort(rng.integers(0, frames, n))
    at = lines[rng.integers(0, len(lines), n)] + way[frame]
    y, x = (at + rng.normal(0, uncertainty, (n, 2))).T
    return LocalizationTable(frame, y, x, camera_pixel_um=0.1, frames=frames), way

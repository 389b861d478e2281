"""Artefacts of real movies, added to a simulated one, for tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import erf

OFFSET = 100.0


def counts(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 65535).astype(np.uint16)


def spot(shape: tuple[int, int], y: float, x: float, sigma: float) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2 / sigma**2)


def lit(movie: np.ndarray, steady: np.ndarray, light: np.ndarray) -> np.ndarray:
    """A movie beside steady structure, under light that varies with time."""
    return counts(OFFSET + (movie - OFFSET + steady) * np.asarray(light)[:, None, None])


def steady_structure(movie: np.ndarray) -> np.ndarray:
    """Steady structure, ten times as bright as the mean of a movie, in another place."""
    mean = gaussian_filter(movie.mean(axis=0), 0.5)[::-1, ::-1]
    return 10 * np.clip(mean - np.percentile(mean, 5), 0, None)


def shaken(made, path_px: np.ndarray, seed: int = 0, background: object = 1.2) -> np.ndarray:
    """The emitters of a simulated movie on a stage that moves, seen by a camera without faults.

    The background, in photons per pixel, is of a shape that fits (T, Y, X).
    """
    events, settings = made.truth.events, made.truth.settings
    sigma = settings.psf_fwhm_px / 2.3548
    light = np.zeros((settings.frames, settings.rows, settings.columns)) + background
    for t, frame in enumerate(light):
        now = np.flatnonzero(np.asarray(events.frame) == t)
        emitters = np.asarray(events.emitter)[now]
        photons = np.asarray(events.fraction)[now] * np.asarray(made.truth.photons)[emitters]
        at = made.truth.positions_um[emitters] / settings.pixel_size_um + path_px[t]
        edges = (np.arange(n + 1) - 0.5 for n in frame.shape)
        y, x = (
            np.diff(erf((e - at[:, k, None]) / sigma / np.sqrt(2)), axis=1) / 2
            for k, e in enumerate(edges)
        )
        frame += (y * photons[:, None]).T @ x
    rng = np.random.default_rng(seed)
    return counts(OFFSET + 2 * rng.poisson(0.8 * light) + rng.normal(0, 2.8, light.shape))


def with_cosmic_rays(movie: np.ndarray, rng: np.random.Generator, number: int = 30) -> np.ndarray:
    out = movie.copy()
    frames, rows, columns = movie.shape
    for _ in range(number):
        t, y = rng.integers(frames), rng.integers(rows)
        x, length = rng.integers(columns - 5), rng.integers(1, 5)
        out[t, y, x : x + length] = 5000 + rng.integers(50000)
    return out


def with_bad_pixels(movie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    out = movie.astype(float)
    frames, rows, columns = movie.shape
    y, x = rng.integers(2, (rows - 2, columns - 2), (18, 2)).T
    out[:, y[:6], x[:6]] = 3000 + rng.normal(0, 55, (frames, 6))
    out[:, y[6:12], x[6:12]] += np.where(rng.random((frames, 6)) < 0.3, 1000, 0)
    out[:, y[12:], x[12:]] = 0
    out[:, :, columns // 3] = 0
    return counts(out)


def with_empty_frames(movie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    out = movie.copy()
    first, second, third = rng.choice(len(movie), 3, replace=False)
    out[first] = 0
    out[second, movie.shape[1] // 2 :] = 0
    out[third] = counts(OFFSET + rng.normal(0, 2, movie.shape[1:]))
    return out


def with_row_noise(movie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return counts(movie + rng.normal(0, 3, (*movie.shape[:2], 1)))


def with_column_noise(movie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return counts(movie + rng.normal(0, 3, (len(movie), 1, movie.shape[2])))


def with_flickering_half(movie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    upper = (np.arange(movie.shape[1]) < movie.shape[1] // 2)[:, None]
    return counts(movie + upper * rng.normal(0, 3, (len(movie), 1, 1)))


def with_flicker_over_haze(movie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    _, rows, columns = movie.shape
    haze = 2000 * spot((rows, columns), rows / 2, columns / 2, rows / 4)
    return lit(movie, haze, 1 + 0.01 * rng.normal(size=len(movie)))


def with_lamp(movie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return lit(movie, steady_structure(movie), 1 + 0.1 * rng.normal(size=len(movie)))


def with_bleaching(movie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return lit(movie, steady_structure(movie), np.linspace(1, 0.4, len(movie)))


def with_hop(movie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    half = np.arange(len(movie)) < len(movie) / 2
    return lit(movie, steady_structure(movie), np.where(half, 1, 0.7))


def with_bright_start(movie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return lit(movie, np.zeros(movie.shape[1:]), np.where(np.arange(len(movie)) < 10, 5, 1))


def with_dirt(movie: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shape = movie.shape[1:]
    dirt = [400 * spot(shape, 20 + 0.1 * t, 15 + 0.15 * t, 12) for t in range(len(movie))]
    return counts(movie + np.array(dirt))


def microscope(pixel_um: float, shape: tuple[int, int]) -> np.ndarray:
    """Transfer function of a lens of NA 1.4 at 550 nm, at half of the pixel size."""
    ky, kx = (np.fft.fftfreq(2 * n, pixel_um / 2) for n in shape)
    x = np.clip(np.hypot(ky[:, None], kx) * 0.55 / 2.8, 0, 1)
    return 2 / np.pi * (np.arccos(x) - x * np.sqrt(1 - x**2))


def gratings(kind: str, fine_px: float, start: float, depth: float, side: int) -> list[np.ndarray]:
    """Illumination of one cycle at half of the pixel size: 9, 15 or 7 frames."""
    y, x = np.mgrid[: 2 * side, : 2 * side] / 2 / fine_px
    waves = [np.cos(start + a) * x + np.sin(start + a) * y for a in np.arange(3) * np.pi / 3]

    def wave(phase: np.ndarray) -> np.ndarray:
        return np.cos(2 * np.pi * phase)

    if kind == "2D":
        return [1 + depth * wave(w + p / 3) for w in waves for p in range(3)]
    if kind == "3D":
        phases = [w / 2 + p / 5 for w in waves for p in range(5)]
        return [1 + depth * (0.6 * wave(u) + 0.5 * wave(2 * u)) for u in phases]
    orders = list(zip(waves, (1, -2, -3), strict=True))
    return [
        np.maximum(1 + 0.6 * depth * sum(wave(w + s * p / 7) for w, s in orders), 0)
        for p in range(7)
    ]


def structured_illumination(kind: str, seed: int, times: int = 1, side: int = 96) -> np.ndarray:
    """A stack of "2D", "3D" or "hexagonal" structured illumination of a sample at rest."""
    rng = np.random.default_rng(seed)
    pixel_um, depth = rng.uniform(0.065, 0.1), rng.uniform(0.25, 0.8)
    period_px = max(rng.uniform(0.19, 0.3) / pixel_um, 2.15)
    points = np.zeros((2 * side, 2 * side))
    number = (300, 8000)[seed % 2]
    np.add.at(points, tuple(rng.integers(0, 2 * side, (2, number))), rng.uniform(0.3, 1, number))
    transfer = microscope(pixel_um, (side, side))
    frames = [
        np.fft.ifft2(np.fft.fft2(points * light) * transfer).real
        for light in gratings(kind, period_px, rng.uniform(0, np.pi), depth, side)
    ]
    binned = np.array(frames).reshape(-1, side, 2, side, 2).sum(axis=(2, 4))
    photons = 10 ** rng.uniform(2, 3) * np.clip(binned / np.percentile(binned, 99.5), 0, None)
    light = np.tile(photons + 5, (times, 1, 1))
    return counts(OFFSET + 2 * rng.poisson(light) + rng.normal(0, 3, light.shape))


DEFECTS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "cosmic rays": with_cosmic_rays,
    "bad pixels": with_bad_pixels,
    "empty frames": with_empty_frames,
}
"""Artefacts that cannot be signal."""
CHANGES: dict[str, tuple[Callable[[np.ndarray, np.random.Generator], np.ndarray], str]] = {
    "rows": (with_row_noise, "readout"),
    "columns": (with_column_noise, "readout"),
    "halves": (with_flickering_half, "readout"),
    "flicker over haze": (with_flicker_over_haze, "brightness"),
    "lamp": (with_lamp, "brightness"),
    "bleaching": (with_bleaching, "brightness"),
    "laser hop": (with_hop, "brightness"),
    "bright start": (with_bright_start, "brightness"),
    "dirt": (with_dirt, "haze"),
}
"""Artefacts that might be signal, with the name of the finding that advises a correction."""

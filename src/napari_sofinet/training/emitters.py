"""Camera frames of single emitters, with maps of their positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from napari_sofinet.localization.fitting import Noise
from napari_sofinet.networks.deepstorm import FINENESS, KERNEL_PX
from napari_sofinet.training.data import Samples
from napari_sofinet.training.distributions import log_uniform
from napari_sofinet.training.settings import EmitterTrainingSettings

MARGIN_PX = 4
"""Distance in camera pixels outside a frame from which emitters shine into it."""


@dataclass(frozen=True)
class Emitters:
    """Emitters of one frame.

    Parameters
    ----------
    positions : ndarray
        (N, 2) y, x in camera pixels.
    photons : ndarray
        (N,) photons of each.
    """

    positions: np.ndarray
    photons: np.ndarray


@dataclass(frozen=True)
class Frame:
    """Simulated frame of emitters.

    Parameters
    ----------
    counts : ndarray
        (Y, X) counts.
    emitters : Emitters
        Emitters in and around it.
    sigma_px : float
        Standard deviation of the PSF in camera pixels.
    noise : Noise
        Noise of the counts.
    """

    counts: np.ndarray
    emitters: Emitters
    sigma_px: float
    noise: Noise


def draw_frame(settings: EmitterTrainingSettings, rng: np.random.Generator) -> Frame:
    """Draw one frame.

    Parameters
    ----------
    settings : EmitterTrainingSettings
        Size of the frame and limits of what is drawn.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Frame
        The frame with its emitters.
    """
    return _frame(_draw(settings, rng), settings, rng)


def emitter_samples(settings: EmitterTrainingSettings, count: int, seed: int) -> Samples:
    """Draw frames and maps of their emitters.

    An emitter is a Gaussian PSF, integrated over pixels, in part of the frames with wider tails.

    Parameters
    ----------
    settings : EmitterTrainingSettings
        Size of a frame and limits of what is drawn.
    count : int
        Number B of frames.
    seed : int
        The same seed gives the same samples.

    Returns
    -------
    Samples
        Frames (B, 1, Y, X) in counts and maps (B, 4Y, 4X).
    """
    side = settings.side_px
    frames = np.empty((count, 1, side, side), np.float32)
    maps = np.empty((count, FINENESS * side, FINENESS * side), np.float32)
    for b in range(count):
        drawn = draw_frame(settings, np.random.default_rng([seed, b, 17]))
        frames[b, 0] = drawn.counts
        maps[b] = emitter_map(drawn.emitters.positions, side, side)
    return Samples(torch.from_numpy(frames), torch.from_numpy(maps), ())


def emitter_map(
    positions: np.ndarray, rows: int, columns: int, sigma: float = KERNEL_PX
) -> np.ndarray:
    """Draw emitters as Gaussians of height 1 on a grid four times finer than the camera.

    Parameters
    ----------
    positions : ndarray
        (N, 2) y, x in camera pixels.
    rows, columns : int
        Size of the frame in camera pixels.
    sigma : float, default 1
        Standard deviation in samples.

    Returns
    -------
    ndarray
        (4 rows, 4 columns) float32.
    """
    parts = []
    for axis, length in enumerate((rows, columns)):
        at = (np.arange(FINENESS * length) + 0.5) / FINENESS - 0.5
        d = (at[None] - positions[:, axis, None]) * FINENESS / sigma
        parts.append(np.exp(-0.5 * d**2))
    out: np.ndarray = (parts[0].T @ parts[1]).astype(np.float32)
    return out


def spots(
    positions: np.ndarray, photons: np.ndarray, sigma_px: float, rows: int, columns: int
) -> np.ndarray:
    """Add Gaussian spots, integrated over pixels.

    Parameters
    ----------
    positions : ndarray
        (N, 2) y, x in camera pixels.
    photons : ndarray
        (N,) photons of each.
    sigma_px : float
        Standard deviation in camera pixels.
    rows, columns : int
        Size of the image.

    Returns
    -------
    ndarray
        (rows, columns) expected photons.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(spots(np.array([[5.0, 5.0]]), np.array([80.0]), 1.0, 11, 11).sum()), 3)
    80.0
    """
    from scipy.special import erf

    parts = []
    for axis, length in enumerate((rows, columns)):
        edges = np.arange(length + 1) - 0.5
        d = (edges[None] - positions[:, axis, None]) / (np.sqrt(2) * sigma_px)
        parts.append(0.5 * np.diff(erf(d), axis=1))
    out: np.ndarray = (parts[0] * photons[:, None]).T @ parts[1]
    return out


def _draw(s: EmitterTrainingSettings, rng: np.random.Generator) -> Emitters:
    side = s.side_px
    density = log_uniform(rng, s.density_min, s.density_max)
    area = (side + 2 * MARGIN_PX) ** 2
    kind = rng.choice(["everywhere", "disc", "lines", "nothing"], p=[0.5, 0.25, 0.22, 0.03])
    if kind == "everywhere":
        places = rng.uniform(-MARGIN_PX, side + MARGIN_PX, (rng.poisson(density * area), 2))
    elif kind == "disc":
        radius = rng.uniform(3, 0.5 * side)
        number = rng.poisson(density * np.pi * radius**2) + 1
        r, angle = radius * np.sqrt(rng.random(number)), rng.uniform(0, 2 * np.pi, number)
        centre = rng.uniform(0, side, 2)
        places = centre + r[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    elif kind == "lines":
        lines = []
        for _ in range(rng.integers(1, 6)):
            number = rng.poisson(min(density * 8, 1.0) * 1.5 * side)
            along, turn = rng.uniform(-side, side, number), rng.uniform(0, np.pi)
            bend = rng.normal(0, 0.3 / side) * along**2
            way = np.array([np.sin(turn), np.cos(turn)])
            across = np.array([way[1], -way[0]])
            line = rng.uniform(0, side, 2) + along[:, None] * way + bend[:, None] * across
            lines.append(line + rng.normal(0, 0.15, line.shape))
        places = np.concatenate(lines)
        inside = ((places > -MARGIN_PX) & (places < side + MARGIN_PX)).all(axis=1)
        places = places[inside]
    else:
        places = np.zeros((0, 2))
    mean = log_uniform(rng, s.photons_min, s.photons_max)
    spread = float(rng.choice([0.0, rng.uniform(0, 0.8)]))
    return Emitters(places, mean * rng.lognormal(-0.5 * spread**2, spread, len(places)))


def _frame(emitters: Emitters, s: EmitterTrainingSettings, rng: np.random.Generator) -> Frame:
    side = s.side_px
    sigma = rng.uniform(s.psf_sigma_min, s.psf_sigma_max)
    place, photons = emitters.positions, emitters.photons
    light = spots(place, photons, sigma, side, side)
    if rng.random() < 0.3:
        tails, width = rng.uniform(0.05, 0.25), sigma * rng.uniform(1.5, 2.5)
        light = (1 - tails) * light + tails * spots(place, photons, width, side, side)
    # As bright as up to half of what an emitter gives the pixel it is in.
    usual = float(np.mean(photons)) if len(photons) else 500.0
    most = 0.5 * usual / (2 * np.pi * sigma**2)
    background = float(rng.choice([0.0, log_uniform(rng, 0.05, max(most, 0.1))]))
    slope = rng.uniform(-0.5, 0.5, 2) * background / side * rng.choice([0, 1])
    y, x = np.mgrid[:side, :side] - side / 2
    light = light + background + slope[0] * y + slope[1] * x
    noise = rng.choice([rng.uniform(0, 1), rng.uniform(1, 4)])  # electrons
    counts = rng.poisson(np.maximum(light, 0)).astype(float)
    gain = 1.0
    if rng.random() < 0.2:  # multiplied electrons are twice as noisy
        gain = 2.0
        counts += rng.normal(0, np.sqrt(np.maximum(counts, 0)))
    out: np.ndarray = np.round(100 + counts + rng.normal(0, noise, counts.shape)).astype(np.float32)
    return Frame(out, emitters, sigma, Noise(gain, gain * background + noise**2 + 1 / 12))

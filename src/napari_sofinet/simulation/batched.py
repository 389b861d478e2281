"""The same movies as `simulate` makes, many at once with torch, for training.

Structures and what does not change in time are made by the same functions; blinking, optics and
camera run on torch tensors, on the processor or on a GPU. Spots are put on a grid three times finer
than the camera, shared out to the nearest samples, and brought to the camera by two small matrix
products per frame: the cost hardly depends on how many emitters shine.

This module needs torch; nothing else of `napari_sofinet.simulation` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy.special import erf

from napari_sofinet.simulation.background import background_image, fading
from napari_sofinet.simulation.blinking import log_normal
from napari_sofinet.simulation.camera import Camera, make_camera
from napari_sofinet.simulation.constant_emitters import ConstantEmitters, steady_light, steady_spots
from napari_sofinet.simulation.labels import Labels
from napari_sofinet.simulation.motion import moved
from napari_sofinet.simulation.psf import FINENESS, FWHM_PER_SIGMA, Psf, make_psf
from napari_sofinet.simulation.rendering import render_gaussian
from napari_sofinet.simulation.settings import SimulationSettings
from napari_sofinet.simulation.structures import place

GRID = 3  # fine samples per camera pixel; divides FINENESS
BLOCK_ROWS = 16
RANK_ERROR = 1e-3  # of a PSF's energy norm, left out by its sum of separable parts

Draw = Callable[[np.random.Generator, int, int, int, int], SimulationSettings]


@dataclass(frozen=True)
class Batch:
    """Movies of equal size and what they show.

    ``frames`` (B, T, Y, X) float32 counts; ``target`` (B, 2Y-1, 2X-1) float32 in photons, the
    emitters blurred to half the PSF on a grid twice as fine that starts at the first pixel's
    centre (in the middle of the movie, where the sample moves); ``settings`` of each movie.
    """

    frames: torch.Tensor
    target: torch.Tensor
    settings: tuple[SimulationSettings, ...]


@dataclass(frozen=True)
class _Scene:
    """What does not change in time in one movie, made with numpy."""

    positions_um: np.ndarray
    object: np.ndarray
    photons: np.ndarray
    psf: Psf
    camera: Camera
    background: np.ndarray
    steady: ConstantEmitters
    target: np.ndarray


def draw_batch(
    draw: Draw,
    count: int,
    rows: int,
    columns: int,
    frames: int,
    seed: int,
    device: str | torch.device = "cpu",
) -> Batch:
    """Draw settings and simulate them, e.g. with ``draw=draw_universal``.

    The same seed gives the same batch on the same kind of device.
    """
    rng = np.random.default_rng([seed, 3])
    seeds = rng.integers(0, 2**32, count)
    settings = [draw(rng, int(s), rows, columns, frames) for s in seeds]
    return simulate_batch(settings, seed, device)


def simulate_batch(
    settings: Sequence[SimulationSettings], seed: int, device: str | torch.device = "cpu"
) -> Batch:
    """Simulate movies of equal size; ``seed`` is that of blinking and noise.

    Raises
    ------
    ValueError
        The movies differ in rows, columns or frames.
    """
    sizes = {(s.rows, s.columns, s.frames) for s in settings}
    if len(sizes) != 1:
        raise ValueError("the movies of a batch must have the same rows, columns and frames")
    generator = torch.Generator(device).manual_seed(seed)
    scenes = [_scene(s) for s in settings]
    light = _light(settings, scenes, generator, device)
    counts = _expose(light, [scene.camera for scene in scenes], generator)
    target = torch.as_tensor(np.stack([scene.target for scene in scenes]), device=device)
    return Batch(counts, target, tuple(settings))


def _scene(s: SimulationSettings) -> _Scene:
    structure, still, blinking, backdrop, sensor = (
        np.random.default_rng([s.seed, 0, k]) for k in range(5)
    )
    p = s.pixel_size_um
    shape = s.rows, s.columns
    labels = place(s, structure)
    positions = labels.positions_um - p / 2
    photons = np.full(len(positions), s.blinking.photons)
    if s.blinking.spread and s.blinking.model != "dna-paint":
        photons *= log_normal(len(positions), s.blinking.spread, blinking)
    psf = make_psf(s.optics, p)
    y, x = _coordinates_at(s, positions, labels.object, s.frames * s.frame_interval_s / 2)
    at = np.stack([y, x], axis=1) / (p / 2)
    fine = 2 * s.rows - 1, 2 * s.columns - 1
    # Half the width on twice the grid is as many samples as the PSF has camera pixels.
    target = render_gaussian(at, photons, fine, s.psf_fwhm_px).astype(np.float32)
    return _Scene(
        positions,
        labels.object,
        photons,
        psf,
        make_camera(s.camera, shape, sensor),
        background_image(s, positions / p, backdrop),
        steady_spots(s, Labels(positions, labels.object), photons, psf, still),
        target,
    )


def _coordinates_at(
    s: SimulationSettings, positions_um: np.ndarray, objects: np.ndarray, time_s: float
) -> tuple[np.ndarray, np.ndarray]:
    y, x = positions_um.T
    if not s.motion.any:
        return y, x
    return moved(s.motion, y, x, objects, np.full(len(y), time_s), s.centre_um)


def _light(
    settings: Sequence[SimulationSettings],
    scenes: Sequence[_Scene],
    generator: torch.Generator,
    device: str | torch.device,
) -> torch.Tensor:
    """Expected photons (B, T, Y, X) float32."""
    first = settings[0]
    rows, columns, frames = first.rows, first.columns, first.frames
    out = torch.empty((len(settings), frames, rows, columns), device=device)
    who, frame, shone = _shining(settings, scenes, generator, device)
    start = 0
    for b, (s, scene) in enumerate(zip(settings, scenes, strict=True)):
        n = len(scene.photons)
        mine = (who >= start) & (who < start + n)
        emitter, t, lit = who[mine] - start, frame[mine], shone[mine]
        start += n
        p = s.pixel_size_um
        margin = int(np.ceil(s.margin_um / p)) + 1
        fine = [(side + 2 * margin) * GRID for side in (rows, columns)]
        at = torch.as_tensor(scene.positions_um, device=device)[emitter]
        y, x = at[:, 0], at[:, 1]
        if s.motion.any:
            objects = torch.as_tensor(scene.object, device=device)[emitter]
            time = (t + 0.5).double() * s.frame_interval_s
            y, x = moved(s.motion, y, x, objects, time, s.centre_um, xp=torch)
        photons = torch.as_tensor(scene.photons, device=device)[emitter] * lit
        grid = _on_grid(y / p, x / p, photons.float(), t, frames, fine, margin)
        movie = torch.zeros((frames, rows, columns), device=device)
        for down, across in _separable(scene.psf, rows, columns, margin):
            movie += _through(grid, down, across, device)
        movie.clamp_(min=0)  # the parts of an Airy pattern have both signs
        fade = torch.as_tensor(fading(s, 0, frames), dtype=torch.float32, device=device)
        movie += fade[:, None, None] * torch.as_tensor(
            scene.background, dtype=torch.float32, device=device
        )
        if len(scene.steady):
            steady = steady_light(s, scene.steady, scene.psf, 0, frames)
            movie += torch.as_tensor(steady, dtype=torch.float32, device=device)
        out[b] = movie
    return out


def _through(
    grid: torch.Tensor, down: np.ndarray, across: np.ndarray, device: str | torch.device
) -> torch.Tensor:
    """``down @ grid @ across.T`` in blocks, leaving out the zeros beside the matrices' bands."""
    columns = [
        grid[:, :, fine] @ torch.as_tensor(across[part, fine], device=device).T
        for part, fine in _bands(across)
    ]
    half = torch.cat(columns, dim=2)
    rows = [
        torch.as_tensor(down[part, fine], device=device) @ half[:, fine]
        for part, fine in _bands(down)
    ]
    return torch.cat(rows, dim=1)


def _bands(matrix: np.ndarray) -> list[tuple[slice, slice]]:
    """Blocks of rows of a banded matrix, and the columns that are not zero in each."""
    found = []
    for part in np.array_split(np.arange(len(matrix)), max(len(matrix) // BLOCK_ROWS, 1)):
        lit = np.flatnonzero(matrix[part].any(axis=0))
        fine = slice(int(lit[0]), int(lit[-1]) + 1) if len(lit) else slice(0, 1)
        found.append((slice(int(part[0]), int(part[-1]) + 1), fine))
    return found


def _shining(
    settings: Sequence[SimulationSettings],
    scenes: Sequence[_Scene],
    generator: torch.Generator,
    device: str | torch.device,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Emitter (counted through the batch), frame and share of the frame that it shone for.

    The telegraph of `blinking.telegraph` for all emitters of all movies at once. An emitter that
    shines twice in a frame has two entries.
    """
    frames = settings[0].frames
    numbers = [len(scene.photons) for scene in scenes]

    def per_emitter(values: list[float]) -> torch.Tensor:
        return torch.as_tensor(np.repeat(values, numbers), dtype=torch.float64, device=device)

    blinks = [s.blinking for s in settings]
    intervals = [s.frame_interval_s for s in settings]
    times = {
        name: per_emitter([getattr(b, name) / i for b, i in zip(blinks, intervals, strict=True)])
        for name in ("on_time_s", "off_time_s", "long_off_time_s")
    }
    dwell_of = torch.stack(list(times.values()))
    long_share = per_emitter([b.long_share if b.model == "three-state" else 0.0 for b in blinks])
    steady = per_emitter([float(b.model == "steady") for b in blinks]) > 0
    bleach = per_emitter(
        [
            b.bleach_time_s / i if b.bleach_time_s and b.model != "dna-paint" else np.inf
            for b, i in zip(blinks, intervals, strict=True)
        ]
    )
    spread = per_emitter([b.spread if b.model == "dna-paint" else 0.0 for b in blinks])

    def uniform(n: int) -> torch.Tensor:
        return torch.rand(n, generator=generator, device=device, dtype=torch.float64)

    def exponential(mean: torch.Tensor) -> torch.Tensor:
        return -mean * torch.log1p(-uniform(len(mean)))

    total = sum(numbers)
    weight = torch.stack(
        [dwell_of[0], (1 - long_share) * dwell_of[1], long_share * dwell_of[2]]
    ).cumsum(0)
    where = uniform(total) * weight[2]
    state = (where >= weight[0]).long() + (where >= weight[1]).long()
    state[steady] = 0
    left = torch.where(torch.isinf(bleach), bleach, exponential(bleach.clamp(max=1e30)))
    clock = torch.zeros(total, dtype=torch.float64, device=device)
    alive = torch.arange(total, device=device)
    found: list[tuple[torch.Tensor, ...]] = []
    while len(alive):
        now, was = clock[alive], state[alive]
        dwell = exponential(dwell_of[was, alive])
        dwell[steady[alive]] = float(frames)
        lit = was == 0
        shone = torch.where(lit, torch.minimum(dwell, left[alive]), torch.zeros_like(dwell))
        bleached = lit & (dwell >= left[alive])
        left[alive] -= shone
        dwell = torch.where(lit, shone, dwell)
        found.append((alive[lit], now[lit], (now + dwell)[lit].clamp(max=float(frames))))
        clock[alive] = now + dwell
        dark = 1 + (uniform(len(alive)) < long_share[alive]).long()
        state[alive] = torch.where(lit, dark, torch.zeros_like(dark))
        alive = alive[(clock[alive] < frames) & ~bleached]
    if not found:
        none = torch.zeros(0, dtype=torch.long, device=device)
        return none, none, torch.zeros(0, dtype=torch.float64, device=device)
    who, start, stop = (torch.cat(parts) for parts in zip(*found, strict=True))
    begin = start.floor().long()
    span = stop.ceil().long().clamp(max=frames) - begin
    height = torch.ones_like(start)
    varied = spread[who]
    if bool((varied > 0).any()):
        sigma = torch.log1p(varied**2).sqrt()
        normal = torch.randn(len(who), generator=generator, device=device, dtype=torch.float64)
        height = torch.exp(sigma * normal - sigma**2 / 2)
    each = torch.repeat_interleave(torch.arange(len(who), device=device), span)
    frame = begin[each] + torch.arange(len(each), device=device) - (span.cumsum(0) - span)[each]
    share = torch.minimum(stop[each], frame + 1.0) - torch.maximum(start[each], frame.double())
    return who[each], frame, share * height[each]


def _on_grid(
    y_px: torch.Tensor,
    x_px: torch.Tensor,
    photons: torch.Tensor,
    frame: torch.Tensor,
    frames: int,
    fine: list[int],
    margin: int,
) -> torch.Tensor:
    """Photons (T, rows, columns) on the fine grid, shared out to the four nearest samples.

    Sample i of the fine grid lies at camera coordinate (i - (GRID - 1) / 2) / GRID - margin.
    """
    v = (y_px + margin) * GRID + (GRID - 1) / 2
    u = (x_px + margin) * GRID + (GRID - 1) / 2
    inside = (v >= 0) & (u >= 0) & (v < fine[0] - 1) & (u < fine[1] - 1)
    v, u, photons, frame = v[inside], u[inside], photons[inside], frame[inside]
    i, j = v.floor().long(), u.floor().long()
    fv, fu = (v - i).float(), (u - j).float()
    grid = torch.zeros(frames * fine[0] * fine[1], device=y_px.device)
    corner = (frame * fine[0] + i) * fine[1] + j
    for down, share in ((0, 1 - fv), (1, fv)):
        grid.index_add_(0, corner + down * fine[1], photons * share * (1 - fu))
        grid.index_add_(0, corner + down * fine[1] + 1, photons * share * fu)
    return grid.reshape(frames, *fine)


def _separable(psf: Psf, rows: int, columns: int, margin: int) -> list[tuple[Any, Any]]:
    """Matrices (rows, fine rows) and (columns, fine columns) whose products add up to the PSF."""
    if psf.table is None:
        # Sharing out to the nearest samples has widened the spots by this on average.
        variance = max((psf.fwhm_px / FWHM_PER_SIGMA) ** 2 - 1 / (6 * GRID**2), 0.01)
        reach = psf.reach_px
        at = np.arange(-reach * GRID, reach * GRID + 1) / GRID
        scale = 1 / np.sqrt(2 * variance)
        line = 0.5 * (erf((at + 0.5) * scale) - erf((at - 0.5) * scale))
        parts: tuple[tuple[np.ndarray, np.ndarray], ...] = ((line, line),)
    else:
        parts = _parts(psf.fwhm_px, psf.table.tobytes(), len(psf.table))
    return [(_banded(u, rows, margin), _banded(v, columns, margin)) for u, v in parts]


@lru_cache(maxsize=32)
def _parts(fwhm_px: float, table: bytes, size: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Separable parts of a tabled PSF by singular values."""
    kernel = np.frombuffer(table).reshape(size, size)
    step = FINENESS // GRID
    middle = size // 2
    reach = middle // step
    kernel = kernel[middle - reach * step :: step, middle - reach * step :: step]
    kernel = kernel[: 2 * reach + 1, : 2 * reach + 1]
    u, s, v = np.linalg.svd(kernel)
    kept = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), 1 - RANK_ERROR**2)) + 1
    return tuple((s[k] * u[:, k], v[k]) for k in range(kept))


def _banded(line: np.ndarray, pixels: int, margin: int) -> np.ndarray:
    """Matrix (pixels, fine samples) of a response given at every fine distance, middle first."""
    fine = (pixels + 2 * margin) * GRID
    centre = (np.arange(pixels) + margin) * GRID + (GRID - 1) // 2
    distance = centre[:, None] - np.arange(fine) + len(line) // 2
    inside = (distance >= 0) & (distance < len(line))
    matrix = np.where(inside, line[np.clip(distance, 0, len(line) - 1)], 0.0)
    return matrix.astype(np.float32)


def _expose(
    light: torch.Tensor, cameras: Sequence[Camera], generator: torch.Generator
) -> torch.Tensor:
    """Counts of expected photons, as `Camera.expose` makes them."""

    def maps(name: str) -> torch.Tensor:
        stacked = np.stack([getattr(camera, name) for camera in cameras])
        return torch.as_tensor(stacked, dtype=torch.float32, device=light.device)[:, None]

    def numbers(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, device=light.device)[:, None, None, None]

    efficiency = numbers([camera.quantum_efficiency for camera in cameras])
    electrons = torch.poisson(light * efficiency, generator=generator)
    for b, camera in enumerate(cameras):
        if camera.em_gain > 1:
            shape = electrons[b].clamp(min=1e-6)
            gamma = torch._standard_gamma(shape, generator=generator)  # noqa: SLF001
            electrons[b] = torch.where(electrons[b] > 0, gamma, electrons[b])
    noise = torch.randn(light.shape, generator=generator, device=light.device)
    counts = maps("gain") * electrons + maps("offset") + maps("variance").sqrt() * noise
    full = numbers([float(camera.full_scale) for camera in cameras])
    return torch.minimum(counts.round_().clamp_(min=0), full)

"""Movies as `simulate` makes them, many at once with torch, for training.

Structures and everything else that does not change in time are made by the same functions;
blinking, optics and camera run on torch tensors, on the processor or on a GPU.

Only the modules of `napari_sofinet.simulation` whose names begin with "batched" need torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from napari_sofinet.simulation.background import background_image, fading
from napari_sofinet.simulation.batched_blinking import shining
from napari_sofinet.simulation.batched_optics import render_frames
from napari_sofinet.simulation.blinking import log_normal
from napari_sofinet.simulation.camera import Camera, make_camera
from napari_sofinet.simulation.constant_emitters import ConstantEmitters, steady_light, steady_spots
from napari_sofinet.simulation.labels import Labels
from napari_sofinet.simulation.motion import moved
from napari_sofinet.simulation.psf import Psf, make_psf
from napari_sofinet.simulation.rendering import render_gaussian
from napari_sofinet.simulation.settings import SimulationSettings
from napari_sofinet.simulation.structures import place

Draw = Callable[[np.random.Generator, int, int, int, int], SimulationSettings]
"""Function that draws settings from a generator, a seed, rows, columns and frames."""


@dataclass(frozen=True)
class Batch:
    """Movies of equal size and pictures of what they show.

    Parameters
    ----------
    frames : torch.Tensor
        (B, T, Y, X) float32 counts.
    target : torch.Tensor
        (B, 2Y-1, 2X-1) float32 photons: the emitters blurred to half the PSF, on a grid twice as
        fine that starts at the centre of the first pixel. Where the sample moves, in the middle
        of the movie.
    settings : tuple of SimulationSettings
        Settings of each movie.
    """

    frames: torch.Tensor
    target: torch.Tensor
    settings: tuple[SimulationSettings, ...]


@dataclass(frozen=True)
class _Scene:
    """Constant parts of a movie, made with numpy; ``labels`` from the first pixel's centre."""

    labels: Labels
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
    """Draw settings of movies and simulate them.

    Parameters
    ----------
    draw : callable
        Function that draws settings, e.g. `drawn_settings.draw_universal`.
    count : int
        Number of movies.
    rows, columns, frames : int
        Size of each movie.
    seed : int
        The same seed gives the same batch on the same kind of device.
    device : str or torch.device, default "cpu"
        Device on which movies are made.

    Returns
    -------
    Batch
        The movies and their targets.

    Examples
    --------
    >>> from napari_sofinet.simulation.drawn_settings import draw_universal
    >>> batch = draw_batch(draw_universal, count=2, rows=16, columns=20, frames=8, seed=1)
    >>> tuple(batch.frames.shape), tuple(batch.target.shape)
    ((2, 8, 16, 20), (2, 31, 39))
    """
    rng = np.random.default_rng([seed, 3])
    seeds = rng.integers(0, 2**32, count)
    settings = [draw(rng, int(s), rows, columns, frames) for s in seeds]
    return simulate_batch(settings, seed, device)


def simulate_batch(
    settings: Sequence[SimulationSettings], seed: int, device: str | torch.device = "cpu"
) -> Batch:
    """Simulate movies of equal size.

    Parameters
    ----------
    settings : sequence of SimulationSettings
        Settings of each movie, whose seeds are those of structure, background and camera.
    seed : int
        Seed of blinking and noise.
    device : str or torch.device, default "cpu"
        Device on which movies are made.

    Returns
    -------
    Batch
        The movies and their targets.

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
    placed = place(s, structure)
    labels = Labels(placed.positions_um - p / 2, placed.object)
    photons = np.full(len(labels), s.blinking.photons)
    if s.blinking.spread and s.blinking.model != "dna-paint":
        photons *= log_normal(len(labels), s.blinking.spread, blinking)
    psf = make_psf(s.optics, p)
    return _Scene(
        labels,
        photons,
        psf,
        make_camera(s.camera, shape, sensor),
        background_image(s, labels.positions_um / p, backdrop),
        steady_spots(s, labels, photons, psf, still),
        _target(s, labels, photons),
    )


def _target(s: SimulationSettings, labels: Labels, photons: np.ndarray) -> np.ndarray:
    """Return the emitters in the middle of the movie, (2Y-1, 2X-1) float32 photons."""
    y, x = labels.positions_um.T
    if s.motion.any:
        middle_s = np.full(len(y), s.frames * s.frame_interval_s / 2)
        y, x = moved(s.motion, y, x, labels.object, middle_s, s.centre_um)
    at = np.stack([y, x], axis=1) / (s.pixel_size_um / 2)
    fine = 2 * s.rows - 1, 2 * s.columns - 1
    # Half the width on twice the grid is as many samples as the PSF has camera pixels.
    return render_gaussian(at, photons, fine, s.psf_fwhm_px).astype(np.float32)


def _light(
    settings: Sequence[SimulationSettings],
    scenes: Sequence[_Scene],
    generator: torch.Generator,
    device: str | torch.device,
) -> torch.Tensor:
    """Return the expected photons (B, T, Y, X) float32."""
    first = settings[0]
    out = torch.empty((len(settings), first.frames, first.rows, first.columns), device=device)
    numbers = [len(scene.photons) for scene in scenes]
    who, frame, fraction = shining(settings, numbers, generator, device)
    start = 0
    for b, (s, scene) in enumerate(zip(settings, scenes, strict=True)):
        own = (who >= start) & (who < start + numbers[b])
        movie = _blinking_light(s, scene, who[own] - start, frame[own], fraction[own])
        start += numbers[b]
        fade = torch.as_tensor(fading(s, 0, s.frames), dtype=torch.float32, device=device)
        movie += fade[:, None, None] * torch.as_tensor(
            scene.background, dtype=torch.float32, device=device
        )
        if len(scene.steady):
            steady = steady_light(s, scene.steady, scene.psf, 0, s.frames)
            movie += torch.as_tensor(steady, dtype=torch.float32, device=device)
        out[b] = movie
    return out


def _blinking_light(
    s: SimulationSettings,
    scene: _Scene,
    emitter: torch.Tensor,
    frame: torch.Tensor,
    fraction: torch.Tensor,
) -> torch.Tensor:
    """Return the expected photons (T, Y, X) of emitters that shine for a fraction of a frame."""
    p, device = s.pixel_size_um, emitter.device
    at = torch.as_tensor(scene.labels.positions_um, device=device)[emitter]
    y, x = at[:, 0], at[:, 1]
    if s.motion.any:
        objects = torch.as_tensor(scene.labels.object, device=device)[emitter]
        time = (frame + 0.5).double() * s.frame_interval_s
        y, x = moved(s.motion, y, x, objects, time, s.centre_um, xp=torch)
    photons = torch.as_tensor(scene.photons, device=device)[emitter] * fraction
    margin = int(np.ceil(s.margin_um / p)) + 1
    shape = s.frames, s.rows, s.columns
    return render_frames(y / p, x / p, photons.float(), frame, shape, margin, scene.psf)


def _expose(
    light: torch.Tensor, cameras: Sequence[Camera], generator: torch.Generator
) -> torch.Tensor:
    """Return counts of expected photons (B, T, Y, X), as `Camera.expose` makes them."""

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

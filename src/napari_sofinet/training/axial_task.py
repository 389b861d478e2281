"""Training data of the network that refines SIM stacks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report
from napari_sofinet.data.movie import Movie
from napari_sofinet.networks.axial import FOLD, fold, unfold
from napari_sofinet.training.axial_samples import KINDS, Stack, simulate_stack
from napari_sofinet.training.axial_settings import AxialTrainingSettings
from napari_sofinet.training.data import Samples
from napari_sofinet.training.loop import of_output
from napari_sofinet.training.losses import volume_loss
from napari_sofinet.training.training_data import HELD_OUT_SEED, TrainingData

STEPS_PER_STACK = 8
"""Steps for which no new stack is simulated, as that takes longer than a step."""
KEPT = 96
"""Stacks from which the samples of a step are taken."""
STACK_PX, STACK_PLANES = 88, 14
RANGES = {"lateral_px": (1.95, 2.5), "axial_planes": (2.2, 3.0)}
"""Half a wavelength over the numerical aperture in pixels, and the finest axial period that passes
in planes, for which stacks are simulated."""


def axial_data(
    net: torch.nn.Module,
    settings: AxialTrainingSettings,
    movies: Sequence[Movie],
    report: Report,
) -> TrainingData:
    """Return crops of simulated SIM stacks with their truth.

    Parameters
    ----------
    net : torch.nn.Module
        Not used.
    settings : AxialTrainingSettings
        Settings of the training.
    movies : sequence of Movie
        Not used.
    report : Report
        Not used.

    Returns
    -------
    TrainingData
        Reconstructed stacks, and confocal pictures of half the wavelength's square root as truth.
    """
    s = settings
    if s.side_px > STACK_PX or s.planes > STACK_PLANES:
        raise InputError(f"Crops have at most {STACK_PX} px and {STACK_PLANES} planes.")

    @lru_cache(maxsize=KEPT + 8)
    def stack(number: int) -> Stack:
        return simulate_stack(np.random.default_rng([s.seed, number]), STACK_PX, STACK_PLANES)

    def make(step: int) -> Samples:
        rng = np.random.default_rng([s.seed, 1, step])
        newest = step // STEPS_PER_STACK
        numbers = newest - rng.integers(0, min(newest + 1, KEPT), s.batch)
        return _stacked([_crop(rng, stack(int(n)), s.side_px, s.planes) for n in numbers])

    def held(kind: str) -> Samples:
        rng = np.random.default_rng([HELD_OUT_SEED, list(KINDS).index(kind)])
        stacks = [simulate_stack(rng, s.side_px, s.planes, kind) for _ in range(2)]
        return _stacked([(one.maps, one.target) for one in stacks])

    return TrainingData(
        make,
        [(kind, held(kind)) for kind in KINDS],
        lambda step: make(HELD_OUT_SEED + 1000 * step),
        RANGES,
        "simulated SIM stacks (hexagonal pattern, 7 exposures) of chromatin, spheres, filaments, "
        "membranes, filled bodies, points, light out of focus and empty fields",
        "It was trained on many kinds of structure for the microscope of Boland et al. (2021): NA "
        "1.1, water, 525 nm, planes 0.35 µm apart.",
        of_output(volume_loss),
        flip_rotate=False,
        show=_middle,
    )


def _crop(
    rng: np.random.Generator, stack: Stack, side: int, planes: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a part of a stack, in a random orientation."""
    depth, _, rows, columns = stack.maps.shape
    z, y, x = (
        int(rng.integers(0, n - m + 1)) for n, m in ((depth, planes), (rows, side), (columns, side))
    )
    maps = stack.maps[z : z + planes, :, y : y + side, x : x + side]
    target = stack.target[3 * z : 3 * (z + planes), 2 * y : 2 * (y + side), 2 * x : 2 * (x + side)]
    flips, turned = rng.integers(0, 2, 3), bool(rng.integers(0, 2))
    return _oriented_maps(maps, flips, turned), _oriented(target, flips, turned)


def _oriented(part: torch.Tensor, flips: np.ndarray, transposed: bool) -> torch.Tensor:
    """Return a stack (Z, Y, X), flipped along z, y and x where `flips` is 1, y and x exchanged."""
    axes = [axis for axis in range(3) if flips[axis]]
    out = part.flip(axes) if axes else part
    return out.transpose(1, 2) if transposed else out


def _oriented_maps(maps: torch.Tensor, flips: np.ndarray, transposed: bool) -> torch.Tensor:
    """Return the input (Z, 6, Y, X) of the network, as `_oriented`."""
    fine = unfold(maps[:, : FOLD**2])
    folded = fold(_oriented(fine, flips, transposed)[None])[0]
    rest = [_oriented(maps[:, c], flips, transposed) for c in range(FOLD**2, maps.shape[1])]
    return torch.cat([folded, torch.stack(rest, 1)], 1)


def _stacked(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> Samples:
    maps, targets = zip(*pairs, strict=True)
    return Samples(torch.stack(maps), torch.stack(targets), ())


def _middle(net: torch.nn.Module, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle plane of the wide-field image of the first sample, and of the output."""
    maps = samples.frames[:1].to(next(net.parameters()).device)
    with torch.inference_mode():
        out = net(maps)[0, 0].float().cpu()
    return maps[0, len(maps[0]) // 2, 4].cpu().numpy(), out[len(out) // 2].numpy()

"""Training data of the network of Boland et al. (2021) for raw SIM stacks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from napari_sofinet.base.progress import Report
from napari_sofinet.data.movie import Movie
from napari_sofinet.networks.rcan import FINER, FOLD
from napari_sofinet.networks.rcan_input import chunk_of, scale_of_exposures
from napari_sofinet.structured_illumination.noise import noise_variance
from napari_sofinet.training.axial_samples import (
    GEOMETRY,
    KINDS,
    MARGIN_PLANES,
    MARGIN_PX,
    OPTICS,
    simulate_exposures,
)
from napari_sofinet.training.axial_settings import RcanTrainingSettings
from napari_sofinet.training.axial_task import RANGES
from napari_sofinet.training.data import Samples
from napari_sofinet.training.loop import of_output
from napari_sofinet.training.training_data import (
    HELD_OUT_SEED,
    TrainingData,
    no_calibration,
)

STEPS_PER_STACK = 8
"""Steps for which no new stack is simulated, as that takes longer than a step."""
KEPT = 48
STACK_PX, STACK_PLANES = 88, 10
TARGET_GAIN = 1.25
"""Factor with which the truth of a single point is as bright as its brightest exposure."""
Pair = tuple[torch.Tensor, torch.Tensor]


def rcan_data(
    net: torch.nn.Module,
    settings: RcanTrainingSettings,
    movies: Sequence[Movie],
    report: Report,
) -> TrainingData:
    """Return crops of simulated exposures with their truth.

    Parameters
    ----------
    net : torch.nn.Module
        The network, which tells the number of planes.
    settings : RcanTrainingSettings
        Settings of the training.
    movies : sequence of Movie
        Not used.
    report : Report
        Not used.

    Returns
    -------
    TrainingData
        Exposures, and confocal pictures of the wavelength over the square root of 2 as truth. The
        loss is the mean squared error, as in the paper.
    """
    s, chunk = settings, int(net.planes)

    @lru_cache(maxsize=KEPT + 8)
    def stack(number: int) -> Pair:
        return _stack(np.random.default_rng([s.seed, number]), STACK_PX, STACK_PLANES)

    def make(step: int) -> Samples:
        rng = np.random.default_rng([s.seed, 1, step])
        newest = step // STEPS_PER_STACK
        numbers = newest - rng.integers(0, min(newest + 1, KEPT), s.batch)
        return _stacked(
            [_crop(rng, stack(int(n)), min(s.side_px, STACK_PX), chunk) for n in numbers]
        )

    def held(kind: str) -> Samples:
        rng = np.random.default_rng([HELD_OUT_SEED, list(KINDS).index(kind)])
        pairs = [_stack(rng, min(s.side_px, STACK_PX), max(chunk, 3), kind) for _ in range(2)]
        return _stacked([_middle_chunk(pair, chunk) for pair in pairs])

    return TrainingData(
        make,
        [(kind, held(kind)) for kind in KINDS],
        lambda step: make(HELD_OUT_SEED + 1000 * step),
        RANGES,
        "simulated SIM stacks (hexagonal pattern, 7 exposures) of chromatin, spheres, filaments, "
        "membranes, filled bodies, points, light out of focus and empty fields",
        "It was trained on many kinds of structure for the microscope of Boland et al. (2021): NA "
        "1.1, water, 525 nm, planes 0.35 µm apart.",
        of_output(_squared),
        calibrate=no_calibration,
        flip_rotate=False,
        show=_middle,
    )


def _squared(out: torch.Tensor, target: torch.Tensor) -> Pair:
    """Return the loss, and no likelihood, as the network expects no error."""
    loss = ((out.float() - target) ** 2).mean()
    return loss, torch.zeros_like(loss)


def _stack(rng: np.random.Generator, side: int, planes: int, kind: str = "") -> Pair:
    """Return exposures (P, Z, Y, X) and truth (3 Z, 2 Y, 2 X) without margins, as it sees them."""
    made = simulate_exposures(rng, side, planes, kind)
    sigma = float(np.sqrt(noise_variance(made.exposures, OPTICS, GEOMETRY)))
    inner = (slice(MARGIN_PLANES, -MARGIN_PLANES), *(slice(MARGIN_PX, -MARGIN_PX),) * 2)
    exposures = made.exposures[:, *inner]
    scale = scale_of_exposures(exposures, sigma)
    return (
        torch.from_numpy(np.ascontiguousarray(exposures / np.float32(scale))),
        torch.from_numpy(made.truth * np.float32(TARGET_GAIN / scale)),
    )


def _crop(rng: np.random.Generator, stack: Pair, side: int, chunk: int) -> Pair:
    """Return a chunk of planes of a part of the field, flipped or transposed at random."""
    exposures, truth = stack
    _, depth, rows, columns = exposures.shape
    z, y, x = (
        int(rng.integers(0, n - m + 1)) for n, m in ((depth, chunk), (rows, side), (columns, side))
    )
    seen = chunk_of(exposures[:, :, y : y + side, x : x + side], z + chunk // 2, chunk)
    fine = (slice(FOLD * a, FOLD * (a + side)) for a in (y, x))
    target = truth[FINER * z : FINER * (z + chunk), *fine]
    axes = [1 + axis for axis in (0, 1) if rng.integers(2)]
    both = [one.flip(axes) if axes else one for one in (seen, target)]
    if rng.integers(2):
        both = [one.transpose(1, 2) for one in both]
    return both[0], both[1]


def _middle_chunk(stack: Pair, chunk: int) -> Pair:
    exposures, truth = stack
    first = (exposures.shape[1] - chunk) // 2
    seen = chunk_of(exposures, first + chunk // 2, chunk)
    return seen, truth[FINER * first : FINER * (first + chunk)]


def _stacked(pairs: list[Pair]) -> Samples:
    exposures, targets = zip(*pairs, strict=True)
    return Samples(torch.stack(exposures), torch.stack(targets), ())


def _middle(net: torch.nn.Module, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean exposure of the first sample, and the middle plane of the output."""
    seen = samples.frames[:1].to(next(net.parameters()).device)
    with torch.inference_mode():
        out = net(seen)[0].float().cpu()
    return seen[0].mean(0).cpu().numpy(), out[len(out) // 2].numpy()

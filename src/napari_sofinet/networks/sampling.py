"""Posterior samples, which a diffusion network draws from noise."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from napari_sofinet.networks.diffusion import DiffusionNet, unfolded
from napari_sofinet.networks.prior_estimate import PriorEstimate
from napari_sofinet.networks.schedules import FIRST_LEVEL, Schedule, noise_levels
from napari_sofinet.networks.tiling import tiles

TILE_PX = 256
AT_ONCE_PX = 2**15
"""Camera pixels of all samples that are computed together; they stay in the cache."""
FARTHEST, NOTHING = 4.0, 0.01
"""Samples are limited to so many of the standard deviations that the network expects, less a small
value: without it there would be single dots in dark areas."""
STATE_BYTES = 2**28
"""Memory for the samples that are computed together."""


class Posterior:
    """Distribution of the truth around one prior estimate.

    Every step is computed for the whole field, tile by tile with overlap, so that a picture does
    not depend on the tiles.

    Parameters
    ----------
    net : DiffusionNet        Network in evaluation mode, on ``device``. first : PriorEstimate
        Estimate and conditions.
    device : str
        ``"cpu"`` or ``"cuda"``.
    half : bool        Whether to compute with 16 bits. report : callable
        Called with the fraction of the samples that is done; it may raise to stop the work.
    """

    def __init__(
        self,
        net: DiffusionNet,
        first: PriorEstimate,
        device: str,
        half: bool,
        report: Callable[[float], None],
    ) -> None:
        self.net, self.device, self.half, self.report = net, device, half, report
        self._done, self._total = 0.0, 1.0
        self.estimate = first.estimate[0]
        rows, columns = self.estimate.shape[-2:]
        self._tiles = list(tiles(rows, columns, TILE_PX, net.reach_px))
        self._fine = torch.empty(0)
        self._coarse = torch.empty(0)
        self._maps = torch.empty(2, *self.estimate.shape)
        for tile in tiles(rows, columns, TILE_PX, net.encoder_reach_px):
            report(0.0)
            with self._computing():
                part = first.conditions[..., *tile.window].to(device)
                fine, coarse, maps = (f[0].cpu() for f in net.encode(part))
            if not len(self._fine):
                self._fine = fine.new_empty(len(fine), rows, columns)
                self._coarse = coarse.new_empty(len(coarse), rows // 2, columns // 2)
            self._fine[:, *tile.place()] = fine[:, *tile.inside()]
            self._maps[..., *tile.place()] = maps[..., *tile.inside()]
            self._coarse[:, *_halved(tile.place())] = coarse[:, *_halved(tile.inside())]

    def expected(self, seed: tuple[int, ...]) -> torch.Tensor:
        """Return the posterior mean (fY, fX), not negative.

        It is the network's expectation where noise hides everything: the mean of infinitely many
        samples, without their noise.

        Parameters
        ----------
        seed : tuple of int
            Seed of the noise.
        """
        self._done, self._total = 0.0, math.inf  # this does not count as progress
        shape = self.estimate.shape
        drawn = torch.from_numpy(np.random.default_rng(seed).standard_normal(shape, np.float32))
        x = FIRST_LEVEL * torch.stack([drawn, -drawn])
        mean = self._denoised(x, FIRST_LEVEL).mean(dim=0) + self.estimate
        return unfolded(mean, self.net.fineness).clamp_(min=0)

    def samples(
        self, seeds: Sequence[tuple[int, ...]], schedule: Schedule, steps: int
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield samples.

        Parameters
        ----------
        seeds : sequence of tuple of int
            Seed of each sample.
        schedule : {"full", "guided", "paper"}
            Levels of noise, see `noise_levels`.
        steps : int
            Number of steps.

        Yields
        ------
        number : int
            Index of the seed.
        picture : torch.Tensor
            (fY, fX), not negative.
        """
        self._done, self._total = 0.0, float(len(seeds) * len(noise_levels(schedule, steps)))
        size = 4 * self.estimate.numel()
        together = max(1, STATE_BYTES // size)
        for start in range(0, len(seeds), together):
            some = seeds[start : start + together]
            makers = [np.random.default_rng(seed) for seed in some]
            out = self._draw(makers, schedule, steps)
            for number, picture in enumerate(unfolded(out, self.net.fineness)):
                yield start + number, picture.clamp_(min=0)

    def _draw(
        self, makers: list[np.random.Generator], schedule: Schedule, steps: int
    ) -> torch.Tensor:
        """Draw folded pictures (K, f², Y, X)."""
        levels = [float(v) for v in noise_levels(schedule, steps)]

        def noise() -> torch.Tensor:
            shape = self.estimate.shape
            drawn = [maker.standard_normal(shape, np.float32) for maker in makers]
            return torch.from_numpy(np.stack(drawn))

        if schedule == "paper":
            return self._paper(noise, levels)
        x = levels[0] * noise()
        before: torch.Tensor | None = None
        last_width = 0.0
        for level, after in zip(levels, [*levels[1:], 0.0], strict=True):
            found = self._denoised(x, level)
            if not after:
                x = found
                break
            # Second order from the step before (DPM-Solver++ 2M: Lu et al. (2022)).
            width = math.log(level / after)
            ahead = found
            if before is not None:
                ahead = torch.lerp(found, before, -width / (2 * last_width))
            x = (after / level) * x + (1 - after / level) * ahead
            before, last_width = found, width
        return x + self.estimate

    def _paper(self, noise: Callable[[], torch.Tensor], levels: list[float]) -> torch.Tensor:
        """Draw folded pictures by ancestral steps (Ho et al. (2020)) from the start of the paper.

        It starts with noise of variance 1 around 0 in pictures from -1 to 1, although most of a
        picture would be left after 100 steps of noise.
        """
        # In the units here: pictures from 0 to 1 that are not scaled down as noise is added.
        x = 0.5 + 0.5 * math.sqrt(1 + 4 * levels[0] ** 2) * noise() - self.estimate
        for level, after in zip(levels, [*levels[1:], 0.0], strict=True):
            found = self._denoised(x, level)
            kept = (after / level) ** 2
            x = found + kept * (x - found)
            if after:
                x = x + after * math.sqrt(1 - kept) * noise()
        return x + self.estimate

    def _denoised(self, x: torch.Tensor, level: float) -> torch.Tensor:
        """Remove the noise of differences to the prior estimate (K, f², Y, X)."""
        out = torch.empty_like(x)
        for tile in self._tiles:
            fine = self._fine[:, *tile.window].to(self.device)
            coarse = self._coarse[:, *_halved(tile.window)].to(self.device)
            maps = self._maps[..., *tile.window].to(self.device)
            seen = fine[None], coarse[None], maps[None]
            reach = FARTHEST * (torch.exp(maps[1]) - NOTHING).clamp(min=0)
            together = max(1, AT_ONCE_PX // math.prod(tile.shape))
            for start in range(0, len(x), together):
                self.report(min(self._done / self._total, 1.0))
                part = x[start : start + together, :, *tile.window]
                levels = torch.full((1, len(part)), level, device=self.device)
                with self._computing():
                    found = self.net.denoise(part[None].to(self.device), levels, seen)[0]
                    found = found.clamp(maps[0] - reach, maps[0] + reach).cpu()
                out[start : start + together, :, *tile.place()] = found[:, :, *tile.inside()]
                (a, b), (c, d) = tile.own
                self._done += len(part) * (b - a) * (d - c) / self.estimate[0].numel()
        return out

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        """Compute without gradients, and with 16 bits if wanted."""
        with (
            torch.inference_mode(),
            torch.autocast(self.device, torch.bfloat16, enabled=self.half),
        ):
            yield


def _halved(rectangle: tuple[slice, slice]) -> tuple[slice, slice]:
    """Return a rectangle that begins and ends at even pixels on a grid half as fine."""
    rows, columns = (slice(one.start // 2, one.stop // 2) for one in rectangle)
    return rows, columns

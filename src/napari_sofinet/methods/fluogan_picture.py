"""Picture of one movie by a model of blinking emitters that is fitted to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from napari_sofinet.base.progress import Repeatable, Report, portion
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.fluogan_input import FluoganInput, prepare
from napari_sofinet.methods.fluogan_settings import FluoganSettings
from napari_sofinet.networks.adversarial_fit import AdversarialFit
from napari_sofinet.networks.device import on_device
from napari_sofinet.networks.double_poisson import DoublePoisson
from napari_sofinet.networks.moment_fit import MomentFit
from napari_sofinet.networks.movie_statistics import (
    TILE_PX,
    Statistics,
    covariance_tiles,
    pixels_of,
    statistics,
)
from napari_sofinet.networks.stopping import between_layers
from napari_sofinet.networks.tiling import Tile, tiles

MARGIN_PX = 2
COVARIANCE_STEPS, JOINT_STEPS, CRITIC_FIRST = 40, 40, 40
JOINT_SIZE, CRITIC_SIZE = 0.7, 0.1
BATCH, CRITIC_FRAMES = 16, 2000
WINDOW_PX, WINDOW_REACH_PX = 50, 6
REGION_BYTES = 400_000_000
"""Size of the covariances that are held at a time."""
REGION_REACH_WIDTHS = 2.6
"""Margin around a region in widths of the PSF, two reaches of a tile."""
CRITIC_COST = 27.0
"""Time of a step of the critic over that of a step of a tile of 22 x 22 px."""
PIXELS_OF_COST, READ_COST = 484, 3000
"""Pixels of this tile, and frames whose covariance takes as long as a step."""
PREPARED = 0.05
"""Fraction of the time when the movie has been read, and its PSF measured."""
PREVIEW_STEPS = 10


def fluogan_picture(
    movie: Movie, settings: FluoganSettings, report: Report, device: str
) -> Reconstruction:
    """Fit a picture to a movie.

    Parameters
    ----------
    movie : Movie
        Movie of at least 12 x 12 pixels and 20 frames.
    settings : FluoganSettings
        Grid, PSF, number of steps and seed.
    report : Report
        Receives the progress and previews.
    device : {"auto", "cpu", "cuda"}
        Device of the fit.

    Returns
    -------
    Reconstruction
        ``image`` (fY, fX) float32 for a fineness f: mean photoelectrons of the emitters of a
        sample in a frame. Sample i lies at camera coordinate (i + 1/2) / f - 1/2. ``background``,
        of the same shape, is the background in the same unit.

    Raises
    ------
    InputError
        See `prepare`.
    """
    given = prepare(movie, settings, portion(report, 0.0, PREPARED))
    fallen_back: list[str] = []
    tell = Repeatable(portion(report, PREPARED, 1.0))
    fitted = on_device(
        device, fallen_back, lambda where: _Fitting(given, settings, tell, where).run()
    )
    return replace(fitted, notes=(*fitted.notes, *fallen_back))


class _Fitting:
    """The stages of a fit, region by region.

    The covariances of a large field do not fit into memory. Its regions are then fitted one after
    the other, first to the covariance, which finds the brightness of emitters for all of them, and
    then to mean and covariance.
    """

    def __init__(
        self, given: FluoganInput, settings: FluoganSettings, tell: Repeatable, device: str
    ) -> None:
        self.given, self.settings, self.tell, self.device = given, settings, tell, device
        shape = int(given.mean.shape[0]), int(given.mean.shape[1])
        model = DoublePoisson(
            shape, settings.fineness, given.fwhm_px, margin=MARGIN_PX, device=device
        )
        model.read_noise = given.read_noise
        self.found = statistics(given.count, given.mean, given.variance, given.read_noise, device)
        self.fit = MomentFit(model, self.found, tell.again)
        self.regions = tuple(regions(shape, given.fwhm_px))
        steps = settings.critic_steps
        self.windows = tuple(tiles(*shape, WINDOW_PX, WINDOW_REACH_PX)) if steps else ()
        self._kept: tuple[Tile, Statistics] | None = None
        self._done, self._whole, self._steps = 0.0, 1.0, 0
        self._whole = sum(self._costs())

    def run(self) -> Reconstruction:
        """Return the picture."""
        for region in self.regions:
            self._covariance(region)
        self.fit.find_brightness()
        for region in self.regions:
            self._mean_and_covariance(region)
        for number, window in enumerate(self.windows):
            self._critic(window, number)
        self.tell(1.0, "picture")
        return self._picture()

    def _costs(self) -> Iterator[float]:
        """Yield the time of all stages, in steps of a tile of 22 x 22 px."""
        read = self.given.count / READ_COST
        again = 1 if len(self.regions) == 1 else 2
        for region in self.regions:
            yield self._cost(region) * (COVARIANCE_STEPS + JOINT_STEPS + again * read)
        for window in self.windows:
            yield _critic_cost(window) * (CRITIC_FIRST + self.settings.critic_steps)
            yield self._cost(window) * (self.settings.critic_steps + read)

    def _cost(self, window: Tile) -> float:
        """Time of a step of the fit of a window."""
        parts = covariance_tiles(window.shape, self.given.fwhm_px)
        return float(sum((pixels_of(tile) / PIXELS_OF_COST) ** 2.5 for tile in parts))

    def _part(self, window: Tile) -> MomentFit:
        """Return the fit of a window, with the covariance of its pixels."""
        if self._kept is None or self._kept[0] != window:
            self._kept = None
            blocks = self.given.blocks(window.window)
            part = self.found.part(window.window)
            found = part.with_covariance(blocks, self.given.fwhm_px, self.tell.again)
            self._kept = window, found
            self._add(self._cost(window) * self.given.count / READ_COST, "covariance")
        return self.fit.part(window, self._kept[1])

    def _covariance(self, region: Tile) -> None:
        part, cost = self._part(region), self._cost(region)
        for step in range(COVARIANCE_STEPS):
            part.covariance_step()
            self._show(step, COVARIANCE_STEPS, part, region)
            self._add(cost, "fit of the covariance", step)

    def _mean_and_covariance(self, region: Tile) -> None:
        part, cost = self._part(region), self._cost(region)
        for step in range(JOINT_STEPS):
            part.step(JOINT_SIZE)
            self._show(step, JOINT_STEPS, part, region)
            self._add(cost, "fit of mean and covariance", step)

    def _critic(self, window: Tile, number: int) -> None:
        """Refine a window against a critic."""
        s, name = self.settings, "critic"
        if len(self.windows) > 1:
            name = f"critic of window {number + 1} of {len(self.windows)}"
        part, cost = self._part(window), self._cost(window)
        frames = self.given.some_frames(window.window, CRITIC_FRAMES)
        seen = torch.from_numpy(frames).to(self.device)
        critic = AdversarialFit(part, seen, BATCH, s.seed + number)
        with between_layers(critic.critic, self.tell.again):
            for _ in range(CRITIC_FIRST):
                critic.train_critic()
                self._add(_critic_cost(window), name)
            for step in range(s.critic_steps):
                critic.step(CRITIC_SIZE)
                self._show(step, s.critic_steps, part, window)
                self._add(_critic_cost(window) + cost, name, step)

    def _show(self, step: int, count: int, part: MomentFit, window: Tile) -> None:
        """Take over a part for the previews and at its end."""
        if _previews(step) or step == count - 1:
            self.fit.take(part, window)

    def _add(self, cost: float, message: str, step: int | None = None) -> None:
        """Report that a part of the work is done, after some steps with a preview."""
        self._done += cost
        self._steps += step is not None
        preview = None
        if step is not None and _previews(step):
            made = self._picture()
            preview = replace(made, details=made.details | {"steps": self._steps})
        self.tell(min(self._done / self._whole, 1.0), message, preview)

    def _picture(self) -> Reconstruction:
        """Return the state of the fit."""
        f, fit, given = self.settings.fineness, self.fit, self.given
        image = fit.light[fit.model.inside].cpu().numpy()
        background = np.kron(fit.b.cpu().numpy(), np.full((f, f), 1 / f**2, np.float32))
        y, x = given.movie.origin_px
        start = 0.5 / f - 0.5
        return Reconstruction(
            {"image": image.astype(np.float32), "background": background.astype(np.float32)},
            pixel_px=(1 / f, 1 / f),
            origin_px=(y + start, x + start),
            camera_pixel_um=given.movie.pixel_size_um,
            notes=given.notes,
            details=given.details | {"brightness": fit.model.brightness},
        )


def regions(shape: tuple[int, int], fwhm_px: float) -> Iterator[Tile]:
    """Yield regions of a field whose covariances fit into memory.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the field.
    fwhm_px : float
        Width of the PSF in camera pixels.
    """
    reach = int(np.ceil(REGION_REACH_WIDTHS * fwhm_px))
    seen = TILE_PX + reach
    count = max(int((REGION_BYTES / (4 * seen**4)) ** 0.5), 2)
    return tiles(*shape, max(TILE_PX * count - 2 * reach, TILE_PX), reach)


def _critic_cost(window: Tile) -> float:
    return CRITIC_COST * pixels_of(window) / WINDOW_PX**2


def _previews(step: int) -> bool:
    return step % PREVIEW_STEPS == PREVIEW_STEPS - 1

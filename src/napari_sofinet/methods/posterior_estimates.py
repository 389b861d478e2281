"""Prior estimates: the pictures of other networks that posterior samples start from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Repeatable, portion
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.data.spool import Spool
from napari_sofinet.methods import localization_settings, sofinet
from napari_sofinet.methods.localize import measure_imaging
from napari_sofinet.methods.network_detector import NetworkDetector, out_of_range_frames
from napari_sofinet.methods.network_picture import TILE_PX, accumulate
from napari_sofinet.methods.network_settings import FRAMES_MIN
from napari_sofinet.methods.out_of_range import out_of_range_notes, shows_nothing
from napari_sofinet.methods.posterior_settings import DdpmSettings
from napari_sofinet.networks.contract import Network
from napari_sofinet.networks.device import half_precision_copy, precision
from napari_sofinet.networks.normalization import measure_normalization
from napari_sofinet.networks.prior_estimate import (
    CERTAINTY,
    PriorEstimate,
    load_estimator,
    of_frames,
    of_picture,
)
from napari_sofinet.networks.schedules import noise_levels
from napari_sofinet.networks.stopping import between_layers
from napari_sofinet.networks.tiling import Tile, tiles
from napari_sofinet.networks.weights import Card, Loaded
from napari_sofinet.preprocess.characteristics import characteristics_of

EMITTER_LIGHT = 2 * np.pi
"""Sum of a map over the samples of one emitter."""
FRAME_TIME = 0.1
"""Approximate fraction of the time that the prior estimate of a frame takes."""
STEP_FRAMES = 8
"""Approximate number of frames whose prior estimate takes as long as one step of one sample."""


@dataclass(frozen=True)
class EstimatedPart:
    """A prior estimate of one frame, or of the whole movie.

    Parameters
    ----------
    frame : int
        Number of the frame; 0 for the whole movie.
    fraction : float
        Fraction of the movie that it stands for.
    estimate : PriorEstimate
        The picture and its conditions.
    """

    frame: int
    fraction: float
    estimate: PriorEstimate


class Estimator(Protocol):
    """Makes prior estimates with one kind of network."""

    @property
    def loaded(self) -> Loaded:
        """The network."""

    def check(self, settings: DdpmSettings) -> None:
        """Raise `InputError` for settings that the estimate cannot follow."""

    def first_sample(self, fineness: int) -> float:
        """Return the position of sample 0 in camera pixels."""

    def faint(self, movie: Movie) -> bool:
        """Return whether noise hides nearly everything."""

    def time(self, movie: Movie, settings: DdpmSettings) -> float:
        """Return the approximate fraction of the time that a prior estimate takes."""

    def estimates(
        self,
        movie: Movie,
        settings: DdpmSettings,
        notes: list[str],
        device: str,
        report: Repeatable,
    ) -> Iterator[EstimatedPart]:
        """Yield the estimates of a movie, and append sentences for the user to ``notes``."""


@dataclass(frozen=True)
class _MovieEstimator:
    """Estimates of the statistics network, from all frames together."""

    loaded: Loaded

    def check(self, settings: DdpmSettings) -> None:
        """Do nothing, as all settings can be followed."""

    def first_sample(self, fineness: int) -> float:
        """Return 0: samples lie on the camera's pixels."""
        return 0.0

    def faint(self, movie: Movie) -> bool:
        """Return whether next to nothing fluctuates above the noise."""
        return shows_nothing(characteristics_of(movie))

    def time(self, movie: Movie, settings: DdpmSettings) -> float:
        """Return the approximate fraction of the time that the prior estimate takes."""
        levels = len(noise_levels(settings.schedule, settings.steps))
        frames = movie.shape[0]
        return frames / (frames + STEP_FRAMES * levels * settings.samples)

    def estimates(
        self,
        movie: Movie,
        settings: DdpmSettings,
        notes: list[str],
        device: str,
        report: Repeatable,
    ) -> Iterator[EstimatedPart]:
        """Yield one estimate."""
        share, (net, card, _) = self.time(movie, settings), self.loaded
        frames, rows, columns = movie.shape
        if frames < FRAMES_MIN:
            raise InputError(
                f"A network needs at least {FRAMES_MIN} frames, but this movie has {frames}."
            )
        parts = list(tiles(rows, columns, TILE_PX, net.reach_px))
        spool, saturation = Spool(movie, needed=len(parts) > 1), Saturation()
        first = portion(report, 0.0, 0.1 * share)
        levels = measure_normalization(movie, None, saturation, first, each_block=spool.add)
        notes += out_of_range_notes(characteristics_of(movie), card)
        if saturation.note:
            notes.append(saturation.note)
        fast, movie = half_precision_copy(net, device), spool.movie
        y, x = (int(v) for v in movie.origin_px)
        whole: PriorEstimate | None = None
        then = Repeatable(portion(report, 0.1 * share, share, "prior estimate"))
        for number, tile in enumerate(parts):
            tell = portion(then, number / len(parts), (number + 1) / len(parts))
            (top, bottom), (left, right) = tile.seen
            field = movie.select(None, ((y + top, y + bottom), (x + left, x + right)))
            with between_layers(fast, then.again):
                (state,) = accumulate(fast, field, levels, None, [frames], device, tell)
                with torch.inference_mode(), precision(device):
                    found = of_picture(state.result()[None].cpu(), state.raw()[None].cpu())
            if len(parts) == 1:
                whole = found
                break
            whole = whole or _empty_estimate(found, rows, columns)
            _copy_own_part(found, tile, whole)
        assert whole is not None
        yield EstimatedPart(0, 1.0, whole)


def _empty_estimate(like: PriorEstimate, rows: int, columns: int) -> PriorEstimate:
    """Return an estimate for a field, with as many maps as another one and even sides."""
    size = rows + rows % 2, columns + columns % 2
    return PriorEstimate(
        *(maps.new_empty(1, maps.shape[1], *size) for maps in (like.estimate, like.conditions))
    )


def _copy_own_part(found: PriorEstimate, tile: Tile, whole: PriorEstimate) -> None:
    """Copy a tile's own part of its estimate into that of the whole field."""
    (top, _), (left, _) = tile.seen
    (a, b), (c, d) = tile.own
    # Both have even sides, so an odd last row or column is repeated.
    b, d = b + b % 2, d + d % 2
    for into, part in (
        (whole.estimate, found.estimate),
        (whole.conditions, found.conditions),
    ):
        into[..., a:b, c:d] = part[..., a - top : b - top, c - left : d - left]


@dataclass(frozen=True)
class _FrameEstimator:
    """Estimates of the emitters' network, frame by frame."""

    loaded: Loaded

    def check(self, settings: DdpmSettings) -> None:
        """Raise `InputError` for corrections that single frames cannot have."""
        if settings.drift.correct or settings.bleaching.correct:
            raise InputError(
                "Single frames cannot be corrected for drift and bleaching; switch these off, and "
                "correct drift in a table of localisations."
            )

    def first_sample(self, fineness: int) -> float:
        """Return the position of sample 0; samples lie between the camera's pixels."""
        return (1 / fineness - 1) / 2

    def faint(self, movie: Movie) -> bool:
        """Return False: a frame is judged by its emitters, not by its fluctuations."""
        return False

    def time(self, movie: Movie, settings: DdpmSettings) -> float:
        """Return the approximate fraction of a frame's time that its estimate takes."""
        return FRAME_TIME

    def estimates(
        self,
        movie: Movie,
        settings: DdpmSettings,
        notes: list[str],
        device: str,
        report: Repeatable,
    ) -> Iterator[EstimatedPart]:
        """Yield one estimate for every frame."""
        card = self.loaded.card
        frames, rows, columns = movie.shape
        detector = NetworkDetector(card.name, CERTAINTY, device, report.again)
        imaging = measure_imaging(movie, detector, settings.psf_fwhm_px, notes, report.again)
        saturation = Saturation()
        number, light = movie.first_frame, 0.0
        for block in time_blocks(movie, saturation):
            saturation.add(block)
            for frame in block:
                maps, _ = detector(frame[None].astype(np.float32))
                assert maps is not None
                light += float(np.maximum(maps, 0).sum())
                estimate = of_frames(
                    torch.from_numpy(maps),
                    frame[None].astype(np.float64),
                    [imaging.noise],
                    [imaging.sigma_px],
                )
                yield EstimatedPart(number, 1 / frames, estimate)
                number += 1
        if saturation.note:
            notes.append(saturation.note)
        values = {
            "psf_fwhm_px": 2.3548 * imaging.sigma_px,
            "density_per_px2": light / EMITTER_LIGHT / (frames * rows * columns),
        }
        notes += out_of_range_frames(card, values)


ESTIMATORS: dict[Network, type[_MovieEstimator] | type[_FrameEstimator]] = {
    sofinet.NETWORK: _MovieEstimator,
    localization_settings.NETWORK: _FrameEstimator,
}
"""Networks whose pictures samples can start from."""


def estimator_of(card: Card) -> Estimator:
    """Load the network that makes the pictures from which samples start.

    Parameters
    ----------
    card : Card
        Card of the network that draws samples.

    Raises
    ------
    InputError
        The weights do not exist, or have changed since the network was trained.
    """
    loaded = load_estimator(card.estimate or "", list(ESTIMATORS))
    if loaded.sha256 != card.estimate_sha256:
        raise InputError(
            f"{card.name} was trained on pictures of {card.estimate}, whose weights have changed "
            "since; train it again."
        )
    kinds = {network.name: kind for network, kind in ESTIMATORS.items()}
    return kinds[loaded.card.network](loaded)

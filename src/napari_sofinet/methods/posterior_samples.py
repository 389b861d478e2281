"""Drawing posterior samples around the picture of another network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report, portion
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.data.spool import Spool
from napari_sofinet.io.large_array import large_array
from napari_sofinet.methods import localization_settings, sofinet
from napari_sofinet.methods.localize import measure_imaging
from napari_sofinet.methods.network_detector import NetworkDetector, out_of_range_frames
from napari_sofinet.methods.network_picture import TILE_PX, accumulate
from napari_sofinet.methods.network_settings import FRAMES_MIN, QUANTITATIVE, SIDE_MIN_PX
from napari_sofinet.methods.out_of_range import out_of_range_notes, shows_nothing
from napari_sofinet.methods.posterior_settings import DdpmSettings
from napari_sofinet.networks import weights
from napari_sofinet.networks.contract import Network
from napari_sofinet.networks.device import (
    half_precision_copy,
    has_fast_16_bits,
    on_device,
    precision,
)
from napari_sofinet.networks.diffusion import unfolded
from napari_sofinet.networks.normalization import measure_normalization
from napari_sofinet.networks.prior_estimate import (
    CERTAINTY,
    PriorEstimate,
    load_estimator,
    of_frames,
    of_picture,
)
from napari_sofinet.networks.sample_summary import summary
from napari_sofinet.networks.sampling import Posterior
from napari_sofinet.networks.tiling import tiles
from napari_sofinet.networks.weights import Loaded
from napari_sofinet.preprocess.characteristics import characteristics_of
from napari_sofinet.preprocess.corrections import correct

EMITTER_LIGHT = 2 * np.pi
"""Sum of a map over the samples of one emitter."""
UNLIKELY = 0.1
"""Expected brightness below which the samples of a faint movie show just that."""
ESTIMATE_TIME = 0.1
"""Fraction of the time that a prior estimate takes, about."""


def posterior_samples(
    network: Network, movie: Movie, settings: DdpmSettings, report: Report, device: str
) -> Reconstruction:
    """Draw samples of the truth behind a network's picture of a movie.

    Returns
    -------
    Reconstruction
        On the grid of that network (`sofinet`: (2Y-1, 2X-1), all frames; `deepstorm`: (4Y, 4X),
        the sum of the frames), float32: ``image``, the posterior mean; the ``standard_deviation``
        of the samples; ``lower`` and ``upper``, between which 90 % of simulated truths lay where
        something shows; ``estimate``, the network's picture. ``samples`` (K, Y, X) are the samples.

    Raises
    ------
    InputError
        Unusable weights, or other weights of the estimate than they were trained with; too few
        frames or pixels, NaN.
    """
    net, card, _ = weights.load(settings.weights, network)
    estimator = _estimator_of(load_estimator(card.estimate or "", list(ESTIMATORS)))
    if estimator.loaded.sha256 != card.estimate_sha256:
        raise InputError(
            f"{card.name} belongs to pictures of {card.estimate} as it was when it was trained, "
            "and those weights have changed; train it again."
        )
    rows, columns = movie.shape[1:]
    if min(rows, columns) < SIDE_MIN_PX:
        raise InputError(
            f"At least {SIDE_MIN_PX} x {SIDE_MIN_PX} px are needed, this movie has {rows} x "
            f"{columns}."
        )
    estimator.check(settings)
    corrected = correct(movie, settings, portion(report, 0.0, 0.1))
    notes = [*corrected.notes]
    y, x = movie.origin_px
    first = estimator.first_sample(net.fineness)
    shown = Reconstruction(
        {},
        pixel_px=(1 / net.fineness, 1 / net.fineness),
        origin_px=(y + first, x + first),
        camera_pixel_um=movie.pixel_size_um,
    )
    tell = portion(report, 0.1, 0.95)

    def work(chosen: str) -> _Drawn:
        drawing = _Drawing(net, settings, chosen, tell, shown)
        estimates = estimator.estimates(corrected.movie, settings, notes, chosen, tell)
        return drawing.draw(estimates, corrected.movie, estimator.faint(corrected.movie))

    drawn = on_device(device, notes, work)
    last = portion(report, 0.95, 1.0)
    maps = summary(drawn.samples, drawn.mean, card.uncertainty, lambda f: last(f, "summary"))
    return replace(
        shown,
        maps={**maps, "estimate": drawn.estimate},
        samples=drawn.samples,
        notes=(*notes, card.prior, QUANTITATIVE),
        details=corrected.details,
    )


@dataclass(frozen=True)
class _Drawn:
    """Samples (K, fY, fX), the posterior mean and the prior estimate (fY, fX)."""

    samples: np.ndarray
    mean: np.ndarray
    estimate: np.ndarray


@dataclass(frozen=True)
class _Part:
    """A prior estimate of one frame, or of the whole movie."""

    frame: int
    fraction: float
    """Of the work."""
    estimate: PriorEstimate


class _Drawing:
    """Draws samples for one estimate after the other and adds them up."""

    def __init__(
        self,
        net: torch.nn.Module,
        settings: DdpmSettings,
        device: str,
        report: Report,
        shown: Reconstruction,
    ) -> None:
        self.net, self.settings, self.device = net, settings, device
        self.report, self.shown = report, shown
        self.fast = half_precision_copy(net, device)
        self.half = has_fast_16_bits(device)

    def draw(self, parts: Iterator[_Part], movie: Movie, faint: bool) -> _Drawn:
        """Draw and add up; samples of a ``faint`` movie do not show what is unlikely."""
        fine, count = self.net.fineness, self.settings.samples
        # sofinet's grid ends with the last pixel's centre.
        rows, columns = (fine * n - (1 if fine == 2 else 0) for n in movie.shape[1:])
        samples = large_array((count, rows, columns))
        samples[...] = 0
        total, mean = np.zeros((2, rows, columns), np.float32)
        done = 0.0
        for part in parts:
            estimate = unfolded(part.estimate.estimate[0], fine)[:rows, :columns].numpy()
            if part.fraction == 1:
                preview = replace(self.shown, maps={"image": estimate})
                self.report(ESTIMATE_TIME, "prior estimate", preview)
            mean += self._add_samples(samples, part, done, faint)
            total += estimate
            done += part.fraction
        return _Drawn(samples, mean, total)

    def _add_samples(
        self, samples: np.ndarray, part: _Part, done: float, faint: bool
    ) -> np.ndarray:
        """Add the samples of one estimate, and return their posterior mean."""
        s, (count, rows, columns) = self.settings, samples.shape

        def tell(fraction: float) -> None:
            passed = ESTIMATE_TIME + (1 - ESTIMATE_TIME) * fraction
            number = min(1 + int(fraction * count), count)
            self.report(done + part.fraction * passed, f"sample {number} of {count}")

        posterior = Posterior(self.fast, part.estimate, self.device, self.half, tell)
        seeds = [(s.seed, part.frame, number) for number in range(count)]
        mean = posterior.expected((s.seed, part.frame, count))[:rows, :columns].numpy()
        for number, picture in posterior.samples(seeds, s.schedule, s.steps):
            one = picture[:rows, :columns].numpy()
            if faint:
                one = np.where(mean < UNLIKELY, mean, one)
            if not np.isfinite(one).all():
                raise InputError(f"The weights {s.weights} give no numbers; use others.")
            samples[number] += one
        return np.asarray(mean)


class _Estimator(Protocol):
    """Makes prior estimates with one kind of network."""

    @property
    def loaded(self) -> Loaded:
        """The network."""

    def check(self, settings: DdpmSettings) -> None:
        """Raise `InputError` for settings that the estimate cannot follow."""

    def first_sample(self, fineness: int) -> float:
        """Position of sample 0 in camera pixels."""

    def faint(self, movie: Movie) -> bool:
        """Whether noise hides nearly everything."""

    def estimates(
        self, movie: Movie, settings: DdpmSettings, notes: list[str], device: str, report: Report
    ) -> Iterator[_Part]:
        """Yield the estimates of a movie."""


@dataclass(frozen=True)
class _MovieEstimator:
    """Estimates of the statistics network, from all frames together."""

    loaded: Loaded

    def check(self, settings: DdpmSettings) -> None:
        """All settings can be followed."""

    def first_sample(self, fineness: int) -> float:
        """Samples lie on the camera's pixels."""
        return 0.0

    def faint(self, movie: Movie) -> bool:
        """Whether next to nothing fluctuates above the noise."""
        return shows_nothing(characteristics_of(movie))

    def estimates(
        self, movie: Movie, settings: DdpmSettings, notes: list[str], device: str, report: Report
    ) -> Iterator[_Part]:
        """Yield one estimate."""
        net, card, _ = self.loaded
        frames, rows, columns = movie.shape
        if frames < FRAMES_MIN:
            raise InputError(
                f"A network needs at least {FRAMES_MIN} frames, this movie has {frames}."
            )
        parts = list(tiles(rows, columns, TILE_PX, net.reach_px))
        spool = Spool(movie, needed=len(parts) > 1)
        saturation = Saturation()
        first = portion(report, 0.0, 0.3 * ESTIMATE_TIME)
        levels = measure_normalization(movie, None, saturation, first, each_block=spool.add)
        notes += out_of_range_notes(characteristics_of(movie), card)
        if saturation.note:
            notes.append(saturation.note)
        fast = half_precision_copy(net, device)
        movie = spool.movie
        y, x = (int(v) for v in movie.origin_px)
        whole: PriorEstimate | None = None
        then = portion(report, 0.3 * ESTIMATE_TIME, ESTIMATE_TIME, "prior estimate")
        for number, tile in enumerate(parts):
            tell = portion(then, number / len(parts), (number + 1) / len(parts))
            (top, bottom), (left, right) = tile.seen
            field = movie.select(None, ((y + top, y + bottom), (x + left, x + right)))
            (state,) = accumulate(fast, field, levels, None, [frames], device, tell)
            with torch.inference_mode(), precision(device):
                found = of_picture(state.result()[None].cpu(), state.raw()[None].cpu())
            if len(parts) == 1:
                whole = found
                break
            if whole is None:
                size = rows + rows % 2, columns + columns % 2
                whole = PriorEstimate(
                    *(v.new_empty(1, v.shape[1], *size) for v in (found.estimate, found.conditions))
                )
            (a, b), (c, d) = tile.own
            for into, part in (
                (whole.estimate, found.estimate),
                (whole.conditions, found.conditions),
            ):
                into[..., a : b + b % 2, c : d + d % 2] = part[
                    ..., a - top : b + b % 2 - top, c - left : d + d % 2 - left
                ]
        assert whole is not None
        yield _Part(0, 1.0, whole)


@dataclass(frozen=True)
class _FrameEstimator:
    """Estimates of the emitters' network, frame by frame."""

    loaded: Loaded

    def check(self, settings: DdpmSettings) -> None:
        """Raise `InputError` for corrections that single frames cannot have."""
        if settings.drift.correct or settings.bleaching.correct:
            raise InputError(
                "Drift and bleaching are not corrected frame by frame, as emitters need them: "
                "correct drift in a table of localisations."
            )

    def first_sample(self, fineness: int) -> float:
        """Samples lie between the camera's pixels."""
        return (1 / fineness - 1) / 2

    def faint(self, movie: Movie) -> bool:
        """A frame is judged by its emitters, not by its fluctuations."""
        return False

    def estimates(
        self, movie: Movie, settings: DdpmSettings, notes: list[str], device: str, report: Report
    ) -> Iterator[_Part]:
        """Yield one estimate for every frame."""
        card = self.loaded.card
        frames, rows, columns = movie.shape
        detector = NetworkDetector(card.name, CERTAINTY, device)
        imaging = measure_imaging(movie, detector, settings.psf_fwhm_px, notes, lambda: None)
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
                yield _Part(number, 1 / frames, estimate)
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


def _estimator_of(loaded: Loaded) -> _Estimator:
    kinds = {network.name: kind for network, kind in ESTIMATORS.items()}
    return kinds[loaded.card.network](loaded)

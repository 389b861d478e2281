"""Drawing posterior samples around the picture of another network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Repeatable, Report, portion
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.io.large_array import large_array
from napari_sofinet.methods.network_settings import QUANTITATIVE, SIDE_MIN_PX
from napari_sofinet.methods.posterior_estimates import EstimatedPart, estimator_of
from napari_sofinet.methods.posterior_settings import DdpmSettings
from napari_sofinet.networks import weights
from napari_sofinet.networks.about_weights import about_weights
from napari_sofinet.networks.contract import Network
from napari_sofinet.networks.device import half_precision_copy, has_fast_16_bits, on_device
from napari_sofinet.networks.diffusion import unfolded
from napari_sofinet.networks.sample_summary import summary
from napari_sofinet.networks.sampling import Posterior
from napari_sofinet.networks.stopping import between_layers
from napari_sofinet.preprocess.corrections import correct

SUMMARY_FROM = 0.98
"""Fraction of the work after which the samples are summed up."""
FAINT_MIN = 0.1
"""Expected brightness below which all samples of a faint movie equal the mean."""


def posterior_samples(
    network: Network, movie: Movie, settings: DdpmSettings, report: Report, device: str
) -> Reconstruction:
    """Draw posterior samples of the structure, given a movie and the picture of a network.

    Parameters
    ----------
    network : Network
        The network that draws samples.
    movie : Movie
        Movie of at least 12 x 12 pixels.
    settings : DdpmSettings
        Weights, number of samples and corrections.
    report : Report
        Receives the progress and, where it exists early, the prior estimate.
    device : {"auto", "cpu", "cuda"}
        Device of the networks.

    Returns
    -------
    Reconstruction
        Maps on the grid of that network (`sofinet`: (2Y-1, 2X-1), all frames; `deepstorm`: (4Y,
        4X), the sum of the frames), float32: ``image``, the posterior mean; the
        ``standard_deviation`` of the samples; ``lower`` and ``upper``, between which 90 % of
        simulated truths lay where something shows; ``estimate``, the network's picture. ``samples``
        (K, Y, X) are the samples.

    Raises
    ------
    InputError
        The weights are unusable, those of the estimate differ from the ones in training, or the
        movie has too few frames or pixels or contains NaN.
    """
    net, card, _ = weights.load(settings.weights, network)
    estimator = estimator_of(card)
    rows, columns = movie.shape[1:]
    if min(rows, columns) < SIDE_MIN_PX:
        raise InputError(
            f"At least {SIDE_MIN_PX} x {SIDE_MIN_PX} px are needed, but this movie has {rows} x "
            f"{columns}."
        )
    estimator.check(settings)
    corrected = correct(movie, settings, portion(report, 0.0, 0.1))
    begun = 0.1 if corrected.movie.steps else 0.0
    notes = [*corrected.notes]
    y, x = movie.origin_px
    first = estimator.first_sample(net.fineness)
    shown = Reconstruction(
        {},
        pixel_px=(1 / net.fineness, 1 / net.fineness),
        origin_px=(y + first, x + first),
        camera_pixel_um=movie.pixel_size_um,
    )
    tell = Repeatable(portion(report, begun, SUMMARY_FROM))

    def work(chosen: str) -> _Drawn:
        share = estimator.time(corrected.movie, settings)
        drawing = _Drawing(net, settings, chosen, tell, shown, share)
        estimates = estimator.estimates(corrected.movie, settings, notes, chosen, tell)
        with between_layers(drawing.fast, tell.again):
            return drawing.draw(estimates, corrected.movie, estimator.faint(corrected.movie))

    drawn = on_device(device, notes, work)
    last = portion(report, SUMMARY_FROM, 1.0)
    maps = summary(drawn.samples, drawn.mean, card.uncertainty, lambda f: last(f, "summary"))
    return replace(
        shown,
        maps={**maps, "estimate": drawn.estimate},
        samples=drawn.samples,
        notes=(*notes, about_weights(card), QUANTITATIVE),
        details=corrected.details,
    )


@dataclass(frozen=True)
class _Drawn:
    """Samples (K, fY, fX), and the posterior mean and the prior estimate (fY, fX)."""

    samples: np.ndarray
    mean: np.ndarray
    estimate: np.ndarray


class _Drawing:
    """Draws samples around one estimate after the other and adds them up."""

    def __init__(
        self,
        net: torch.nn.Module,
        settings: DdpmSettings,
        device: str,
        report: Report,
        shown: Reconstruction,
        estimate_time: float,
    ) -> None:
        self.net, self.settings, self.device = net, settings, device
        self.report, self.shown, self.estimate_time = report, shown, estimate_time
        self.fast = half_precision_copy(net, device)
        self.half = has_fast_16_bits(device)

    def draw(self, parts: Iterator[EstimatedPart], movie: Movie, faint: bool) -> _Drawn:
        """Draw samples and add them up; those of a ``faint`` movie leave out what is unlikely."""
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
                self.report(self.estimate_time, "prior estimate", preview)
            mean += self._add_samples(samples, part, done, faint)
            total += estimate
            done += part.fraction
        return _Drawn(samples, mean, total)

    def _add_samples(
        self, samples: np.ndarray, part: EstimatedPart, done: float, faint: bool
    ) -> np.ndarray:
        """Add the samples of one estimate, and return their posterior mean."""
        s, (count, rows, columns) = self.settings, samples.shape

        def tell(fraction: float) -> None:
            passed = self.estimate_time + (1 - self.estimate_time) * fraction
            number = min(1 + int(fraction * count), count)
            self.report(done + part.fraction * passed, f"sample {number} of {count}")

        posterior = Posterior(self.fast, part.estimate, self.device, self.half, tell)
        seeds = [(s.seed, part.frame, number) for number in range(count)]
        mean = posterior.expected((s.seed, part.frame, count))[:rows, :columns].numpy()
        for number, picture in posterior.samples(seeds, s.schedule, s.steps):
            one = picture[:rows, :columns].numpy()
            if faint:
                one = np.where(mean < FAINT_MIN, mean, one)
            if not np.isfinite(one).all():
                raise InputError(
                    f"The network with the weights {s.weights} returns values that are not "
                    "finite; use other weights."
                )
            samples[number] += one
        return np.asarray(mean)

"""What the truth behind a network's picture may be, as a method: samples of it, and their spread.

The guided diffusion of C. Seitz, J. Liu, "Uncertainty-aware localization microscopy by variational
diffusion" (2024), from raw pixels: a network's first guess and the movie itself are the condition.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.methods import model
from napari_sofinet.methods.localize import NetworkFinder, measure_view
from napari_sofinet.methods.localize import outside as outside_frames
from napari_sofinet.movie import Saturation, time_blocks
from napari_sofinet.networks.schedules import Schedule  # noqa: TC001  (read by pydantic)
from napari_sofinet.preprocess.stage import MovieSettings, describe_stage, prepared
from napari_sofinet.reconstruction import Reconstruction
from napari_sofinet.settings import Report, parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from napari_sofinet.movie import Movie
    from napari_sofinet.networks.first_guess import FirstGuess
    from napari_sofinet.networks.weights import Card

EMITTER_LIGHT = 2 * np.pi
"""Sum of a map over the samples of one emitter."""
UNLIKELY = 0.1
"""Expected brightness below which a faint movie's samples show just that."""
GUESS_TIME = 0.1
"""Share of the time that a first guess takes, about."""


class DdpmSettings(MovieSettings):
    """Samples of what the truth behind a network's picture may be, and how far they differ."""

    weights: str = parameter(
        "ddpm-universal",
        "Whose picture is doubted: 'ddpm-universal' that of sofinet, from 20 frames or so; "
        "'ddpm-emitters' that of deepstorm, frame by frame; or own weights.",
        basic=True,
        weights="ddpm",
    )
    samples: int = parameter(
        16, "Pictures that are drawn; time and disk grow with them.", basic=True, ge=4, le=256
    )
    seed: int = parameter(
        0, "Seed of the samples: the same one gives the same samples.", ge=0, lt=2**31
    )
    steps: int = parameter(12, "Steps from noise to a sample.", ge=4, le=100)
    schedule: Schedule = parameter(
        "full",
        "'full' begins in noise; 'guided' at the first guess with some noise, and keeps closer to "
        "it; 'paper' takes the 100 steps of Seitz and Liu, which do not begin in noise.",
    )
    psf_fwhm_px: float | None = parameter(
        None,
        "Width of the PSF (full width at half maximum), for emitters; measured where empty.",
        unit="camera px",
        ge=1.0,
        le=8.0,
        empty="measured",
    )


def ddpm(movie: Movie, settings: DdpmSettings, report: Report, device: str) -> Reconstruction:
    """Draw samples of the truth behind a network's picture of a movie.

    Returns
    -------
    On the grid of that network (`sofinet`: (2Y-1, 2X-1), all frames; `deepstorm`: (4Y, 4X), the sum
    of the frames), float32: ``image``, what samples are on average, endless ones; the
    ``standard_deviation`` of those drawn; ``lower`` and ``upper``, between which 90 % of simulated
    truths lay where something shows; ``guess``, the network's picture. ``samples`` (K, Y, X) are
    the samples.

    Raises
    ------
    InputError
        Unusable weights, or other weights of the first guess than they were trained with; too few
        frames or pixels, NaN.
    """
    from napari_sofinet.networks import weights
    from napari_sofinet.networks.first_guess import guesser
    from napari_sofinet.networks.spread import summary

    net, card, _ = weights.load(settings.weights, "ddpm")
    guess_net, guess_card, digest = guesser(card.guess or "")
    if digest != card.guess_sha256:
        raise InputError(
            f"{card.name} doubts the pictures of {card.guess} as it was when it was trained, and "
            "those weights have changed; train it again."
        )
    rows, columns = movie.shape[1:]
    if min(rows, columns) < model.SMALLEST_SIDE:
        raise InputError(
            f"At least {model.SMALLEST_SIDE} x {model.SMALLEST_SIDE} px are needed, this movie has "
            f"{rows} x {columns}."
        )
    emitters = guess_card.network == "deepstorm"
    if emitters and (settings.drift.correct or settings.bleaching.correct):
        raise InputError(
            "Drift and bleaching are not corrected frame by frame, as emitters need them: correct "
            "drift in a table of localisations."
        )
    stage = prepared(movie, settings, lambda f, m="", p=None: report(0.1 * f, m))
    notes = [*stage.notes]

    fineness = net.fineness
    y, x = movie.origin_px
    # Samples of sofinet's grid lie on the camera's pixels, those of maps of emitters between them.
    first = (1 / fineness - 1) / 2 if emitters else 0.0
    shown = Reconstruction(
        {},
        pixel_px=(1 / fineness, 1 / fineness),
        origin_px=(y + first, x + first),
        camera_pixel_um=movie.pixel_size_um,
    )

    def tell(fraction: float, message: str = "", preview: Reconstruction | None = None) -> None:
        report(0.1 + 0.85 * fraction, message, preview)

    def show(guess: np.ndarray) -> None:
        tell(GUESS_TIME, "first guess", replace(shown, maps={"image": guess}))

    def work(chosen: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if emitters:
            guesses = _of_frames(stage.movie, settings, guess_card, notes, chosen)
        else:
            guesses = _of_movie(stage.movie, guess_card, guess_net, notes, chosen, tell)
        faint = not emitters and model.hardly_any_light(stage.movie)
        return _draw(guesses, stage.movie, settings, net, chosen, tell, show, faint)

    drawn, expected, guess = model.on_device(device, notes, work)
    maps = summary(drawn, expected, card.uncertainty, lambda f: report(0.95 + 0.05 * f, "spread"))
    return replace(
        shown,
        maps={**maps, "guess": guess},
        samples=drawn,
        notes=(*notes, card.prior, model.QUANTITATIVE),
        details=stage.details,
    )


def describe(settings: DdpmSettings, details: dict[str, float]) -> str:
    """Sentence for a methods section."""
    how = {
        "full": f"{settings.steps} steps from noise",
        "guided": f"{settings.steps} steps from the first guess with noise",
        "paper": "100 steps as published",
    }[settings.schedule]
    return describe_stage(settings, details) + (
        f"{settings.samples} samples of the structure were drawn by conditional diffusion (weights "
        f"{settings.weights}, {how}, seed {settings.seed}; after Seitz and Liu, 2024) around a "
        "neural network's picture; their mean and their spread are shown."
    )


def _draw(
    guesses: Iterator[tuple[int, float, FirstGuess]],
    movie: Movie,
    settings: DdpmSettings,
    net: torch.nn.Module,
    device: str,
    report: Report,
    show: Callable[[np.ndarray], None],
    faint: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples (K, fY, fX), what is expected of them and the first guess (fY, fX).

    Sums where there are several first guesses. Each comes with the number of its frame and the
    share of the work that it is; one of the whole movie is shown while samples are drawn. Of a
    ``faint`` movie, whose noise hides nearly everything, samples do not show what is unlikely.
    """
    from napari_sofinet.networks.diffusion import unfolded
    from napari_sofinet.networks.sampling import Posterior

    fine, count = net.fineness, settings.samples
    # sofinet's grid ends with the last pixel's centre.
    shape = [fine * n - (1 if fine == 2 else 0) for n in movie.shape[1:]]
    out = model.film_space((count, *shape))
    out[...] = 0
    total, expected = np.zeros((2, *shape), np.float32)
    done = 0.0
    fast = model.fast_form(net, device)
    half = model.has_fast_16_bits(device)
    for frame, share, first in guesses:
        guess = unfolded(first.guess[0], fine)[: shape[0], : shape[1]].numpy()
        if share == 1:
            show(guess)

        def tell(fraction: float, done: float = done, share: float = share) -> None:
            passed = GUESS_TIME + (1 - GUESS_TIME) * fraction
            report(
                done + share * passed, f"sample {min(1 + int(fraction * count), count)} of {count}"
            )

        posterior = Posterior(fast, first, device, half, tell)
        seeds = [(settings.seed, frame, number) for number in range(count)]
        mean = posterior.expected((settings.seed, frame, count))[: shape[0], : shape[1]].numpy()
        for number, picture in posterior.samples(seeds, settings.schedule, settings.steps):
            part = picture[: shape[0], : shape[1]].numpy()
            if faint:
                part = np.where(mean < UNLIKELY, mean, part)
            if not np.isfinite(part).all():
                raise InputError(f"The weights {settings.weights} give no numbers; use others.")
            out[number] += part
        expected += mean
        total += guess
        done += share
    return out, expected, total


def _of_movie(
    movie: Movie,
    card: Card,
    net: torch.nn.Module,
    notes: list[str],
    device: str,
    report: Report,
) -> Iterator[tuple[int, float, FirstGuess]]:
    """The first guess of the statistics network, of all frames."""
    import torch

    from napari_sofinet.networks.first_guess import FirstGuess, of_picture
    from napari_sofinet.networks.running import tiles

    frames, rows, columns = movie.shape
    if frames < model.FEWEST_FRAMES:
        raise InputError(
            f"A network needs at least {model.FEWEST_FRAMES} frames, this movie has {frames}."
        )
    saturation = Saturation()
    levels = model.measure_levels(
        movie, None, saturation, lambda f, m="", p=None: report(0.3 * GUESS_TIME * f, m)
    )
    notes += model.outside(movie, card)
    if saturation.note:
        notes.append(saturation.note)
    fast = model.fast_form(net, device)
    y, x = (int(v) for v in movie.origin_px)
    whole: FirstGuess | None = None
    parts = list(tiles(rows, columns, model.TILE_PX, net.reach_px))
    for number, (((top, bottom), (left, right)), ((a, b), (c, d))) in enumerate(parts):

        def tell(fraction: float, at: int = number) -> None:
            report(GUESS_TIME * (0.3 + 0.7 * (at + fraction) / len(parts)), "first guess")

        part = movie.select(None, ((y + top, y + bottom), (x + left, x + right)))
        for state in model.states(fast, part, levels, None, [frames], device, tell):
            with torch.inference_mode(), model.precision(device):
                first = of_picture(state.result()[None].cpu(), state.raw()[None].cpu())
            if len(parts) == 1:
                yield 0, 1.0, first
                return
            if whole is None:
                size = rows + rows % 2, columns + columns % 2
                whole = FirstGuess(
                    *(v.new_empty(1, v.shape[1], *size) for v in (first.guess, first.conditions))
                )
            for into, tile in (
                (whole.guess, first.guess),
                (whole.conditions, first.conditions),
            ):
                into[..., a : b + b % 2, c : d + d % 2] = tile[
                    ..., a - top : b + b % 2 - top, c - left : d + d % 2 - left
                ]
    assert whole is not None
    yield 0, 1.0, whole


def _of_frames(
    movie: Movie, settings: DdpmSettings, card: Card, notes: list[str], device: str
) -> Iterator[tuple[int, float, FirstGuess]]:
    """The first guess of the emitters' network, frame by frame."""
    import torch

    from napari_sofinet.networks.first_guess import CERTAINTY, of_frames

    frames, rows, columns = movie.shape
    finder = NetworkFinder(card.name, CERTAINTY, device)
    view = measure_view(movie, finder, settings.psf_fwhm_px, notes, lambda: None)
    saturation = Saturation()
    number = 0 if movie.frame_range is None else movie.frame_range[0]
    light = 0.0
    for block in time_blocks(movie, saturation):
        saturation.add(block)
        for frame in block:
            maps, _ = finder(frame[None].astype(np.float32))
            assert maps is not None
            light += float(np.maximum(maps, 0).sum())
            yield (
                number,
                1 / frames,
                of_frames(
                    torch.from_numpy(maps),
                    frame[None].astype(np.float64),
                    [view.noise],
                    [view.sigma_px],
                ),
            )
            number += 1
    if saturation.note:
        notes.append(saturation.note)
    notes += outside_frames(
        card,
        {
            "psf_fwhm_px": 2.3548 * view.sigma_px,
            "density_per_px2": light / EMITTER_LIGHT / (frames * rows * columns),
        },
    )

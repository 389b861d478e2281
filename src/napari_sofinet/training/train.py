"""Training or fine-tuning a network, from settings to a weights file."""

from __future__ import annotations

import contextlib
import json
import platform
import time
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_sofinet.errors import Cancelled, InputError
from napari_sofinet.io.atomic import check_writable
from napari_sofinet.methods.model import device_for
from napari_sofinet.networks import weights
from napari_sofinet.networks.dblink import DBlink
from napari_sofinet.networks.diffusion import MOST_LEVEL, DiffusionNet, unfolded
from napari_sofinet.networks.first_guess import guesser
from napari_sofinet.networks.weights import Card, NetworkName, Uncertainty
from napari_sofinet.preprocess.traits import FRAMES, movie_traits
from napari_sofinet.settings import Report, flatten_settings, silent
from napari_sofinet.simulation.presets import (
    draw_filaments,
    draw_komen2024,
    draw_universal,
)
from napari_sofinet.training.calibration import calibrate, calibrate_samples
from napari_sofinet.training.data import (
    Samples,
    ahead,
    frames_for,
    make_samples,
    or_nothing,
    sofi_samples,
)
from napari_sofinet.training.dynamics import FILLED, dynamics_samples, dynamics_sequences
from napari_sofinet.training.emitters import emitter_samples
from napari_sofinet.training.loop import Loss, OtherTraining, Plan, Training, of_output
from napari_sofinet.training.losses import (
    diffusion_loss,
    map_loss,
    picture_loss,
    sequence_loss,
    structure_loss,
)
from napari_sofinet.training.own_movies import OwnMovie, crops, prepare
from napari_sofinet.training.posterior import (
    emitter_conditions,
    picture_conditions,
    sizes_for,
)
from napari_sofinet.training.settings import (
    DynamicsTrainingSettings,
    EmitterTrainingSettings,
    LearningSettings,
    PosteriorTrainingSettings,
    TrainingSettings,
    settings_of,
    what_is_missing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sofinet.movie import Movie

HELD_OUT_SEED = 2**31
HELD_OUT_MOVIES = 24
HELD_OUT_FRAMES = 64
HELD_OUT_SEQUENCES = 8
CALIBRATION_BATCHES = 12
CALIBRATION_SAMPLES, CALIBRATION_STEPS = 16, 12
ANYTHING = {
    "psf_fwhm_px": (1.35, 7.0),
    "correlation_frames": (0.0, 150.0),
    "crowding": (0.0, 3e4),
    "drift_px": (0.0, 1.5),
}
RANGES = {
    "universal": ANYTHING,
    "filaments": ANYTHING | {"crowding": (0.0, 12.0)},
    "komen2024": ANYTHING | {"psf_fwhm_px": (1.8, 2.8), "crowding": (0.0, 4.0)},
}
"""What movies of the presets are like, by `preprocess.traits`, but for those that show nothing."""
NAMED = {"universal": draw_universal, "filaments": draw_filaments, "komen2024": draw_komen2024}
PRIORS = {
    "universal": "It has seen many kinds of structure, and empty fields.",
    "filaments": (
        "It expects filaments: a prior. Use it where you know that there are filaments; elsewhere "
        "it may draw some that are not there."
    ),
    "komen2024": "It has seen microtubules under one microscope (PSF 2.2 px) only: a prior.",
    "own movies": "It has seen your own movies only: use it for samples and settings like theirs.",
}
SAMPLES_MEAN = (
    "Each sample is a structure that would fit the movie: believe what they share, and measure in "
    "all of them."
)


@dataclass(frozen=True)
class Progress:
    """What a training shows while it runs: losses by step, and a crop that is held out.

    ``mean``, ``picture`` and ``target`` (2Y-1, 2X-1) of that crop.
    """

    learnt: list[tuple[int, float]]
    held_out: list[tuple[int, float]]
    mean: np.ndarray
    picture: np.ndarray
    target: np.ndarray


def train(
    network: NetworkName,
    output: str | Path,
    settings: LearningSettings | None = None,
    movies: Sequence[Movie] = (),
    *,
    device: str = "auto",
    report: Report = silent,
    show: Callable[[Progress], None] | None = None,
) -> Card:
    """Train a network and write the weights that did best on movies that were held out.

    A training that was killed goes on where it was when it is called again with the same output.
    One that is cancelled writes its best weights first.

    Parameters
    ----------
    network
        ``"sofinet"``, ``"convgru"``, ``"unet"``, ``"deepstorm"``, ``"dblink"`` or ``"ddpm"``.
    settings
        Of the class that `settings_of` gives for the network.
    output
        Weights file, .safetensors; its state is kept beside it until it is done.
    movies
        Own movies of fixed cells; simulated ones where there are none.
    show
        Given what a widget shows, at every look at the movies that are held out.

    Raises
    ------
    InputError
        Unusable movies, settings or output.
    Cancelled
        By ``report``.
    """
    settings = settings or settings_of(network)()
    output = Path(output)
    if output.suffix != weights.SUFFIX or not output.stem:
        raise InputError(f"The output {output.name} must be a name that ends in {weights.SUFFIX}.")
    _check(settings, movies)
    check_writable(output)
    if settings.start:
        start = weights.find(settings.start, network)
        if output.exists() and output.samefile(start):
            raise InputError(
                f"The output {output} would replace the weights it starts from; choose another one."
            )
    where = device_for(device)
    torch.manual_seed(settings.seed)
    net, sizes = _network(network, settings)
    net.to(where)
    if settings.compiled:
        # One for every number of frames, for training and for looking at what is held out.
        torch._dynamo.config.recompile_limit = 32  # noqa: SLF001
        net.forward = torch.compile(net.forward, dynamic=False)
    data = _data(net, settings, movies, report)
    plan = Plan(
        settings.steps,
        settings.minutes,
        settings.learning_rate,
        checkpoint_s=60,
        half=settings.half,
        loss=data.loss,
    )
    training = Training(net, plan, _identity(network, settings, movies))
    state = output.with_name(f".{output.stem}.training{weights.SUFFIX}")
    if state.exists():
        _resume(training, state)
        report(0.0, f"going on from step {training.step}")
    looks = _Looks(training, data, settings, show)
    begun = 0.3 if movies else 0.0

    def tell(fraction: float, message: str = "", preview: Any = None) -> None:
        report(begun + (1 - begun) * fraction, message)
        looks.after_step()

    stopped: BaseException | None = None
    try:
        with contextlib.closing(ahead(data.make, training.step)) as batches:
            training.run((_on(batch, where) for batch in batches), state, tell, looks.enough)
    except (Cancelled, KeyboardInterrupt) as error:
        if not training.best:
            raise
        stopped = error
    looks.look()
    card = Card(
        name=output.stem,
        network=network,
        parameters=sizes,
        prior=data.prior,
        trained_on=data.description,
        command=_command(network, output, settings, movies),
        seed=settings.seed,
        steps=training.step,
        minutes=round(training.spent_s / 60, 1),
        machine=_machine(where),
        date=time.strftime("%Y-%m-%d"),
        ranges=data.ranges,
        uncertainty=looks.calibration(2 if stopped else CALIBRATION_BATCHES),
        turned=looks.calibration(2 if stopped else CALIBRATION_BATCHES, turns=True),
        figures={"held_out_loss": round(training.least, 5)} | looks.by_kind(),
        guess=data.guess,
        guess_sha256=data.guess_sha256,
    )
    weights.save(output, training.best, card)
    if stopped is not None:
        raise stopped
    state.unlink(missing_ok=True)
    report(1.0, "done")
    return card


@dataclass(frozen=True)
class _Data:
    make: Callable[[int], Samples]
    held_out: list[tuple[str, Samples]]
    fresh: Callable[[int], Samples]
    ranges: dict[str, tuple[float, float]]
    description: str
    prior: str
    loss: Loss
    expects_error: bool = True
    """Whether a second output of the network is the error that it expects."""
    show: Callable[[torch.nn.Module, Samples], tuple[np.ndarray, np.ndarray]] | None = None
    """Of other than movies: what is known, and the network's picture, of the first sample."""
    guess: str | None = None
    guess_sha256: str | None = None


def _check(settings: LearningSettings, movies: Sequence[Movie]) -> None:
    """Raise `InputError` for settings that do not go together."""
    if isinstance(settings, TrainingSettings):
        if settings.frames_most < settings.frames_least:
            raise InputError("The most frames of a movie must not be fewer than the fewest.")
        if settings.target == "sofi" and settings.sofi.order != 2:
            raise InputError("A network's grid is that of SOFI of order 2; choose this order.")
        return
    if movies:
        raise InputError("This network learns from simulation only; give it no movies.")
    values = settings.model_dump()
    for name, value in values.items():
        if name.endswith("_least") and value > values[f"{name.removesuffix('least')}most"]:
            what = name.removesuffix("_least").replace("_", " ")
            raise InputError(f"The least {what} must not be more than the most.")


def _data(
    net: torch.nn.Module, settings: LearningSettings, movies: Sequence[Movie], report: Report
) -> _Data:
    if isinstance(settings, EmitterTrainingSettings):
        return _emitter_data(settings)
    if isinstance(settings, DynamicsTrainingSettings):
        return _dynamics_data(settings, isinstance(net, DBlink))
    if isinstance(settings, PosteriorTrainingSettings):
        return _posterior_data(settings)
    assert isinstance(settings, TrainingSettings)
    return _picture_data(getattr(net, "frames", None), settings, movies, report)


def _emitter_data(settings: EmitterTrainingSettings) -> _Data:
    s = settings

    def make(step: int, count: int = s.batch) -> Samples:
        return emitter_samples(s, count, s.seed + step)

    return _Data(
        make,
        [("emitters", make(HELD_OUT_SEED, HELD_OUT_FRAMES))],
        lambda step: make(HELD_OUT_SEED + 1 + step),
        {
            "psf_fwhm_px": (2.3548 * s.psf_sigma_least, 2.3548 * s.psf_sigma_most),
            "density_per_px2": (0.0, s.density_most),
            "photons": (s.photons_least, s.photons_most),
        },
        f"simulated frames, PSF sigma {s.psf_sigma_least:g} to {s.psf_sigma_most:g} px, "
        f"{s.density_least:g} to {s.density_most:g} emitters per px², {s.photons_least:g} to "
        f"{s.photons_most:g} photons",
        "It expects single emitters that look like the microscope's PSF in focus.",
        of_output(map_loss),
    )


def _posterior_data(settings: PosteriorTrainingSettings) -> _Data:
    s = settings
    net, card, digest = guesser(s.guess)

    def draw(step: int, count: int = s.batch, frames: int | None = None) -> Samples:
        seed = s.seed + step
        if card.network == "deepstorm":
            return emitter_conditions(net, card, count, s.side_px, seed)
        frames = frames or frames_for(step, s.frames_least, s.frames_most, s.seed)
        return picture_conditions(net, NAMED[s.preset], count, s.side_px, frames, seed)

    def show(doubter: torch.nn.Module, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        conditions = samples.frames[:1].to(next(doubter.parameters()).device)
        guess = unfolded(conditions[:, : doubter.fineness**2], doubter.fineness)
        level = torch.full((1, 1), MOST_LEVEL, device=conditions.device)
        nothing = torch.zeros_like(conditions[:, None, : doubter.fineness**2])
        with torch.inference_mode():
            change = unfolded(doubter(conditions, nothing, level)[0][:, 0], doubter.fineness)
        return guess[0].cpu().numpy(), (guess + change)[0].cpu().numpy()

    middle = min(max(20, s.frames_least), s.frames_most)
    return _Data(
        draw,
        [(card.network, draw(HELD_OUT_SEED, HELD_OUT_MOVIES, middle))],
        lambda step: draw(HELD_OUT_SEED + 1 + step),
        card.ranges,
        f"first guesses of {s.guess} on simulated "
        + (
            "frames of what it has learnt"
            if card.network == "deepstorm"
            else f"movies of the preset {s.preset}, {s.frames_least} to {s.frames_most} frames"
        ),
        f"{card.prior} {SAMPLES_MEAN}",
        diffusion_loss,
        expects_error=False,
        show=show,
        guess=card.name,
        guess_sha256=digest,
    )


def _dynamics_data(settings: DynamicsTrainingSettings, sequences: bool) -> _Data:
    """Single pictures for our network, or sequences for the paper's."""
    s = settings
    draw = dynamics_sequences if sequences else dynamics_samples

    def make(step: int) -> Samples:
        return draw(s, s.batch, s.seed + step)

    def paper_loss(out: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return sequence_loss(out, target, s.steady, s.smooth)

    def show(net: torch.nn.Module, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        maps = samples.frames[:1].to(next(net.parameters()).device)
        with torch.inference_mode():
            pictures = net(maps)[0].float().cpu()
        return maps[0].mean(dim=0).cpu().numpy(), pictures[len(pictures) // 2].numpy()

    kinds = ("filaments", "mitochondria") if s.structure == "both" else (s.structure,)
    held_out = []
    for kind in kinds:
        alike = s.model_copy(update={"structure": kind})
        count = HELD_OUT_SEQUENCES if sequences else HELD_OUT_FRAMES
        held_out.append((kind, draw(alike, count, HELD_OUT_SEED)))
    what = "filaments or mitochondria" if s.structure == "both" else s.structure
    # Filled shapes blink less often than lines.
    least = s.blinks_least * (1 if s.structure == "filaments" else FILLED)
    return _Data(
        make,
        held_out,
        lambda step: make(HELD_OUT_SEED + 1 + step),
        {
            "blinks_per_window": (least, s.blinks_most),
            "error_samples": (s.error_least, s.error_most),
            "speed_per_window": (0.0, s.speed_most),
        },
        f"simulated localisations of moving {what}",
        f"It expects {what} of one sharp outline that change slowly: a prior. It draws what "
        "localisations of other things resemble.",
        of_output(paper_loss if sequences else structure_loss),
        expects_error=False,
        show=show if sequences else None,
    )


def _picture_data(
    fixed: int | None, settings: TrainingSettings, movies: Sequence[Movie], report: Report
) -> _Data:
    s = settings

    loss = of_output(lambda out, target: picture_loss(out, target, s.loss))

    low, high = (fixed, fixed) if fixed else (s.frames_least, s.frames_most)
    if movies:
        own = prepare(movies, s.side_px, s.sofi, lambda f, m="", p=None: report(0.3 * f, m))
        shortest = min(len(m.frames) for m in own)
        if shortest < low:
            raise InputError(
                f"A movie of {shortest} frames is too short to learn from {low} at a time."
            )
        high = min(high, shortest)
        middle = min(max(20, low), high)
        held = crops(own, 8, s.side_px, middle, HELD_OUT_SEED, True)
        names = ", ".join(movie.name for movie in movies)
        missing = " ".join(what_is_missing(movies))
        return _Data(
            lambda step: crops(
                own, s.batch, s.side_px, frames_for(step, low, high, s.seed), s.seed + step, False
            ),
            [("own", held)],
            lambda step: crops(
                own, s.batch, s.side_px, frames_for(step, low, high, 0), HELD_OUT_SEED + step, True
            ),
            _ranges_of(own),
            f"{len(movies)} own movies ({names}) against their SOFI. {missing}".strip(),
            PRIORS["own movies"],
            loss,
        )

    def draw(rng: np.random.Generator, *rest: int) -> Any:
        if 100 * rng.random() < s.filaments_percent:
            return draw_filaments(rng, *rest)
        return NAMED[s.preset](rng, *rest)

    drawn = draw if s.preset == "komen2024" else or_nothing(draw)

    def make(step: int, count: int = s.batch, frames: int | None = None) -> Samples:
        frames = frames or frames_for(step, low, high, s.seed)
        if s.target == "sofi":
            return sofi_samples(
                drawn, count, s.side_px, frames, s.target_frames, s.seed + step, s.sofi
            )
        return make_samples(drawn, count, s.side_px, frames, s.seed + step)

    made = make(HELD_OUT_SEED, HELD_OUT_MOVIES, min(max(20, low), high))
    kinds: dict[str, list[int]] = {}
    for number, one in enumerate(made.settings):
        kinds.setdefault(one.structure.kind, []).append(number)
    held_out = [
        (kind, Samples(made.frames[at], made.target[at], tuple(made.settings[i] for i in at)))
        for kind, at in kinds.items()
    ]
    return _Data(
        make,
        held_out,
        lambda step: make(HELD_OUT_SEED + 1 + step),
        RANGES[s.preset],
        f"simulated movies of the preset {s.preset}"
        + (f" with {s.filaments_percent:g} % filaments" if s.filaments_percent else "")
        + f", target: {s.target}",
        PRIORS[s.preset],
        loss,
    )


class _Looks:
    """Looks at movies that are held out, and keeps the best weights."""

    def __init__(
        self,
        training: Training,
        data: _Data,
        settings: LearningSettings,
        show: Callable[[Progress], None] | None,
    ) -> None:
        self.training, self.data, self.settings, self.show = training, data, settings, show
        self.losses: list[tuple[int, float]] = []
        self.kinds: dict[str, float] = {}
        self.in_vain = 0
        self._looked_at = -1

    def after_step(self) -> None:
        """Look, where it is time."""
        step = self.training.step
        if step != self._looked_at and step % self.settings.validate_every == 0:
            self.look()

    def enough(self) -> bool:
        """Whether nothing has improved for long."""
        return self.in_vain >= self.settings.patience

    def look(self) -> None:
        """Measure the averaged weights."""
        training = self.training
        if training.step == self._looked_at:
            return
        self._looked_at = training.step
        sums, total, picture = {}, 0, (np.zeros(0), np.zeros(0))
        with training.averaged() as net:
            for kind, samples in self.data.held_out:
                sums[kind] = training.measure(net, samples)
                total += len(samples.frames)
            if self.show is not None:
                picture = self._picture(net)
        mean = sum(sums[kind] * len(samples.frames) for kind, samples in self.data.held_out) / max(
            total, 1
        )
        self.losses.append((training.step, mean))
        if mean < training.least:
            training.least, self.kinds, self.in_vain = mean, sums, 0
            training.best = {k: v.clone() for k, v in training.average.items()}
        else:
            self.in_vain += 1
        if self.show is not None:
            target = self.data.held_out[0][1].target[0].numpy()
            self.show(
                Progress(
                    [(n + 1, a) for n, (a, _) in enumerate(training.losses)],
                    list(self.losses),
                    *picture,
                    # Of a sequence, the middle is shown.
                    target if target.ndim == 2 else target[len(target) // 2],
                )
            )

    def _picture(self, net: torch.nn.Module) -> tuple[np.ndarray, np.ndarray]:
        """Average of a movie that is held out, or what else is known, and the network's picture."""
        samples = self.data.held_out[0][1]
        if self.data.show is not None:
            return self.data.show(net, samples)
        frames = samples.frames[:1].to(next(net.parameters()).device)
        with torch.inference_mode():
            out = net(frames)
        return samples.frames[0].mean(dim=0).numpy(), out[0, 0].float().cpu().numpy()

    def calibration(self, batches: int, turns: bool = False) -> Uncertainty | None:
        """Of the best weights, on movies of their own; None where no error is expected."""
        net = self.training.net
        net.load_state_dict(self.training.best)
        net.eval()
        if isinstance(net, DiffusionNet) and not turns:
            some = (self.data.fresh(k) for k in range(batches))
            return calibrate_samples(net, some, CALIBRATION_SAMPLES, CALIBRATION_STEPS)
        if not self.data.expects_error:
            return None
        return calibrate(net, (self.data.fresh(k) for k in range(batches)), turns)

    def by_kind(self) -> dict[str, float]:
        """Loss of the best weights by structure."""
        return {f"held_out_loss_{kind}": round(loss, 5) for kind, loss in self.kinds.items()}


def _ranges_of(movies: list[OwnMovie]) -> dict[str, tuple[float, float]]:
    """What own movies are like, and half as much or twice as much of it."""
    found = [asdict(movie_traits(movie.frames[:FRAMES])) for movie in movies]
    ranges = {}
    for name in ANYTHING:
        values = [one[name] for one in found if np.isfinite(one[name])]
        if values:
            ranges[name] = (0.5 * min(values), max(2 * max(values), ANYTHING["drift_px"][1]))
    return ranges


def _network(
    network: NetworkName, settings: LearningSettings
) -> tuple[torch.nn.Module, dict[str, int]]:
    if settings.start:
        if settings.parameters:
            raise InputError(
                f"The network {settings.start} to start from has a size already; leave out the "
                "parameters."
            )
        loaded, card, _ = weights.load(settings.start, network)
        net = weights.build(network, card.parameters)
        net.load_state_dict(loaded.state_dict())
        return net, card.parameters
    sizes: dict[str, int] = {}
    if isinstance(settings, PosteriorTrainingSettings):
        sizes = sizes_for(guesser(settings.guess)[1])
    try:
        for word in filter(None, settings.parameters.split(",")):
            name, value = word.split("=")
            sizes[name.strip()] = int(value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of layers without channels, refused below
            net = weights.build(network, sizes)
            with torch.inference_mode():
                if isinstance(net, DiffusionNet):
                    x = torch.rand(1, 1, net.fineness**2, 16, 16)
                    net(torch.rand(1, net.inputs, 16, 16), x, torch.ones(1, 1))
                else:
                    net(torch.rand(1, getattr(net, "frames", 5), 16, 16))
        return net, sizes
    except (ValueError, TypeError, RuntimeError, ArithmeticError, IndexError):
        raise InputError(
            f"The size {settings.parameters[:60]!r} is none of a {network} network; write e.g. "
            "channels=20."
        ) from None


def _identity(network: str, settings: LearningSettings, movies: Sequence[Movie]) -> str:
    """What must be alike for a training to go on: all but how long it takes."""
    values = flatten_settings(settings)
    for name in ("minutes", "steps", "patience", "compiled"):
        del values[name]
    start = weights.digest(weights.find(settings.start, network)) if settings.start else ""  # type: ignore[arg-type]
    seen = [[movie.name, movie.shape, movie.frame_range, movie.roi] for movie in movies]
    return json.dumps([network, values, start, seen], sort_keys=True)


def _resume(training: Training, state: Path) -> None:
    """Go on from a state; one of another training is left, since this one begins anew."""
    try:
        training.load(state)
    except OtherTraining:
        return
    except Exception as error:
        raise InputError(
            f"{state} is no state of a training ({str(error)[:60]}); delete it or choose another "
            "output."
        ) from None


def _on(samples: Samples, device: str) -> Samples:
    if device == "cpu":
        return samples
    return replace(samples, frames=samples.frames.to(device), target=samples.target.to(device))


def _machine(device: str) -> str:
    if device == "cuda":
        return str(torch.cuda.get_device_name())
    return f"{torch.get_num_threads()} CPU threads, {platform.machine()}"


def _command(
    network: str, output: Path, settings: LearningSettings, movies: Sequence[Movie]
) -> str:
    from napari_sofinet.options import command_options

    words = ["sofinet", "train", network, *(m.name for m in movies), "-o", output.name]
    return " ".join([*words, *command_options(settings)])

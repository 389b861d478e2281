"""Training and fine-tuning of a network, from settings to a weights file."""

from __future__ import annotations

import contextlib
import json
import platform
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from napari_sofinet.base.errors import Cancelled, InputError
from napari_sofinet.base.progress import Repeatable, Report, portion, silent
from napari_sofinet.base.settings import flatten_settings
from napari_sofinet.base.settings_text import command_options
from napari_sofinet.data.movie import Movie
from napari_sofinet.io.atomic import check_writable
from napari_sofinet.networks import weights
from napari_sofinet.networks.contract import Network, load_object
from napari_sofinet.networks.device import device_for
from napari_sofinet.networks.stopping import between_layers
from napari_sofinet.networks.weights import Card
from napari_sofinet.training.comparison import compared
from napari_sofinet.training.data import Samples, ahead
from napari_sofinet.training.loop import OtherTraining, Plan, Training
from napari_sofinet.training.settings import LearningSettings, TrainingSettings
from napari_sofinet.training.task import Task, task_of
from napari_sofinet.training.training_data import TrainingData
from napari_sofinet.training.validation import Progress, Validation

CALIBRATION_BATCHES = 12
PREPARATION = 0.3
"""Fraction of the progress that own movies take before the first step."""

ENDING = 0.98
"""Fraction of the progress after which the weights are tested and saved."""


def train(
    network: Network,
    output: str | Path,
    settings: LearningSettings | None = None,
    movies: Sequence[Movie] = (),
    *,
    device: str = "auto",
    report: Report = silent,
    show: Callable[[Progress], None] | None = None,
) -> Card:
    """Train a network and write the weights that performed best on held-out movies.

    If called again with the same output, an interrupted training resumes where it stopped. A
    cancelled training writes its best weights first.

    Parameters
    ----------
    network : Network
        One of `napari_sofinet.methods.registry.networks`.
    output : path-like
        Weights file, .safetensors. The state of the training is kept in a file beside it until the
        training ends.
    settings : LearningSettings, optional
        Settings of the class declared by the task of the network; by default the default settings.
    movies : sequence of Movie, optional
        Own movies of fixed cells; movies are simulated where there are none.
    device : {"auto", "cpu", "cuda"}, optional
        Device on which the network is trained.
    report : Report, optional
        Called with the progress; raise `Cancelled` in it to stop.
    show : callable, optional
        Called with a `Progress` at every validation.

    Returns
    -------
    Card
        Card of the weights that were written.

    Raises
    ------
    InputError
        Movies, settings or output cannot be used.
    Cancelled
        ``report`` raised it.
    """
    task = task_of(network)
    settings = settings or task.settings()
    output = Path(output)
    _check_output(output, settings, network)
    _check(settings, movies, network, task)
    started = _start(network, task, settings, movies, device, portion(report, 0.0, 1.0))
    state = _state_of(output)
    if state.exists():
        _resume(started.training, state)
        report(0.0, f"resuming from step {started.training.step}")
    validation = Validation(started.training, started.data, settings, show)
    tell = Repeatable(portion(report, PREPARATION if movies else 0.0, ENDING))
    with contextlib.ExitStack() as while_it_runs:
        if not settings.compiled:  # compiled layers call nothing
            while_it_runs.enter_context(between_layers(started.training.net, tell.again))
        stopped = _run(started, validation, state, tell)
    if stopped is None:  # else the best weights so far are good enough
        validation.validate()
        stopped = _cancelled(report)
    card = _card(network, output, settings, movies, started, validation, stopped is not None)
    weights.save(output, started.training.best, card)
    if stopped is not None:
        raise stopped
    state.unlink(missing_ok=True)
    report(1.0, "done")
    return card


@dataclass(frozen=True)
class _Started:
    """Network that is about to be trained, with its sizes, its data and its device."""

    training: Training
    data: TrainingData
    sizes: dict[str, int]
    device: str


def _run(
    started: _Started, validation: Validation, state: Path, report: Report
) -> BaseException | None:
    """Train, validate now and then, and return the exception that ended the training early."""
    training = started.training

    def tell(fraction: float, message: str = "", preview: object = None) -> None:
        report(fraction, message)
        validation.after_step()

    try:
        with contextlib.closing(ahead(started.data.make, training.step)) as batches:
            moved = (_on(batch, started.device) for batch in batches)
            training.run(moved, state, tell, validation.enough)
    except (Cancelled, KeyboardInterrupt) as error:
        if not training.best:
            raise
        return error
    return None


def _cancelled(report: Report) -> Cancelled | None:
    """Report the last stage; return what its receiver raises, since the weights are saved yet."""
    try:
        report(ENDING, "testing the best weights")
    except Cancelled as error:
        return error
    return None


def _start(
    network: Network,
    task: Task,
    settings: LearningSettings,
    movies: Sequence[Movie],
    device: str,
    report: Report,
) -> _Started:
    where = device_for(device)
    torch.manual_seed(settings.seed)
    net, sizes = _network(network, task, settings)
    net.to(where)
    if settings.compiled:
        # One for every number of frames, for training and for validation.
        torch._dynamo.config.recompile_limit = 32  # noqa: SLF001
        net.forward = torch.compile(net.forward, dynamic=False)
    data = load_object(task.data)(net, settings, movies, report)
    plan = Plan(
        settings.steps,
        settings.minutes,
        settings.learning_rate,
        checkpoint_s=60,
        half=settings.half,
        loss=data.loss,
    )
    training = Training(net, plan, _identity(network, settings, movies))
    return _Started(training, data, sizes, where)


def _card(
    network: Network,
    output: Path,
    settings: LearningSettings,
    movies: Sequence[Movie],
    started: _Started,
    validation: Validation,
    stopped: bool,
) -> Card:
    training, data = started.training, started.data
    batches = 2 if stopped else CALIBRATION_BATCHES
    figures = {"held_out_loss": round(training.least, 5)} | validation.by_kind()
    if task_of(network).takes_movies and not stopped:
        figures |= compared(validation.best(), network, settings.start, data.held_out)
    return Card(
        name=output.stem,
        network=network.name,
        parameters=started.sizes,
        prior=data.prior,
        trained_on=data.description,
        command=_command(network, output, settings, movies),
        seed=settings.seed,
        steps=training.step,
        minutes=round(training.spent_s / 60, 1),
        machine=_machine(started.device),
        date=time.strftime("%Y-%m-%d"),
        ranges=data.ranges,
        uncertainty=validation.calibration(batches),
        flip_rotate=validation.flip_rotate_calibration(batches),
        figures=figures,
        estimate=data.estimate,
        estimate_sha256=data.estimate_sha256,
    )


def _state_of(output: Path) -> Path:
    """Return the file in which the state of a training is kept."""
    return output.with_name(f".{output.stem}.training{weights.SUFFIX}")


def _check_output(output: Path, settings: LearningSettings, network: Network) -> None:
    """Raise `InputError` if weights cannot be written or would replace those to start from."""
    if output.suffix != weights.SUFFIX or not output.stem:
        raise InputError(f"The name of the output {output.name} must end in {weights.SUFFIX}.")
    check_writable(output)
    check_writable(_state_of(output))
    if settings.start:
        start = weights.find(settings.start, network.name)
        if output.exists() and output.samefile(start):
            raise InputError(
                f"The output {output} would replace the weights to start from; choose another "
                "output."
            )


def _check(
    settings: LearningSettings, movies: Sequence[Movie], network: Network, task: Task
) -> None:
    """Raise `InputError` for settings of another network, or that contradict each other."""
    if not isinstance(settings, task.settings):
        raise InputError(
            f"{network.name} is not trained with {type(settings).__name__} but with "
            f"{task.settings.__name__}."
        )
    if isinstance(settings, TrainingSettings):
        if settings.frames_max < settings.frames_min:
            raise InputError(
                "The largest number of frames of a movie must not be below the smallest."
            )
        if settings.target == "sofi" and settings.sofi.order != 2:
            raise InputError("Networks use the grid of SOFI of order 2; choose this order.")
        return
    if movies and not task.takes_movies:
        raise InputError("This network can only be trained on simulations; pass no movies.")
    values = settings.model_dump()
    for name, value in values.items():
        if name.endswith("_min") and value > values[f"{name.removesuffix('min')}max"]:
            what = name.removesuffix("_min").replace("_", " ")
            raise InputError(f"The minimum of {what} must not exceed the maximum.")


def _network(
    network: Network, task: Task, settings: LearningSettings
) -> tuple[torch.nn.Module, dict[str, int]]:
    if settings.start:
        if settings.parameters:
            raise InputError(
                f"The network {settings.start} to start from already has a size; leave out the "
                "parameters."
            )
        loaded, card, _ = weights.load(settings.start, network)
        net = weights.build(network, card.parameters)
        net.load_state_dict(loaded.state_dict())
        return net, card.parameters
    sizes: dict[str, int] = {}
    if task.sizes is not None:
        sizes = load_object(task.sizes)(settings)
    try:
        for word in filter(None, settings.parameters.split(",")):
            name, value = word.split("=")
            sizes[name.strip()] = int(value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of layers without channels, refused below
            net = weights.build(network, sizes)
            with torch.inference_mode():
                net(*_example(net))
        return net, sizes
    except (ValueError, TypeError, RuntimeError, ArithmeticError, IndexError):
        raise InputError(
            f"The size {settings.parameters[:60]!r} does not belong to a {network.name} network; "
            "write e.g. channels=20."
        ) from None


def _example(net: torch.nn.Module) -> tuple[torch.Tensor, ...]:
    """Return the smallest input of a network."""
    if hasattr(net, "example"):
        given: tuple[torch.Tensor, ...] = net.example()
        return given
    return (torch.rand(1, getattr(net, "frames", 5), 16, 16),)


def _identity(network: Network, settings: LearningSettings, movies: Sequence[Movie]) -> str:
    """Return a text by which a training can go on: all settings but those of its duration."""
    values = flatten_settings(settings)
    for name in ("minutes", "steps", "patience", "compiled"):
        del values[name]
    start = weights.digest(weights.find(settings.start, network.name)) if settings.start else ""
    seen = [[movie.name, movie.shape, movie.frame_range, movie.roi] for movie in movies]
    return json.dumps([network.name, values, start, seen], sort_keys=True)


def _resume(training: Training, state: Path) -> None:
    """Go on from a state, or begin anew where it is that of another training."""
    try:
        training.load(state)
    except OtherTraining:
        return
    except Exception as error:
        raise InputError(
            f"{state} is not the state of a training ({str(error)[:60]}); delete it or choose "
            "another output."
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
    network: Network, output: Path, settings: LearningSettings, movies: Sequence[Movie]
) -> str:
    words = ["sofinet", "train", network.name, *(m.name for m in movies), "-o", output.name]
    return " ".join([*words, *command_options(settings)])

"""What all networks that turn a movie into a picture share: weights, tiles, windows, doubt."""

from __future__ import annotations

import copy
import math
import shutil
import tempfile
import weakref
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.movie import Movie, Saturation, time_blocks
from napari_sofinet.networks.weights import Uncertainty
from napari_sofinet.preprocess.stage import MovieSettings, describe_stage, prepared
from napari_sofinet.preprocess.traits import NAMES, NO_SIGNAL, traits_of, unusual
from napari_sofinet.reconstruction import Reconstruction
from napari_sofinet.settings import Report, parameter, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import torch

    from napari_sofinet.networks.weights import Card, NetworkName

T = TypeVar("T")
FEWEST_FRAMES = 5
SMALLEST_SIDE = 12
TILE_PX = 384
STEP_FRAMES = 16
TURNS = 8
IN_MEMORY_BYTES = 2**30
"""A longer film is kept in a temporary file."""
NOT_CALIBRATED = Uncertainty(brightness=(0.0,), half_width=(1.645,))
"""Half of what holds 90 % of a normal distribution, in standard deviations."""
QUANTITATIVE = (
    "Brightness in a network's picture is not quantitative: measure positions and shapes, not "
    "amounts."
)


class ModelSettings(MovieSettings):
    """What every network offers."""

    weights: str
    window: int | None = parameter(
        None,
        "Frames of one picture. If empty, all frames make one picture; else there is one for every "
        "window of so many frames: a film.",
        basic=True,
        empty="all frames",
        ge=FEWEST_FRAMES,
        le=100_000,
    )
    step: int = parameter(1, "Frames from one picture of a film to the next.", ge=1, le=100_000)
    uncertainty: bool = parameter(
        True, "Also show how far the truth may lie from the picture, where the network can tell."
    )
    doubt: Literal["network", "turned"] = parameter(
        "network",
        "Where the uncertainty comes from: 'network' its own estimate, at no cost; 'turned' how "
        "much the pictures of the movie turned and mirrored in eight ways differ, which takes "
        "eight times as long; the picture is their mean then. Samples of what may be true: the "
        "method 'ddpm'.",
    )

    def computed(self, pictures: int) -> list[int]:
        """Which pictures of a film of so many are computed; those between are blended."""
        return list(range(pictures))


@dataclass(frozen=True)
class Levels:
    """What counts become before a network sees them: (frame - offset) / scale, for every frame."""

    offset: np.ndarray
    scale: np.ndarray


def run(
    network: NetworkName, movie: Movie, settings: ModelSettings, report: Report, device: str
) -> Reconstruction:
    """Reconstruct a movie with a network.

    Returns
    -------
    ``image`` (2Y-1, 2X-1) float32, or (T, 2Y-1, 2X-1) for a film; sample (i, j) lies at camera
    coordinate (i/2, j/2); 1 is bright structure. ``uncertainty`` (same shape), where the weights
    have it: in the calibration 90 % of the truth lay within image ± uncertainty.

    Raises
    ------
    InputError
        Unusable weights, fewer than 5 frames or 12 x 12 px, NaN.
    """
    from napari_sofinet.networks import weights

    net, card, _ = weights.load(settings.weights, network)
    frames, rows, columns = movie.shape
    window = settings.window
    if frames < FEWEST_FRAMES or min(rows, columns) < SMALLEST_SIDE:
        raise InputError(
            f"A network needs at least {FEWEST_FRAMES} frames of {SMALLEST_SIDE} x {SMALLEST_SIDE} "
            f"px, this movie has {frames} of {rows} x {columns}."
        )
    if window is None and settings.step > 1:
        raise InputError("A step is that of a film: choose a window too.")
    if window is not None and window > frames:
        raise InputError(f"A window of {window} frames is longer than the movie of {frames}.")
    if hasattr(net, "frames") and (window or frames) != net.frames:
        raise InputError(
            f"{card.name} takes {net.frames} frames at a time; choose as many, or a window of "
            f"{net.frames}."
        )
    stage = prepared(movie, settings, lambda f, m="", p=None: report(0.2 * f, m))
    saturation = Saturation()
    begun = 0.2 if stage.movie.steps else 0.0
    levels = measure_levels(
        stage.movie, window, saturation, lambda f, m="", p=None: report(begun + 0.1 * f, m)
    )
    notes = [*stage.notes, *outside(stage.movie, card)]
    if saturation.note:
        notes.append(saturation.note)
    if window is not None:
        places = settings.computed(_pictures(frames, settings))
        if len(places) > 1 and places[1] > 1:
            notes.append(
                f"Pictures were computed from one window in {places[1] * settings.step} and "
                "blended in between; set 'every' to 1 to compute all."
            )
    turned = settings.doubt == "turned"
    work = partial(_turned_maps if turned else _maps, stage.movie, levels, settings)

    def tell(fraction: float, message: str = "", preview: Reconstruction | None = None) -> None:
        report(begun + 0.1 + (0.9 - begun) * fraction, message, preview)

    maps = on_device(device, notes, lambda chosen: work(fast_form(net, chosen), chosen, tell))
    table = card.turned if turned else card.uncertainty
    if turned and table is None:
        table = NOT_CALIBRATED
        notes.append(
            f"{card.name} has no calibration of this uncertainty: it says where, not how much."
        )
    return _reconstruction(maps, stage.movie, settings, card, table, notes, stage.details)


def outside(movie: Movie, card: Card) -> list[str]:
    """A sentence where a movie shows nothing, or is of another kind than what was learnt from."""
    found = traits_of(movie)
    if card.ranges and found.signal_to_noise < NO_SIGNAL:
        return [
            "Hardly any light fluctuates above this movie's noise: much may be missing from the "
            "picture."
        ]
    names = unusual(found, card.ranges)
    if not names:
        return []
    values = asdict(found)
    what = "; ".join(
        f"{NAMES[n]} {values[n]:.3g}, learnt from {_range(*card.ranges[n])}" for n in names
    )
    return [
        f"This movie is outside of what {card.name} was trained for ({what}): do not trust the "
        "picture where SOFI or the average does not show the same."
    ]


def hardly_any_light(movie: Movie) -> bool:
    """Whether next to nothing fluctuates above a movie's noise."""
    return traits_of(movie).signal_to_noise < NO_SIGNAL


def _range(low: float, high: float) -> str:
    if high >= 1e6:
        return f"{low:.3g} or more"
    return f"{high:.3g} or less" if low <= 0 else f"{low:.3g} to {high:.3g}"


def measure_levels(
    movie: Movie, window: int | None, saturation: Saturation | None = None, report: Report = silent
) -> Levels:
    """Background of every frame, and what is bright: for the whole movie, or near every frame.

    With a window, brightness is measured in windows one after the other and interpolated, so that
    a film whose sample bleaches stays as bright.
    """
    from napari_sofinet.networks.statistics import BRIGHT, LEAST

    frames = movie.shape[0]
    length = min(window or frames, frames)
    offsets: list[np.ndarray] = []
    scales: list[float] = []
    peak, held = None, 0
    for block in time_blocks(movie, saturation):
        if saturation is not None:
            saturation.add(block)
        x: np.ndarray = block.astype(float if block.dtype == np.float64 else np.float32)
        # As `statistics.background_level`.
        count = x[0].size
        beyond = count // 4
        sorted_in_three = np.partition(x.reshape(len(x), -1), (beyond, count - beyond - 1), axis=1)
        offset = sorted_in_three[:, beyond : count - beyond].mean(axis=1)
        offsets.append(offset)
        x -= offset[:, None, None]
        start = 0
        while start < len(x):
            part = x[start : start + length - held].max(axis=0)
            used = min(length - held, len(x) - start)
            peak = part if peak is None else np.maximum(peak, part)
            held, start = held + used, start + used
            if held == length:
                bright, most = float(np.quantile(peak, BRIGHT)), float(peak.max())
                scales.append(bright if bright > LEAST * most else most)
                peak, held = None, 0
        report(sum(map(len, offsets)) / frames, "brightness")
    if not scales:
        raise InputError("The movie has no frames.")
    if max(scales) <= 0:
        raise InputError("The movie is the same everywhere; there is nothing to reconstruct.")
    least = max(scales) * 1e-3
    centres = (np.arange(len(scales)) + 0.5) * length
    scale = np.interp(np.arange(frames) + 0.5, centres, np.maximum(scales, least))
    return Levels(np.concatenate(offsets), scale)


def describe(settings: ModelSettings, details: dict[str, float], network: str) -> str:
    """Sentence for a methods section."""
    text = describe_stage(settings, details)
    what = "one picture" if settings.window is None else f"windows of {settings.window} frames"
    return (
        f"{text}A neural network ({network}, weights {settings.weights}) made {what} on a grid "
        "twice as fine as the camera's; brightness in it is not quantitative."
    )


def device_for(wanted: str) -> str:
    """Where a network runs: on the GPU if there is one and it is not refused."""
    import torch

    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def on_device(device: str, notes: list[str], work: Callable[[str], T]) -> T:
    """Do work on the GPU if there is one, on the processor with a note where that fails.

    A GPU that was asked for by name is not replaced.
    """
    chosen = device_for(device)
    try:
        return work(chosen)
    except RuntimeError as error:
        if chosen == "cpu" or device == "cuda":
            raise
        notes.append(f"The GPU could not be used ({str(error).splitlines()[0][:80]}).")
        return work("cpu")


def _maps(
    movie: Movie,
    levels: Levels,
    settings: ModelSettings,
    net: torch.nn.Module,
    device: str,
    report: Report,
    turn: int = 0,
) -> np.ndarray:
    """Output maps (C, 2Y-1, 2X-1) of one picture, or (C, T, 2Y-1, 2X-1) of a film.

    ``turn`` is one of eight ways in which the network sees the movie; the maps are turned back.
    """
    import torch

    from napari_sofinet.networks.running import tiles

    frames, rows, columns = movie.shape
    count = _pictures(frames, settings)
    wanted = settings.computed(count)
    finished = [(settings.window or frames) + number * settings.step for number in wanted]
    film = (count,) if settings.window else ()
    shape = (*film, 2 * rows - 1, 2 * columns - 1)
    out: np.ndarray | None = None
    y, x = (int(v) for v in movie.origin_px)
    parts = list(tiles(rows, columns, TILE_PX, net.reach_px))
    for number, (seen, own) in enumerate(parts):
        (top, bottom), (left, right) = seen
        part = movie.select(None, ((y + top, y + bottom), (x + left, x + right)))
        ends = [min(2 * own[axis][1], (rows, columns)[axis] * 2 - 1) for axis in (0, 1)]
        place = (slice(2 * own[0][0], ends[0]), slice(2 * own[1][0], ends[1]))
        inside = tuple(
            slice(p.start - 2 * start, p.stop - 2 * start)
            for p, start in zip(place, (top, left), strict=True)
        )

        def tell(fraction: float, at: int = number) -> None:
            report((at + fraction) / len(parts), f"part {at + 1} of {len(parts)}")

        made = states(net, part, levels, settings.window, finished, device, tell, turn)
        for index, state in zip(wanted, made, strict=True):
            with torch.inference_mode(), precision(device):
                picture = turned_back(state.result().float(), turn).cpu().numpy()
            if not np.isfinite(picture).all():
                raise InputError(f"The weights {settings.weights} give no numbers; use others.")
            if out is None:
                out = film_space((len(picture), *shape))
            if film:
                out[:, index, *place] = picture[:, *inside]
            else:
                out[:, *place] = picture[:, *inside]
        if film and out is not None:
            for before, after in pairwise(wanted):
                for index in range(before + 1, after):
                    share = (index - before) / (after - before)
                    out[:, index, *place] = (1 - share) * out[:, before, *place]
                    out[:, index, *place] += share * out[:, after, *place]
    assert out is not None
    return out


def _pictures(frames: int, settings: ModelSettings) -> int:
    return len(range(settings.window or frames, frames + 1, settings.step))


def states(
    net: torch.nn.Module,
    part: Movie,
    levels: Levels,
    window: int | None,
    ends: Sequence[int],
    device: str,
    tell: Callable[[float], None],
    turn: int = 0,
) -> Iterator[Any]:
    """What a network holds of a part of the field, of the ``window`` that ends at each of ``ends``.

    Or of all frames. Their ``result()`` is the picture (C, 2Y-1, 2X-1); it must be taken before the
    next one.
    """
    import torch

    from napari_sofinet.networks.statistics import CEILING

    frames, rows, columns = part.shape
    if turn % 2:
        rows, columns = columns, rows
    state = net.running(rows, columns) if window is None else net.sliding(window)
    done, when = 0, set(ends)
    for block in time_blocks(part):
        at = slice(done, done + len(block))
        counts = (block - levels.offset[at, None, None]) / levels.scale[at, None, None]
        counts = np.minimum(counts, CEILING)
        x = turned(torch.from_numpy(np.ascontiguousarray(counts, np.float32)), turn).to(device)
        with torch.inference_mode(), precision(device):
            for some in x.split(STEP_FRAMES if window is None else 1):
                state.add(some if window is None else some[0])
                done += len(some)
                tell(done / frames)
                if window is not None and done in when:
                    yield state
    if window is None:
        yield state


def _turned_maps(
    movie: Movie,
    levels: Levels,
    settings: ModelSettings,
    net: torch.nn.Module,
    device: str,
    report: Report,
) -> np.ndarray:
    """As `_maps`: mean, and logarithm of the standard deviation, of the movie's eight pictures."""
    out: np.ndarray | None = None
    for turn in range(TURNS):

        def tell(fraction: float, message: str = "", preview: Any = None, turn: int = turn) -> None:
            report((turn + fraction) / TURNS, f"turned {turn + 1} of {TURNS}, {message}")

        pictures = _maps(movie, levels, settings, net, device, tell, turn)[0]
        if out is None:
            out = film_space((2, *pictures.shape))
            out[...] = 0
        films = (pictures, *out) if settings.window else (pictures[None], *out[:, None])
        for picture, mean, squares in zip(*films, strict=True):
            np.maximum(picture, 0, out=picture)
            away = picture - mean
            mean += away / (turn + 1)
            squares += away * (picture - mean)
    assert out is not None
    for squares in out[1] if settings.window else out[1:]:
        squares[...] = 0.5 * np.log(np.maximum(squares / (TURNS - 1), 1e-7))
    return out


def turned(frames: torch.Tensor, turn: int) -> torch.Tensor:
    """Frames (..., Y, X) by so many quarters, of which the last four are mirrored."""
    import torch

    return torch.rot90(frames.flip(-2) if turn >= 4 else frames, turn % 4, (-2, -1)).contiguous()


def turned_back(picture: torch.Tensor, turn: int) -> torch.Tensor:
    """The inverse of `turned`."""
    import torch

    back = torch.rot90(picture, -(turn % 4), (-2, -1))
    return back.flip(-2) if turn >= 4 else back


def has_fast_16_bits(device: str) -> bool:
    """Whether the machine computes faster with 16 bits: pictures change by less than 0.01."""
    import torch

    return device == "cuda" or bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001


def precision(device: str) -> torch.autocast:
    """16 bits where the machine is faster so, for what a network leaves open."""
    import torch

    return torch.autocast(device, torch.bfloat16, enabled=has_fast_16_bits(device))


def fast_form(net: torch.nn.Module, device: str) -> torch.nn.Module:
    """A copy of a network on a device, with weights of 16 bits where that is faster.

    Others than the statistics network keep the type of their weights: some sum in it.
    """
    import torch

    from napari_sofinet.networks.statistics import StatisticsNet

    net = copy.deepcopy(net).to(device)
    if isinstance(net, StatisticsNet) and has_fast_16_bits(device):
        net = net.to(torch.bfloat16)
    return net


def film_space(shape: tuple[int, ...]) -> np.ndarray:
    """Room for a film: in memory, or in a file that goes with it when it is large."""
    needed = 4 * math.prod(shape)
    if needed <= IN_MEMORY_BYTES:
        return np.empty(shape, np.float32)
    try:
        folder = tempfile.TemporaryDirectory(prefix="sofinet-", ignore_cleanup_errors=True)
        # The file takes no room before it is written to; a full disk would end the program then.
        if shutil.disk_usage(folder.name).free < needed:
            raise OSError("the disk is full")
        space = np.lib.format.open_memmap(Path(folder.name) / "film.npy", "w+", np.float32, shape)
    except OSError as error:
        raise InputError(
            f"There is no room for a film of {needed / 2**30:.1f} GB ({error}); take "
            "fewer frames, a larger step or a smaller ROI."
        ) from error
    weakref.finalize(space, folder.cleanup)
    return space


def _reconstruction(
    out: np.ndarray,
    movie: Movie,
    settings: ModelSettings,
    card: Card,
    table: Uncertainty | None,
    notes: list[str],
    details: dict[str, float],
) -> Reconstruction:
    image = out[0]
    np.maximum(image, 0, out=image)
    maps = {"image": image}
    if settings.uncertainty and len(out) > 1 and table is not None:
        # Picture by picture, for a film may be larger than memory.
        films = (image[None], out[1][None]) if settings.window is None else (image, out[1])
        for picture, doubt in zip(*films, strict=True):
            doubt[...] = half_width(picture, doubt, table)
        maps["uncertainty"] = out[1]
    interval = movie.frame_interval_s
    return Reconstruction(
        maps,
        pixel_px=(0.5, 0.5),
        origin_px=movie.origin_px,
        camera_pixel_um=movie.pixel_size_um,
        axes="YX" if settings.window is None else "TYX",
        film=_film(movie, settings),
        frame_interval_s=None if interval is None else interval * settings.step,
        notes=(*notes, card.prior, QUANTITATIVE),
        details=details,
    )


def _film(movie: Movie, settings: ModelSettings) -> tuple[float, float] | None:
    if settings.window is None:
        return None
    first = 0 if movie.frame_range is None else movie.frame_range[0]
    return first + (settings.window - 1) / 2, float(settings.step)


def half_width(picture: np.ndarray, log_error: np.ndarray, table: Uncertainty) -> np.ndarray:
    """Half width of the interval that holds the truth in 90 % of cases.

    Parameters
    ----------
    picture, log_error
        What a network gives: brightness, and the logarithm of the error that it expects.
    table
        Of the weights' card: measured half widths in units of the expected error.
    """
    factor = np.interp(picture, table.brightness, table.half_width)
    return np.asarray(factor * np.exp(np.clip(log_error, -8, 4)), np.float32)

"""Reconstruction of moving structures by a network, from a table or a movie."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Repeatable, Report, portion, silent
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.selection import Roi
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.io.large_array import large_array
from napari_sofinet.localization.events import LocalizationEvents, events_of_maps, events_of_table
from napari_sofinet.methods.localize import localize
from napari_sofinet.methods.moving_structure_extent import lower_confidence, selection
from napari_sofinet.methods.moving_structure_settings import DblinkSettings
from napari_sofinet.networks import weights
from napari_sofinet.networks.about_weights import about_weights
from napari_sofinet.networks.contract import Network
from napari_sofinet.networks.decay_maps import decay_maps, with_prior
from napari_sofinet.networks.device import device_for, half_precision_copy, on_device, precision
from napari_sofinet.networks.recurrent_series import recurrent_series
from napari_sofinet.networks.stopping import between_layers
from napari_sofinet.networks.tiling import tiles
from napari_sofinet.networks.weights import Card

BYTES = 2**28
"""Memory for the decay maps of a part of the field."""
SAMPLES_AT_ONCE = 2**18
PICTURE_FRAMES = 4
"""Approximate number of frames whose localization takes as long as one picture."""
SMALLEST_TILE = 64
THRESHOLD = 0.23
"""Probability above which a sample counts as structure; lines are seldom certain to one sample."""


def moving_structure(
    network: Network,
    movie: Movie | LocalizationTable,
    settings: DblinkSettings,
    report: Report = silent,
    device: str = "auto",
) -> Reconstruction:
    """Reconstruct a structure that moves, from a movie, a table or maps of localizations.

    The emitters of a movie are localized first.

    Parameters
    ----------
    network : Network
        The network that shows the structure.
    movie : Movie or LocalizationTable
        Movie, maps of localizations as a movie, or a table.
    settings : DblinkSettings
        Windows, input and prior.
    report : Report, optional
        Receives the progress.
    device : {"auto", "cpu", "cuda"}, optional
        Device of the networks.

    Returns
    -------
    Reconstruction
        ``image`` (T, 4Y, 4X) float32, from 0 to 1: the probability that a sample is structure;
        ``confidence``, of the same shape: this times the probability that structure is in the
        sample or next to it (not with weights of the paper's network). Sample i lies at camera
        coordinate (i + 1/2) / 4 - 1/2.

    Raises
    ------
    InputError
        Unusable weights, a window longer than the movie, a time series too large for the disk, or
        maps that show more than localizations.
    """
    net, card, _ = weights.load(settings.weights, network)
    frames, roi, extent = selection(movie, settings.window)
    count = frames[1] - frames[0]
    if settings.window > count:
        raise InputError(
            f"The window of {settings.window} frames is longer than the movie of {count} frames."
        )
    found = _localized(movie, settings, frames, roi, report, device)
    tell = portion(report, found.done, 1.0)
    fine = settings.samples
    shape = fine * (roi[0][1] - roi[0][0]), fine * (roi[1][1] - roi[1][0])
    fallen_back: list[str] = []

    def work(where: str) -> np.ndarray:
        return series_of(found.events, shape, frames, settings, net, tell, where)

    series = on_device(device, fallen_back, work)
    localizations = float(found.events.count.sum(dtype=float))
    notes = [
        *extent,
        *lower_confidence(series, found.events, frames[0], settings),
        *found.notes,
        *fallen_back,
        *out_of_range(found.table, localizations / count, series[0], settings, card),
    ]
    if len(series) == 1:
        notes.append(f"{card.name} belongs to the network of the paper, which gives no confidence.")
        if settings.structure != "either":
            notes.append(f"{card.name} does not take the kind of structure into account.")
    notes.append(about_weights(card))
    return _reconstruction(movie, settings, series, found, notes, localizations, frames[0])


@dataclass(frozen=True, eq=False)
class _Localized:
    """Localisations to start from, and which fraction of the work it took to find them."""

    events: LocalizationEvents
    table: LocalizationTable | None
    done: float
    details: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _localized(
    movie: Movie | LocalizationTable,
    settings: DblinkSettings,
    frames: tuple[int, int],
    roi: Roi,
    report: Report,
    device: str,
) -> _Localized:
    if settings.input == "maps":
        if isinstance(movie, LocalizationTable):
            raise InputError(
                f"{movie.name} is a table of localisations, not a time series of maps."
            )
        events = events_of_maps(movie, settings.map_sum, portion(report, 0.0, 0.1))
        return _Localized(events, None, 0.1)
    if isinstance(movie, LocalizationTable):
        return _Localized(events_of_table(movie, roi, frames, settings.samples), movie, 0.0)
    pictures = PICTURE_FRAMES * (frames[1] - frames[0]) / (settings.step or settings.window)
    done = movie.shape[0] / (movie.shape[0] + pictures)
    found = localize(movie, settings.localize, portion(report, 0.0, done), device)
    events = events_of_table(found.table, roi, frames, settings.samples)
    return _Localized(events, found.table, done, found.details, found.notes)


def _reconstruction(
    movie: Movie | LocalizationTable,
    settings: DblinkSettings,
    series: np.ndarray,
    found: _Localized,
    notes: list[str],
    localizations: float,
    first: int,
) -> Reconstruction:
    step = settings.step or settings.window
    interval = movie.frame_interval_s
    sample = 1 / settings.samples
    y, x = movie.origin_px
    return Reconstruction(
        dict(zip(("image", "confidence"), series, strict=False)),
        pixel_px=(sample, sample),
        origin_px=(y - 0.5 + sample / 2, x - 0.5 + sample / 2),
        camera_pixel_um=movie.pixel_size_um,
        axes="TYX",
        time_series=(first + (settings.window - 1) / 2, float(step)),
        frame_interval_s=None if interval is None else interval * step,
        localizations=found.table,
        notes=tuple(notes),
        details=found.details | {"localizations": localizations},
    )


def series_of(
    events: LocalizationEvents,
    shape: tuple[int, int],
    frames: tuple[int, int],
    settings: DblinkSettings,
    net: torch.nn.Module,
    report: Report = silent,
    device: str = "auto",
) -> np.ndarray:
    """Make the pictures of a time series.

    Parameters
    ----------
    events : LocalizationEvents
        Localizations, with times in frames.
    shape : (int, int)
        Rows and columns of samples.
    frames : (int, int)
        First frame, and the one after the last.
    settings : DblinkSettings
        Window, step and prior.
    net : BlinkNet or DBlink
        Network in evaluation mode.
    report : Report, optional
        Receives the progress.
    device : {"auto", "cpu", "cuda"}, optional
        Device of the network.

    Returns
    -------
    ndarray
        (2, T, Y, X) pictures and confidences, or (1, T, Y, X) pictures of `DBlink`, which has no
        confidence.
    """
    window, step = settings.window, settings.step or settings.window
    count = (frames[1] - frames[0] - window) // step + 1
    # First, since there may be no room for all pictures.
    out = large_array((1 if net.recurrent else 2, count, *shape))
    starts = frames[0] + step * np.arange(count)
    net = half_precision_copy(net, device_for(device))
    again = Repeatable(report)

    def tell(made: float) -> None:
        again(made / count, f"picture {int(made)} of {count}")

    with between_layers(net, again.again):
        if not net.recurrent:
            _fill(out, events, starts + (window - 1) / 2, settings, net, tell)
            return out
        made = 0
        series = recurrent_series(net, events, starts, window, frames, shape, again.again)
        for number, picture in series:
            out[0, number] = _numbers(picture, settings)
            made += 1
            tell(made)
    return out


def _fill(
    out: np.ndarray,
    events: LocalizationEvents,
    times: np.ndarray,
    settings: DblinkSettings,
    net: torch.nn.Module,
    report: Callable[[float], None],
) -> None:
    """Make pictures and confidences (2, T, Y, X) at some times, part by part of the field."""
    _, count, rows, columns = out.shape
    # In multiples of 8 samples, the pixels of the network's coarsest grid.
    held = 2 * 4 * 7 * 2 * math.ceil(math.sqrt(count))
    side = max(int(math.sqrt(BYTES / held)) - 2 * net.reach_px, SMALLEST_TILE) // 8 * 8
    parts = list(tiles(-(-rows // 8), -(-columns // 8), side // 8, net.reach_px // 8))
    for number, tile in enumerate(parts):
        (top, bottom), (left, right) = _in_samples(tile.seen, rows, columns)
        (low, high), (begin, end) = _in_samples(tile.own, rows, columns)
        near = events.near(top, bottom, left, right)
        shape = bottom - top, right - left
        done = 0

        def tell(made: int, at: int = number) -> None:
            report((at * count + made) / len(parts))

        for maps in _maps(near, times, settings, net, shape, tell):
            inside = maps[:, :, low - top : high - top, begin - left : end - left]
            out[:, done : done + inside.shape[1], low:high, begin:end] = inside
            done += inside.shape[1]


def _numbers(pictures: np.ndarray, settings: DblinkSettings) -> np.ndarray:
    if not np.isfinite(pictures).all():
        raise InputError(
            f"The network with the weights {settings.weights} returns values that are not finite; "
            "use other weights."
        )
    return pictures


def _in_samples(rectangle: Roi, rows: int, columns: int) -> Roi:
    """Convert a rectangle from blocks of 8 samples to samples of the field."""
    (a, b), (c, d) = rectangle
    return (8 * a, min(8 * b, rows)), (8 * c, min(8 * d, columns))


def _maps(
    events: LocalizationEvents,
    times: np.ndarray,
    settings: DblinkSettings,
    net: torch.nn.Module,
    shape: tuple[int, int],
    tell: Callable[[int], None],
) -> Iterator[np.ndarray]:
    """Yield pictures and confidences (2, t, Y, X) of a part of the field, in the order of time."""
    device = next((one.device.type for one in net.parameters()), "cpu")
    some = max(1, SAMPLES_AT_ONCE // (shape[0] * shape[1]))
    waiting: list[np.ndarray] = []
    made = 0

    def between() -> None:
        tell(made)

    for number, one in enumerate(decay_maps(events, times, settings.window, *shape, between)):
        waiting.append(one)
        if len(waiting) == some or number == len(times) - 1:
            x = torch.from_numpy(with_prior(np.stack(waiting), settings.structure)).to(device)
            with torch.inference_mode(), precision(device):
                out = net(x).float()
                # Confidence in this sample: it is likely, and so is structure near it.
                out[:, 1] = torch.sigmoid(out[:, 1]) * out[:, 0].clamp(0, 1)
            yield _numbers(out.transpose(0, 1).cpu().numpy(), settings)
            waiting = []
            made = number + 1
            tell(made)


def out_of_range(
    table: LocalizationTable | None,
    per_frame: float,
    pictures: np.ndarray,
    settings: DblinkSettings,
    card: Card,
) -> tuple[str, ...]:
    """Return sentences if localizations differ from the training data.

    Parameters
    ----------
    table : LocalizationTable or None
        The localizations, for their uncertainty.
    per_frame : float
        Localizations per frame.
    pictures : ndarray
        (T, Y, X).
    settings : DblinkSettings
        Window and fineness.
    card : Card
        Card of the weights.
    """
    if not per_frame:
        return ("There are no localisations; the time series is empty.",)
    notes = []
    amount = float(np.mean([one.sum() for one in pictures]))
    if amount < 1:
        return ("No structure was found in the localisations.",)
    rate = per_frame * settings.window / amount
    low, high = card.ranges.get("blinks_per_window", (0.0, np.inf))
    if not low <= rate <= high:
        aim = settings.window * math.sqrt(low * high) / rate
        better = f"a window of {round(aim)} frames" if aim >= 1 else "fewer localisations"
        notes.append(
            f"A sample of structure has {rate:.2g} localisations in a window, but {card.name} was "
            f"trained on {low:.2g} to {high:.2g}. Use {better}."
        )
    low, high = card.ranges.get("error_samples", (0.0, np.inf))
    if table is not None and table.uncertainty_px is not None:
        error = float(np.nanmedian(table.uncertainty_px)) * settings.fineness
        if error > 0 and not 0.7 * low <= error <= 1.4 * high:
            fineness = max(round(settings.fineness * math.sqrt(low * high) / error), 1)
            notes.append(
                f"The localisations have an uncertainty of {error:.2g} samples, but {card.name} "
                "was "
                f"trained on {low:.2g} to {high:.2g}. Use a fineness of {fineness}."
            )
    return tuple(notes)

"""A film of a moving structure from the localisations of its blinking emitters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_sofinet.errors import InputError
from napari_sofinet.localization.blinks import Blinks, blinks_of_maps, blinks_of_table
from napari_sofinet.methods.localize import LocalizationSettings, localize
from napari_sofinet.methods.localize import describe as describe_localization
from napari_sofinet.methods.model import (
    device_for,
    fast_form,
    film_space,
    on_device,
    precision,
)
from napari_sofinet.reconstruction import Reconstruction
from napari_sofinet.settings import Report, Settings, parameter, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from napari_sofinet.localization.table import LocalizationTable
    from napari_sofinet.movie import Movie
    from napari_sofinet.networks.weights import Card

BYTES = 2**28
"""Of averages of past and future that are held at once."""
SAMPLES_AT_ONCE = 2**18
SMALLEST_TILE = 64
THRESHOLD = 0.23
"""Above it a sample counts as structure: where a line is, is seldom known to a sample."""

Rectangle = tuple[tuple[int, int], tuple[int, int]]


class DblinkSettings(Settings):
    """A film of a structure that moves while its emitters blink, from their localisations."""

    weights: str = parameter(
        "dblink",
        "What the network has learnt: 'dblink' expects thin filaments or filled shapes that move "
        "(a prior); or own weights.",
        basic=True,
        weights="dblink",
    )
    window: int = parameter(
        10,
        "Frames in which the sample hardly moves. What is seen in a picture rests on up to 64 "
        "windows before and after it, the near ones most.",
        unit="frames",
        basic=True,
        ge=1,
        le=100_000,
    )
    step: int | None = parameter(
        None,
        "Frames from one picture of the film to the next.",
        unit="frames",
        empty="a window",
        basic=True,
        ge=1,
        le=100_000,
    )
    fineness: int = parameter(
        4,
        "Samples of the picture along one camera pixel. Localisations should be uncertain by 0.3 "
        "to 1.5 samples.",
        ge=1,
        le=32,
    )
    input: Literal["movie", "maps"] = parameter(
        "movie",
        "What the frames are: the camera's ('movie', also for tables), or maps of localisations "
        "that a program has made ('maps'), of which a pixel is a sample, whatever the fineness.",
    )
    map_sum: float = parameter(
        1.0,
        "What a localisation adds up to in a film of maps: 1 in counts, 6.283 in films of "
        "deepstorm.",
        gt=0,
        le=1e9,
    )
    structure: Literal["either", "filaments", "mitochondria"] = parameter(
        "either",
        "What you know of the sample: few localisations look alike on lines (filaments) and on "
        "filled shapes (mitochondria).",
        basic=True,
    )
    localize: LocalizationSettings = LocalizationSettings()

    @property
    def samples(self) -> int:
        """Samples along a pixel of the input."""
        return 1 if self.input == "maps" else self.fineness


def dblink(
    movie: Movie, settings: DblinkSettings, report: Report = silent, device: str = "auto"
) -> Reconstruction:
    """Film of a movie, whose emitters are found first, of a table or of maps of localisations.

    Returns
    -------
    ``image`` (T, 4Y, 4X) float32, from 0 to 1: the probability that a sample is structure;
    ``confidence``, of the same shape: that times the probability that structure is in the sample or
    next to it (not from weights of the paper's network). Sample i lies at camera coordinate
    (i + 1/2) / 4 - 1/2.

    Raises
    ------
    InputError
        Unusable weights, a window longer than the movie, a film too large for the disk, maps that
        show more than localisations.
    """
    from napari_sofinet.io.table_movie import table_of
    from napari_sofinet.networks import weights

    net, card, _ = weights.load(settings.weights, "dblink")
    frames = movie.shape[0]
    if settings.window > frames:
        raise InputError(
            f"A window of {settings.window} frames is longer than the movie's {frames}."
        )
    table = table_of(movie)
    details: dict[str, float] = {}
    notes: tuple[str, ...] = ()
    begun = 0.0

    def tell(fraction: float, message: str = "", preview: Reconstruction | None = None) -> None:
        report(begun + (1 - begun) * fraction, message, preview)

    def tell_first(fraction: float, message: str = "", preview: Any = None) -> None:
        report(begun * fraction, message)

    rows, columns = movie.whole_shape[1:]
    roi = movie.roi or ((0, rows), (0, columns))
    chosen = movie.frame_range or (0, frames)
    fine = settings.samples
    if settings.input == "maps":
        if table is not None:
            raise InputError(f"{movie.name} is a table of localisations, not a film of maps of it.")
        begun = 0.1
        blinks = blinks_of_maps(movie, settings.map_sum, tell_first)
    else:
        if table is None:
            begun = 0.5
            found = localize(movie, settings.localize, tell_first, device)
            table, details, notes = found.table, found.details, found.notes
        blinks = blinks_of_table(table, roi, chosen, fine)
    shape = fine * (roi[0][1] - roi[0][0]), fine * (roi[1][1] - roi[1][0])
    fallen_back: list[str] = []

    def work(where: str) -> np.ndarray:
        return film_of(blinks, shape, chosen, settings, net, tell, where)

    film = on_device(device, fallen_back, work)
    notes += tuple(fallen_back)
    count = float(blinks.count.sum(dtype=float))
    notes += outside(table, count / frames, film[0], settings, card)
    if len(film) == 1:
        notes += (f"{card.name} is of the paper's network, which tells no confidence.",)
        if settings.structure != "either":
            notes += (f"{card.name} can not be told what structure to expect.",)
    step = settings.step or settings.window
    first = 0 if movie.frame_range is None else movie.frame_range[0]
    interval = movie.frame_interval_s
    sample = 1 / fine
    y, x = movie.origin_px
    return Reconstruction(
        dict(zip(("image", "confidence"), film, strict=False)),
        pixel_px=(sample, sample),
        origin_px=(y - 0.5 + sample / 2, x - 0.5 + sample / 2),
        camera_pixel_um=movie.pixel_size_um,
        axes="TYX",
        film=(first + (settings.window - 1) / 2, float(step)),
        frame_interval_s=None if interval is None else interval * step,
        localizations=table,
        notes=(*notes, card.prior),
        details=details | {"localizations": count},
    )


def film_of(
    blinks: Blinks,
    shape: tuple[int, int],
    frames: tuple[int, int],
    settings: DblinkSettings,
    net: torch.nn.Module,
    report: Report = silent,
    device: str = "auto",
) -> np.ndarray:
    """Pictures and confidences (2, T, Y, X), or pictures alone (1, T, Y, X); see `dblink`.

    Parameters
    ----------
    blinks
        Localisations, with times in frames.
    shape
        Rows and columns of samples.
    frames
        The first and the one after the last.
    net
        `networks.dblink.BlinkNet`, or `DBlink`, which has no confidence; in evaluation mode.
    """
    from napari_sofinet.networks.dblink import DBlink

    window, step = settings.window, settings.step or settings.window
    count = (frames[1] - frames[0] - window) // step + 1
    starts = frames[0] + step * np.arange(count)
    net = fast_form(net, device_for(device))

    def tell(made: float) -> None:
        report(made / count, f"picture {int(made)} of {count}")

    if not isinstance(net, DBlink):
        out = film_space((2, count, *shape))
        _fill(out, blinks, starts + (window - 1) / 2, settings, net, tell)
        return out
    from napari_sofinet.methods.recurrent_film import recurrent_film

    out = film_space((1, count, *shape))
    made = 0

    def between() -> None:
        tell(made)

    for number, picture in recurrent_film(net, blinks, starts, window, frames, shape, between):
        out[0, number] = _numbers(picture, settings)
        made += 1
        tell(made)
    return out


def _fill(
    out: np.ndarray,
    blinks: Blinks,
    times: np.ndarray,
    settings: DblinkSettings,
    net: torch.nn.Module,
    report: Callable[[float], None],
) -> None:
    """Make pictures and confidences (2, T, Y, X) at some times, part by part of the field."""
    from napari_sofinet.networks.running import tiles

    _, count, rows, columns = out.shape
    # Multiples of 8, the blocks of samples that the network's coarsest grid has.
    held = 2 * 4 * 7 * 2 * math.ceil(math.sqrt(count))
    side = max(int(math.sqrt(BYTES / held)) - 2 * net.reach_px, SMALLEST_TILE) // 8 * 8
    parts = list(tiles(-(-rows // 8), -(-columns // 8), side // 8, net.reach_px // 8))
    for number, (seen, own) in enumerate(parts):
        (top, bottom), (left, right) = _in_samples(seen, rows, columns)
        (low, high), (begin, end) = _in_samples(own, rows, columns)
        near = blinks.near(top, bottom, left, right)
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
        raise InputError(f"The weights {settings.weights} give no numbers; use others.")
    return pictures


def _in_samples(rectangle: Rectangle, rows: int, columns: int) -> Rectangle:
    """A rectangle in blocks of 8 samples, as samples of the field."""
    (a, b), (c, d) = rectangle
    return (8 * a, min(8 * b, rows)), (8 * c, min(8 * d, columns))


def _maps(
    blinks: Blinks,
    times: np.ndarray,
    settings: DblinkSettings,
    net: torch.nn.Module,
    shape: tuple[int, int],
    tell: Callable[[int], None],
) -> Iterator[np.ndarray]:
    """Pictures and confidences (2, t, Y, X) of a part of the field, some times after others."""
    import torch

    from napari_sofinet.networks.dblink import banks, told

    device = next((one.device.type for one in net.parameters()), "cpu")
    some = max(1, SAMPLES_AT_ONCE // (shape[0] * shape[1]))
    waiting: list[np.ndarray] = []
    made = 0

    def between() -> None:
        tell(made)

    for number, one in enumerate(banks(blinks, times, settings.window, *shape, between)):
        waiting.append(one)
        if len(waiting) == some or number == len(times) - 1:
            x = torch.from_numpy(told(np.stack(waiting), settings.structure)).to(device)
            with torch.inference_mode(), precision(device):
                out = net(x).float()
                # Sure of just this sample: it is likely, and where structure is at all is known.
                out[:, 1] = torch.sigmoid(out[:, 1]) * out[:, 0].clamp(0, 1)
            yield _numbers(out.transpose(0, 1).cpu().numpy(), settings)
            waiting = []
            made = number + 1
            tell(made)


def outside(
    table: LocalizationTable | None,
    per_frame: float,
    pictures: np.ndarray,
    settings: DblinkSettings,
    card: Card,
) -> tuple[str, ...]:
    """Sentences where localisations, so many per frame, are unlike what was learnt from."""
    if not per_frame:
        return ("There is no localisation; the film is empty.",)
    notes = []
    amount = float(np.mean([one.sum() for one in pictures]))
    if amount < 1:
        return ("No structure was found in the localisations.",)
    rate = per_frame * settings.window / amount
    low, high = card.ranges.get("blinks_per_window", (0.0, np.inf))
    if not low <= rate <= high:
        aim = settings.window * math.sqrt(low * high) / rate
        better = f"{max(round(aim), 1)} frames" if aim >= 1 else "fewer localisations"
        notes.append(
            f"A sample of structure has {rate:.2g} localisations in a window; {card.name} has "
            f"learnt from {low:.2g} to {high:.2g}. A window of {better} would suit it."
        )
    low, high = card.ranges.get("error_samples", (0.0, np.inf))
    if table is not None and table.uncertainty_px is not None:
        error = float(np.nanmedian(table.uncertainty_px)) * settings.fineness
        if error > 0 and not 0.7 * low <= error <= 1.4 * high:
            fineness = max(round(settings.fineness * math.sqrt(low * high) / error), 1)
            notes.append(
                f"Localisations are uncertain by {error:.2g} samples; {card.name} has learnt from "
                f"{low:.2g} to {high:.2g}. A fineness of {fineness} would suit it."
            )
    return tuple(notes)


def describe(settings: DblinkSettings, details: dict[str, float]) -> str:
    """Sentence for a methods section."""
    found = describe_localization(settings.localize, details) if "noise_gain" in details else ""
    count = round(details.get("localizations", 0))
    grid = f"on a grid {settings.fineness} times as fine as the camera's"
    source = f"{count} localisations"
    if settings.input == "maps":
        grid, source = "on their grid", f"a film of maps of {count} localisations"
    expected = "" if settings.structure == "either" else f", told to expect {settings.structure},"
    return (
        f"{found} A film of the structure was made from {source} by a neural network (weights "
        f"{settings.weights}) after DBlink (Saguy et al., Nat. Methods 20, 1939 (2023)){expected} "
        f"with windows of {settings.window} frames, {grid}."
    ).strip()

"""Running a network over a movie: windows, tiles, orientations and uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Repeatable, Report, portion
from napari_sofinet.data.blocks import even_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.saturation import Saturation
from napari_sofinet.data.spool import Spool
from napari_sofinet.io.large_array import large_array
from napari_sofinet.methods.network_settings import (
    FRAMES_MIN,
    QUANTITATIVE,
    SIDE_MIN_PX,
    NetworkSettings,
)
from napari_sofinet.methods.out_of_range import frame_notes, out_of_range_notes
from napari_sofinet.networks import weights
from napari_sofinet.networks.about_weights import about_weights
from napari_sofinet.networks.contract import Network
from napari_sofinet.networks.device import half_precision_copy, on_device, precision
from napari_sofinet.networks.normalization import Normalization, measure_normalization
from napari_sofinet.networks.orientations import ORIENTATIONS, orient, orient_back
from napari_sofinet.networks.stopping import between_layers
from napari_sofinet.networks.tiling import Tile, tiles
from napari_sofinet.networks.weights import Card, Uncertainty
from napari_sofinet.preprocess.characteristics import characteristics_of
from napari_sofinet.preprocess.corrections import Corrected, correct

TILE_PX = 384
STEP_FRAMES = 16
LEVELS_TIME = 0.05
"""Approximate fraction of the time that the measurement of brightness takes."""
PICTURE_FRAMES = 15
"""Approximate number of frames that take as long as making the picture when all are read."""
NOT_CALIBRATED = Uncertainty(brightness=(0.0,), half_width=(1.645,))
"""Half width of the interval with 90 % of a normal distribution, in standard deviations."""


def network_picture(
    network: Network, movie: Movie, settings: NetworkSettings, report: Report, device: str
) -> Reconstruction:
    """Reconstruct a movie with a network.

    Parameters
    ----------
    network : Network
        A network that turns movies into pictures.
    movie : Movie
        Movie of at least 5 frames of 12 x 12 px.
    settings : NetworkSettings
        Weights, windows, corrections and uncertainty.
    report : Report
        Receives the progress.
    device : {"auto", "cpu", "cuda"}
        Device of the network.

    Returns
    -------
    Reconstruction
        ``image`` (2Y-1, 2X-1) float32, or (T, 2Y-1, 2X-1) for a time series; sample (i, j) lies at
        camera coordinate (i/2, j/2); bright structure is near 1. ``uncertainty`` (same shape),
        where the weights have it: in the calibration 90 % of the truth lay within image ±
        uncertainty.

    Raises
    ------
    InputError
        The weights are unusable, or the movie has fewer than 5 frames or 12 x 12 px, or contains
        NaN.
    """
    net, card, _ = weights.load(settings.weights, network)
    _check(net, card, movie, settings)
    corrected = correct(movie, settings, portion(report, 0.0, 0.2))
    begun = 0.2 if corrected.movie.steps else 0.0
    run = _Run(net, corrected.movie, settings)
    spool = Spool(corrected.movie, needed=run.passes > 1)
    saturation = Saturation()
    levels = measure_normalization(
        corrected.movie,
        settings.window,
        saturation,
        portion(report, begun, begun + LEVELS_TIME),
        each_block=spool.add,
    )
    found = characteristics_of(corrected.movie)
    notes = [*corrected.notes, *out_of_range_notes(found, card)]
    notes += frame_notes(movie, found, settings.background.method != "none")
    if saturation.note:
        notes.append(saturation.note)
    notes += run.notes
    tell = Repeatable(portion(report, begun + LEVELS_TIME, 1.0))

    def work(chosen: str) -> np.ndarray:
        fast = half_precision_copy(net, chosen)
        with between_layers(fast, tell.again):
            return run.maps(fast, spool.movie, levels, chosen, tell)

    maps = on_device(device, notes, work)
    table = card.flip_rotate if run.orientations > 1 else card.uncertainty
    if run.orientations > 1 and table is None:
        table = NOT_CALIBRATED
        notes.append(
            f"{card.name} has no calibration of this uncertainty: it shows where the picture is "
            "uncertain, but not by how much."
        )
    return _reconstruction(maps, corrected, settings, card, table, notes)


def _check(net: torch.nn.Module, card: Card, movie: Movie, settings: NetworkSettings) -> None:
    """Raise `InputError` if a network cannot process the number of frames or the field."""
    frames, rows, columns = movie.shape
    window = settings.window
    if frames < FRAMES_MIN or min(rows, columns) < SIDE_MIN_PX:
        raise InputError(
            f"A network needs at least {FRAMES_MIN} frames of {SIDE_MIN_PX} x {SIDE_MIN_PX} px, "
            f"but this movie has {frames} of {rows} x {columns}."
        )
    if window is None and settings.step > 1:
        raise InputError("A step is only used for time series: choose a window as well.")
    if window is not None and window > frames:
        raise InputError(
            f"The window of {window} frames is longer than the movie of {frames} frames."
        )
    if hasattr(net, "frames") and (window or frames) != net.frames:
        raise InputError(
            f"{card.name} processes {net.frames} frames at a time; choose that number of frames, "
            f"or a window of {net.frames}."
        )


class _Run:
    """A network's maps of a movie, tile by tile, in one or in eight orientations."""

    def __init__(self, net: torch.nn.Module, movie: Movie, settings: NetworkSettings) -> None:
        frames, rows, columns = movie.shape
        self.settings = settings
        self.frames, self.window = frames, settings.window
        self.orientations = ORIENTATIONS if settings.uncertainty_from == "flip_rotate" else 1
        self.tiles = list(tiles(rows, columns, TILE_PX, net.reach_px))
        self.passes = len(self.tiles) * self.orientations
        self.grid = (2 * rows - 1, 2 * columns - 1)
        starts = range(self.window or frames, frames + 1, settings.step)
        self.wanted = settings.computed(len(starts))
        self.shape = (len(starts), *self.grid) if self.window else self.grid

    @property
    def notes(self) -> list[str]:
        """A sentence if not every picture of a time series is computed."""
        if self.window is None or len(self.wanted) < 2 or self.wanted[1] == 1:
            return []
        return [
            f"Pictures were computed from one window in {self.wanted[1] * self.settings.step} and "
            "interpolated in between; set 'every' to 1 to compute all."
        ]

    def maps(
        self,
        net: torch.nn.Module,
        movie: Movie,
        levels: Normalization,
        device: str,
        report: Report,
    ) -> np.ndarray:
        """Return the picture and its logarithmic error, (C, 2Y-1, 2X-1) or (C, T, 2Y-1, 2X-1)."""
        view = _View(net, movie, levels, device)
        if self.orientations == 1:
            return self._one_orientation(view, 0, report)
        return self._all_orientations(view, report)

    def _one_orientation(self, view: _View, orientation: int, report: Report) -> np.ndarray:
        """Return the output maps of the network for a movie in one of eight orientations."""
        ends = [(self.window or self.frames) + k * self.settings.step for k in self.wanted]
        out: np.ndarray | None = None
        count = len(self.tiles)
        for number, tile in enumerate(self.tiles):
            label = f"part {number + 1} of {count}" if count > 1 else "network"
            tell = portion(report, number / count, (number + 1) / count, label)
            place, inside = tile.place(2, self.grid), tile.inside(2, self.grid)
            share = _Share(tell, self.frames, len(self.wanted))
            states = view.states(tile, self.window, ends, share, orientation)
            for index, state in zip(self.wanted, states, strict=True):
                picture = view.result(state, orientation)
                share.pictures_made += 1
                if not np.isfinite(picture).all():
                    raise InputError(
                        f"The network with the weights {self.settings.weights} returns values that "
                        "are not finite; use other weights."
                    )
                if out is None:
                    out = large_array((len(picture), *self.shape))
                if self.window:
                    out[:, index, *place] = picture[:, *inside]
                else:
                    out[:, *place] = picture[:, *inside]
            tell(1.0)
            if self.window and out is not None:
                _interpolate(out[:, :, *place], self.wanted)
        assert out is not None
        return out

    def _all_orientations(self, view: _View, report: Report) -> np.ndarray:
        """Return mean and logarithm of the standard deviation of pictures in eight orientations."""
        out: np.ndarray | None = None
        n = ORIENTATIONS
        for orientation in range(n):
            label = f"orientation {orientation + 1} of {n}, "
            tell = portion(report, orientation / n, (orientation + 1) / n, label)
            pictures = self._one_orientation(view, orientation, tell)[0]
            if out is None:
                out = large_array((2, *pictures.shape))
                out[...] = 0
            # Picture by picture, for a time series may be larger than memory.
            series = (pictures, *out) if self.window else (pictures[None], *out[:, None])
            for picture, mean, squares in zip(*series, strict=True):
                np.maximum(picture, 0, out=picture)
                away = picture - mean
                mean += away / (orientation + 1)
                squares += away * (picture - mean)
        assert out is not None
        for squares in out[1] if self.window else out[1:]:
            squares[...] = 0.5 * np.log(np.maximum(squares / (n - 1), 1e-7))
        return out


@dataclass
class _Share:
    """Report of the frames that are read for a number of pictures, which take time as well."""

    report: Report
    frames: int
    pictures: int
    pictures_made: int = 0

    def __call__(self, fraction: float, message: str = "", preview: Any = None) -> None:
        """Report the fraction of the frames, and the pictures made so far."""
        done = fraction * self.frames + PICTURE_FRAMES * self.pictures_made
        self.report(done / (self.frames + PICTURE_FRAMES * self.pictures), message)


def _interpolate(series: np.ndarray, computed: Sequence[int]) -> None:
    """Fill the pictures (C, T, Y, X) between those that were computed, in place."""
    for before, after in pairwise(computed):
        for index in range(before + 1, after):
            weight = (index - before) / (after - before)
            series[:, index] = (1 - weight) * series[:, before]
            series[:, index] += weight * series[:, after]


@dataclass(frozen=True)
class _View:
    """A network on its device, and its movie."""

    net: torch.nn.Module
    movie: Movie
    levels: Normalization
    device: str

    def states(
        self,
        tile: Tile,
        window: int | None,
        ends: Sequence[int],
        report: Report,
        orientation: int = 0,
    ) -> Iterator[Any]:
        """Yield the network's state for a tile, see `accumulate`."""
        y, x = (int(v) for v in self.movie.origin_px)
        (top, bottom), (left, right) = tile.seen
        field = self.movie.select(None, ((y + top, y + bottom), (x + left, x + right)))
        return accumulate(
            self.net, field, self.levels, window, ends, self.device, report, orientation
        )

    def result(self, state: Any, orientation: int) -> np.ndarray:
        """Return the output maps (C, 2Y-1, 2X-1) of a state, in the movie's orientation."""
        with torch.inference_mode(), precision(self.device):
            maps: np.ndarray = orient_back(state.result().float(), orientation).cpu().numpy()
        return maps


def accumulate(
    net: torch.nn.Module,
    movie: Movie,
    levels: Normalization,
    window: int | None,
    ends: Sequence[int],
    device: str,
    report: Callable[[float], None],
    orientation: int = 0,
) -> Iterator[Any]:
    """Yield the state of a network after each window of a movie, or once after all frames.

    Parameters
    ----------
    net : torch.nn.Module
        Network in evaluation mode, on the device.
    movie : Movie
        Small enough for the device.
    levels : Normalization
        Normalization of all frames of the movie.
    window : int or None
        Frames of one picture; None for all.
    ends : sequence of int
        Number of the frame after each window.
    device : str
        ``"cpu"`` or ``"cuda"``.
    report : callable
        Called with the fraction of the frames that were read.
    orientation : int, optional
        One of eight orientations in which the network sees the movie.

    Yields
    ------
    state
        Its ``result()`` is the picture (C, 2Y-1, 2X-1); use it before requesting the next state.
    """
    frames, rows, columns = movie.shape
    if orientation % 2:
        rows, columns = columns, rows
    state = net.running(rows, columns) if window is None else net.sliding(window)
    done, when = 0, set(ends)
    # Sums in 16 bits depend on which frames are added together.
    for block in even_blocks(movie, STEP_FRAMES):
        x = orient(torch.from_numpy(levels.apply(block, done)), orientation).to(device)
        with torch.inference_mode(), precision(device):
            for some in (x,) if window is None else x.split(1):
                state.add(some if window is None else some[0])
                done += len(some)
                report(done / frames)
                if window is not None and done in when:
                    yield state
    if window is None:
        yield state


def _reconstruction(
    out: np.ndarray,
    corrected: Corrected,
    settings: NetworkSettings,
    card: Card,
    table: Uncertainty | None,
    notes: list[str],
) -> Reconstruction:
    movie, window = corrected.movie, settings.window
    image = out[0]
    np.maximum(image, 0, out=image)
    maps = {"image": image}
    if settings.uncertainty and len(out) > 1 and table is not None:
        # Picture by picture, for a time series may be larger than memory.
        series = (image[None], out[1][None]) if window is None else (image, out[1])
        for picture, error in zip(*series, strict=True):
            error[...] = half_width(picture, error, table)
        maps["uncertainty"] = out[1]
    interval = movie.frame_interval_s
    return Reconstruction(
        maps,
        pixel_px=(0.5, 0.5),
        origin_px=movie.origin_px,
        camera_pixel_um=movie.pixel_size_um,
        axes="YX" if window is None else "TYX",
        time_series=(None if window is None else (_middle(movie, window), float(settings.step))),
        frame_interval_s=None if interval is None else interval * settings.step,
        notes=(*notes, about_weights(card), QUANTITATIVE),
        details=corrected.details,
    )


def _middle(movie: Movie, window: int) -> float:
    """Return the number in the file of the middle of the first window."""
    return float(movie.file_frames(movie.first_frame + (window - 1) / 2))


def half_width(picture: np.ndarray, log_error: np.ndarray, table: Uncertainty) -> np.ndarray:
    """Return half the width of the interval that contains the truth in 90 % of cases.

    Parameters
    ----------
    picture, log_error : ndarray of shape (Y, X)
        Output of a network: brightness, and the logarithm of the error that it expects.
    table : Uncertainty
        Half widths in units of the expected error, from the card of the weights.
    """
    factor = np.interp(picture, table.brightness, table.half_width)
    return np.asarray(factor * np.exp(np.clip(log_error, -8, 4)), np.float32)

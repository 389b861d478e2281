"""Films of the paper's DBlink: recurrences through all windows, pictures where they are wanted.

Recurrences cost a hundredth of a picture. So they see the whole field, since what they remember
spreads by 4 samples with every window; pictures are made in parts of it, which see all that they
depend on. Memory is that of a chunk of the film. The past is carried on from chunk to chunk; the
future of a chunk begins some windows after it, as what was later hardly counts any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch

from napari_sofinet.localization.events import LocalizationEvents
from napari_sofinet.networks.dblink import DBlink, Hidden, Recurrence
from napari_sofinet.networks.decay_maps import window_map
from napari_sofinet.networks.device import precision
from napari_sofinet.networks.tiling import tiles

WARM_UP = 32
"""Windows after a chunk that its future begins with; the paper gives each picture 25."""
CHUNK_BYTES = 2**28
"""Of what recurrences remember that is held at once."""
TILE = 384
"""Samples of the side of a part of a picture."""


def recurrent_series(
    net: DBlink,
    blinks: LocalizationEvents,
    starts: np.ndarray,
    window: int,
    frames: tuple[int, int],
    shape: tuple[int, int],
    between: Callable[[], None],
) -> Iterator[tuple[int, np.ndarray]]:
    """Numbers of pictures, in any order, and the pictures (Y, X), 0 to 1.

    Parameters
    ----------
    net
        In evaluation mode, on the device that is to be used.
    blinks
        Localisations, with times in frames.
    starts
        (T,) first frame of the window of each picture.
    window
        Frames of one window.
    frames
        The first of the movie, and the one after the last.
    shape
        Rows and columns of samples.
    between
        Called at every window that is read; may raise to end it.
    """
    device = next(net.parameters()).device.type
    # A picture belongs to the sequence of windows, one after the other, that its own is one of.
    phases = (starts - frames[0]) % window
    for phase in np.unique(phases):
        numbers = np.flatnonzero(phases == phase)
        begin = frames[0] + int(phase)
        wanted = (starts[numbers] - begin) // window
        last = (frames[1] - begin) // window - 1

        def read(k: int, begin: int = begin) -> torch.Tensor:
            between()
            first = begin + k * window
            one = window_map(blinks.during(first, first + window), *shape)
            return torch.from_numpy(one)[None].to(device)

        past: Hidden | None = None
        behind = 0
        some = max(1, CHUNK_BYTES // (8 * 4 * shape[0] * shape[1]))
        for first in range(0, len(wanted), some):
            chunk = wanted[first : first + some]
            before, past = _remembered(
                net.forwards, range(behind, chunk[-1] + 1), read, past, chunk
            )
            behind = chunk[-1] + 1
            way_back = range(min(chunk[-1] + WARM_UP, last), chunk[0] - 1, -1)
            after, _ = _remembered(net.backwards, way_back, read, None, chunk)
            for number, k in zip(numbers[first : first + some], chunk, strict=True):
                seen = torch.cat([before.pop(k), after.pop(k)], dim=1)
                yield int(number), _picture(net, seen)


def _remembered(
    recurrence: Recurrence,
    windows: Iterable[int],
    read: Callable[[int], torch.Tensor],
    state: Hidden | None,
    wanted: np.ndarray,
) -> tuple[dict[int, torch.Tensor], Hidden | None]:
    """Hidden states (1, 4, Y, X) at the windows that are wanted, and the last state."""
    kept = {}
    keep = set(wanted.tolist())
    for k in windows:
        one = read(k)
        with torch.inference_mode(), precision(one.device.type):
            state = recurrence.step(one, state or recurrence.start(one))
        if k in keep:
            kept[k] = state[-1][0]
    return kept, state


def _picture(net: DBlink, seen: torch.Tensor) -> np.ndarray:
    """Picture (Y, X) of what both recurrences remember (1, 8, Y, X), part by part."""
    rows, columns = seen.shape[-2:]
    out = np.empty((rows, columns), np.float32)
    for tile in tiles(rows, columns, TILE, net.reach_px):
        part = seen[..., *tile.window]
        with torch.inference_mode(), precision(seen.device.type):
            picture = net.draw(part)[0].float().cpu().numpy()
        out[tile.place()] = picture[tile.inside()]
    return out

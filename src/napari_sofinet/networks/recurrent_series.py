"""Time series of the paper's DBlink: recurrences through all windows, pictures of some of them.

Recurrences cost a hundredth of a picture. They process the whole field, since their states spread
by 4 samples with every window; pictures are made in tiles with overlap. Memory holds a chunk of the
time series. The past is carried on from chunk to chunk; the future of a chunk begins some windows
after it, as later ones hardly count.
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
"""Windows after a chunk with which its future begins; the paper gives each picture 25."""
CHUNK_BYTES = 2**28
"""Memory for the hidden states of a chunk."""
TILE = 384
"""Side of a tile of a picture in samples."""


def recurrent_series(
    net: DBlink,
    events: LocalizationEvents,
    starts: np.ndarray,
    window: int,
    frames: tuple[int, int],
    shape: tuple[int, int],
    between: Callable[[], None],
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the pictures of a time series, in any order.

    Parameters
    ----------
    net : DBlink
        Network in evaluation mode, on the device to use.
    events : LocalizationEvents
        Localizations, with times in frames.
    starts : ndarray
        (T,) first frame of the window of each picture.
    window : int
        Frames of one window.
    frames : (int, int)
        First frame of the movie, and the one after the last.
    shape : (int, int)
        Rows and columns of samples.
    between : callable
        Called at every window that is read; it may raise to stop the work.

    Yields
    ------
    number : int
        Index of the picture.
    picture : ndarray
        (Y, X), from 0 to 1.
    """
    device = next(net.parameters()).device.type
    # Pictures whose windows follow each other without overlap are computed together.
    phases = (starts - frames[0]) % window
    for phase in np.unique(phases):
        numbers = np.flatnonzero(phases == phase)
        begin = frames[0] + int(phase)
        wanted = (starts[numbers] - begin) // window
        last = (frames[1] - begin) // window - 1

        def read(k: int, begin: int = begin) -> torch.Tensor:
            between()
            first = begin + k * window
            one = window_map(events.during(first, first + window), *shape)
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
    """Return the hidden states (1, 4, Y, X) at the windows that are wanted, and the last state."""
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
    """Return the picture (Y, X) of the hidden states of both recurrences (1, 8, Y, X)."""
    rows, columns = seen.shape[-2:]
    out = np.empty((rows, columns), np.float32)
    for tile in tiles(rows, columns, TILE, net.reach_px):
        part = seen[..., *tile.window]
        with torch.inference_mode(), precision(seen.device.type):
            picture = net.draw(part)[0].float().cpu().numpy()
        out[tile.place()] = picture[tile.inside()]
    return out

"""Maps in which every localization decays with its distance in time, the input of `BlinkNet`.

They are linear in the localizations, so one sweep over a time series makes all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from napari_sofinet.localization.events import LocalizationEvents

TIMES = 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0
"""Time constants of the decay, in windows."""
PRIORS = {"either": 0.0, "filaments": 1.0, "mitochondria": -1.0}
"""Value that gives a network the kind of structure, since few localizations fit several kinds."""


def decays(windows: np.ndarray) -> np.ndarray:
    """Return the weights of localizations by their distance in time.

    Parameters
    ----------
    windows : ndarray
        (N,) distance in windows, before or after.

    Returns
    -------
    ndarray
        (7, N) float32, one row for each of `TIMES`.

    Examples
    --------
    >>> import numpy as np
    >>> decays(np.array([-1.0, 0.0, 2.0]))[0].round(3)
    array([0.368, 1.   , 0.135], dtype=float32)
    """
    weights = np.exp(-np.abs(windows)[None] / np.asarray(TIMES)[:, None])
    return np.asarray(weights, np.float32)


def add_localizations(maps: np.ndarray, y: np.ndarray, x: np.ndarray, weights: np.ndarray) -> None:
    """Add localizations to maps, in place.

    Each is divided among the four samples around it, so that its position is kept. Parts beyond the
    edge of the field are left out.

    Parameters
    ----------
    maps : ndarray
        (C, Y, X).
    y, x : ndarray
        (N,) positions in samples.
    weights : ndarray
        (C, N) weight of each localization in each map.

    Examples
    --------
    >>> import numpy as np
    >>> maps = np.zeros((1, 2, 3))
    >>> add_localizations(maps, np.array([0.5]), np.array([1.25]), np.ones((1, 1)))
    >>> maps[0]
    array([[0.   , 0.375, 0.125],
           [0.   , 0.375, 0.125]])
    """
    rows, columns = maps.shape[1:]
    top, left = np.floor(y), np.floor(x)
    low, right = y - top, x - left
    cells, fractions = [], []
    for down, along_y in ((0, 1 - low), (1, low)):
        for across, along_x in ((0, 1 - right), (1, right)):
            i, j = top.astype(np.intp) + down, left.astype(np.intp) + across
            inside = (i >= 0) & (i < rows) & (j >= 0) & (j < columns)
            cells.append(np.where(inside, i * columns + j, 0))
            fractions.append(np.where(inside, along_y * along_x, 0))
    # Only samples that change are touched: a window has few localizations.
    touched, where = np.unique(np.concatenate(cells), return_inverse=True)
    fraction = np.concatenate(fractions)
    flat = maps.reshape(len(maps), -1)
    for one, weight in zip(flat, weights, strict=True):
        one[touched] += np.bincount(where, fraction * np.tile(weight, 4), len(touched))


def window_map(events: LocalizationEvents, rows: int, columns: int) -> np.ndarray:
    """Return the number of localizations per sample, (rows, columns) float32."""
    out = np.zeros((1, rows, columns), np.float32)
    add_localizations(out, events.y, events.x, events.count[None])
    return out.reshape(rows, columns)


def decay_maps_at(
    time: np.ndarray, y: np.ndarray, x: np.ndarray, at: float, rows: int, columns: int
) -> np.ndarray:
    """Return the decay maps at one time.

    Parameters
    ----------
    time : ndarray
        (N,) times of the localizations in windows.
    y, x : ndarray
        (N,) positions in samples.
    at : float
        Time of the picture in windows. A localization at that very time counts as past.
    rows, columns : int
        Size of the field in samples.

    Returns
    -------
    ndarray
        (14, rows, columns) float32: the sums over localizations of exp(-|time - at| / τ) for the
        7 τ of `TIMES`, first of the past and then of the future.

    See Also
    --------
    decay_maps : The same at many times.
    """
    maps = np.zeros((2 * len(TIMES), rows, columns), np.float32)
    past = time <= at
    for half, some in zip(np.split(maps, 2), (past, ~past), strict=True):
        add_localizations(half, y[some], x[some], decays(time[some] - at))
    return maps


def decay_maps(
    events: LocalizationEvents,
    times: np.ndarray,
    window: float,
    rows: int,
    columns: int,
    between: Callable[[], None] = lambda: None,
) -> Iterator[np.ndarray]:
    """Yield the decay maps at many times, from one sweep in each direction.

    Parameters
    ----------
    events : LocalizationEvents
        Localizations, with times in frames.
    times : ndarray
        (T,) times of the pictures in frames, at equal distances.
    window : float
        Frames of one window.
    rows, columns : int
        Size of the field in samples.
    between : callable, optional
        Called repeatedly, also before the first maps exist; it may raise to stop the work.

    Yields
    ------
    ndarray
        (14, rows, columns) float32, see `decay_maps_at`.

    Notes
    -----
    Maps of the past are carried on from picture to picture; those of the future have to come from
    the end. They are kept at every sqrt(T)-th picture, and those between are made again from there:
    2 sqrt(T) sets of 7 maps are held for a time series of any length.
    """
    sweep = _Sweep(events, times, window, between)
    length = math.ceil(math.sqrt(len(times)))
    lasts = [*range(length - 1, len(times) - 1, length), len(times) - 1]
    empty = np.zeros((len(TIMES), rows, columns), np.float32)
    kept = sweep.futures(empty.copy(), lasts)
    past = empty
    for first, last in zip([0, *(k + 1 for k in lasts)], lasts, strict=False):
        futures = [kept.pop(last)]
        for k in range(last - 1, first - 1, -1):
            futures.append(futures[-1].copy())
            sweep.step_back(futures[-1], k)
        for k in range(first, last + 1):
            sweep.step_on(past, k)
            yield np.concatenate([past, futures.pop()])


class _Sweep:
    """Carries maps of the past or the future (7, Y, X), changed in place, from picture to picture.

    For parameters see `decay_maps`.
    """

    def __init__(
        self,
        events: LocalizationEvents,
        times: np.ndarray,
        window: float,
        between: Callable[[], None],
    ) -> None:
        self.events, self.times, self.window, self.between = events, times, window, between
        step = times[1] - times[0] if len(times) > 1 else 0.0
        self.decay = decays(np.array([step / window]))[:, :, None]
        self.edges = np.searchsorted(events.time, times, side="right")

    def add(self, maps: np.ndarray, first: int, last: int, time: float) -> None:
        """Add some of the localizations with their weights at a time."""
        some = self.events.select(slice(first, last))
        weights = decays((some.time - time) / self.window) * some.count
        add_localizations(maps, some.y, some.x, weights)

    def step_on(self, past: np.ndarray, k: int) -> None:
        """Turn the past of picture k - 1 into that of picture k; that of picture -1 is empty."""
        if k:
            np.multiply(past, self.decay, out=past)
        self.add(past, self.edges[k - 1] if k else 0, self.edges[k], self.times[k])

    def step_back(self, future: np.ndarray, k: int) -> None:
        """Turn the future of picture k + 1 into that of picture k."""
        np.multiply(future, self.decay, out=future)
        self.add(future, self.edges[k], self.edges[k + 1], self.times[k])
        self.between()

    def futures(self, future: np.ndarray, numbers: list[int]) -> dict[int, np.ndarray]:
        """Return the future of some pictures, the last one among them, from empty maps."""
        self.add(future, self.edges[-1], len(self.events.time), self.times[-1])
        kept = {numbers[-1]: future.copy()}
        for k in range(len(self.times) - 2, numbers[0] - 1, -1):
            self.step_back(future, k)
            if k in numbers:
                kept[k] = future.copy()
        return kept


def with_prior(maps: np.ndarray, prior: str) -> np.ndarray:
    """Append a map that gives a network the kind of structure.

    Parameters
    ----------
    maps : ndarray
        Decay maps (..., 14, Y, X).
    prior : {"either", "filaments", "mitochondria"}
        One of `PRIORS`.

    Returns
    -------
    ndarray
        (..., 15, Y, X).

    Examples
    --------
    >>> import numpy as np
    >>> with_prior(np.zeros((14, 2, 2)), "filaments")[-1]
    array([[1., 1.],
           [1., 1.]])
    """
    one = np.full_like(maps[..., :1, :, :], PRIORS[prior])
    return np.concatenate([maps, one], axis=-3)

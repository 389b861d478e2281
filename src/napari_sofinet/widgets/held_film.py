"""A film with one picture for each frame of its movie."""

from __future__ import annotations

from typing import Any

import numpy as np


class HeldFilm:
    """Film in which each frame of the movie shows the picture nearest in time.

    The first and the last picture are also shown for the frames before and after them, so that
    no frame is empty. Nothing is copied.

    Parameters
    ----------
    pictures : ndarray
        Film with K pictures along the axis of time.
    axis : int
        Axis of time.
    times : (float, float)
        Frame at the middle of the first picture, and frames from one picture to the next.
    frames : (int, int)
        First frame that is shown, and the one behind the last.

    Examples
    --------
    >>> film = HeldFilm(np.array([[[1.0]], [[2.0]]]), 0, (2.0, 4.0), (0, 8))
    >>> film.shape
    (8, 1, 1)
    >>> np.asarray(film).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    """

    def __init__(
        self, pictures: Any, axis: int, times: tuple[float, float], frames: tuple[int, int]
    ) -> None:
        self.pictures = pictures
        self.axis = axis
        first, self.step = times
        nearest = np.floor((np.arange(*frames) - first) / self.step + 0.5).astype(int)
        self._picture = np.clip(nearest, 0, pictures.shape[axis] - 1)

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        return np.dtype(self.pictures.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape with one picture for each frame."""
        shape = list(self.pictures.shape)
        shape[self.axis] = len(self._picture)
        return tuple(shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels of all frames."""
        return int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> Any:
        """Return a part, of which only the pictures that are needed are read."""
        keys = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in [k for k in keys if not isinstance(k, np.ndarray)]:
            at = next(i for i, k in enumerate(keys) if k is Ellipsis)
            keys[at : at + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        keys += [slice(None)] * (self.ndim - len(keys))
        chosen = self._picture[keys[self.axis]]
        before = (slice(None),) * self.axis
        if np.ndim(chosen) == 0:
            del keys[self.axis]
            return self.pictures[(*before, int(chosen))][tuple(keys)]
        keys[self.axis] = slice(None)
        return self.pictures[(*before, chosen)][tuple(keys)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return all frames as an array."""
        return np.asarray(self[:], dtype=dtype)


def film_itself(data: Any) -> Any:
    """Return the pictures of a film without repetition.

    Parameters
    ----------
    data : array
        Data of a layer.

    Returns
    -------
    array
        Pictures of a `HeldFilm`; other data unchanged.
    """
    return data.pictures if isinstance(data, HeldFilm) else data

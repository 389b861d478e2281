"""Motion of structures in training data of networks for moving structures."""

from __future__ import annotations

import numpy as np

from napari_sofinet.training.distributions import log_uniform

GOLDEN_ANGLE = 2.4
"""Angle in radians between the directions in which objects with successive numbers move."""


class Motion:
    """Random motion of a scene: drift, rotation, swaying, and objects that move on their own.

    Each of them is left out at random.

    Parameters
    ----------
    side : int
        Side of the field in samples.
    fastest : float
        Highest speed in samples per window.
    rng : numpy.random.Generator
        Source of randomness.
    """

    def __init__(self, side: int, fastest: float, rng: np.random.Generator) -> None:
        def speed() -> float:
            return 0.0 if rng.random() < 0.25 else log_uniform(rng, 0.002, fastest)

        self.centre = rng.uniform(-0.5, 1.5, 2) * side
        self.turn = speed() / 64 * rng.choice([-1, 1])  # as fast, 64 samples from the centre
        self.drift = speed() * unit_vectors(rng.uniform(0, 2 * np.pi))
        self.own = speed() / 2 if rng.random() < 0.3 else 0.0
        self.angle = rng.uniform(0, 2 * np.pi)
        self.sway = rng.uniform(0, 4) if rng.random() < 0.4 else 0.0
        self.period = log_uniform(rng, 30, 400)
        # A large amplitude has a longer period, so that swaying is no faster than all else.
        self.period = max(self.period, 2 * np.pi * self.sway / fastest)
        self.phase, self.wave = rng.uniform(0, 2 * np.pi, 3), log_uniform(rng, 40, 250)

    def __call__(self, places: np.ndarray, objects: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Return positions at other times.

        Parameters
        ----------
        places : ndarray
            (N, 2) positions y, x in samples at time 0.
        objects : ndarray
            (N,) number of the object that each belongs to.
        time : ndarray
            (N,) times in windows.

        Returns
        -------
        ndarray
            (N, 2) positions y, x in samples.
        """
        out = places + self.drift * time[:, None]
        if self.own:
            angles = self.angle + GOLDEN_ANGLE * objects
            out = out + self.own * time[:, None] * unit_vectors(angles)
        if self.sway:
            angle = self.phase[0] + 2 * np.pi / self.period * np.stack([0 * time, time])
            swing = self.sway * (np.sin(angle[1]) - np.sin(angle[0]))
            bend = np.sin(2 * np.pi / self.wave * places[:, ::-1] + self.phase[1:])
            out = out + swing[:, None] * bend
        if self.turn:
            cosine, sine = np.cos(self.turn * time), np.sin(self.turn * time)
            y, x = (out - self.centre).T
            out = self.centre + np.stack([y * cosine + x * sine, x * cosine - y * sine], axis=1)
        return np.asarray(out)


def unit_vectors(angle: float | np.ndarray) -> np.ndarray:
    """Return the unit vectors (..., 2) y, x in directions (...) from the x axis, in radians.

    Examples
    --------
    >>> import numpy as np
    >>> unit_vectors(np.array([0, np.pi / 2])).round(3)
    array([[0., 1.],
           [1., 0.]])
    """
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)

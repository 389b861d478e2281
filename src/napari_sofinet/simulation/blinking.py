"""Blinking of emitters, exact inside frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.simulation.sample_settings import BlinkingSettings


@dataclass(frozen=True)
class Events:
    """Sparse record of the light of emitters, sorted by frame.

    Parameters
    ----------
    frame : ndarray
        (n,) number of the frame.
    emitter : ndarray
        (n,) number of the emitter that shone in it.
    fraction : ndarray
        (n,) fraction of the frame for which it shone, times the relative brightness of the binding
        where that varies.
    """

    frame: np.ndarray
    emitter: np.ndarray
    fraction: np.ndarray

    def between(self, first: int, last: int) -> Events:
        """Return the events of frames ``first`` to ``last - 1``.

        Examples
        --------
        >>> import numpy as np
        >>> events = Events(np.array([0, 2, 2, 5]), np.array([1, 0, 1, 0]), np.ones(4))
        >>> events.between(1, 5).emitter
        array([0, 1])
        """
        a, b = np.searchsorted(self.frame, (first, last))
        return Events(self.frame[a:b], self.emitter[a:b], self.fraction[a:b])


def blink(
    settings: BlinkingSettings,
    emitters: int,
    frames: int,
    frame_interval_s: float,
    rng: np.random.Generator,
) -> Events:
    """Let emitters blink from a stationary state on.

    Parameters
    ----------
    settings : BlinkingSettings
        Model of blinking and its mean times.
    emitters : int
        Number of emitters.
    frames : int
        Number of frames.
    frame_interval_s : float
        Time from frame to frame in s.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Events
        At most one per emitter and frame.
    """
    s = settings
    if s.model == "steady":
        stop = np.full(emitters, float(frames))
        if s.bleach_time_s is not None:
            bleached = rng.exponential(s.bleach_time_s, emitters) / frame_interval_s
            stop = np.minimum(stop, bleached)
        start = np.zeros(emitters)
        return _per_frame(np.arange(emitters), start, stop, np.ones(emitters), frames)
    long_share = s.long_share if s.model == "three-state" else 0.0
    who, start, stop = telegraph(
        emitters,
        frames * frame_interval_s,
        s.on_time_s,
        s.off_time_s,
        rng,
        long_off_time_s=s.long_off_time_s,
        long_share=long_share,
        bleach_time_s=None if s.model == "dna-paint" else s.bleach_time_s,
    )
    height = np.ones(len(who))
    if s.model == "dna-paint" and s.spread:
        height = log_normal(len(who), s.spread, rng)
    return _per_frame(who, start / frame_interval_s, stop / frame_interval_s, height, frames)


def log_normal(n: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Draw positive factors (n,) with a mean of 1 and a standard deviation of ``spread``."""
    sigma = np.sqrt(np.log1p(spread**2))
    return np.asarray(rng.lognormal(-(sigma**2) / 2, sigma, n))


def telegraph(
    emitters: int,
    duration_s: float,
    on_time_s: float,
    off_time_s: float,
    rng: np.random.Generator,
    *,
    long_off_time_s: float = 1.0,
    long_share: float = 0.0,
    bleach_time_s: float | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the intervals in which emitters are on.

    All dwell times are exponential, so the probability of a state at time zero is proportional to
    the time spent in it, and drawing whole dwell times from then on is exact.

    Parameters
    ----------
    emitters : int
        Number of emitters.
    duration_s : float
        Duration in s.
    on_time_s, off_time_s : float
        Mean times on and off in s.
    rng : numpy.random.Generator
        Source of randomness.
    long_off_time_s : float, default 1
        Mean time in a second dark state in s.
    long_share : float, default 0
        Probability that an emitter goes to that state when it switches off.
    bleach_time_s : float, optional
        Mean time on in s, counted from time zero, after which an emitter bleaches; by default it
        never does.

    Returns
    -------
    emitter : ndarray
        (n,) number of the emitter.
    start, stop : ndarray
        (n,) times in s.
    """
    in_states = np.array(
        [on_time_s, (1 - long_share) * off_time_s, long_share * long_off_time_s], dtype=np.float64
    )
    state = rng.choice(3, emitters, p=in_states / in_states.sum())
    dwell_of = np.array([on_time_s, off_time_s, long_off_time_s])
    left = np.full(emitters, np.inf)
    if bleach_time_s is not None:
        left = rng.exponential(bleach_time_s, emitters)
    clock = np.zeros(emitters)
    alive = np.arange(emitters)
    found = [(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))]
    while alive.size:
        now, was = clock[alive], state[alive]
        dwell = rng.exponential(dwell_of[was])
        lit = was == 0
        bleached = lit & (dwell >= left[alive])
        if bleach_time_s is not None:
            dwell = np.where(lit, np.minimum(dwell, left[alive]), dwell)
            left[alive] -= np.where(lit, dwell, 0.0)
        found.append((alive[lit], now[lit], np.minimum(now[lit] + dwell[lit], duration_s)))
        clock[alive] = now + dwell
        dark = np.where(rng.random(len(alive)) < long_share, 2, 1) if long_share else 1
        state[alive] = np.where(lit, dark, 0)
        alive = alive[(clock[alive] < duration_s) & ~bleached]
    emitter, start, stop = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return emitter, start, stop


def _per_frame(
    who: np.ndarray, start: np.ndarray, stop: np.ndarray, height: np.ndarray, frames: int
) -> Events:
    """Cut intervals (in frames) at the edges of frames and add those of an emitter in a frame."""
    first = np.floor(start).astype(np.int64)
    span = np.minimum(np.ceil(stop).astype(np.int64), frames) - first
    keep = span > 0
    who, start, stop, height = who[keep], start[keep], stop[keep], height[keep]
    first, span = first[keep], span[keep]
    frame = np.repeat(first - np.cumsum(span) + span, span) + np.arange(span.sum())
    lit = np.minimum(np.repeat(stop, span), frame + 1) - np.maximum(np.repeat(start, span), frame)
    key = frame * (int(who.max(initial=0)) + 1) + np.repeat(who, span)
    order = np.argsort(key, kind="stable")
    key, light = key[order], (lit * np.repeat(height, span))[order]
    new = np.concatenate([[True], key[1:] != key[:-1]]) if len(key) else np.zeros(0, bool)
    at = np.flatnonzero(new)
    total = np.add.reduceat(light, at) if len(at) else np.zeros(0)
    emitters = int(who.max(initial=0)) + 1
    return Events(key[at] // emitters, key[at] % emitters, total)

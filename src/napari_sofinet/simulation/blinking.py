"""Blinking: when each emitter shines, exact inside frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.simulation.settings import BlinkingSettings


@dataclass(frozen=True)
class Events:
    """Sparse record of light: in ``frame``, ``emitter`` shone for ``fraction`` of the frame.

    Sorted by frame; ``fraction`` carries the brightness of a binding where that varies.
    """

    frame: np.ndarray
    emitter: np.ndarray
    fraction: np.ndarray

    def between(self, first: int, last: int) -> Events:
        """The events of frames first .. last-1."""
        a, b = np.searchsorted(self.frame, (first, last))
        return Events(self.frame[a:b], self.emitter[a:b], self.fraction[a:b])


def blink(
    settings: BlinkingSettings,
    emitters: int,
    frames: int,
    frame_interval_s: float,
    rng: np.random.Generator,
) -> Events:
    """Events of emitters that blink as the settings say, from a stationary start."""
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


def two_state(
    emitters: int,
    frames: int,
    frame_interval_s: float,
    on_time_s: float,
    off_time_s: float,
    rng: np.random.Generator,
) -> Events:
    """Events of plain telegraph blinking."""
    who, start, stop = telegraph(emitters, frames * frame_interval_s, on_time_s, off_time_s, rng)
    return _per_frame(
        who, start / frame_interval_s, stop / frame_interval_s, np.ones(len(who)), frames
    )


def log_normal(n: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Positive factors with mean 1 and the given standard deviation."""
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
    """Intervals in which emitters are on: emitter, start and stop in s.

    All dwell times are exponential, so an emitter is in a state at time zero with a probability in
    proportion to the time spent there, and drawing whole dwell times from then on is exact. A
    switch off leads to the longer dark state with probability ``long_share``. Bleaching comes after
    an exponential time on, counted from time zero.
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
    who: list[np.ndarray] = []
    start: list[np.ndarray] = []
    stop: list[np.ndarray] = []
    while alive.size:
        now, was = clock[alive], state[alive]
        dwell = rng.exponential(dwell_of[was])
        lit = was == 0
        bleached = np.zeros(len(alive), bool)
        if bleach_time_s is not None:
            shone = np.where(lit, np.minimum(dwell, left[alive]), 0.0)
            bleached = lit & (dwell >= left[alive])
            left[alive] -= shone
            dwell = np.where(lit, shone, dwell)
        who.append(alive[lit])
        start.append(now[lit])
        stop.append(np.minimum(now[lit] + dwell[lit], duration_s))
        clock[alive] = now + dwell
        dark = np.where(rng.random(len(alive)) < long_share, 2, 1) if long_share else 1
        state[alive] = np.where(lit, dark, 0)
        alive = alive[(clock[alive] < duration_s) & ~bleached]
    if not who:
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
    return np.concatenate(who), np.concatenate(start), np.concatenate(stop)


def _per_frame(
    who: np.ndarray, start: np.ndarray, stop: np.ndarray, height: np.ndarray, frames: int
) -> Events:
    """Cut intervals (in frames) at frame edges and add those of one emitter in one frame."""
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

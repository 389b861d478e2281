"""Blinking: when each emitter shines, exact inside frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Events:
    """Sparse record of light: in ``frame``, ``emitter`` shone for ``fraction`` of the frame."""

    frame: np.ndarray
    emitter: np.ndarray
    fraction: np.ndarray


def two_state(
    emitters: int,
    frames: int,
    frame_interval_s: float,
    on_time_s: float,
    off_time_s: float,
    rng: np.random.Generator,
) -> Events:
    """Telegraph blinking with exponential dwell times, started in its stationary state.

    An emitter is on with probability on / (on + off) at time zero; dwell times are memoryless, so
    drawing whole dwell times from then on is exact. A frame's fraction is the exact time on in it.
    """
    duration = frames * frame_interval_s
    on = rng.random(emitters) < on_time_s / (on_time_s + off_time_s)
    clock = np.zeros(emitters)
    alive = np.arange(emitters)
    who: list[np.ndarray] = []
    start: list[np.ndarray] = []
    stop: list[np.ndarray] = []
    while alive.size:
        dwell = rng.exponential(np.where(on[alive], on_time_s, off_time_s))
        lit = on[alive]
        who.append(alive[lit])
        start.append(clock[alive][lit])
        stop.append(np.minimum(clock[alive][lit] + dwell[lit], duration))
        clock[alive] += dwell
        on[alive] = ~lit
        alive = alive[clock[alive] < duration]
    if not who:
        empty = np.zeros(0)
        return Events(empty.astype(np.int64), empty.astype(np.int64), empty)
    return _per_frame(
        np.concatenate(who),
        np.concatenate(start) / frame_interval_s,
        np.concatenate(stop) / frame_interval_s,
        frames,
    )


def _per_frame(who: np.ndarray, start: np.ndarray, stop: np.ndarray, frames: int) -> Events:
    """Cut intervals (in frames) at frame edges and add those of one emitter in one frame."""
    first = np.floor(start).astype(np.int64)
    span = np.minimum(np.ceil(stop).astype(np.int64), frames) - first
    keep = span > 0
    who, start, stop, first, span = who[keep], start[keep], stop[keep], first[keep], span[keep]
    frame = np.repeat(first - np.cumsum(span) + span, span) + np.arange(span.sum())
    fraction = np.minimum(np.repeat(stop, span), frame + 1) - np.maximum(
        np.repeat(start, span), frame
    )
    key, where = np.unique(np.repeat(who, span) * frames + frame, return_inverse=True)
    total = np.bincount(where, weights=fraction, minlength=len(key))
    order = np.argsort(key % frames, kind="stable")
    return Events((key % frames)[order], (key // frames)[order], total[order])

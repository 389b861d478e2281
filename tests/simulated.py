"""What the tests of the simulator share."""

from __future__ import annotations

import importlib
import re

import numpy as np
from scipy.special import erf

from napari_sofinet.base.settings import build
from napari_sofinet.simulation import SimulationSettings
from napari_sofinet.simulation.blinking import Events, blink
from napari_sofinet.simulation.sample_settings import BlinkingSettings, StructureSettings

SMALL = SimulationSettings(rows=32, columns=40, frames=20, structure=StructureSettings(count=4))
WIDE = 500.0, 500.0  # um; so wide that hardly anything meets the edge


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def two_state(emitters, frames, frame_interval_s, on_time_s, off_time_s, rng) -> Events:
    """Events of emitters that switch on and off with exponential times."""
    settings = BlinkingSettings(on_time_s=on_time_s, off_time_s=off_time_s)
    return blink(settings, emitters, frames, frame_interval_s, rng)


def mean_is(values, expected, to=0.05):
    """The mean agrees within 4.5 standard errors, which are at most a share ``to`` of it."""
    values = np.asarray(values, dtype=float).ravel()
    error = values.std() / np.sqrt(values.size)
    assert abs(values.mean() - expected) <= 4.5 * error + 1e-9 * abs(expected)
    assert error < to * abs(expected)


def poisson_is(number, expected):
    assert abs(number - expected) < 4.5 * np.sqrt(expected)


def placed(folder, positions_um, **changes):
    """Settings of steady emitters of 1000 photons at given places, for an ideal camera."""
    path = folder / "places.csv"
    rows = "\n".join(f"{y!r},{x!r}" for y, x in np.asarray(positions_um, float).tolist())
    path.write_text(f"y_um,x_um\n{rows}\n")
    values = {
        "rows": 24,
        "columns": 28,
        "frames": 4,
        "structure.kind": "table",
        "structure.file": str(path),
        "blinking.model": "steady",
        "blinking.photons": 1000,
        "background.photons": 0,
        "camera.model": "ideal",
    }
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return build(SimulationSettings, values | named)


def centroid(image):
    y, x = np.indices(image.shape)
    return np.array([np.sum(y * image), np.sum(x * image)]) / image.sum()


def each_object(labels):
    """The positions (n, 2) of one object after the other."""
    order = np.argsort(labels.object, kind="stable")
    at, which = labels.positions_um[order], labels.object[order]
    return np.split(at, np.flatnonzero(np.diff(which)) + 1)


def in_blocks_of(frames, monkeypatch):
    """Let movies of `SMALL` be made in blocks of so many frames."""
    # The module's name is also that of a function.
    module = importlib.import_module("napari_sofinet.simulation.simulate")
    monkeypatch.setattr(module, "BLOCK_PIXELS", frames * 32 * 40)


def is_one_sentence(text):
    assert re.fullmatch(r"[A-Za-z-][^\n]*\.", text), text
    assert not re.search(r"[.!?] [A-Z]", text), text


def gaussian_pixels(at, shape, sigma):
    def line(n, centre, width):
        edges = erf((np.arange(n + 1) - 0.5 - centre) / (np.sqrt(2) * width))
        return np.diff(edges) / 2

    sigma_y, sigma_x = np.broadcast_to(sigma, 2)
    return np.outer(line(shape[0], at[0], sigma_y), line(shape[1], at[1], sigma_x))

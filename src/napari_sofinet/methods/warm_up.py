"""Loading of compiled kernels and of PyTorch ahead of their use."""

from __future__ import annotations

import threading

import numpy as np

from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.preprocess.frame_scan import scan_movie
from napari_sofinet.sofi.linearization import linearize
from napari_sofinet.sofi.moments import MomentSums, needed_products
from napari_sofinet.sofi.pixel_sets import pixel_sets

_started = threading.Lock()


def warm_up() -> None:
    """Load the compiled kernels in the background, so that the first click does not wait for them.

    When they are used for the first time on a machine they are compiled, which takes half a minute.
    This happens once in a process, and returns at once.
    """
    if _started.acquire(blocking=False):  # never released
        threading.Thread(target=load_kernels, daemon=True, name="sofinet-warm-up").start()


def load_kernels() -> None:
    """Use all kernels that a first reconstruction needs, in the order in which it needs them."""
    counts = np.random.default_rng(0).poisson(50, (6, 16, 16)).astype(np.uint16)
    scan_movie(open_movie(counts))
    frames = counts[:1, :4, :4]
    for order in (2, 3):
        sets = (s for options in pixel_sets(order).values() for s in options)
        MomentSums(needed_products(sets), np.zeros((4, 4))).add(frames)
    image = np.ones((4, 4), np.float32)
    linearize(image, 2, 2.0, iterations=1, weights=image)
    _localize(counts[0])


def _localize(frame: np.ndarray) -> None:
    """Find and fit emitters in a frame."""
    from napari_sofinet.localization.detection import EMITTER_SUM, places_in_map
    from napari_sofinet.localization.fitting import Noise, fit_spots

    away2 = (np.arange(24) - 12) ** 2
    certain = EMITTER_SUM * np.exp(-np.add.outer(away2, away2) / 2) / (2 * np.pi)
    spread = np.full((24, 24), 0.05 * EMITTER_SUM)
    places_in_map((certain + spread).astype(np.float32), 0.5, 4)
    fit_spots(frame, np.array([[8.0, 8.0]]), 1.3, Noise())

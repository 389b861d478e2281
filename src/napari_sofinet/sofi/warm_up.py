"""Loading of the compiled kernels ahead of their use."""

from __future__ import annotations

import threading

import numpy as np

from napari_sofinet.sofi.linearization import linearize
from napari_sofinet.sofi.moments import MomentSums, needed_products
from napari_sofinet.sofi.pixel_sets import pixel_sets


def warm_up() -> threading.Thread:
    """Load the compiled kernels in the background, so that the first click does not wait for them.

    When they are used for the first time on a machine they are compiled, which takes seconds.

    Returns
    -------
    threading.Thread
        The running thread.
    """

    def load() -> None:
        frames = np.zeros((1, 4, 4), np.uint16)
        for order in (2, 3):
            sets = (s for options in pixel_sets(order).values() for s in options)
            MomentSums(needed_products(sets), np.zeros((4, 4))).add(frames)
        image = np.ones((4, 4), np.float32)
        linearize(image, 2, 2.0, iterations=1, weights=image)

    thread = threading.Thread(target=load, daemon=True, name="sofinet-warm-up")
    thread.start()
    return thread

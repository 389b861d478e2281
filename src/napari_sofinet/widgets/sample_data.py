"""Sample data for napari, simulated without downloading anything."""

from __future__ import annotations

from typing import Any


def blinking_microtubules() -> list[tuple[Any, dict[str, Any], str]]:
    """Return the simulated movie of `sofinet demo`, blinking microtubules in 500 frames.

    Returns
    -------
    list of (array, options, kind)
        One image layer (T, Y, X) in s and µm, as napari expects it.
    """
    from napari_sofinet.simulation.demo import demo_movie

    simulation = demo_movie()
    s = simulation.settings
    options = {
        "name": "blinking microtubules",
        "scale": (s.frame_interval_s, s.pixel_size_um, s.pixel_size_um),
        "units": ("second", "micrometer", "micrometer"),
        "axis_labels": ("t", "y", "x"),
    }
    return [(simulation.frames, options, "image")]

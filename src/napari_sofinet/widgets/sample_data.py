"""napari sample data: the bundled movie, made offline."""

from __future__ import annotations

from typing import Any


def blinking_microtubules() -> list[tuple[Any, dict[str, Any], str]]:
    """The simulated movie of `sofinet demo`: blinking microtubules, 500 frames."""
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

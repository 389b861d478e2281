"""Tool tips of the dock "Resolution and quality"."""

from __future__ import annotations

TIPS = {
    "layer_list": (
        "Ticked layers are measured: of movies the mean over all frames, of volumes the plane at "
        "the slider, in the tab Volume all planes."
    ),
    "box_button": "Add a box to be moved, for resolution, trace and agreement.",
    "line_button": (
        "Add a line across the brightest structure, for profiles. Drag in the picture to draw "
        "another one instead."
    ),
    "reference_box": (
        "Layer that the others are compared with: wide field, or the truth of a simulation."
    ),
    "csv_button": "Save the numbers with all that is needed to measure them again, or the curves.",
    "map_button": (
        "Add a layer: the resolution of tiles of the selected layer or, in the tab Agreement, its "
        "error against the reference."
    ),
}
"""Tool tips by the name of the button or list."""

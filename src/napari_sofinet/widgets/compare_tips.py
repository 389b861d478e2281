"""Tool tips of the dock "Compare"."""

from __future__ import annotations

TIPS = {
    "difference_button": (
        "Add a layer with the difference of both, each scaled from 0 to 1: green where the "
        "first is brighter, pink where the second is."
    ),
    "squirrel_button": (
        "Add a layer with the error of the first layer after it was blurred and scaled to the "
        "second, which must be a wide-field picture, e.g. the movie."
    ),
    "score_button": (
        "Numbers that compare the first layer with the second. RSP and RSE need a wide-field "
        "picture as the second layer; SSIM, true positives and negatives and false lines need "
        "the truth of a simulation."
    ),
    "side_button": ("Show both layers in a row."),
    "swipe_button": ("Show both layers on the two sides of a line."),
    "blink_button": ("Show both layers by turns, twice a second."),
    "slider": ("The first layer is shown on the left of the slider, the second on its right."),
    "figure_button": (
        "Save both layers as they are shown, and their difference or SQUIRREL map if it is "
        'shown, with scale bars and colour bars. A box in the layer "region" is enlarged.'
    ),
}
"""Tool tips by the name of the button or slider."""

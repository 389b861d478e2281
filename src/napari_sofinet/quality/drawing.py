"""Types, colors and names that all drawings of pictures and curves share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
else:
    # Matplotlib is optional and takes long to import, yet type hints have to resolve without it.
    Axes = Figure = Any

__all__ = ["Axes", "Figure", "color_of", "shortened", "write_message"]


def color_of(number: int) -> str:
    """Return the color of a picture, which is the same in every drawing.

    Parameters
    ----------
    number : int
        Position of the picture among those that are drawn, from 0.

    Returns
    -------
    str
        One of matplotlib's ten colors.

    Examples
    --------
    >>> color_of(12)
    'C2'
    """
    return f"C{number % 10}"


def shortened(name: str, longest: int) -> str:
    """Return a name without its middle if it is too long to be drawn.

    Parameters
    ----------
    name : str
        Name of a picture or layer.
    longest : int
        Largest number of letters.

    Returns
    -------
    str
        The name, or its beginning and its end with an ellipsis in between.

    Examples
    --------
    >>> shortened("microtubules", 7)
    'mic…les'
    """
    if len(name) <= longest:
        return name
    end = (longest - 1) // 2
    return f"{name[: longest - 1 - end]}…{name[len(name) - end :]}"


def write_message(axes: Axes, message: str) -> None:
    """Write a message in grey in the middle of axes that have nothing to show.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes to write on.
    message : str
        Short sentence.
    """
    axes.text(0.5, 0.5, message, transform=axes.transAxes, ha="center", color="grey", fontsize=8)

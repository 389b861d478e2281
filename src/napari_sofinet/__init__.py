"""napari-sofinet: fluctuation super-resolution of blinking samples.

>>> import napari_sofinet as sofinet
>>> movie = sofinet.open_movie("cell.tif")
>>> result = sofinet.reconstruct(movie, "sofi", order=2)
>>> result.save("cell_sofi.ome.tif")
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sofinet.errors import Cancelled, InputError
    from napari_sofinet.methods import reconstruct
    from napari_sofinet.movie import Movie, open_movie
    from napari_sofinet.recipe import Recipe, repeat
    from napari_sofinet.reconstruction import Reconstruction

try:
    __version__ = version("napari-sofinet")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0"

__all__ = [
    "Cancelled",
    "InputError",
    "Movie",
    "Recipe",
    "Reconstruction",
    "open_movie",
    "reconstruct",
    "repeat",
]

_HOME = {
    "Cancelled": "errors",
    "InputError": "errors",
    "Movie": "movie",
    "Recipe": "recipe",
    "Reconstruction": "reconstruction",
    "open_movie": "movie",
    "reconstruct": "methods",
    "repeat": "recipe",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that importing the package costs next to nothing."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

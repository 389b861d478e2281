"""napari-sofinet: fluctuation super-resolution of blinking samples.

Examples
--------
>>> import numpy as np
>>> import napari_sofinet as sofinet
>>> frames = np.random.default_rng(0).poisson(100, (20, 16, 16))
>>> movie = sofinet.open_movie(frames, pixel_size_um=0.1)
>>> result = sofinet.reconstruct(movie, "average")
>>> result.image.shape
(16, 16)
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("napari-sofinet")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0"

_HOME = {
    "Cancelled": "base.errors",
    "InputError": "base.errors",
    "LocalizationTable": "data.table",
    "Method": "methods.contract",
    "Movie": "data.movie",
    "Recipe": "data.recipe",
    "Reconstruction": "data.reconstruction",
    "open_movie": "data.open_movie",
    "reconstruct": "methods.run",
    "repeat": "methods.repeat",
    "suitable_methods": "methods.suitable",
}
__all__ = [
    "Cancelled",
    "InputError",
    "LocalizationTable",
    "Method",
    "Movie",
    "Recipe",
    "Reconstruction",
    "open_movie",
    "reconstruct",
    "repeat",
    "suitable_methods",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that importing the package costs next to nothing."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, for tab completion."""
    return sorted({*globals(), *__all__})

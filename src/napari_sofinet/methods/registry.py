"""All methods by name: those of this package, and those of other installed packages."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import entry_points

from napari_sofinet.base.errors import InputError
from napari_sofinet.methods.contract import Method
from napari_sofinet.networks.contract import Network, load_object

BUILT_IN = (
    "napari_sofinet.methods.projections:AVERAGE",
    "napari_sofinet.methods.projections:STANDARD_DEVIATION",
    "napari_sofinet.methods.sofi:METHOD",
    "napari_sofinet.methods.covariance:METHOD",
    "napari_sofinet.methods.sofinet:METHOD",
    "napari_sofinet.methods.convgru:METHOD",
    "napari_sofinet.methods.unet:METHOD",
    "napari_sofinet.methods.deepstorm:METHOD",
    "napari_sofinet.methods.dblink:METHOD",
    "napari_sofinet.methods.ddpm:METHOD",
    "napari_sofinet.methods.fluogan:METHOD",
    "napari_sofinet.methods.sim:METHOD",
    "napari_sofinet.methods.rcan_sim:METHOD",
    "napari_sofinet.methods.rcan:METHOD",
    "napari_sofinet.methods.table:METHOD",
)
"""Declarations of the methods of this package, in the order in which users see them."""
ENTRY_POINTS = "napari_sofinet.methods"
"""Group of entry points by which another package adds methods, as ``name = "module:METHOD"``."""


@cache
def methods() -> dict[str, Method]:
    """Return all methods by name.

    Raises
    ------
    InputError
        Another package declares a method that cannot be loaded, or whose name is taken.
    """
    found = {method.name: method for method in map(load_object, BUILT_IN)}
    for entry in entry_points(group=ENTRY_POINTS):
        package = entry.dist.name if entry.dist is not None else entry.value
        try:
            method = load_object(entry.value)
        except Exception as error:
            raise InputError(
                f"The method {entry.name} of the package {package} cannot be loaded "
                f"({type(error).__name__}: {error}); update or remove that package."
            ) from error
        if not isinstance(method, Method) or method.name in found:
            raise InputError(
                f"The method {entry.name} of the package {package} is not a Method, or its name is "
                "taken; update or remove that package."
            )
        found[method.name] = method
    return found


def method_named(name: str) -> Method:
    """Return a method by its name.

    Raises
    ------
    InputError
        There is no method of that name; the message suggests the most similar one.
    """
    known = methods()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}" if near else f"there are {', '.join(known)}"
    raise InputError(f"There is no method {name}; {hint}.")


def networks() -> dict[str, Network]:
    """Return the networks of all methods by their own names."""
    found = [method.network for method in methods().values()]
    return {network.name: network for network in found if network is not None}

"""Declaration of a network, which does not load PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Network:
    """Declaration of a network: how it is built and trained.

    Parameters
    ----------
    name : str
        Name on the command line and in the cards of its weights.
    title : str
        Name for people.
    build : str
        ``"module:callable"`` that makes the network with random weights, given the sizes in a card.
        It is loaded on first use, since it imports PyTorch.
    reach_px : int
        Distance in camera pixels up to which an output sample depends on the input. Tiles with this
        overlap show no seams.
    frames : int, optional
        Number of frames that the network takes at a time; None for any number.
    task : str, optional
        ``"module:TASK"`` that declares the training of the network; None if it cannot be trained
        here.
    """

    name: str
    title: str
    build: str
    reach_px: int
    frames: int | None = None
    task: str | None = None


def load_object(reference: str) -> Any:
    """Return the object of a ``"module:name"``.

    Raises
    ------
    ImportError
        There is no such module, or it does not have that name.

    Examples
    --------
    >>> load_object("math:hypot")(3, 4)
    5.0
    """
    module, _, name = reference.partition(":")
    try:
        return getattr(import_module(module), name)
    except AttributeError as error:
        raise ImportError(f"{module} has no {name}") from error


def builder_of(network: Network) -> Callable[..., Any]:
    """Return the function that builds a network; this imports PyTorch."""
    build: Callable[..., Any] = load_object(network.build)
    return build

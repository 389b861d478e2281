"""Looking between the layers of a network whether its work should go on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from torch import nn


@contextlib.contextmanager
def between_layers(net: nn.Module, look: Callable[[], None]) -> Iterator[None]:
    """Call a function before every layer of a network inside a ``with`` statement.

    A network takes seconds for a large field on a processor, and a single layer of it tenths.

    Parameters
    ----------
    net : torch.nn.Module
        The network, not compiled.
    look : callable
        Function without arguments, which may raise to stop the work.
    """

    def before(*_: object) -> None:
        look()

    handles = [
        layer.register_forward_pre_hook(before)
        for layer in net.modules()
        if next(layer.children(), None) is None
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()

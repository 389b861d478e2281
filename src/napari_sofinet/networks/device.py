"""Device and precision of networks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

T = TypeVar("T")


def device_for(wanted: str) -> str:
    """Return ``"cuda"`` if there is a GPU, unless the user chose the CPU, and else ``"cpu"``.

    Parameters
    ----------
    wanted : {"auto", "cpu", "cuda"}
        Choice of the user.

    Examples
    --------
    >>> device_for("cpu")
    'cpu'
    """
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def on_device(device: str, notes: list[str], work: Callable[[str], T]) -> T:
    """Run work on the GPU if there is one, and on the CPU if that fails.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        Choice of the user; with ``"cuda"`` an error of the GPU is raised.
    notes : list of str
        A sentence is appended if the GPU failed.
    work : callable
        Called with the name of the device.

    Returns
    -------
    object
        Result of the work.
    """
    chosen = device_for(device)
    try:
        return work(chosen)
    except RuntimeError as error:
        if chosen == "cpu" or device == "cuda":
            raise
        notes.append(f"The GPU could not be used ({str(error).splitlines()[0][:80]}).")
        return work("cpu")


def has_fast_16_bits(device: str) -> bool:
    """Return whether the device computes faster in 16 bits; pictures change by less than 0.01."""
    return device == "cuda" or bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001


def precision(device: str) -> torch.autocast:
    """Return a context that computes in bfloat16 if that is faster."""
    return torch.autocast(device, torch.bfloat16, enabled=has_fast_16_bits(device))


def half_precision_copy(net: nn.Module, device: str) -> nn.Module:
    """Copy a network to a device, with weights in bfloat16 if that is faster.

    Only networks that declare ``half_weights`` get weights in bfloat16, as others sum in the
    precision of their weights.

    Parameters
    ----------
    net : torch.nn.Module
        The network, which is not changed.
    device : str
        ``"cpu"`` or ``"cuda"``.
    """
    net = copy.deepcopy(net).to(device)
    if getattr(net, "half_weights", False) and has_fast_16_bits(device):
        net = net.to(torch.bfloat16)
    return net

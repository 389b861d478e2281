"""Agreement of a trained network's pictures with their targets, beside that of other weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch

from napari_sofinet.networks import weights
from napari_sofinet.networks.contract import Network
from napari_sofinet.training.data import Samples


def compared(
    net: torch.nn.Module,
    network: Network,
    start: str,
    held_out: Sequence[tuple[str, Samples]],
) -> dict[str, Any]:
    """Return how well pictures of held-out movies agree with their targets.

    Parameters
    ----------
    net : torch.nn.Module
        Trained network, in evaluation mode.
    network : Network
        Its declaration.
    start : str
        Weights that were fine-tuned; those to compare with. If empty, the first included ones.
    held_out : sequence of (str, Samples)
        Movies and their target pictures.

    Returns
    -------
    dict of str to Any
        ``agreement``, the mean Pearson correlation, and for the weights to compare with, if there
        are any, ``compared_with`` and ``agreement_of_those``. Empty where nothing can be compared,
        since all pictures or targets are constant.
    """
    own = _agreement(net, held_out)
    if own is None:
        return {}
    found: dict[str, Any] = {"agreement": own}
    name = start or next(iter(weights.available(network.name)), "")
    if name:
        device = next(net.parameters()).device
        other = copy.deepcopy(weights.load(name, network).net).to(device)
        if getattr(other, "frames", None) == getattr(net, "frames", None):
            others = _agreement(other, held_out)
            if others is not None:
                found |= {"compared_with": name, "agreement_of_those": others}
    return found


def _agreement(net: torch.nn.Module, held_out: Sequence[tuple[str, Samples]]) -> float | None:
    device = next(net.parameters()).device
    values = []
    with torch.inference_mode():
        for _, samples in held_out:
            for frames, target in zip(samples.frames, samples.target, strict=True):
                picture = net(frames[None].to(device))[0, 0].float().cpu()
                pair = torch.stack([picture.flatten(), target.cpu().flatten()])
                values.append(torch.corrcoef(pair)[0, 1])
    # Fields without structure have no correlation.
    mean = float(torch.stack(values).nanmean())
    return round(mean, 4) if math.isfinite(mean) else None

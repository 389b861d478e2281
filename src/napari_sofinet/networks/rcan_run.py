"""Reconstruction of raw SIM stacks by `Rcan`, plane by plane."""

from __future__ import annotations

import numpy as np
import torch

from napari_sofinet.base.progress import Repeatable
from napari_sofinet.networks.device import precision
from napari_sofinet.networks.rcan import FINER, FOLD
from napari_sofinet.networks.rcan_input import chunk_of, scale_of_exposures
from napari_sofinet.networks.stopping import between_layers
from napari_sofinet.networks.tiling import tiles

TILE_PX = 256
"""Side of a tile; larger than usual, as attention depends on the whole of it."""


def run_rcan(
    net: torch.nn.Module, exposures: np.ndarray, noise: float, report: Repeatable, device: str
) -> np.ndarray:
    """Reconstruct a stack.

    Parameters
    ----------
    net : torch.nn.Module
        A `Rcan` with its weights.
    exposures : ndarray
        (7, Z, Y, X) counts above the offset.
    noise : float
        Standard deviation of the noise per pixel and exposure.
    report : Repeatable
        Called with the part that is done.
    device : str
        ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    ndarray
        (3 Z, 2 Y, 2 X) float32, not negative, in counts of a point that is as bright.
    """
    _, planes, rows, columns = exposures.shape
    scale = scale_of_exposures(exposures, noise)
    seen = torch.from_numpy(exposures / np.float32(scale))
    out = np.empty((FINER * planes, FOLD * rows, FOLD * columns), np.float32)
    net = net.to(device).eval()
    first = FINER * (net.planes // 2)  # the planes of the output around the middle one
    parts = [(z, tile) for z in range(planes) for tile in tiles(rows, columns, TILE_PX, 24)]
    with between_layers(net, report.again), torch.inference_mode(), precision(device):
        for number, (z, tile) in enumerate(parts):
            report(number / len(parts), f"network, part {number + 1} of {len(parts)}")
            y, x = tile.window
            chunk = chunk_of(seen[:, :, y, x], z, net.planes)
            found = net(chunk[None].to(device))[0].float().cpu().numpy()
            place = (slice(FINER * z, FINER * (z + 1)), *tile.place(FOLD))
            out[*place] = found[first : first + FINER, *tile.inside(FOLD)]
    image: np.ndarray = np.maximum(out, 0, out=out)
    image *= np.float32(scale)
    return image

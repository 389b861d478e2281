"""Refinement of reconstructed SIM stacks by `AxialNet`, part by part."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from napari_sofinet.base.progress import Repeatable
from napari_sofinet.networks.axial import FINER, FOLD
from napari_sofinet.networks.axial_maps import axial_maps, scale_of
from napari_sofinet.networks.device import precision
from napari_sofinet.networks.stopping import between_layers
from napari_sofinet.networks.tiling import tiles
from napari_sofinet.networks.weights import Uncertainty

TILE_PX, TILE_PLANES = 112, 24
REACH_PLANES = 8
"""Planes up to which an output depends on the input, or a little more."""


def refine(
    net: torch.nn.Module,
    classical: np.ndarray,
    wide: np.ndarray,
    noise: float,
    report: Repeatable,
    device: str,
) -> tuple[np.ndarray, Callable[[Uncertainty], np.ndarray]]:
    """Refine a stack.

    Parameters
    ----------
    net : torch.nn.Module
        An `AxialNet` with its weights.
    classical : ndarray
        (Z, 2 Y, 2 X) classical reconstruction.
    wide : ndarray
        (Z, Y, X) mean of the exposures.
    noise : float
        Standard deviation of the noise in the reconstruction.
    report : Repeatable
        Called with the part that is done.
    device : str
        ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    image : ndarray
        (3 Z, 2 Y, 2 X) float32, not negative, in the unit of the reconstruction.
    uncertainty : callable
        Returns the half width of intervals that contain the truth, from the calibration in a card.
    """
    planes, rows, columns = wide.shape
    scale = scale_of(classical, noise)
    out = np.empty((2, FINER * planes, FOLD * rows, FOLD * columns), np.float32)
    net = net.to(device).eval()
    spans = [(a, min(a + TILE_PLANES, planes)) for a in range(0, planes, TILE_PLANES)]
    parts = [(span, tile) for span in spans for tile in tiles(rows, columns, TILE_PX, net.reach_px)]
    with between_layers(net, report.again), torch.inference_mode(), precision(device):
        for number, ((first, last), tile) in enumerate(parts):
            report(number / len(parts), f"network, part {number + 1} of {len(parts)}")
            seen = slice(max(first - REACH_PLANES, 0), min(last + REACH_PLANES, planes))
            y, x = tile.window
            fine = (slice(FOLD * s.start, FOLD * s.stop) for s in (y, x))
            maps, _ = axial_maps(classical[seen, *fine], wide[seen, y, x], noise, scale)
            found = net(maps[None].to(device))[0].float().cpu().numpy()
            depth = slice(FINER * (first - seen.start), FINER * (last - seen.start))
            place = (slice(FINER * first, FINER * last), *tile.place(FOLD))
            out[:, *place] = found[:, depth, *tile.inside(FOLD)]
    image: np.ndarray = np.maximum(out[0], 0, out=out[0])
    log_error = out[1]
    image *= np.float32(scale)

    def uncertainty(table: Uncertainty) -> np.ndarray:
        half = np.empty_like(image)
        for z, (plane, error) in enumerate(zip(image, log_error, strict=True)):
            factor = np.interp(plane / np.float32(scale), table.brightness, table.half_width)
            half[z] = scale * factor * np.exp(np.clip(error, -8, 4))
        return half

    return image, uncertainty


def stretched(classical: np.ndarray) -> np.ndarray:
    """Return a reconstruction (Z, Y, X) on the planes (3 Z, Y, X) of the refined one.

    Between planes it is interpolated linearly.
    """
    below, above = np.roll(classical, 1, 0), np.roll(classical, -1, 0)
    below[0], above[-1] = classical[0], classical[-1]
    out = np.stack([(2 * classical + below) / 3, classical, (2 * classical + above) / 3], 1)
    return np.asarray(out.reshape(-1, *classical.shape[1:]), np.float32)

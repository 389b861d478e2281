"""Prior estimates: pictures of another network from which diffusion starts, and its conditions.

A condition holds maps on camera pixels; the prior estimate is among them, folded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from napari_sofinet.base.errors import InputError
from napari_sofinet.localization.detection import places_in_map
from napari_sofinet.localization.fitting import FOUND_PX, Noise, fit_spots
from napari_sofinet.networks import weights
from napari_sofinet.networks.contract import Network
from napari_sofinet.networks.deepstorm import FINENESS, KERNEL_PX, normalize
from napari_sofinet.networks.diffusion import folded
from napari_sofinet.networks.pixel_statistics import RAW_MAPS
from napari_sofinet.networks.weights import Loaded

EMITTER_INPUTS = 3 * FINENESS**2 + 4
PICTURE_FINENESS = 2
PICTURE_INPUTS = 2 * PICTURE_FINENESS**2 + RAW_MAPS
CERTAINTY = 0.5
BLOCK_PX, DRAWN_PX = 64, 2


@dataclass(frozen=True)
class PriorEstimate:
    """A prior estimate and all that diffusion is conditioned on, both with even Y and X.

    Parameters
    ----------
    estimate : torch.Tensor
        (B, f², Y, X), folded.
    conditions : torch.Tensor
        (B, C, Y, X); the estimate comes first.
    """

    estimate: torch.Tensor
    conditions: torch.Tensor


def load_estimator(name: str, networks: Sequence[Network]) -> Loaded:
    """Load the network that makes the pictures from which diffusion starts.

    Parameters
    ----------
    name : str
        Name or file of its weights.
    networks : sequence of Network
        Networks with pictures from which diffusion can start.

    Returns
    -------
    Loaded
        Network whose ``sha256`` is that of the weights without their card.

    Raises
    ------
    InputError
        There are no weights of that name, or they belong to another network.
    """
    for network in networks:
        if name in weights.available(network.name):
            return _loaded(name, network)
    kind = weights.read_card(weights.find(name, networks[0].name)).network
    for network in networks:
        if network.name == kind:
            return _loaded(name, network)
    raise InputError(
        f"{name} contains weights of {kind}, but diffusion starts from pictures of "
        f"{' or '.join(network.name for network in networks)}."
    )


def _loaded(name: str, network: Network) -> Loaded:
    net, card, _ = weights.load(name, network)
    return Loaded(net, card, _digest(net))


def _digest(net: nn.Module) -> str:
    found = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()


def of_picture(out: torch.Tensor, raw: torch.Tensor) -> PriorEstimate:
    """Make a prior estimate from the output of the statistics network.

    Parameters
    ----------
    out : torch.Tensor
        (B, 2, 2Y-1, 2X-1) output of the network.
    raw : torch.Tensor
        (B, RAW_MAPS, Y, X) from `raw_statistics`.

    Returns
    -------
    PriorEstimate
        Prior estimate on camera pixels, with 2 samples along each.
    """
    picture = folded(out[:, 0].float().clamp(min=0), PICTURE_FINENESS)
    log_error = folded(out[:, 1].float().clamp(-8, 4), PICTURE_FINENESS) / 4
    return _even(picture, torch.cat([picture, log_error, raw.float()], dim=1))


def of_frames(
    maps: torch.Tensor, frames: np.ndarray, noises: list[Noise], sigmas: list[float]
) -> PriorEstimate:
    """Make a prior estimate from the maps of emitters in frames.

    The emitters are also fitted, and rendered at the fitted positions together with their error:
    for an emitter that stands alone, that is all that can be known.

    Parameters
    ----------
    maps : torch.Tensor
        (B, 4Y, 4X) output of the network.
    frames : ndarray
        (B, Y, X) counts.
    noises : list of Noise
        Noise of every frame, in its unit.
    sigmas : list of float
        Standard deviation of the PSF in every frame in camera px.

    Returns
    -------
    PriorEstimate
        Prior estimate on camera pixels, with 4 samples along each.
    """
    estimate = folded(maps.float().clamp(min=0), FINENESS)
    others = []
    for picture, frame, noise, sigma in zip(maps, frames, noises, sigmas, strict=True):
        places, _ = places_in_map(picture.float().numpy(), CERTAINTY, FINENESS)
        found = fit_spots(frame, places, sigma, noise, FOUND_PX)
        drawn, spread = drawn_with_error(found.places, found.spread[:, :2], *frame.shape)
        light = (frame - found.background) / noise.gain
        floor = noise.floor / noise.gain**2
        # Counts with a noise of 1 everywhere (Anscombe), and the residual of the fit in this unit.
        even = 2 * (np.sqrt(np.maximum(light + floor, 0) + 0.375) - np.sqrt(floor + 0.375))
        rest = (frame - found.background - found.model) / np.sqrt(
            noise.gain * np.maximum(found.model, 0) + noise.floor
        )
        same = [np.full(frame.shape, v) for v in (np.log10(floor + 1) / 2, sigma)]
        fine = folded(torch.from_numpy(np.stack([drawn, spread])).float(), FINENESS).flatten(0, 1)
        pixels = np.stack([np.arcsinh(even / 4), np.clip(rest / 3, -5, 5), *same])
        others.append(torch.cat([fine, torch.from_numpy(pixels).float()]))
    return _even(estimate, torch.cat([estimate, torch.stack(others)], dim=1))


def drawn_with_error(
    places: np.ndarray, spread_px: np.ndarray, rows: int, columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a map of emitters, and the standard deviation that follows from their positions.

    Parameters
    ----------
    places : ndarray
        (N, 2) positions y, x in camera px.
    spread_px : ndarray
        (N, 2) standard deviations of the positions.
    rows, columns : int
        Size of the field in camera px.

    Returns
    -------
    drawn, error : ndarray
        (4Y, 4X) map, and its standard deviation to first order.
    """
    drawn = np.zeros((FINENESS * rows, FINENESS * columns), np.float32)
    variance = np.zeros_like(drawn)
    for top in range(0, rows, BLOCK_PX):
        for left in range(0, columns, BLOCK_PX):
            bottom, right = min(top + BLOCK_PX, rows), min(left + BLOCK_PX, columns)
            low, high = np.array([top, left]) - DRAWN_PX, np.array([bottom, right]) + DRAWN_PX
            near = ((places > low) & (places < high)).all(axis=1)
            heights, slopes = [], []
            for axis, (first, last) in enumerate(((top, bottom), (left, right))):
                at = first + (np.arange(FINENESS * (last - first)) + 0.5) / FINENESS - 0.5
                d = (at[None] - places[near, axis, None]) * FINENESS / KERNEL_PX
                height = np.exp(-0.5 * d**2)
                heights.append(height)
                far = FINENESS * spread_px[near, axis, None] / KERNEL_PX
                slopes.append((d * height * far) ** 2)
            block = (
                slice(FINENESS * top, FINENESS * bottom),
                slice(FINENESS * left, FINENESS * right),
            )
            drawn[block] = heights[0].T @ heights[1]
            variance[block] = slopes[0].T @ heights[1] ** 2 + (heights[0] ** 2).T @ slopes[1]
    return drawn, np.sqrt(variance)


def emitter_maps(net: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Return the maps (B, 4Y, 4X) of a network for frames (B, Y, X) in counts."""
    out: torch.Tensor = net.of_normalized(normalize(frames[:, None])).float()[:, 0]
    return out


def _even(estimate: torch.Tensor, conditions: torch.Tensor) -> PriorEstimate:
    rows, columns = estimate.shape[-2:]
    pad = (0, columns % 2, 0, rows % 2)
    return PriorEstimate(
        torch.nn.functional.pad(estimate, pad, mode="replicate"),
        torch.nn.functional.pad(conditions, pad, mode="replicate"),
    )

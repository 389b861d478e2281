"""What diffusion starts from: the picture of another network, and what it was made from.

A condition holds maps on camera pixels; the first guess is among them, folded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sofinet.errors import InputError
from napari_sofinet.localization.detection import places_in_map
from napari_sofinet.localization.fitting import FOUND_PX, Noise, fit_spots
from napari_sofinet.networks import weights
from napari_sofinet.networks.deepstorm import FINENESS, KERNEL_PX, normalize
from napari_sofinet.networks.diffusion import folded
from napari_sofinet.networks.statistics import RAW_MAPS

if TYPE_CHECKING:
    from torch import nn

    from napari_sofinet.networks.weights import Card, NetworkName

EMITTER_INPUTS = 3 * FINENESS**2 + 4
PICTURE_FINENESS = 2
PICTURE_INPUTS = 2 * PICTURE_FINENESS**2 + RAW_MAPS
CERTAINTY = 0.5
BLOCK_PX, DRAWN_PX = 64, 2
GUESSERS: tuple[NetworkName, ...] = "sofinet", "deepstorm"


@dataclass(frozen=True)
class FirstGuess:
    """``guess`` (B, f², Y, X), folded, and ``conditions`` (B, C, Y, X), both with even Y, X."""

    guess: torch.Tensor
    conditions: torch.Tensor


def guesser(name: str) -> tuple[torch.nn.Module, Card, str]:
    """Network, card and SHA-256 of the weights, without their card, that make first guesses.

    Raises
    ------
    InputError
        There are none of that name, or they are of a network that makes none.
    """
    for network in GUESSERS:
        if name in weights.available(network):
            net, card, _ = weights.load(name, network)
            return net, card, _digest(net)
    card = weights.read_card(weights.find(name, "sofinet"))
    if card.network not in GUESSERS:
        raise InputError(
            f"{name} holds weights of {card.network}; first guesses are those of "
            f"{' and '.join(GUESSERS)}."
        )
    net, card, _ = weights.load(name, card.network)
    return net, card, _digest(net)


def _digest(net: nn.Module) -> str:
    found = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()


def of_picture(out: torch.Tensor, raw: torch.Tensor) -> FirstGuess:
    """From the statistics network's output (B, 2, 2Y-1, 2X-1) and the movie's statistics.

    These are (B, RAW_MAPS, Y, X), as `statistics.raw_statistics` gives them.
    """
    picture = folded(out[:, 0].float().clamp(min=0), PICTURE_FINENESS)
    doubt = folded(out[:, 1].float().clamp(-8, 4), PICTURE_FINENESS) / 4
    return _even(picture, torch.cat([picture, doubt, raw.float()], dim=1))


def of_frames(
    maps: torch.Tensor, frames: np.ndarray, noises: list[Noise], sigmas: list[float]
) -> FirstGuess:
    """From maps (B, 4Y, 4X) of emitters that a network saw in frames (B, Y, X).

    The emitters are also fitted, and drawn where the fit says that they are, with how far they may
    be from there: where an emitter stands alone, that is all that can be known.

    Parameters
    ----------
    noises
        Noise of every frame, in its unit.
    sigmas
        Width of the PSF in every frame, standard deviation in camera px.
    """
    guess = folded(maps.float().clamp(min=0), FINENESS)
    others = []
    for picture, frame, noise, sigma in zip(maps, frames, noises, sigmas, strict=True):
        places, _ = places_in_map(picture.float().numpy(), CERTAINTY, FINENESS)
        found = fit_spots(frame, places, sigma, noise, FOUND_PX)
        drawn, spread = drawn_with_doubt(found.places, found.spread[:, :2], *frame.shape)
        light = (frame - found.background) / noise.gain
        floor = noise.floor / noise.gain**2
        # Counts whose noise is 1 everywhere (Anscombe), and what the fit leaves in the same unit.
        even = 2 * (np.sqrt(np.maximum(light + floor, 0) + 0.375) - np.sqrt(floor + 0.375))
        rest = (frame - found.background - found.model) / np.sqrt(
            noise.gain * np.maximum(found.model, 0) + noise.floor
        )
        same = [np.full(frame.shape, v) for v in (np.log10(floor + 1) / 2, sigma)]
        fine = folded(torch.from_numpy(np.stack([drawn, spread])).float(), FINENESS).flatten(0, 1)
        pixels = np.stack([np.arcsinh(even / 4), np.clip(rest / 3, -5, 5), *same])
        others.append(torch.cat([fine, torch.from_numpy(pixels).float()]))
    return _even(guess, torch.cat([guess, torch.stack(others)], dim=1))


def drawn_with_doubt(
    places: np.ndarray, spread_px: np.ndarray, rows: int, columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Map (4Y, 4X) of emitters at places (N, 2), and its standard deviation.

    The latter to first order in the standard deviations ``spread_px`` (N, 2) of the places.
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
    """Maps (B, 4Y, 4X) of frames (B, Y, X) in counts."""
    out: torch.Tensor = net.of_normalized(normalize(frames[:, None])).float()[:, 0]
    return out


def _even(guess: torch.Tensor, conditions: torch.Tensor) -> FirstGuess:
    rows, columns = guess.shape[-2:]
    pad = (0, columns % 2, 0, rows % 2)
    return FirstGuess(
        torch.nn.functional.pad(guess, pad, mode="replicate"),
        torch.nn.functional.pad(conditions, pad, mode="replicate"),
    )

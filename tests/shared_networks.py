"""Small networks with random weights, for tests of what is done with any weights."""

from __future__ import annotations

import torch

from napari_sofinet.methods.registry import networks
from napari_sofinet.networks import weights
from napari_sofinet.networks.diffusion import DiffusionNet
from napari_sofinet.networks.prior_estimate import load_estimator
from napari_sofinet.networks.weights import Card
from napari_sofinet.training.posterior_task import SOURCES, SOURCES_BY_NAME

SMALL = {"features": 4, "channels": 8, "wide": 8, "deep": 1, "blocks": 1}


def card(network: str = "sofinet", **changes: object) -> Card:
    values = {
        "name": "small",
        "network": network,
        "parameters": SMALL if network == "sofinet" else {"channels": 4},
        "prior": "It has seen nothing.",
        "trained_on": "nothing",
        "command": "none",
        "seed": 1,
        "steps": 0,
        "minutes": 0.0,
        "machine": "none",
        "date": "2026-01-01",
    }
    return Card.model_validate(values | changes)


def save_small(path, seed: int = 1) -> None:
    """Write random weights of a small SOFInet."""
    torch.manual_seed(seed)
    net = weights.build(networks()["sofinet"], SMALL)
    weights.save(path, net.state_dict(), card())


def save_posterior(path, estimate: str, **changes: object) -> str:
    """Write random weights of a small network that draws samples around another's estimate."""
    _, of, digest = load_estimator(estimate, list(SOURCES))
    sizes = SOURCES_BY_NAME[of.network].sizes
    torch.manual_seed(3)
    net = DiffusionNet(features=8, wide=8, **sizes)
    with torch.no_grad():
        for parameter in net.parameters():  # so that every part does something
            parameter.add_(0.15 * torch.randn_like(parameter))
    known = {
        "name": path.stem,
        "parameters": sizes | {"features": 8, "wide": 8},
        "prior": "",
        "estimate": estimate,
        "estimate_sha256": digest,
    }
    weights.save(path, net.state_dict(), card("ddpm", **(known | changes)))
    return str(path)

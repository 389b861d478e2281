"""Twice the axial resolution of SIM stacks by a network."""

from __future__ import annotations

from functools import partial

import numpy as np

from napari_sofinet.base.progress import Repeatable, Report, portion
from napari_sofinet.base.settings import parameter
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.sim_stack import SimStack
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.sim import PreparedStack, prepare, range_notes, volume
from napari_sofinet.methods.sim_settings import SimSettings
from napari_sofinet.networks.contract import Network
from napari_sofinet.structured_illumination.noise import noise_over_signal
from napari_sofinet.structured_illumination.reconstruction import noise_in, reconstruct_stack

CLASSICAL_TIME = 0.3
"""Fraction of the time that the classical reconstruction takes, about."""


class RcanSimSettings(SimSettings):
    """Classical reconstruction of a raw SIM stack, refined by a network."""

    weights: str = parameter(
        "rcan-sim",
        "Weights of the network.",
        basic=True,
        weights="rcan_sim",
    )
    classical: bool = parameter(
        True,
        "Also return the classical reconstruction, on the same grid.",
        label="Classical picture, too",
    )
    uncertainty: bool = parameter(
        True, "Also return a map of the uncertainty.", label="Map uncertainty"
    )


NETWORK = Network(
    "rcan_sim",
    "Axial detail from SIM stacks",
    "napari_sofinet.networks.axial:AxialNet",
    reach_px=20,
    task="napari_sofinet.training.task:AXIAL",
)


def rcan_sim(
    stack: SimStack, settings: RcanSimSettings, report: Report, device: str = "auto"
) -> Reconstruction:
    """Reconstruct a stack classically and refine it by a network.

    Parameters
    ----------
    stack : SimStack
        Raw stack.
    settings : RcanSimSettings
        Order of the images, pattern, microscope and weights.
    report : Report
        Receives the progress.
    device : {"auto", "cpu", "cuda"}, optional
        Device of the network.

    Returns
    -------
    Reconstruction
        ``image``, ``uncertainty`` and ``classical``: (3 Z, 2 Y, 2 X) float32, plane 3 z + 1 at the
        depth of plane z of the stack. In the calibration 90 % of the truth lay within image ±
        uncertainty.

    Raises
    ------
    InputError
        The weights are unusable, or see `napari_sofinet.methods.sim.prepare`.
    """
    from napari_sofinet.networks import weights
    from napari_sofinet.networks.about_weights import about_weights
    from napari_sofinet.networks.axial import FINER
    from napari_sofinet.networks.device import on_device
    from napari_sofinet.networks.refinement import refine, stretched

    net, card, _ = weights.load(settings.weights, NETWORK)
    ready = prepare(stack, settings, portion(report, 0.0, 0.1))
    noise = settings.noise or noise_over_signal(
        ready.exposures, ready.variance, ready.fit.pattern, ready.optics, ready.geometry
    )
    classical, gain = _classical(ready, noise, portion(report, 0.1, CLASSICAL_TIME))
    notes = range_notes(ready, card.ranges)
    tell = Repeatable(portion(report, CLASSICAL_TIME, 1.0))
    work = partial(refine, net, classical, ready.exposures.mean(0), gain, tell)
    image, error = on_device(device, notes, work)
    maps = {"image": image}
    if settings.uncertainty and card.uncertainty is not None:
        maps["uncertainty"] = error(card.uncertainty)
    if settings.classical:
        maps["classical"] = stretched(classical)
    report(1.0, "done")
    plane_um = ready.geometry.plane_um
    made = volume(stack, maps, plane_um / FINER, ready, first_plane_um=-plane_um / FINER)
    return made.noted(*notes, about_weights(card))


def _classical(ready: PreparedStack, noise: float, report: Report) -> tuple[np.ndarray, float]:
    """Return the classical reconstruction, and the standard deviation of its noise."""
    parts = ready.fit.pattern, ready.optics, ready.geometry
    picture = reconstruct_stack(ready.exposures, *parts, noise, partial(_tell, report))
    return picture, float(np.sqrt(ready.variance)) * noise_in(ready.exposures.shape, *parts, noise)


def _tell(report: Report, done: float) -> None:
    report(done, "classical reconstruction")


def describe(settings: RcanSimSettings, details: dict[str, float]) -> str:
    """Return sentences for the methods section of a paper."""
    from napari_sofinet.methods.sim import describe as describe_sim

    return (
        f"{describe_sim(settings, details)} The result was refined along all axes by a residual "
        "network (napari-sofinet, rcan_sim; after Boland et al. (2021)) trained on simulated "
        "stacks."
    )


METHOD = Method(
    "rcan_sim",
    "Axial detail from SIM (network)",
    RcanSimSettings,
    rcan_sim,
    describe,
    takes=(SimStack,),
    network=NETWORK,
    needs=("torch", "safetensors"),
    tag="axial net",
    needs_blinking=False,
)

"""Axial detail from raw SIM stacks by the network of Boland et al. (2021)."""

from __future__ import annotations

from functools import partial

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Repeatable, Report, portion
from napari_sofinet.base.settings import parameter
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.sim_stack import SimStack
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.sim import prepare, range_notes, volume
from napari_sofinet.methods.sim_settings import StackSettings
from napari_sofinet.networks.contract import Network


class RcanSettings(StackSettings):
    """The network of Boland et al. (2021) on raw SIM stacks, for weights that you trained."""

    weights: str = parameter(
        "rcan",
        "Your own weights (from `sofinet train rcan`); none are included.",
        basic=True,
        weights="rcan",
    )


NETWORK = Network(
    "rcan",
    "Axial detail from SIM stacks, own weights (RCAN)",
    "napari_sofinet.networks.rcan:Rcan",
    reach_px=88,
    task="napari_sofinet.training.task:RCAN",
)


def rcan(
    stack: SimStack, settings: RcanSettings, report: Report, device: str = "auto"
) -> Reconstruction:
    """Reconstruct a stack by a network from its raw exposures.

    The network sees a few planes at a time; of its output only the planes around the middle one
    are kept, so that there are no seams along z.

    Parameters
    ----------
    stack : SimStack
        Raw stack with the hexagonal pattern.
    settings : RcanSettings
        Order of the images, pattern, microscope and weights.
    report : Report
        Receives the progress.
    device : {"auto", "cpu", "cuda"}, optional
        Device of the network.

    Returns
    -------
    Reconstruction
        ``image``: (3 Z, 2 Y, 2 X) float32, not negative, plane 3 z + 1 at the depth of plane z of
        the stack.

    Raises
    ------
    InputError
        The weights are unusable, the pattern is another one, or see
        `napari_sofinet.methods.sim.prepare`.
    """
    from napari_sofinet.networks import weights
    from napari_sofinet.networks.about_weights import about_weights
    from napari_sofinet.networks.device import on_device
    from napari_sofinet.networks.rcan import FINER
    from napari_sofinet.networks.rcan_run import run_rcan

    if settings.pattern != "hexagonal":
        raise InputError(
            "This network was made for the hexagonal pattern with 7 exposures; reconstruct stacks "
            "of stripes with the method sim."
        )
    net, card, _ = weights.load(settings.weights, NETWORK)
    ready = prepare(stack, settings, portion(report, 0.0, 0.1))
    notes = range_notes(ready, card.ranges)
    tell = Repeatable(portion(report, 0.1, 1.0))
    sigma = float(np.sqrt(ready.variance))
    image = on_device(device, notes, partial(run_rcan, net, ready.exposures, sigma, tell))
    report(1.0, "done")
    plane_um = ready.geometry.plane_um
    made = volume(
        stack, {"image": image}, plane_um / FINER, ready, first_plane_um=-plane_um / FINER
    )
    return made.noted(*notes, about_weights(card))


def describe(settings: RcanSettings, details: dict[str, float]) -> str:
    """Return sentences for the methods section of a paper."""
    m = settings.microscope
    return (
        f"Raw SIM images ({settings.nominal_pattern().name}; NA {m.numerical_aperture:g}, "
        f"{m.wavelength_nm:g} nm) were reconstructed by a residual channel attention network "
        "(Boland et al. (2021); napari-sofinet, rcan) trained on simulated stacks."
    )


METHOD = Method(
    "rcan",
    "SIM by own weights (RCAN)",
    RcanSettings,
    rcan,
    describe,
    takes=(SimStack,),
    network=NETWORK,
    needs=("torch", "safetensors"),
    tag="RCAN",
    needs_blinking=False,
)

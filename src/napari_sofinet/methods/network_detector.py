"""Detection of the emitters of single frames with a network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.table import LocalizationTable
from napari_sofinet.localization.detection import places_in_map
from napari_sofinet.methods.detector import ImagingModel, Places
from napari_sofinet.methods.localization_settings import NETWORK
from napari_sofinet.networks import weights
from napari_sofinet.networks.about_weights import about_weights
from napari_sofinet.networks.deepstorm import FINENESS, normalize
from napari_sofinet.networks.device import device_for, half_precision_copy, has_fast_16_bits
from napari_sofinet.networks.stopping import between_layers
from napari_sofinet.networks.tiling import tiles
from napari_sofinet.networks.weights import Card

TILE_PX = 256
CROWDED = 0.2
"""Fraction of the frames, the most crowded ones, in which the density is measured."""


class NetworkDetector:
    """Finds emitters with a network.

    Parameters
    ----------
    name : str
        Name or file of weights of ``deepstorm``.
    certainty : float
        Fraction of an emitter in a map that counts, see `places_in_map`.
    device : {"auto", "cpu", "cuda"}
        Device of the network.
    look : callable, optional
        Called between layers and frames; it may raise to stop the work.
    """

    alone = False

    def __init__(
        self,
        name: str,
        certainty: float,
        device: str,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        net, card, _ = weights.load(name, NETWORK)
        self.card: Card = card
        self.name, self.certainty, self.look = name, certainty, look
        self.device = device_for(device)
        self.half = has_fast_16_bits(self.device)
        self.net: torch.nn.Module = half_precision_copy(net, self.device)

    def set_width(self, sigma_px: float) -> None:
        """Do nothing, as the network was trained on many widths."""

    def __call__(self, frames: np.ndarray) -> tuple[np.ndarray | None, list[Places]]:
        """Return maps (t, 4Y, 4X) of frames (t, Y, X), and the positions in each frame."""
        rows, columns = frames.shape[-2:]
        maps = np.empty((len(frames), FINENESS * rows, FINENESS * columns), np.float32)
        x = normalize(torch.from_numpy(frames[:, None]))
        with (
            torch.inference_mode(),
            torch.autocast(self.device, torch.bfloat16, enabled=self.half),
            between_layers(self.net, self.look),
        ):
            for tile in tiles(rows, columns, TILE_PX, self.net.reach_px):
                out = self.net.of_normalized(x[..., *tile.window].to(self.device))
                inside = out.float().cpu().numpy()[:, 0][:, *tile.inside(FINENESS)]
                maps[:, *tile.place(FINENESS)] = inside
        if not np.isfinite(maps).all():
            raise InputError(
                f"The network with the weights {self.name} returns values that are not finite; use "
                "other weights."
            )
        places = []
        for one in maps:
            self.look()
            places.append(places_in_map(one, self.certainty, FINENESS))
        return maps, places

    def notes(
        self, table: LocalizationTable, imaging: ImagingModel, movie: Movie, photons_known: bool
    ) -> list[str]:
        """Return sentences if the movie differs from the training data, and on the prior."""
        _, rows, columns = movie.shape
        values: dict[str, float] = {"psf_fwhm_px": 2.3548 * imaging.sigma_px}
        if len(table):
            counts = np.bincount(table.frame - table.frame.min())
            crowded = counts >= np.quantile(counts, 1 - CROWDED)
            values["density_per_px2"] = float(counts[crowded].mean()) / (rows * columns)
            assert table.photons is not None
            if photons_known:
                values["photons"] = float(np.median(table.photons))
        return [*out_of_range_frames(self.card, values), about_weights(self.card)]


def out_of_range_frames(card: Card, values: dict[str, float]) -> list[str]:
    """Return a sentence if frames differ from the training data.

    Parameters
    ----------
    card : Card
        Card of the weights.
    values : dict of str to float
        Measured ``psf_fwhm_px``, ``density_per_px2`` and ``photons``, or some of them.
    """
    names = {
        "psf_fwhm_px": "PSF width in camera px",
        "density_per_px2": "emitters per camera px² and frame",
        "photons": "photons of an emitter",
    }
    found = [
        f"{names[name]} {value:.3g}, trained on {low:.3g} to {high:.3g}"
        for name, value in values.items()
        for low, high in [card.ranges.get(name, (0.0, np.inf))]
        if not 0.93 * low <= value <= 1.07 * high
    ]
    if not found:
        return []
    return [
        f"This movie is outside the training range of {card.name} ({'; '.join(found)}): emitters "
        "may be missing or invented."
    ]

"""Truth files of simulations: npz files in a public format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.io.npz_arrays import NpzArrays, open_npz

EMITTERS_AT_MOST = 2 * 10**7
TRUTH = "truth file of a simulation"


class TruthFile(NamedTuple):
    """Contents of a truth file, at one time.

    Parameters
    ----------
    positions_um : ndarray
        (n, 2) y, x in um.
    photons : ndarray
        (n,) photons of each emitter in a whole frame.
    settings : str
        Settings of the simulation as JSON.
    movie : str
        Fingerprint of the movie's file, empty where it is not known.
    """

    positions_um: np.ndarray
    photons: np.ndarray
    settings: str
    movie: str


def read_truth(path: Path) -> TruthFile:
    """Read a truth file; if the sample moves, at the middle of the movie.

    Raises
    ------
    InputError
        The file is not a truth file, or is damaged.
    """
    with open_npz(path, TRUTH) as arrays:
        positions = _positions(arrays, middle=True)
        if arrays.header("photons").shape != (len(positions),):
            raise ValueError("photons are not one number for each emitter")
        photons = np.asarray(arrays.read("photons"), np.float64)
        if not (np.isfinite(photons).all() and np.all(photons >= 0)):
            raise ValueError("photons are negative or not finite")
        if not np.isfinite(positions).all():
            raise ValueError("positions are not finite numbers")
        settings = _text(arrays, "settings", 2**20)
        try:
            known = json.loads(settings)
        except RecursionError:
            known = None
        if not isinstance(known, dict) or not {"camera", "optics"} <= known.keys():
            raise ValueError("its settings contain no camera and optics")
        movie = _text(arrays, "movie", 200) if "movie" in arrays else ""
    return TruthFile(positions, photons, settings, movie)


def read_truth_positions(path: Path) -> np.ndarray:
    """Read the positions (n, 2) y, x in um; if the sample moves, those of the first frame.

    Raises
    ------
    InputError
        The file is not a truth file, or is damaged.
    """
    with open_npz(path, TRUTH) as arrays:
        return _positions(arrays, middle=False)


def _positions(arrays: NpzArrays, middle: bool) -> np.ndarray:
    shape, dtype = arrays.header("positions_um")
    if len(shape) not in (2, 3) or shape[-1] not in (2, 3) or shape[0] < len(shape) - 2:
        raise ValueError(f"positions_um has the shape {shape}")
    if dtype.kind == "U":
        raise ValueError("positions_um is text")
    if shape[-2] > EMITTERS_AT_MOST:
        raise InputError(f"{shape[-2]} emitters are too many; simulate fewer.")
    if len(shape) == 2:
        found = arrays.read("positions_um")
    else:
        found = arrays.read_part("positions_um", shape[0] // 2 if middle else 0)
    return np.asarray(found[:, -2:], np.float64)


def _text(arrays: NpzArrays, name: str, limit: int) -> str:
    shape, dtype = arrays.header(name)
    if shape not in ((), (1,)) or dtype.kind != "U" or dtype.itemsize > 4 * limit:
        raise ValueError(f"{name} is not text")
    return str(arrays.read(name).reshape(-1)[0])

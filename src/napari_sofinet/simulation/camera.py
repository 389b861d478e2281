"""Cameras: photons to counts, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.simulation.camera_models import MODELS, CameraModel
from napari_sofinet.simulation.settings import CameraSettings

ROW_OFFSET_E, PIXEL_OFFSET_E, NOISE_SPREAD = 0.3, 0.7, 0.5
"""Fixed pattern of an sCMOS sensor in electrons, and spread of the logarithm of its read noise
variance. Movies of mitochondria that we looked at have 1.7 to 2.4 counts in rows, 3 in pixels."""


@dataclass(frozen=True)
class Camera:
    """One sensor: maps of offset (counts), read noise variance (counts²), gain (counts/electron).

    ``gain`` is that after electron multiplication, ``em_gain`` times that of the register's end.
    """

    offset: np.ndarray
    variance: np.ndarray
    gain: np.ndarray
    quantum_efficiency: float = 1.0
    em_gain: float = 1.0
    bits: int = 16

    @property
    def full_scale(self) -> int:
        """Highest count."""
        return int(2**self.bits - 1)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a count."""
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    def expose(self, photons: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Counts (saturating) of expected photons (Y, X) or (T, Y, X): uint16, or uint8 for 8 bits.

        Electrons are Poisson; an EM register turns n of them into a gamma variate of shape n
        (Hirsch et al., PLoS One 8, e53671 (2013)); read noise is normal.
        """
        electrons = rng.poisson(photons * self.quantum_efficiency).astype(np.float64)
        if self.em_gain > 1:
            electrons = rng.standard_gamma(electrons)
        noise = rng.standard_normal(photons.shape, dtype=np.float32)
        counts = self.gain * electrons + self.offset + np.sqrt(self.variance) * noise
        np.rint(counts, out=counts)
        np.clip(counts, 0, self.full_scale, out=counts)
        return np.asarray(counts.astype(self.dtype))


def make_camera(
    settings: CameraSettings, shape: tuple[int, int], rng: np.random.Generator
) -> Camera:
    """The camera that the settings ask for, its maps drawn or measured on dark frames.

    sCMOS sensors have a long tail of noisy pixels: variances are log-normal.

    Raises
    ------
    InputError
        Dark frames that cannot be read or are of another size.
    """
    s = settings
    model = MODELS[s.model]
    given = {name: getattr(s, name) for name in CameraModel._fields if getattr(s, name) is not None}
    if "em_gain" in given and "gain" not in given:
        given["gain"] = model.gain * given["em_gain"] / model.em_gain
    figures = model._replace(**given)
    read_counts = figures.read_noise_e * figures.gain / figures.em_gain
    offsets = np.full(shape, float(figures.offset))
    variances = np.full(shape, read_counts**2)
    gains = np.full(shape, float(figures.gain))
    if figures.pixel_spread:
        gains *= np.clip(rng.normal(1.0, figures.pixel_spread, shape), 0.5, 1.5)
        # Amplifiers of rows and pixels differ; a few pixels are much noisier than the others.
        offsets += figures.gain * rng.normal(0.0, ROW_OFFSET_E, (shape[0], 1))
        offsets += figures.gain * rng.normal(0.0, PIXEL_OFFSET_E, shape)
        variances *= rng.lognormal(0.0, NOISE_SPREAD, shape)
    if s.dark_frames:
        offsets, variances = measure_dark(Path(s.dark_frames), shape)
    return Camera(
        np.maximum(offsets, 0.0),
        variances,
        gains,
        figures.quantum_efficiency,
        figures.em_gain,
        figures.bits,
    )


def measure_dark(path: Path, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of every pixel over dark frames, those in the middle for a smaller field.

    Rounding to whole counts adds 1/12 to the variance, which is taken off.
    """
    from napari_sofinet.data.blocks import time_blocks
    from napari_sofinet.data.open_movie import open_movie

    movie = open_movie(path)
    frames, rows, columns = movie.shape
    if rows < shape[0] or columns < shape[1] or frames < 10:
        raise InputError(
            f"{path.name} has {frames} dark frames of {rows} x {columns} px; at least 10 of "
            f"{shape[0]} x {shape[1]} px are needed."
        )
    total = np.zeros((rows, columns))
    squares = np.zeros((rows, columns))
    about = None
    for block in time_blocks(movie):
        if about is None:
            about = block[:1].astype(np.float64)
        deviation = block - about
        total += deviation.sum(axis=0)
        squares += (deviation**2).sum(axis=0)
    assert about is not None
    mean = total / frames
    variance = np.maximum((squares / frames - mean**2) * frames / (frames - 1) - 1 / 12, 0.0)
    top, left = (rows - shape[0]) // 2, (columns - shape[1]) // 2
    part = slice(top, top + shape[0]), slice(left, left + shape[1])
    return (mean + about[0])[part], variance[part]

"""Cameras, which turn photons into counts pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.simulation.camera_models import MODELS, CameraModel
from napari_sofinet.simulation.settings import CameraSettings

ROW_OFFSET_E, PIXEL_OFFSET_E, NOISE_SPREAD = 0.3, 0.7, 0.5
"""Fixed pattern of rows and pixels of an sCMOS sensor in electrons, and the standard deviation of
the logarithm of the variance of its read noise. Experimental movies of mitochondria have 1.7 to 2.4
counts in rows and 3 in pixels."""


@dataclass(frozen=True)
class Camera:
    """Sensor with maps of its pixels.

    Parameters
    ----------
    offset : ndarray
        (Y, X) counts in the dark.
    variance : ndarray
        (Y, X) variance of the read noise in counts².
    gain : ndarray
        (Y, X) counts per electron. Counts per electron at the end of a multiplication register are
        ``gain / em_gain``.
    quantum_efficiency : float, default 1
        Fraction of the photons that become electrons.
    em_gain : float, default 1
        Electron multiplication; 1 is none.
    bits : int, default 16
        Bits of a count.

    Examples
    --------
    >>> import numpy as np
    >>> zeros, ones = np.zeros((1, 2)), np.ones((1, 2))
    >>> camera = Camera(offset=100 * ones, variance=zeros, gain=ones)
    >>> camera.expose(zeros, np.random.default_rng(1))
    array([[100, 100]], dtype=uint16)
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
        """Draw counts.

        The number of electrons is Poisson distributed; an EM register turns n of them into a gamma
        variate of shape n (Hirsch et al., PLoS One 8, e53671 (2013)); read noise is normal.

        Parameters
        ----------
        photons : ndarray
            (Y, X) or (T, Y, X) expected photons.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray
            Counts of the same shape, cut off at the full scale; uint16, or uint8 for 8 bits.
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
    """Make a camera, its maps drawn at random or measured on dark frames.

    sCMOS sensors have a long tail of noisy pixels: variances are log-normal.

    Parameters
    ----------
    settings : CameraSettings
        Model of the camera, values that differ from it, and a file of dark frames.
    shape : tuple of int
        Rows and columns.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Camera
        The sensor.

    Raises
    ------
    InputError
        Dark frames cannot be read or are too few or too small.
    """
    s = settings
    model = MODELS[s.model]
    given = {name: getattr(s, name) for name in CameraModel._fields if getattr(s, name) is not None}
    if "em_gain" in given and "gain" not in given:
        given["gain"] = model.gain * given["em_gain"] / model.em_gain
    model = model._replace(**given)
    read_counts = model.read_noise_e * model.gain / model.em_gain
    offsets = np.full(shape, float(model.offset))
    variances = np.full(shape, read_counts**2)
    gains = np.full(shape, float(model.gain))
    if model.pixel_spread:
        gains *= np.clip(rng.normal(1.0, model.pixel_spread, shape), 0.5, 1.5)
        # Amplifiers of rows and pixels differ; a few pixels are much noisier than the others.
        offsets += model.gain * rng.normal(0.0, ROW_OFFSET_E, (shape[0], 1))
        offsets += model.gain * rng.normal(0.0, PIXEL_OFFSET_E, shape)
        variances *= rng.lognormal(0.0, NOISE_SPREAD, shape)
    if s.dark_frames:
        offsets, variances = measure_dark(Path(s.dark_frames), shape)
    return Camera(
        np.maximum(offsets, 0.0),
        variances,
        gains,
        model.quantum_efficiency,
        model.em_gain,
        model.bits,
    )


def measure_dark(path: Path, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Measure the offset and the read noise of every pixel on dark frames.

    Parameters
    ----------
    path : Path
        TIFF of at least ten dark frames.
    shape : tuple of int
        Rows and columns that are needed; they are taken from the middle of the frames.

    Returns
    -------
    mean : ndarray
        (Y, X) counts.
    variance : ndarray
        (Y, X) counts², without the 1/12 that rounding to whole counts adds.

    Raises
    ------
    InputError
        The frames cannot be read or are too few or too small.
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

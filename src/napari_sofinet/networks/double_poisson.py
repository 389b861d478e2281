"""Frames drawn from a picture: emitters that blink, seen by a microscope and its camera.

The double-Poisson model of L. Calatroni, H. Mentagui, S. Schaub, L. Blanc-Féraud, "Physics-inspired
generative adversarial modelling for fluctuation-based super-resolution microscopy", ISBI (2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from napari_sofinet.covariance.optics import Axis, pair_products, pixel_light

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))
FEWEST = 1e-6
"""Mean number of emitters and of photons that are drawn at least; keeps ratios finite."""
RARE = 0.01
"""Mean number of emitters below which the gradient relies on slopes as they are."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Frames drawn from the model, and what they were drawn from.

    Parameters
    ----------
    frames : torch.Tensor
        (B, Y, X) in counts.
    emitters : torch.Tensor
        (B, fY, fX) number of emitters that are on.
    photons : torch.Tensor
        (B, Y, X) number of photons that were detected.
    expected : torch.Tensor
        (B, Y, X) mean of these photons, given the emitters.
    """

    frames: torch.Tensor
    emitters: torch.Tensor
    photons: torch.Tensor
    expected: torch.Tensor


class DoublePoisson:
    """Model of a frame: ``gain * Poisson(brightness * blurred(Poisson(x)) + b) + N(0, noise²)``.

    ``x`` is the mean number of emitters that are on, on a grid ``fineness`` times as fine as the
    camera's and ``margin`` camera pixels larger on every side; ``b`` is the background in photons.
    The publication has ``brightness`` 1: emitters and photons are then one kind of particle.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of a frame.
    fineness : int
        Samples of the picture along a camera pixel.
    fwhm_px : float
        Full width at half maximum of the PSF, a Gaussian, in camera pixels.
    brightness : float, optional
        Photons of an emitter that is on for a whole frame.
    gain : float, optional
        Counts per photon.
    read_noise : float, optional
        Standard deviation of the camera's noise in counts.
    margin : int, optional
        Camera pixels around the field where emitters are also sought.
    device : str, optional
        Device of the tensors.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        fineness: int,
        fwhm_px: float,
        brightness: float = 1.0,
        gain: float = 1.0,
        read_noise: float = 0.0,
        margin: int = 0,
        device: str = "cpu",
    ) -> None:
        self.shape, self.fineness, self.fwhm_px, self.margin = shape, fineness, fwhm_px, margin
        self.brightness, self.gain, self.read_noise = brightness, gain, read_noise
        self.device = device
        sigma = fwhm_px / FWHM_PER_SIGMA
        self._light = tuple(pixel_light(Axis(n, fineness, margin), sigma) for n in shape)
        self.along_y, self.along_x = map(self._tensor, self._light)

    @cached_property
    def _pairs(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Light in pairs of pixels along y and x; only tiles need it, and fields have too many."""
        of_y, of_x = (self._tensor(pair_products(light)) for light in self._light)
        return of_y, of_x

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self.device)

    @property
    def fine_shape(self) -> tuple[int, int]:
        """Rows and columns of the picture with its margin."""
        return self.along_y.shape[1], self.along_x.shape[1]

    @property
    def inside(self) -> tuple[slice, slice]:
        """The picture without its margin."""
        edge = self.fineness * self.margin
        rows, columns = self.fine_shape
        return slice(edge, rows - edge), slice(edge, columns - edge)

    def blurred(self, x: torch.Tensor) -> torch.Tensor:
        """Return a picture (..., fY, fX) as the camera sees it, (..., Y, X)."""
        seen: torch.Tensor = self.along_y @ x @ self.along_x.T
        return seen

    def spread(self, y: torch.Tensor) -> torch.Tensor:
        """Return the transpose of `blurred`: (..., fY, fX) from (..., Y, X)."""
        back: torch.Tensor = self.along_y.T @ y @ self.along_x
        return back

    def mean(self, x: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the mean of a frame (Y, X) in counts."""
        return self.gain * (self.brightness * self.blurred(x) + b)

    def variance(self, x: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the variance of a frame (Y, X) in squared counts."""
        blinking = self.brightness**2 * (self.along_y**2 @ x @ (self.along_x**2).T)
        photons = self.brightness * self.blurred(x) + b
        return self.gain**2 * (blinking + photons) + self.read_noise**2

    def fluctuations(self, x: torch.Tensor) -> torch.Tensor:
        """Return the covariance of pixels by blinking, (Y X, Y X) in squared photons."""
        (rows, columns), fine = self.shape, self.fine_shape
        pairs_y, pairs_x = self._pairs
        both = pairs_y @ (x.reshape(fine) @ pairs_x.T)
        apart = both.reshape(rows, rows, columns, columns).permute(0, 2, 1, 3)
        return self.brightness**2 * apart.reshape(rows * columns, rows * columns)

    def quadratic(self, matrix: torch.Tensor) -> torch.Tensor:
        """Return the transpose of `fluctuations`: (fY, fX) from a matrix (Y X, Y X)."""
        rows, columns = self.shape
        apart = matrix.reshape(rows, columns, rows, columns).permute(0, 2, 1, 3)
        pairs_y, pairs_x = self._pairs
        both = pairs_y.T @ apart.reshape(rows * rows, columns * columns) @ pairs_x
        return self.brightness**2 * both

    def draw(self, x: torch.Tensor, b: torch.Tensor, count: int, random: torch.Generator) -> Drawn:
        """Draw frames.

        Parameters
        ----------
        x : torch.Tensor
            (fY, fX) mean number of emitters that are on.
        b : torch.Tensor
            (Y, X) background in photons.
        count : int
            Number of frames.
        random : torch.Generator
            Source of randomness.
        """
        means = x.clamp(min=FEWEST).expand(count, -1, -1)
        emitters = torch.poisson(means, generator=random)
        expected = (self.brightness * self.blurred(emitters) + b).clamp(min=FEWEST)
        photons = torch.poisson(expected, generator=random)
        noise = self.read_noise * torch.randn(photons.shape, generator=random, device=self.device)
        return Drawn(self.gain * photons + noise, emitters, photons, expected)

    def gradients(
        self, drawn: Drawn, slopes: torch.Tensor, x: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gradients of the mean of a function of frames, by x and by b.

        The derivative of a Poisson mean is that of the function when one particle is added (eq. 12
        of the publication), here by the trapezoidal rule: half of the function's slopes at the
        frames as they are, and half of the slopes at frames that have the particle already, which
        are those drawn, weighted with the number of particles over its mean (Mecke's formula). This
        is exact for functions of second order, whereas slopes alone, as if drawing were adding,
        miss how the covariance depends on the picture.

        Parameters
        ----------
        drawn : Drawn
            Frames.
        slopes : torch.Tensor
            (B, Y, X) derivative of the function by every pixel of every frame.
        x : torch.Tensor
            (fY, fX) that the frames were drawn from.

        Returns
        -------
        by_x, by_b : torch.Tensor
            (fY, fX) and (Y, X).
        """
        one_more = 0.5 * self.gain * slopes * (1 + drawn.photons / drawn.expected)
        by_emitter = self.brightness * self.spread(one_more)
        # Where hardly any emitter is drawn, the weights would scatter too much.
        trusted = 0.5 * (x / RARE).clamp(max=1.0)
        weight = 1 - trusted + trusted * drawn.emitters / x.clamp(min=FEWEST)
        return (weight * by_emitter).mean(dim=0), one_more.mean(dim=0)

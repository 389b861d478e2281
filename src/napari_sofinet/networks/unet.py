"""The U-Net to which Komen et al. compare their network: interpolated frames to one picture.

J. Komen, MSc thesis "Accelerating SOFI with Deep Learning", TU Delft (2024), appendix D. It is the
network of O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI (2015), with padded convolutions. Here, as in `convgru`, counts are normalized
by the movie itself and all of the field is kept.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_sofinet.base.errors import InputError
from napari_sofinet.networks.normalization import normalize
from napari_sofinet.networks.whole_frames import SlidingWindow, WholeMovie

LEVELS = 5
REACH_PX = 48
"""Overlap of tiles without seams."""


class UNet(nn.Module):  # type: ignore[misc]
    """Movie (B, T, Y, X) of exactly ``frames`` frames to a picture (B, 1, 2Y-1, 2X-1).

    Sample (i, j) of the output lies at camera coordinate (i/2, j/2). Under bfloat16 autocast the
    picture is bfloat16, else float32.

    Parameters
    ----------
    frames : int, optional
        Number of frames, which are the channels of the input.
    width : int, optional
        Channels of the finest of 5 levels; they double from level to level.
    """

    def __init__(self, frames: int = 20, width: int = 64) -> None:
        super().__init__()
        self.frames = frames
        self.reach_px = REACH_PX
        widths = [width * 2**level for level in range(LEVELS)]
        self.down = nn.ModuleList(
            _pair(a, b) for a, b in zip([frames, *widths], widths, strict=False)
        )
        self.finer = nn.ModuleList(
            nn.ConvTranspose2d(2 * n, n, 2, stride=2) for n in reversed(widths[:-1])
        )
        self.up = nn.ModuleList(_pair(2 * n, n) for n in reversed(widths[:-1]))
        self.picture = nn.Conv2d(width, 1, 1)
        # The layout of the weights decides that of all features: channels last is faster on CPUs.
        self.to(memory_format=torch.channels_last)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Reconstruct counts of any offset and gain."""
        return self.of_normalized(normalize(frames))

    def running(self, rows: int, columns: int) -> WholeMovie:
        """Return a state for a movie that is given in parts."""
        return WholeMovie(self)

    def sliding(self, window: int) -> SlidingWindow:
        """Return a state for the last ``window`` frames of a movie."""
        return SlidingWindow(self, window)

    def of_normalized(self, frames: torch.Tensor) -> torch.Tensor:
        """Reconstruct a normalized movie (B, T, Y, X), see `normalize`."""
        if frames.shape[1] != self.frames:
            raise InputError(
                f"This U-Net processes exactly {self.frames} frames, not {frames.shape[1]}; select "
                "that number of frames or choose another network."
            )
        x = fourier_finer(frames)
        rows, columns = x.shape[-2:]
        even = 2 ** (LEVELS - 1)  # every level but the last halves the size
        x = functional.pad(x, (0, -columns % even, 0, -rows % even))
        skipped = []
        for level, down in enumerate(self.down):
            x = down(functional.max_pool2d(x, 2) if level else x)
            skipped.append(x)
        for finer, up, skip in zip(self.finer, self.up, skipped[-2::-1], strict=True):
            x = up(torch.cat([skip, finer(x)], dim=1))
        picture: torch.Tensor = self.picture(x)[..., :rows, :columns]
        return picture


def fourier_finer(images: torch.Tensor) -> torch.Tensor:
    """Interpolate images by zeros around their spectra.

    Parameters
    ----------
    images : torch.Tensor
        (..., Y, X).

    Returns
    -------
    torch.Tensor
        (..., 2Y-1, 2X-1), float32. Sample o lies at coordinate o/2, so every other sample is that
        of the input. The 2Y-th, which would lie between the last and the first pixel of a
        periodic image, is left out.

    Examples
    --------
    >>> fourier_finer(torch.tensor([[1.0, 3.0, 2.0]]))[0, ::2].round(decimals=3).tolist()
    [1.0, 3.0, 2.0]
    """
    return _finer_along(_finer_along(images, -1), -2)


def _finer_along(x: torch.Tensor, dim: int) -> torch.Tensor:
    n = x.shape[dim]
    spectrum = torch.fft.rfft(x.float(), dim=dim)
    if n % 2 == 0:
        # The highest frequency of an even number of samples is half +n/2 and half -n/2.
        spectrum.select(dim, n // 2).mul_(0.5)
    return 2 * torch.fft.irfft(spectrum, n=2 * n, dim=dim).narrow(dim, 0, 2 * n - 1)


def _pair(channels_in: int, channels_out: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels_out, channels_out, 3, padding=1),
        nn.ReLU(),
    )

"""The U-Net that Komen et al. compare their network with: finer frames in, one picture out.

J. Komen, MSc thesis "Accelerating SOFI with Deep Learning", TU Delft (2024), appendix D. It is the
network of O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI (2015), with padded convolutions. Here, as in `convgru`, counts are normalised
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
"""Tiles that overlap by it show no seams."""


class UNet(nn.Module):  # type: ignore[misc]
    """Movie (B, T, Y, X) of exactly ``frames`` frames to a picture (B, 1, 2Y-1, 2X-1).

    Sample (i, j) of the output lies at camera coordinate (i/2, j/2). Under bfloat16 autocast the
    picture is bfloat16, else float32.

    Parameters
    ----------
    frames
        Number of frames, which are the channels of the input.
    width
        Channels of the finest level; every coarser one of 5 has twice as many.
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
        # Weights with their channels last make all that is computed so: faster on processors.
        self.to(memory_format=torch.channels_last)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Reconstruct counts of any offset and gain."""
        return self.of_normalized(normalize(frames))

    def running(self, rows: int, columns: int) -> WholeMovie:
        """Frames of a movie that comes in parts."""
        return WholeMovie(self)

    def sliding(self, window: int) -> SlidingWindow:
        """The last frames of a movie."""
        return SlidingWindow(self, window)

    def of_normalized(self, frames: torch.Tensor) -> torch.Tensor:
        """Reconstruct a movie (B, T, Y, X) that `normalize` has seen."""
        if frames.shape[1] != self.frames:
            raise InputError(
                f"This U-Net takes exactly {self.frames} frames, not {frames.shape[1]}; "
                "select as many or choose another network."
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
    """Images (..., Y, X) interpolated to (..., 2Y-1, 2X-1) by zeros around their spectra.

    Sample o lies at coordinate o/2; so every other sample is that of the input. The 2Y-th, which
    would lie between the last and the first pixel of an image that repeats, is left out.
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

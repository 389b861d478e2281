"""The network of Komen et al.: it encodes frames, fuses them by recurrence and decodes their mean.

J. Komen, M. Tekpinar, K. Grußmayer, N. Tömen, "Accelerating SOFI with Deep Learning: Enabling
Real-Time live-cell Imaging", chapter 6 of J. Komen's MSc thesis "Accelerating SOFI with Deep
Learning", TU Delft (2024). Written anew from the description there and in chapter 4. It differs in:

- *Counts* are normalized by the movie itself (`normalize`), where the paper divides them by 65535:
  neither offset nor gain of a camera matters.
- *Time*: hidden states are averaged, as the paper's text says, not summed: the picture does not
  grow with the number of frames.
- *Field*: all of it is kept. Sample o of the output lies at camera coordinate o/2, 2Y-1 samples
  along Y pixels. The paper pads its transposed convolution by 4 instead of 1, which leaves 2Y-7
  samples, at 1.5 + o/2: the same grid without a border of 3 samples.
- *Size*: the paper's 131,510 parameters count 36,437 of a branch that it never uses. It is left
  out; 95,073 remain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import nn

from napari_sofinet.base.errors import InputError
from napari_sofinet.networks.layers import Upsample2x
from napari_sofinet.networks.normalization import CEILING, background_level, normalize

REACH_PX = 24
"""Overlap of tiles without seams; pixels farther away hardly matter."""
PIXELS_AT_ONCE = 2**16
"""Pixels of all frames and movies that are encoded together: few enough for memory, and enough to
keep a device busy."""

Hidden = tuple[torch.Tensor | None, torch.Tensor | None]
"""Hidden states (B, C, Y, X) of the two recurrent layers; None before the first frame."""


class ConvGRU(nn.Module):  # type: ignore[misc]
    """Movie (B, T, Y, X) of at least 5 frames to a picture (B, 1, 2Y-1, 2X-1).

    Sample (i, j) of the output lies at camera coordinate (i/2, j/2). Under bfloat16 autocast the
    picture is bfloat16, else float32.

    Parameters
    ----------
    channels : int, optional
        Features of every pixel, in all parts of the network. The thesis tries 8 to 24.
    decoder_kernel : {1, 3}, optional
        Side of the decoder's two inner convolutions: 1 as in the authors' parameter count, or 3 as
        in the paper's text, which adds 16 channels² parameters.
    """

    def __init__(self, channels: int = 24, decoder_kernel: int = 1) -> None:
        super().__init__()
        self.reach_px = REACH_PX
        if decoder_kernel not in (1, 3):
            raise InputError(f"The decoder's kernel is 1 or 3, not {decoder_kernel}.")
        self.encoder = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1),
            nn.PReLU(),
            Residual(channels),
            Residual(channels),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.first = Recurrent(channels)
        self.second = Recurrent(channels)
        inner = {"kernel_size": decoder_kernel, "padding": decoder_kernel // 2}
        self.decoder = nn.Sequential(
            Upsample2x(channels),
            nn.PReLU(),
            nn.Conv2d(channels, channels, **inner),
            nn.PReLU(),
            nn.Conv2d(channels, channels, **inner),
            nn.PReLU(),
            nn.Conv2d(channels, 1, 1),
        )
        for part in (self.encoder, self.decoder):
            for module in part.modules():
                if isinstance(module, (nn.Conv2d, Upsample2x)):
                    nn.init.xavier_uniform_(module.weight)
                    nn.init.zeros_(module.bias)
        # The layout of the weights decides that of all features: channels last is faster on CPUs.
        self.to(memory_format=torch.channels_last)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Reconstruct counts of any offset and gain."""
        return self.of_normalized(normalize(frames))

    def of_normalized(self, x: torch.Tensor) -> torch.Tensor:
        """Reconstruct a normalized movie (B, T, Y, X), see `normalize`."""
        batch, count, rows, columns = x.shape
        hidden: Hidden = (None, None)
        total: torch.Tensor | float = 0.0
        for some in x.split(max(1, PIXELS_AT_ONCE // (batch * rows * columns)), dim=1):
            states, hidden = self.fuse(some, hidden)
            total = total + sum(state.float() for state in states)
        picture: torch.Tensor = self.decoder(total / count)
        return picture

    def running(self, rows: int, columns: int) -> RunningStream:
        """Return a state for a movie that is given in parts."""
        return RunningStream(self)

    def sliding(self, window: int) -> SlidingStream:
        """Return a state that averages the last ``window`` hidden states."""
        return SlidingStream(self, window)

    def step(self, frame: torch.Tensor, stream: Stream) -> tuple[torch.Tensor, Stream]:
        """Reconstruct a picture after one more frame.

        The work is the same for every frame. Up to ``stream.window`` frames the picture is that of
        all frames so far; the first 4 pictures have fewer frames than in training.

        Parameters
        ----------
        frame : torch.Tensor
            (B, Y, X) counts.
        stream : Stream
            State before the frame.

        Returns
        -------
        picture : torch.Tensor
            (B, 1, 2Y-1, 2X-1).
        stream : Stream
            State after the frame.
        """
        stream = self.advance(frame, stream)
        return self.decoder(stream.mean), stream

    def advance(self, frame: torch.Tensor, stream: Stream) -> Stream:
        """Return the stream after one more frame of counts (B, Y, X)."""
        states, hidden = self.fuse(stream.normalize(frame)[:, None], stream.hidden)
        return stream.after(hidden, states[0].float())

    def fuse(self, x: torch.Tensor, hidden: Hidden) -> tuple[tuple[torch.Tensor, ...], Hidden]:
        """Return the second layer's states (B, C, Y, X) after each frame, and the last of both.

        Frames x are (B, T, Y, X), normalized.
        """
        batch, count, rows, columns = x.shape
        features = self.encoder(x.transpose(0, 1).reshape(count * batch, 1, rows, columns))
        first = self.first(features, hidden[0], batch)
        second = self.second(torch.cat(first), hidden[1], batch)
        return second, (first[-1], second[-1])


class Residual(nn.Module):  # type: ignore[misc]
    """Residual block of two convolutions, each with PReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.PReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features (B, C, Y, X) of the same shape."""
        out: torch.Tensor = x + self.inner(x)
        return out


class Recurrent(nn.Module):  # type: ignore[misc]
    """Convolutional gated recurrent unit with kernels of 3 x 3 pixels.

    Notes
    -----
    With input x, hidden state h and * a convolution (thesis, equation 4.2):
    u = σ(Wu*[x, h] + bu), r = σ(Wr*[x, h] + br), k = tanh(Wk*[x, r h] + bk), and the next hidden
    state is (1 - u) h + u k.

    W*[x, h] is stored as a part for x and a part for h, with Wu and Wr in one. The number of
    parameters is the same, and the parts for x are computed for many frames together.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates_of_input = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.gates_of_hidden = nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False)
        self.candidate_of_input = nn.Conv2d(channels, channels, 3, padding=1)
        self.candidate_of_hidden = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        # Xavier's limit for the whole W of [x, h].
        limit = math.sqrt(6 / (9 * (2 * channels + channels)))
        for conv in self.children():
            nn.init.uniform_(conv.weight, -limit, limit)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)

    def forward(
        self, x: torch.Tensor, hidden: torch.Tensor | None, batch: int
    ) -> tuple[torch.Tensor, ...]:
        """Return hidden states (B, C, Y, X) after each frame of x (T·B, C, Y, X), in order."""
        gates_of_x, candidates_of_x = self.gates_of_input(x), self.candidate_of_input(x)
        states = []
        for gates, candidate in zip(
            gates_of_x.split(batch), candidates_of_x.split(batch), strict=True
        ):
            if hidden is None:
                hidden = torch.zeros_like(candidate)
            gates = torch.sigmoid(gates + self.gates_of_hidden(hidden))
            update, reset = gates.chunk(2, dim=1)
            candidate = torch.tanh(candidate + self.candidate_of_hidden(reset * hidden))
            hidden = hidden + update * (candidate - hidden)
            states.append(hidden)
        return tuple(states)


@dataclass(frozen=True)
class Stream:
    """State of `ConvGRU.step` between the frames of a continuous movie.

    Parameters
    ----------
    scale : float or torch.Tensor
        Counts above the offset that become 1, a number or (B,). The future maximum of a stream is
        unknown, so use the `normalization.brightness` of 20 or more earlier frames.
    offset : float or torch.Tensor, optional
        Counts that become 0; by default the background of every frame, as in `normalize`.
    window : int, optional
        Frames over which a picture averages.
    forgets : bool, optional
        If False, each of the last ``window`` frames has the same weight, and the stream holds as
        many hidden states, 4 B C Y X bytes each. If True, the weight of a frame falls by
        1/``window`` with every later one, and only their mean is held.
    hidden : tuple, optional
        Last hidden states of both layers.
    mean, recent : optional
        Mean and single hidden states of the second layer.
    frames : int, optional
        Number of frames so far.
    """

    scale: float | torch.Tensor
    offset: float | torch.Tensor | None = None
    window: int = 20
    forgets: bool = False
    hidden: Hidden = (None, None)
    mean: float | torch.Tensor = 0.0
    recent: tuple[torch.Tensor, ...] = ()
    frames: int = 0

    def normalize(self, frame: torch.Tensor) -> torch.Tensor:
        """Normalize counts (B, Y, X)."""
        if self.offset is None:
            offset = background_level(frame)
        else:
            offset = torch.as_tensor(self.offset, device=frame.device)
        scale = torch.as_tensor(self.scale, device=frame.device)
        x = (frame - offset.reshape(-1, 1, 1)) / scale.reshape(-1, 1, 1)
        return x.clamp(max=CEILING)

    def after(self, hidden: Hidden, state: torch.Tensor) -> Stream:
        """Return the stream after one more frame, where the second layer has the given state."""
        frames = self.frames + 1
        full = len(self.recent) == self.window
        oldest = self.recent[0] if full else self.mean
        return replace(
            self,
            hidden=hidden,
            mean=self.mean + (state - oldest) / min(frames, self.window),
            recent=() if self.forgets else (*self.recent, state)[-self.window :],
            frames=frames,
        )


class RunningStream:
    """Mean of the hidden states of a recurrent network over all frames."""

    def __init__(self, net: ConvGRU) -> None:
        self.net = net
        self._hidden: Hidden = (None, None)
        self._total: torch.Tensor | float = 0.0
        self._frames = 0

    def add(self, x: torch.Tensor) -> None:
        """Add normalized frames (T, Y, X)."""
        states, self._hidden = self.net.fuse(x[None], self._hidden)
        self._total = self._total + sum(state.float() for state in states)
        self._frames += len(x)

    def result(self) -> torch.Tensor:
        """Return the picture (1, 2Y-1, 2X-1) of the frames so far."""
        out: torch.Tensor = self.net.decoder(self._total / self._frames)[0]
        return out


class SlidingStream:
    """Mean of the hidden states of a recurrent network over the last frames."""

    def __init__(self, net: ConvGRU, window: int) -> None:
        self.net = net
        self._stream = Stream(scale=1.0, offset=0.0, window=window)

    def add(self, x: torch.Tensor) -> None:
        """Add one normalized frame (Y, X)."""
        self._stream = self.net.advance(x[None], self._stream)

    def result(self) -> torch.Tensor:
        """Return the picture (1, 2Y-1, 2X-1) of the last frames."""
        out: torch.Tensor = self.net.decoder(self._stream.mean)[0]
        return out

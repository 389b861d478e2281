"""Frames of a movie given in parts, for networks that process all of them together."""

from __future__ import annotations

from collections import deque

import torch


class WholeMovie:
    """All frames, for a network that processes them together."""

    def __init__(self, net: torch.nn.Module) -> None:
        self.net = net
        self._parts: list[torch.Tensor] = []

    def add(self, x: torch.Tensor) -> None:
        """Add normalized frames (T, Y, X)."""
        self._parts.append(x)

    def result(self) -> torch.Tensor:
        """Return the output maps (C, 2Y-1, 2X-1) of all frames."""
        out: torch.Tensor = self.net.of_normalized(torch.cat(self._parts)[None])[0]
        return out


class SlidingWindow:
    """The last ``window`` frames, for a network that processes them together."""

    def __init__(self, net: torch.nn.Module, window: int) -> None:
        self.net = net
        self._frames: deque[torch.Tensor] = deque(maxlen=window)

    def add(self, x: torch.Tensor) -> None:
        """Add one normalized frame (Y, X)."""
        self._frames.append(x)

    def result(self) -> torch.Tensor:
        """Return the output maps (C, 2Y-1, 2X-1) of the window."""
        out: torch.Tensor = self.net.of_normalized(torch.stack(tuple(self._frames))[None])[0]
        return out

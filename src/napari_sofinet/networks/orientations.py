"""The eight orientations of a picture: quarter turns and mirror images."""

from __future__ import annotations

import torch

ORIENTATIONS = 8


def orient(frames: torch.Tensor, orientation: int) -> torch.Tensor:
    """Transform frames to one of eight orientations, of which the last four are mirrored.

    Parameters
    ----------
    frames : torch.Tensor
        (..., Y, X).
    orientation : int
        From 0 to 7; 0 changes nothing.

    Examples
    --------
    >>> orient(torch.tensor([[1, 2], [3, 4]]), 1).tolist()
    [[2, 4], [1, 3]]
    """
    mirrored = frames.flip(-2) if orientation >= 4 else frames
    return torch.rot90(mirrored, orientation % 4, (-2, -1)).contiguous()


def orient_back(picture: torch.Tensor, orientation: int) -> torch.Tensor:
    """Undo `orient`.

    Parameters
    ----------
    picture : torch.Tensor
        (..., Y, X).
    orientation : int
        From 0 to 7.

    Examples
    --------
    >>> orient_back(orient(torch.tensor([[1, 2], [3, 4]]), 6), 6).tolist()
    [[1, 2], [3, 4]]
    """
    back = torch.rot90(picture, -(orientation % 4), (-2, -1))
    return back.flip(-2) if orientation >= 4 else back

"""Rate at which a live reconstruction can show new pictures."""

from __future__ import annotations


def real_time_rate(frames: int, camera_fps: float, latency_s: float) -> float:
    """Return the pictures per second if each needs frames of its own and is computed after them.

    Parameters
    ----------
    frames : int
        Frames of the camera for one picture.
    camera_fps : float
        Frames per second of the camera.
    latency_s : float
        Time to compute one picture in s.

    Returns
    -------
    float
        1 / (frames / camera_fps + latency_s), the rate that is reported for live second-order SOFI
        by a recurrent network.

    Raises
    ------
    ValueError
        No frames, no rate or a negative latency.

    Examples
    --------
    >>> real_time_rate(20, 100.0, 0.05)
    4.0
    """
    if frames < 1 or camera_fps <= 0 or latency_s < 0:
        raise ValueError("A rate needs at least one frame, a camera's rate and a latency >= 0.")
    return 1.0 / (frames / camera_fps + latency_s)

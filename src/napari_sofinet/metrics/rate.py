"""How often a live reconstruction can show something new."""

from __future__ import annotations


def real_time_rate(frames: int, camera_fps: float, latency_s: float) -> float:
    """Pictures per second when each needs its own frames and is computed after the last of them.

    Parameters
    ----------
    frames
        Of the camera, for one picture.
    camera_fps
        Frames per second of the camera.
    latency_s
        Time to compute one picture in s.

    Raises
    ------
    ValueError
        No frames, no rate or a negative latency.

    References
    ----------
    R = 1 / (frames / camera_fps + latency): the rate that live second-order SOFI by a recurrent
    network is reported with.
    """
    if frames < 1 or camera_fps <= 0 or latency_s < 0:
        raise ValueError("A rate needs at least one frame, a camera's rate and a latency >= 0.")
    return 1.0 / (frames / camera_fps + latency_s)

"""Statistics of an emitter that switches on and off at random, as a camera's frames see them."""

from __future__ import annotations

import numpy as np


def on_factor(order: int, on_ratio: np.ndarray | float) -> np.ndarray:
    """Cumulant of order 2 to 6 of a telegraph between 0 and 1 that is on for a share of the time.

    Each is r (1 - r) times the derivative of the one before by r.
    """
    polynomial = np.polynomial.Polynomial([0.0, 1.0])
    step = np.polynomial.Polynomial([0.0, 1.0, -1.0])
    for _ in range(order - 1):
        polynomial = step * polynomial.deriv()
    return np.asarray(polynomial(np.asarray(on_ratio, dtype=np.float64)))


def frame_cumulants(on_ratio: float, correlation_frames: float) -> tuple[float, float, float]:
    """Second to fourth cumulant of the light that a telegraph sends into a frame, 1 if always on.

    Parameters
    ----------
    on_ratio
        Share of the time that it is on.
    correlation_frames
        Its correlation time, on-time times (1 - on-ratio), in frames.

    Notes
    -----
    The k-th moment of the time on within a frame is k! times the integral over ordered times, which
    a matrix exponential of the rates beside the state that shines holds (Van Loan, IEEE Trans.
    Autom. Control 23, 395 (1978)).
    """
    from scipy.linalg import expm

    up, down = on_ratio / correlation_frames, (1 - on_ratio) / correlation_frames
    rates, shines = np.array([[-up, up], [down, -down]]), np.diag([0.0, 1.0])
    chain = np.kron(np.eye(5), rates) + np.kron(np.eye(5, k=1), shines)
    ordered = np.array([1 - on_ratio, on_ratio]) @ expm(chain)[:2]
    m1, m2, m3, m4 = ordered.reshape(5, 2).sum(axis=1)[1:] * (1, 2, 6, 24)
    return (
        float(m2 - m1**2),
        float(m3 - 3 * m2 * m1 + 2 * m1**3),
        float(m4 - 4 * m3 * m1 - 3 * m2**2 + 12 * m2 * m1**2 - 6 * m1**4),
    )


def shared_with_next(correlation_frames: np.ndarray | float) -> np.ndarray:
    """Covariance of successive frames over the variance of one, for a telegraph."""
    t = np.asarray(correlation_frames, dtype=np.float64)
    return np.asarray(-np.expm1(-1 / t) * -np.expm1(-1 / t) / (2 * (1 / t + np.expm1(-1 / t))))


def correlation_time(share: np.ndarray | float) -> np.ndarray:
    """Correlation time in frames from the share of fluctuations that the next frame shares."""
    times = np.geomspace(1e-2, 1e4, 400)
    return np.asarray(np.interp(share, shared_with_next(times), times))


def frames_as_one(correlation_frames: float) -> tuple[float, float]:
    """Frames that count as one independent of the others, for means and for mean squares.

    1 + twice the sum of the autocorrelation of frames, and of its square.
    """
    if correlation_frames <= 0:
        return 1.0, 1.0
    share = float(shared_with_next(correlation_frames))
    decay = np.exp(-1 / correlation_frames)
    return float(1 + 2 * share / (1 - decay)), float(1 + 2 * share**2 / (1 - decay**2))

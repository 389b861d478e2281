"""Statistics of an emitter that switches on and off at random (a telegraph), in camera frames."""

from __future__ import annotations

import numpy as np


def on_factor(order: int, on_ratio: np.ndarray | float) -> np.ndarray:
    """Return a cumulant of an emitter that switches between 0 and 1.

    Parameters
    ----------
    order : int
        Order from 2 to 6.
    on_ratio : ndarray or float
        Fraction r of the time that it is on.

    Returns
    -------
    ndarray
        The cumulant: r (1 - r) times the derivative of that of the order below with respect to r.

    Examples
    --------
    >>> float(on_factor(2, 0.1)), float(on_factor(3, 0.5))
    (0.09000000000000001, 0.0)
    """
    polynomial = np.polynomial.Polynomial([0.0, 1.0])
    step = np.polynomial.Polynomial([0.0, 1.0, -1.0])
    for _ in range(order - 1):
        polynomial = step * polynomial.deriv()
    return np.asarray(polynomial(np.asarray(on_ratio, dtype=np.float64)))


def frame_cumulants(on_ratio: float, correlation_frames: float) -> tuple[float, float, float]:
    """Return the cumulants of orders 2 to 4 of the light of an emitter in a frame.

    Parameters
    ----------
    on_ratio : float
        Fraction of the time that the emitter is on.
    correlation_frames : float
        Correlation time in frames: on-time times (1 - on-ratio).

    Returns
    -------
    tuple of float
        Cumulants, where the light is 1 in a frame during which the emitter is always on.

    Notes
    -----
    The k-th moment of the time on within a frame is k! times the integral over ordered times, which
    is contained in a matrix exponential of the rates and the emitting state (Van Loan, IEEE Trans.
    Autom. Control 23, 395 (1978)).

    Examples
    --------
    An emitter that hardly ever switches within a frame:

    >>> [round(k, 3) for k in frame_cumulants(0.2, 1000.0)]
    [0.16, 0.096, 0.006]
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


def next_frame_correlation(correlation_frames: np.ndarray | float) -> np.ndarray:
    """Return the covariance of successive frames over the variance of one.

    Parameters
    ----------
    correlation_frames : ndarray or float
        Correlation time of the emitter in frames.

    Examples
    --------
    >>> next_frame_correlation([0.1, 1.0, 10.0]).round(2)
    array([0.06, 0.54, 0.94])
    """
    t = np.asarray(correlation_frames, dtype=np.float64)
    return np.asarray(-np.expm1(-1 / t) * -np.expm1(-1 / t) / (2 * (1 / t + np.expm1(-1 / t))))


def correlation_time(correlation: np.ndarray | float) -> np.ndarray:
    """Return the correlation time in frames, the inverse of `next_frame_correlation`.

    Parameters
    ----------
    correlation : ndarray or float
        Covariance of successive frames over the variance of one, 0 to 1.

    Examples
    --------
    >>> float(correlation_time(0.54).round(1))
    1.0
    """
    times = np.geomspace(1e-2, 1e4, 400)
    return np.asarray(np.interp(correlation, next_frame_correlation(times), times))


def frames_as_one(correlation_frames: float) -> tuple[float, float]:
    """Return the number of frames that count as one independent frame.

    Parameters
    ----------
    correlation_frames : float
        Correlation time in frames; 0 if frames are independent.

    Returns
    -------
    for_means, for_mean_squares : float
        1 + twice the sum of the autocorrelation of frames, and of its square.

    Examples
    --------
    >>> frames_as_one(0.0)
    (1.0, 1.0)
    >>> [round(count, 1) for count in frames_as_one(5.0)]
    [10.7, 5.7]
    """
    if correlation_frames <= 0:
        return 1.0, 1.0
    correlation = float(next_frame_correlation(correlation_frames))
    decay = np.exp(-1 / correlation_frames)
    return (
        float(1 + 2 * correlation / (1 - decay)),
        float(1 + 2 * correlation**2 / (1 - decay**2)),
    )

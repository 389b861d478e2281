"""Separation of exposures into bands: the wide-field image and the part of each grating."""

from __future__ import annotations

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.structured_illumination.pattern import Pattern


def separation(pattern: Pattern) -> np.ndarray:
    """Return the matrix that separates exposures into bands.

    Exposure j is ``bands[0] + Re(sum_h weights[j, h] bands[1 + h])``; the matrix is the
    least-squares solution. Band 0 is the wide-field image; band h is the image of the sample times
    ``exp(2 pi i frequencies[h] . (y, x))``.

    Parameters
    ----------
    pattern : Pattern
        The pattern.

    Returns
    -------
    ndarray
        (1 + H, P) complex; bands are its product with the exposures.

    Raises
    ------
    InputError
        The exposures do not tell the gratings apart.
    """
    w = pattern.weights
    model = np.concatenate([np.ones((pattern.exposures, 1)), w.real, -w.imag], 1)
    values = np.linalg.svd(model, compute_uv=False)
    if model.shape[0] < model.shape[1] or values[-1] < 1e-3 * values[0]:
        raise InputError(
            f"{pattern.exposures} exposures cannot be separated into the bands of the pattern "
            f"({pattern.name}); check the number of phases and their order."
        )
    inverse = np.linalg.pinv(model)
    gratings = w.shape[1]
    return np.concatenate(
        [inverse[:1].astype(complex), inverse[1 : 1 + gratings] + 1j * inverse[1 + gratings :]]
    )


def separate(exposures: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Separate exposures into bands; see `separation`.

    Parameters
    ----------
    exposures : ndarray
        (P, ...) images of the exposures.
    pattern : Pattern
        The pattern.

    Returns
    -------
    ndarray
        (1 + H, ...) complex64.

    Raises
    ------
    InputError
        There is another number of exposures, or they do not tell the gratings apart.
    """
    if len(exposures) != pattern.exposures:
        raise InputError(
            f"The pattern ({pattern.name}) has {pattern.exposures} exposures per plane, not "
            f"{len(exposures)}."
        )
    matrix = separation(pattern).astype(np.complex64)
    return np.tensordot(matrix, np.asarray(exposures), axes=1)

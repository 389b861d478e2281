"""Expected photons of emitters on camera pixels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from napari_sofinet.base.threads import thread_count
from napari_sofinet.simulation.psf import FWHM_PER_SIGMA, Psf

MANY = 2000  # spots that are worth a thread


def render(
    positions_px: np.ndarray,
    weights: np.ndarray,
    shape: tuple[int, int],
    psf: Psf,
    *,
    frame: np.ndarray | None = None,
    frames: int = 1,
) -> np.ndarray:
    """Add spots, integrated over pixels.

    Parameters
    ----------
    positions_px : ndarray
        (n, 2) positions y, x in camera pixels; the centre of pixel (0, 0) is at (0, 0).
    weights : ndarray
        (n,) energy of each spot, e.g. in photons.
    shape : tuple of int
        Rows and columns of an image.
    psf : Psf
        Shape of a spot.
    frame : ndarray, optional
        (n,) number of the image of each spot, ascending; by default all are in the first one.
    frames : int, default 1
        Number of images.

    Returns
    -------
    ndarray
        (frames, rows, columns) float64. A Gaussian spot keeps its energy to 1e-6 where its centre
        is 5 standard deviations inside.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_sofinet.simulation.psf import Psf
    >>> image = render(np.array([[8.0, 8.0]]), np.array([100.0]), (17, 17), Psf(2.0))
    >>> image.shape, round(float(image.sum()), 3)
    ((1, 17, 17), 100.0)
    """
    from napari_sofinet.simulation import rendering_kernel

    out = np.zeros((frames, *shape))
    at = np.ascontiguousarray(positions_px, dtype=np.float64)
    energy = np.ascontiguousarray(weights, dtype=np.float64)
    which = np.zeros(len(at), np.int64) if frame is None else np.ascontiguousarray(frame)

    def work(edge: tuple[int, int]) -> None:
        a, b = np.searchsorted(which, edge)
        part = (at[a:b], energy[a:b], which[a:b], out)
        if psf.table is None:
            rendering_kernel.gaussian(*part, psf.fwhm_px / FWHM_PER_SIGMA, psf.reach_px)
        else:
            rendering_kernel.tabled(*part, psf.table, psf.reach_px)

    # No two threads write to the same image.
    count = min(thread_count(), frames) if len(at) > MANY else 1
    edges = np.linspace(0, frames, count + 1).astype(int)
    pieces = list(pairwise(edges.tolist()))
    if count == 1:
        work(pieces[0])
    else:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(work, pieces))
    return out


def render_gaussian(
    positions_px: np.ndarray, weights: np.ndarray, shape: tuple[int, int], fwhm_px: float
) -> np.ndarray:
    """Add Gaussian spots to one image, see `render`.

    Parameters
    ----------
    positions_px, weights, shape
        See `render`.
    fwhm_px : float
        Full width at half maximum in camera pixels.

    Returns
    -------
    ndarray
        (rows, columns) float64.
    """
    image: np.ndarray = render(positions_px, weights, shape, Psf(fwhm_px))[0]
    return image

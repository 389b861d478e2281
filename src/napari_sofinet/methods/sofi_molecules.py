"""Maps of emitter properties from SOFI cumulants of several orders."""

from __future__ import annotations

import numpy as np

from napari_sofinet.base.progress import Report
from napari_sofinet.data.movie import Movie
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.methods.sofi_cumulants import take_cumulants
from napari_sofinet.methods.sofi_plan import SofiPlan
from napari_sofinet.methods.sofi_settings import SofiSettings
from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import flatten
from napari_sofinet.sofi.molecules import LAGGED_FRACTION_MAX, Molecules, molecules, on_grid
from napari_sofinet.sofi.telegraph import correlation_time

FEW_FRAMES = 1000


def measure_molecules(
    movie: Movie, settings: SofiSettings, plan: SofiPlan, fwhm_px: float, report: Report
) -> Molecules:
    """Measure brightness, on-ratio, on-time and density of the emitters.

    The bias of the cumulants is removed. It depends on the on-time, which is first estimated from
    the second order with and without a lag of one frame.

    Parameters
    ----------
    movie : Movie
        Movie in counts or photoelectrons.
    settings : SofiSettings
        Settings of the method.
    plan : SofiPlan
        Sub-sequences and drift.
    fwhm_px : float
        PSF width in camera pixels.
    report : Report
        Receives the progress.

    Returns
    -------
    Molecules
        Maps on camera pixels.
    """

    def step(fraction: float, message: str = "", preview: Reconstruction | None = None) -> None:
        report(0.85 + 0.15 * fraction, message or "molecules")

    second, lagged = (take_cumulants(movie, (2,), settings, plan, lag=lag)[0][2] for lag in (0, 1))
    flat = [
        image if plan.flattened else flatten(image, 2, "psf", fwhm_px) for image in (lagged, second)
    ]
    fraction = float(flat[0].sum() / flat[1].sum())
    frames = float(correlation_time(fraction)) if 0 < fraction < LAGGED_FRACTION_MAX else 0.0
    if plan.whole:
        cumulants = cross_cumulants(
            movie,
            (2, 3, 4),
            settings.pixel_sets,
            fwhm_px=plan.fwhm_px,
            unbiased=True,
            correlation_frames=frames,
            report=step,
        )
    else:
        cumulants = take_cumulants(movie, (2, 3, 4), settings, plan, step, lag=0)[0]
    return molecules(cumulants, fwhm_px, lagged, flattened=plan.flattened)


def molecule_maps(found: Molecules, order: int, movie: Movie) -> dict[str, np.ndarray]:
    """Return the maps by name on the grid of the picture, in physical units if these are known.

    Parameters
    ----------
    found : Molecules
        Maps on camera pixels.
    order : int
        Order of the picture.
    movie : Movie
        Movie with its pixel size and frame interval.
    """
    pixel_um, interval_s = movie.pixel_size_um, movie.frame_interval_s
    area = 1.0 if pixel_um is None else pixel_um**2
    maps = {
        "brightness": found.brightness,
        "on_ratio": found.on_ratio,
        "on_time_frames" if interval_s is None else "on_time_s": found.on_time * (interval_s or 1),
        "density_per_px2" if pixel_um is None else "density_per_um2": found.density / area,
    }
    return {name: on_grid(image, order).astype(np.float32) for name, image in maps.items()}


def molecule_note(frames: int) -> str | None:
    """Return a note for the user if the movie has too few frames for the maps."""
    if frames >= FEW_FRAMES:
        return None
    return (
        f"Maps of emitter properties are inaccurate from {frames} frames; {FEW_FRAMES} or more are "
        "advised."
    )

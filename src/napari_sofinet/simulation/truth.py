"""Ground truth of a simulated movie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.io.atomic import atomic_write
from napari_sofinet.simulation.blinking import Events
from napari_sofinet.simulation.motion import moved
from napari_sofinet.simulation.rendering import render_gaussian
from napari_sofinet.simulation.settings import SimulationSettings

MOST_POSITIONS = 2e8
"""Highest number of coordinates in a file, which take 1.6 GB."""


@dataclass(frozen=True)
class Truth:
    """Emitters of a simulated movie and the times at which they shine.

    Parameters
    ----------
    positions_um : ndarray
        (n, 2) y, x in µm at time zero; the centre of camera pixel (0, 0) is at (0, 0).
    photons : ndarray
        (n,) photons of an emitter that is on for a whole frame.
    object : ndarray
        (n,) number of the object that it belongs to.
    events : Events
        Fractions of frames for which emitters shine.
    settings : SimulationSettings
        Settings of the movie.
    """

    positions_um: np.ndarray
    photons: np.ndarray
    object: np.ndarray
    events: Events
    settings: SimulationSettings

    def positions_at(
        self, time_s: float | np.ndarray, emitter: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the positions of emitters at some time.

        Parameters
        ----------
        time_s : float or ndarray
            Time in s, one for all or one for each (n,).
        emitter : ndarray, optional
            (n,) numbers of emitters; by default all.

        Returns
        -------
        ndarray
            (n, 2) y, x in µm.
        """
        s = self.settings
        at = self.positions_um if emitter is None else self.positions_um[emitter]
        if not s.motion.any:
            return at
        objects = self.object if emitter is None else self.object[emitter]
        time = np.broadcast_to(np.asarray(time_s, dtype=np.float64), len(at))
        return np.stack(moved(s.motion, at[:, 0], at[:, 1], objects, time, s.centre_um), axis=1)

    def save(self, path: str | Path) -> None:
        """Write the truth as a .npz file.

        It holds ``positions_um`` (n, 2), or (frames, n, 2) in the middle of each frame where the
        sample moves; ``photons`` (n,); ``frame``, ``emitter`` and ``fraction`` of each event; and
        ``settings`` as JSON.

        Parameters
        ----------
        path : path-like
            File to be written.

        Raises
        ------
        InputError
            The positions of a moving sample would take more than 1.6 GB.
        """
        self.check_size()
        with atomic_write(path) as partial:
            self.write(partial)

    def check_size(self) -> None:
        """Raise `InputError` where a moving sample has more positions than a file may hold."""
        frames, emitters = self.settings.frames, len(self.positions_um)
        if self.settings.motion.any and 2.0 * frames * emitters > MOST_POSITIONS:
            raise InputError(
                f"The positions of {emitters} emitters in {frames} frames are too many "
                "for a truth file; simulate fewer frames or fewer emitters."
            )

    def write(self, path: Path, movie: str = "") -> None:
        """Write the truth into a file, see `save`.

        Parameters
        ----------
        path : Path
            File to be written, directly and not under another name first.
        movie : str, optional
            Fingerprint of the file of the movie, which tells that the two belong together.
        """
        s = self.settings
        positions = self.positions_um
        if s.motion.any:
            times = (np.arange(s.frames) + 0.5) * s.frame_interval_s
            positions = np.stack([self.positions_at(t) for t in times])
        more: dict[str, Any] = {"movie": np.array(movie)} if movie else {}
        with open(path, "wb") as file:
            np.savez_compressed(
                file,
                positions_um=positions,
                photons=self.photons,
                frame=self.events.frame,
                emitter=self.events.emitter,
                fraction=self.events.fraction,
                settings=np.array(s.model_dump_json()),
                **more,
            )

    def ideal(
        self,
        *,
        fineness: int = 2,
        fwhm_um: float | None = None,
        origin_px: tuple[float, float] = (0.0, 0.0),
        shape: tuple[int, int] | None = None,
        time_s: float = 0.0,
    ) -> Reconstruction:
        """Draw the emitters as spots of a given width, as a perfect microscope would show them.

        Parameters
        ----------
        fineness : int, default 2
            Samples per camera pixel.
        fwhm_um : float, optional
            Width of the spots in µm; by default that of the PSF divided by ``fineness``, which is
            what SOFI of order ``fineness`` promises.
        origin_px : tuple of float, default (0, 0)
            Camera coordinates of sample (0, 0), e.g. (1, 1) for SOFI images.
        shape : tuple of int, optional
            Rows and columns; by default as many as fit between the origin and the centre of the
            last pixel.
        time_s : float, default 0
            Time in s, for a sample that moves.

        Returns
        -------
        Reconstruction
            Its map "image" is float32 in photons per frame and sample, registered to the movie.
        """
        s = self.settings
        step = 1 / fineness
        if shape is None:
            shape = (
                int((s.rows - 1 - origin_px[0]) * fineness) + 1,
                int((s.columns - 1 - origin_px[1]) * fineness) + 1,
            )
        p = s.pixel_size_um
        at = (self.positions_at(time_s) / p - np.asarray(origin_px)) / step
        width = (s.optics.fwhm_um / fineness if fwhm_um is None else fwhm_um) / (p * step)
        image = render_gaussian(at, self.photons, shape, width)
        return Reconstruction(
            {"image": image.astype(np.float32)},
            pixel_px=(step, step),
            origin_px=origin_px,
            camera_pixel_um=p,
        )

"""Measurement and correction of vibration: shifts of the sample from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from napari_sofinet.base.progress import Report, silent
from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.frame_alignment import BINS_MIN, SIDE_MIN, BinnedSpectra, halves

CHUNK = 250
"""Successive frames that are compared with their own mean."""
SIDE_PX = 192
FWHM_PX = 2.5
"""PSF width that sets the finest detail that is compared."""
ITERATIONS, FACTORS = 5, (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
SLOW = 51
"""Frames within whose median motion counts as drift."""
FARTHEST_PX = 4.0
LEAST_PX, CERTAIN = 0.15, 5.0
"""Least vibration along an axis (rms), and its least variance in standard errors."""


class VibrationCorrection(Settings):
    """Vibration of the sample."""

    correct: bool = parameter(
        False,
        "Align every frame on its own, which removes shifts from frame to frame. Needs bright "
        "frames: in dim ones, whose positions are too uncertain, nothing is moved.",
        label="Correct vibration",
    )


@dataclass(frozen=True, eq=False)
class Vibration:
    """Shifts from frame to frame.

    Parameters
    ----------
    rms_px : float
        Standard deviation along one axis in camera pixels; 0 if it is not significant.
    error_px : float
        Its standard error.
    left_px : float
        Standard error of the measured position of a frame along one axis.
    path_px : numpy.ndarray
        (T, 2) position y, x in every frame in camera pixels, without slow motion; 0 if moving the
        frames back does not make the picture sharper.
    """

    rms_px: float
    error_px: float
    left_px: float
    path_px: np.ndarray

    @property
    def helps(self) -> bool:
        """Whether moving the frames back makes the picture sharper."""
        return bool(self.path_px.any())


def estimate_vibration(movie: Movie, report: Report = silent, side_px: int = SIDE_PX) -> Vibration:
    """Estimate the shift of every frame against those around it.

    Parameters
    ----------
    movie : Movie
        A movie, of which the middle of the field is compared.
    report : Report, optional
        Receives the progress.
    side_px : int, optional
        Side of the part that is compared, in camera pixels.

    Returns
    -------
    Vibration
        Standard deviation with its error, and the shifts.

    Raises
    ------
    InputError
        The movie cannot be read.

    Notes
    -----
    The position of each frame in two halves of the field is measured by comparison with the mean
    of up to 250 frames. Blinking and noise shift both halves independently, so that the covariance
    of the halves is the variance of the vibration. The measured shifts of the whole field are
    shrunk by their error, and taken if the shifts of each half make the other one sharper.
    """
    frames = movie.shape[0]
    if frames < BINS_MIN or min(movie.shape[1:]) < SIDE_MIN:
        return Vibration(0.0, np.inf, np.inf, np.zeros((frames, 2)))
    field = movie.middle_of_field(side_px)
    edges = np.linspace(0, frames, -(-frames // CHUNK) + 1).round().astype(int)
    found = []
    for first, last in pairwise(edges.tolist()):
        report(first / frames, "vibration, single frames")
        blocks = time_blocks(field.part(first, last))
        found.append(_vibration_of(np.concatenate([np.asarray(b, np.float32) for b in blocks])))
    moved = [v for v in found if v.rms_px] or found
    variance, error, left = (
        float(np.mean([getattr(v, name) ** 2 for v in moved]))
        for name in ("rms_px", "error_px", "left_px")
    )
    path = np.concatenate([v.path_px for v in found])
    rms_px, error_px, left_px = np.sqrt([variance, error / len(moved), left]).tolist()
    return Vibration(rms_px, error_px, left_px, path)


def _vibration_of(images: np.ndarray) -> Vibration:
    """Vibration of successive frames of shape (n, Y, X)."""
    parts = [BinnedSpectra(images, FWHM_PX, weight) for weight in halves(images.shape[1:])]
    still = np.zeros((len(images), 2))
    ways = [still, still]
    for number in range(ITERATIONS):
        ways = [_centred(p.positions(w)[0]) for p, w in zip(parts, ways, strict=True)]
        one, two = (_fast(way) for way in ways)
        variance, error, left = _shared(one, two)
        if variance < (LEAST_PX**2 if number else CERTAIN * error):
            return Vibration(0.0, error / (2 * LEAST_PX), left**0.5, still)
        if number == 0:
            ways = [_longest(p, w) for p, w in zip(parts, ways, strict=True)]
    rms = float(np.sqrt(max(variance, LEAST_PX**2)))
    helps = left < rms**2 and _sharper(parts[0], ways[1]) and _sharper(parts[1], ways[0])
    path = _whole(images, (ways[0] + ways[1]) / 2) if helps else still
    path = path * rms**2 / (rms**2 + left)
    return Vibration(rms, error / (2 * rms), left**0.5, path)


def _whole(images: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Positions by all of the field, from those by its halves."""
    spectra = BinnedSpectra(images, FWHM_PX)
    for _ in range(2):
        path = _centred(spectra.positions(path)[0])
    return _fast(path)


def _longest(part: BinnedSpectra, path: np.ndarray) -> np.ndarray:
    """The multiple of a path on which a part is sharpest.

    The first step is too short where a fixed pattern of the camera seems to be structure.
    """
    paths = [factor * path for factor in FACTORS]
    return paths[int(np.argmax(part.sharpness(paths)))]


def _centred(at: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(at - np.median(at, axis=0), -FARTHEST_PX, FARTHEST_PX))


def _fast(at: np.ndarray) -> np.ndarray:
    """Positions without motion over many frames and jumps, which a median follows."""
    from scipy.ndimage import median_filter

    return np.asarray(at - median_filter(at, (SLOW, 1), mode="nearest"))


def _shared(one: np.ndarray, two: np.ndarray) -> tuple[float, float, float]:
    """Variance that two halves share, its error, and the variance of the error of their mean."""
    shared = (one * two).mean(axis=0)
    own = np.square(one).mean(axis=0) * np.square(two).mean(axis=0)
    error = np.sqrt((own + shared**2).sum() / len(one)) / 2
    apart = np.square((one - two) / 2).mean()
    return float(shared.mean()), float(error), float(apart)


def _sharper(part: BinnedSpectra, path: np.ndarray) -> bool:
    moved, still, opposite = part.sharpness([path, np.zeros_like(path), -path])
    return moved > max(still, opposite)


def vibration_note(found: Vibration) -> str:
    """Return a sentence for the user."""
    if not found.rms_px:
        return "No significant vibration was found, and none was corrected."
    note = f"The sample vibrates by {found.rms_px:.2g} camera px (rms along each axis)"
    if found.helps:
        return f"{note}; frames were moved back with an error of {found.left_px:.2g} camera px."
    return (
        f"{note}, but single frames are too dim to be aligned: the error of a position is "
        f"{found.left_px:.2g} camera px, and nothing was moved."
    )


def describe_vibration(details: dict[str, float]) -> str:
    """Return a sentence for a methods section, empty where no frame was moved."""
    if "vibration_error_px" not in details:
        return ""
    return (
        f"Vibration of {details['vibration_px']:.2g} camera pixels rms along each axis was "
        "measured by aligning each frame with the mean of the frames around it, and corrected with "
        f"a standard error of {details['vibration_error_px']:.2g} camera pixels. "
    )

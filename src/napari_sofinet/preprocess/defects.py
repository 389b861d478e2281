"""Detection of defects in a movie: empty frames, spikes in single frames, bad pixels.

The light of an emitter is spread over the PSF, and distant emitters are independent of each other.
A single bright pixel is therefore not an emitter, and a field that turns dark as a whole is not
blinking.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import binary_dilation, binary_opening, label, maximum_filter, uniform_filter

from napari_sofinet.data.blocks import time_blocks
from napari_sofinet.data.movie import Movie
from napari_sofinet.preprocess.frame_scan import PAIRS, ScannedMovie

FRAMES_MIN = 8
"""Fewest frames from which defects are detected."""
SIDE_MIN_PX = 8
SPIKE_NOISE = 20.0
"""Height of a spike in standard deviations of the noise around it."""
SPIKE_EDGE_NOISE = 8.0
"""Height of the pixels next to it that belong to it."""
SPIKE_POWER = 0.05
"""Fraction of the variance of a pixel and of its neighbours that a spike must add."""
SHARP = 0.05
"""Largest fraction of a pixel's light in its four faintest neighbours if it is not a PSF.

Those of a PSF of 1.6 px FWHM have a tenth, of 2 px a quarter.
"""
LINE_MAX = 0.6
"""Fraction of a row or column that a spike may cover."""
SPIKED_FRACTION = 0.3
"""Fraction of the frames above which spikes as bright as the sample are not exceptional."""
SPIKED_FRAMES_MAX = 64
"""Largest number of frames that are examined closely."""
HOT_NOISE = 20.0
"""Height of a hot pixel in standard deviations of its mean and of the structure around."""
HOT_CANDIDATES = 20_000
BLINKING_POWER = 20.0
"""Times the variance of its surroundings that a bad pixel has."""
SHARED_MAX = 0.06
"""Largest correlation of a bad pixel with its neighbours; a PSF of 1.6 px gives 0.3."""
BAD_PIXELS_MAX = 0.01
"""Fraction of a field above which bad pixels are not exceptional."""
DARK = 0.1
"""Fraction of the usual light below which a band is dark."""
BANDS_MIN = 4
"""Lit bands that must be dark at once: emitters of a few places may all be off by chance."""
SHARP_EDGE = 5.0
"""Times that the light falls or rises at the ends of a dark part; bleaching is slow."""


@dataclass(frozen=True, eq=False)
class Defects:
    """Defects of a movie; frames are numbered as in `Movie.frame_range`.

    Parameters
    ----------
    frames : numpy.ndarray
        Frames without content or light.
    spikes : numpy.ndarray
        Frame, row and column (of the whole field) of each value that is replaced, of shape (n, 3).
    values : numpy.ndarray
        Replacements: the mean of the frames before and after.
    pixels : numpy.ndarray
        Row and column (of the whole field) of bad pixels, of shape (n, 2).
    """

    frames: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    spikes: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), int))
    values: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    pixels: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), int))

    def __bool__(self) -> bool:
        return bool(len(self.frames) or len(self.spikes) or len(self.pixels))


def empty_frames(scan: ScannedMovie, movie: Movie) -> np.ndarray:
    """Return the frames (from 0) that are blank in part or as a whole, or without any light.

    Parameters
    ----------
    scan : ScannedMovie
        Statistics of the movie.
    movie : Movie
        The uncorrected movie; suspicious frames are read again.
    """
    bands = scan.bands
    if len(bands) < FRAMES_MIN or _noisy(scan) < 0.5:
        return np.zeros(0, int)
    dark = _dark_frames(bands)
    usual = np.median(bands, axis=0)
    scatter = 1.4826 * np.median(np.abs(bands - usual), axis=0)
    low = np.any(bands < usual - 6 * scatter - 0.02 * np.abs(usual), axis=1) & ~dark
    odd = np.flatnonzero(low | np.all(bands == bands[:, :1], axis=1))
    odd = odd[np.argsort(bands[odd].min(axis=1), kind="stable")][:SPIKED_FRAMES_MAX]
    summed = np.repeat(np.arange(len(scan.band_rows)), scan.band_rows)
    rows = summed[np.arange(scan.mean.shape[0]) // scan.row_step]
    blank = [int(k) for k in odd if _is_blank(_frame(movie, int(k)), rows)]
    # A movie of which most is blank is another kind of movie.
    found = np.union1d(np.flatnonzero(dark), np.array(blank, int)).astype(int)
    return found if 2 * len(found) <= len(bands) + 1 else np.zeros(0, int)


def _noisy(scan: ScannedMovie) -> float:
    """Fraction of the pixels that have noise, without which dark frames cannot be recognised."""
    return float(np.mean(scan.variance > 1e-10 * np.square(np.abs(scan.highest).max())))


def _is_blank(frame: np.ndarray, bands: np.ndarray) -> bool:
    """Whether a band of rows has the same value everywhere, while others may have content."""
    flat = np.ptp(frame, axis=1) == 0
    return any(flat[bands == band].all() for band in np.unique(bands)) or flat.mean() > 0.1


def _dark_frames(bands: np.ndarray) -> np.ndarray:
    """Frames (T,) of which every band that is usually lit is dark, with sharp edges in time."""
    # The darkest of all frames is a dark one, if there is any.
    floor = np.quantile(bands, 0.002, axis=0, method="lower")
    light = bands - floor
    lit = np.quantile(light, 0.6, axis=0)
    noise = 1.4826 * np.median(np.abs(np.diff(bands, axis=0)), axis=0)
    used = lit > 10 * np.maximum(noise, 1e-12)
    if used.sum() < min(BANDS_MIN, bands.shape[1]) or used.sum() < 2:
        return np.zeros(len(bands), bool)
    dark = np.all(light[:, used] < DARK * lit[used], axis=1)
    mean = light[:, used].mean(axis=1)
    runs, count = label(dark)
    for k in range(1, count + 1):
        at = np.flatnonzero(runs == k)
        beside = [mean[n] for n in (at[0] - 1, at[-1] + 1) if 0 <= n < len(mean)]
        near = mean[[at[0], at[-1]]].max()
        if not beside or min(beside) < SHARP_EDGE * near:
            dark[at] = False
    return np.asarray(dark)


def find_spikes(scan: ScannedMovie, movie: Movie) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of spikes, as from cosmic rays, and the values to replace them by.

    Parameters
    ----------
    scan : ScannedMovie
        Statistics of the movie, of which some frames may be empty.
    movie : Movie
        The uncorrected movie; suspicious frames are read again.

    Returns
    -------
    numpy.ndarray
        Frame (from 0), row and column in the selection, of shape (n, 3).
    numpy.ndarray
        Mean of the frames before and after in each place, of shape (n,), float32.
    """
    nothing = np.zeros((0, 3), int), np.zeros(0, np.float32)
    frames, rows, columns = movie.shape
    if frames < FRAMES_MIN or min(rows, columns) < SIDE_MIN_PX or _noisy(scan) < 0.05:
        return nothing
    noise = np.sqrt(np.maximum(coarse_median(scan.variance), _median_3x3(scan.variance)))
    noise = np.maximum(noise, 1e-6 * max(float(np.abs(scan.mean).max()), 1e-12))
    # Where all around is as bright at some time, it is the sample.
    height = scan.highest - np.maximum(coarse_median(scan.highest), scan.mean)
    strong = (height > SPIKE_NOISE * noise) & (height**2 > SPIKE_POWER * frames * noise**2)
    if not strong.any():
        return nothing
    order = np.argsort(-height[strong])
    _, first = np.unique(scan.when[strong][order], return_index=True)
    candidates = scan.when[strong][order][np.sort(first)][: max(SPIKED_FRAMES_MAX, frames // 10)]
    usual = float((coarse_median(scan.highest) - coarse_median(scan.mean)).max())
    places, values, heights = [], [], []
    for number in candidates.tolist():
        frame, base = _frame(movie, number), _beside(movie, number)
        at = _spikes_of(frame - base, frame - scan.mean, noise)
        if len(at[0]):
            heights.append(float((frame - base)[at].max()))
            places.append(np.stack([np.full(len(at[0]), number), *at], axis=1))
            values.append(base[at])
    if not places:
        return nothing
    # Spikes in many frames that are as bright as the sample are the sample.
    if len(places) > SPIKED_FRACTION * frames and np.median(heights) < 3 * usual:
        return nothing
    return np.concatenate(places), np.concatenate(values).astype(np.float32)


def _spikes_of(
    excess: np.ndarray, above_mean: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Rows and columns of the pixels of spikes.

    `excess` is a frame less those before and after; less the mean of all, it must be as sharp.
    """
    # A frame may have more noise than others, for instance a brighter one.
    noise = np.maximum(noise, 1.4826 * np.median(np.abs(excess)))
    peak = (excess > SPIKE_NOISE * noise) & (excess == maximum_filter(excess, 3))
    padded = [np.pad(picture, 1, mode="reflect") for picture in (excess, above_mean)]
    seeds = [
        (y, x)
        for y, x in zip(*np.nonzero(peak), strict=True)
        if all(_is_faint(picture[y : y + 3, x : x + 3], excess[y, x]) for picture in padded)
    ]
    if not seeds:
        return np.zeros(0, int), np.zeros(0, int)
    parts, _ = label(excess > SPIKE_EDGE_NOISE * noise, np.ones((3, 3)))
    found = np.isin(parts, [parts[seed] for seed in seeds])
    # Whole rows or columns are the readout's.
    found &= (found.mean(axis=0) < LINE_MAX)[None] & (found.mean(axis=1) < LINE_MAX)[:, None]
    return np.nonzero(found)


def _is_faint(square: np.ndarray, height: float) -> bool:
    """Whether four of the eight values around the middle are far less than a height."""
    around = np.sort(np.abs(np.delete(square.ravel(), 4)))
    return bool(around[:4].mean() < SHARP * height)


def _is_sharp(square: np.ndarray) -> bool:
    """Whether the middle of 3 x 3 pixels stands out from all but two of its neighbours."""
    around = np.sort(np.abs(np.delete(square.ravel(), 4)))
    height = abs(square[1, 1])
    return bool(around[:4].mean() < SHARP * height and around[5] < height / 4)


def bad_pixels(scan: ScannedMovie, frames: int) -> np.ndarray:
    """Return row and column (n, 2) of bad pixels, which do not follow the light on them.

    Dead and stuck pixels never change, hot ones are always brighter than their neighbours, and
    others flicker independently of them.

    Parameters
    ----------
    scan : ScannedMovie
        Statistics of the movie.
    frames : int
        Number of its frames.
    """
    rows, columns = scan.mean.shape
    if frames < FRAMES_MIN or min(rows, columns) < SIDE_MIN_PX:
        return np.zeros((0, 2), int)
    stuck = (scan.variance == 0) & (scan.highest == scan.second) & (scan.highest == scan.mean)
    if stuck.mean() > 0.5:
        return np.zeros((0, 2), int)
    bad = np.zeros(stuck.shape, bool)
    if stuck.any():
        # Areas without light are masks or borders, which somebody made.
        areas = binary_dilation(binary_opening(np.pad(stuck, 1, mode="edge"), np.ones((3, 3))))
        bad = stuck & ~areas[1:-1, 1:-1]
    variance = np.maximum(coarse_median(scan.variance), 1e-12)
    # What a single frame has made is a spike, and no bad pixel.
    often = scan.second - scan.mean > 0.3 * (scan.highest - scan.mean)
    bad |= often & _hot(scan.mean, variance / min(2 * len(scan.bands), 2 * PAIRS))
    restless = often & (scan.variance > BLINKING_POWER * variance)
    bad |= restless & (scan.shared < SHARED_MAX * scan.variance)
    if bad.sum() > BAD_PIXELS_MAX * bad.size + 2 * max(rows, columns):
        return np.zeros((0, 2), int)
    return np.argwhere(bad)


def _hot(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Pixels whose mean stands out alone, above or below all around; `variance` is the mean's."""
    # Slopes go on beyond the edges.
    padded = np.pad(mean, 2, mode="reflect", reflect_type="odd")
    beside = (9 * uniform_filter(padded, 3)[2:-2, 2:-2] - mean) / 8
    rough = np.abs(mean - beside)
    least = HOT_NOISE * (np.sqrt(variance) + np.median(rough[::4, ::4]) / 2)
    likely = rough > least
    found = np.zeros(mean.shape, bool)
    places = np.argwhere(likely)
    for y, x in places[np.argsort(-rough[likely])][:HOT_CANDIDATES]:
        square = padded[y : y + 5, x : x + 5]
        excess = square - np.median(square)
        height = abs(excess[2, 2])
        found[y, x] = height > least[y, x] and _is_sharp(excess[1:4, 1:4])
    return found


def coarse_median(picture: np.ndarray, side: int = 8) -> np.ndarray:
    """Return the median of each block of a picture, at the size of the picture.

    Parameters
    ----------
    picture : ndarray of shape (Y, X)
        Any image, e.g. the variance of each pixel.
    side : int, optional
        Pixels along a block.
    """
    rows, columns = picture.shape
    padded = np.pad(picture, ((0, -rows % side), (0, -columns % side)), mode="reflect")
    high, wide = padded.shape[0] // side, padded.shape[1] // side
    # Every second pixel in both directions is enough for a median.
    blocks = padded.reshape(high, side, wide, side)[:, ::2, :, ::2].transpose(0, 2, 1, 3)
    medians = np.median(blocks.reshape(high, wide, -1), axis=-1)
    return np.asarray(np.repeat(np.repeat(medians, side, 0), side, 1)[:rows, :columns])


def _median_3x3(picture: np.ndarray) -> np.ndarray:
    """Median of three along each column, then along each row."""
    for axis in (0, 1):
        padded = np.pad(picture, [(1, 1) if k == axis else (0, 0) for k in (0, 1)], mode="edge")
        first, middle, last = (
            padded[(slice(None),) * axis + (slice(k, k + picture.shape[axis]),)] for k in range(3)
        )
        low, high = np.minimum(first, middle), np.maximum(first, middle)
        picture = np.maximum(low, np.minimum(high, last))
    return picture


def _frame(movie: Movie, number: int) -> np.ndarray:
    """Return a frame of the selection, counted from 0, as float64."""
    (block,) = time_blocks(movie.part(number, number + 1))
    return np.asarray(block[0], np.float64)


def _beside(movie: Movie, number: int) -> np.ndarray:
    """Return the mean of the frames before and after."""
    frames = [_frame(movie, n) for n in (number - 1, number + 1) if 0 <= n < movie.shape[0]]
    return np.asarray(np.mean(frames, axis=0))

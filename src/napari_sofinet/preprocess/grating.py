"""Detection of gratings that move from frame to frame, as in structured illumination (SIM)."""

from __future__ import annotations

import numpy as np

PHASES = 3, 5, 7
"""Frames per position of the grating that are tried: 2D, 3D and hexagonal SIM."""
ROTATIONS = 3, 5
"""Directions of the grating, at even angles."""
CYCLES = 7, 9, 15
"""Usual numbers of frames of one plane."""
MOST_CYCLES = 6
"""Cycles through all directions that are examined, at even distances."""
LONGEST_PX, SHORTEST_PX = 12.0, 2.08
CERTAIN, RISE = 5.0, 24.0
"""Power of three peaks relative to chance: of many groups of frames, and more for a single one."""
SINGLE_CERTAIN, SINGLE_RISE = 2.0, 24.0
"""The same for a peak in any direction."""
FEWEST, SIDE_MIN = 6, 24
FAR, NEAR = 15, 5
"""Sides of the squares in the spectrum between which the power around a peak is averaged."""
DIRECTIONS = 180


def grating_period(frames: np.ndarray) -> float:
    """Return the period of a grating that moves from frame to frame, 0 if there is none.

    Parameters
    ----------
    frames : ndarray of shape (T, Y, X)
        Successive frames; at least 6 of 24 x 24 px.

    Returns
    -------
    float
        Period in pixels.

    Notes
    -----
    In each group of 3, 5 or 7 frames, the Fourier coefficients over time separate the orders of a
    grating whose phase is stepped evenly (Gustafsson et al., Biophys. J. 94, 4957 (2008)). Each
    is the structure times the grating; times the structure once more, its spectrum has a peak at
    the frequency of the grating, also where the PSF blurs the grating away. Blinking has a spectrum
    without peaks. A grating is accepted if it has the same period in directions at even angles (or,
    in hexagonal SIM, in three orders), or if a single peak is much higher.
    """
    count = len(frames)
    if count < FEWEST or min(frames.shape[1:]) < SIDE_MIN:
        return 0.0
    spectra = GratingSpectra(frames.shape[1:])
    # Phases may also follow each other after all planes or times.
    apart = [count // n for n in CYCLES if count % n == 0 and count > n]
    found = [(1.0, 0.0)]
    for stack in (frames, *(frames[step // 2 :: step] for step in apart)):
        for phases in PHASES:
            if len(stack) >= phases:
                found += _peaks(spectra, spectra.of_groups(stack, phases), phases)
    return max(found)[1]


def _peaks(spectra: GratingSpectra, maps: np.ndarray, phases: int) -> list[tuple[float, float]]:
    """Height of peaks in units of the least certain one, and their periods.

    ``maps`` has the shape (groups, orders, Y, X).
    """
    groups, orders = maps.shape[:2]
    mean = maps.mean(axis=0)
    least = SINGLE_CERTAIN + SINGLE_RISE / np.sqrt(groups)
    found = [(float(m.max()) / least, spectra.period_of_highest(m)) for m in mean]
    if phases == max(PHASES):
        sets = [(list(mean), groups)]
    else:
        sets = [
            ([maps[part, order].mean(axis=0) for part in parts], groups // rotations)
            for rotations in ROTATIONS
            if groups >= rotations
            # The direction changes after each group, or after all planes or times.
            for parts in (
                [np.arange(a, groups, rotations) for a in range(rotations)],
                np.array_split(np.arange(groups), rotations),
            )
            for order in range(orders)
        ]
    for images, number in sets:
        height, period = spectra.common_period(images)
        found.append((height / len(images) * 3 / (CERTAIN + RISE / np.sqrt(number)), period))
    return found


class GratingSpectra:
    """Spectra of the products of structure and changes, in which gratings have peaks.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the frames.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        rows, columns = shape
        window = np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[1:-1]
        self._window = np.clip(3 * window, 0, 1).astype(np.float32)
        ky, kx = np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)
        self._radius = np.hypot(ky, kx)
        self._rings = (self._radius * min(shape)).astype(int)
        self._in_ring = np.bincount(self._rings.ravel())
        self._finest = self._radius > 0.45
        self._coarse = self._radius < 1 / LONGEST_PX
        lengths = np.arange(min(shape) / LONGEST_PX, min(shape) / SHORTEST_PX, 0.7) / min(shape)
        angles = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
        self._at = (
            np.round(lengths[:, None] * np.sin(angles) * rows).astype(int),
            np.round(lengths[:, None] * np.cos(angles) * columns).astype(int),
        )

    def of_groups(self, frames: np.ndarray, phases: int) -> np.ndarray:
        """Return power relative to that around it, of shape (groups, orders, Y, X).

        Parameters
        ----------
        frames : ndarray of shape (T, Y, X)
            At least ``phases`` frames.
        phases : int
            Number of frames in a group.
        """
        groups = len(frames) // phases
        cycle = max(ROTATIONS) * min(ROTATIONS)
        starts = np.arange(groups)
        if groups > MOST_CYCLES * cycle // 2:
            firsts = np.linspace(0, groups // cycle - 1, MOST_CYCLES // 2).astype(int) * cycle
            starts = (np.unique(firsts)[:, None] + np.arange(cycle)).ravel()
        return np.stack(
            [self._of_group(np.asarray(frames[k * phases : (k + 1) * phases])) for k in starts]
        )

    def _of_group(self, group: np.ndarray) -> np.ndarray:
        from scipy import fft

        group = group.astype(np.float32)
        mean = group.mean(axis=0)
        structure = fft.fft2((mean - np.median(mean)) * self._window)
        power = self._ring_mean(np.abs(structure) ** 2)
        noise = np.median(power[self._finest])
        # All spatial frequencies count alike, without noise, and bright spots not too much.
        seen = np.maximum(1 - noise / power, 0) / np.sqrt(power)
        light = fft.ifft2(structure * seen).real
        light = np.sign(light) * np.sqrt(np.abs(light))
        found = []
        for order in fft.fft(group, axis=0)[1 : len(group) // 2 + 1]:
            change = fft.fft2(order * self._window)
            change = fft.ifft2(change / np.sqrt(self._ring_mean(np.abs(change) ** 2)))
            found.append(self._relative(np.abs(fft.fft2(light * change)) ** 2))
        return np.stack(found)

    def _ring_mean(self, power: np.ndarray) -> np.ndarray:
        total = np.bincount(self._rings.ravel(), power.ravel())
        return np.asarray((total / self._in_ring)[self._rings] + 1e-12, np.float32)

    def _relative(self, power: np.ndarray) -> np.ndarray:
        """Divide power by its mean around each frequency; 0 at low frequencies."""
        from scipy.ndimage import uniform_filter

        around, near = (uniform_filter(power, n, mode="wrap") * n**2 for n in (FAR, NEAR))
        relative = power / ((around - near) / (FAR**2 - NEAR**2) + 1e-12)
        relative[self._coarse] = 0
        return np.asarray(relative, np.float32)

    def period_of_highest(self, relative: np.ndarray) -> float:
        """Return the period in pixels of the highest peak."""
        return float(1 / self._radius.ravel()[relative.argmax()])

    def common_period(self, images: list[np.ndarray]) -> tuple[float, float]:
        """Return the height and the period of peaks at one distance in even directions.

        Parameters
        ----------
        images : list of ndarray
            Relative power, one for each direction in the order of the angles or against it.

        Returns
        -------
        height : float
            Sum of the heights of the peaks.
        period : float
            Their period in pixels.
        """
        polar = [self._polar(image) for image in images]
        step = DIRECTIONS // len(images)
        best, where = 0.0, (0, 0, 1)
        for sense in (1, -1):
            turned = [np.roll(p, -sense * k * step, axis=1) for k, p in enumerate(polar)]
            total = np.sum(turned, axis=0)
            at = np.unravel_index(int(np.argmax(total)), polar[0].shape)
            if total[at] > best:
                best, where = float(total[at]), (int(at[0]), int(at[1]), sense)
        radius, angle, sense = where
        periods = [
            self._period_near(image, radius, (angle + sense * k * step) % DIRECTIONS)
            for k, image in enumerate(images)
        ]
        return best, float(np.median(periods))

    def _polar(self, relative: np.ndarray) -> np.ndarray:
        """Highest value next to each distance and direction, of shape (distances, 180)."""
        from scipy.ndimage import maximum_filter

        opposite = np.roll(relative[::-1, ::-1], (1, 1), (0, 1))
        highest = maximum_filter(np.maximum(relative, opposite), 3, mode="wrap")
        return np.asarray(highest[self._at])

    def _period_near(self, relative: np.ndarray, radius: int, angle: int) -> float:
        y, x = int(self._at[0][radius, angle]), int(self._at[1][radius, angle])
        opposite = np.roll(relative[::-1, ::-1], (1, 1), (0, 1))
        both = np.maximum(relative, opposite)
        near = [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        rows, columns = both.shape
        values = np.array([both[i % rows, j % columns] for i, j in near])
        radii = np.array([self._radius[i % rows, j % columns] for i, j in near])
        return float(values.sum() / (values * radii).sum())

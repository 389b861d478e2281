"""Images of points under structured illumination, and their ideal confocal images, by planes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.fft as fft

from napari_sofinet.base.compiled import compiled
from napari_sofinet.structured_illumination.optics import Optics, confocal_psf, defocused_psf
from napari_sofinet.structured_illumination.pattern import Pattern

OVERSAMPLING = 2
"""Grid points per camera pixel onto which points are spread."""
SLICES_PER_PLANE = 7
"""Slices of the grid per plane of the stack."""
CONFOCAL_SLICES_PER_PLANE = 3
MARGIN_UM = 2.0
"""Width of the margin around the field that is rendered and cut off, as grids are periodic."""


def render_exposures(
    positions_um: np.ndarray,
    brightness: np.ndarray,
    pattern: Pattern,
    optics: Optics,
    pixel_um: float,
    depths_um: np.ndarray,
    shape: tuple[int, int],
    pixel_area: bool = True,
) -> np.ndarray:
    """Return images of points under a pattern.

    Points are spread by cubic B-splines, whose blur is divided out, over a grid of half a pixel and
    a seventh of a plane, so that sub-pixel positions are kept.

    Parameters
    ----------
    positions_um : ndarray
        (N, 3) positions along z, y and x in um, y and x from the centre of pixel (0, 0).
    brightness : ndarray
        (N,) light of each point under the mean illumination.
    pattern : Pattern
        The illumination with its P exposures.
    optics : Optics
        The microscope.
    pixel_um : float
        Camera pixel in um.
    depths_um : ndarray
        (P, Z) depth in um of the plane of focus in each exposure of each plane, evenly spaced
        along Z.
    shape : (int, int)
        Rows and columns.
    pixel_area : bool, default True
        Whether pixels collect light over their area rather than at their centre.

    Returns
    -------
    ndarray
        (P, Z, Y, X) float32.
    """
    margin, padded = _padded(shape, pixel_um)
    planes = depths_um.shape[1]
    slice_um = _spacing(depths_um) / SLICES_PER_PLANE
    grid = _Grid(positions_um, padded, margin * pixel_um, pixel_um, OVERSAMPLING, slice_um)
    shifts = (depths_um[:, 0] - grid.first_um) / slice_um
    z = _distances(planes, grid.slices, SLICES_PER_PLANE, shifts) * slice_um
    psf = defocused_psf(optics, padded, pixel_um, z) * optics.light_sheet(z)[:, None, None]
    transfer = fft.fft2(psf, workers=1).real.astype(np.float32)
    if pixel_area:
        transfer *= np.outer(*(np.sinc(fft.fftfreq(n)) for n in padded)).astype(np.float32)
    spectra = np.zeros((pattern.exposures, planes, *padded), np.complex64)
    for light, axial, weights in _gratings(positions_um, brightness, pattern):
        along = transfer * np.cos(2 * np.pi * axial * z).astype(np.float32)[:, None, None]
        images = _focused(grid.spectra(light), along, SLICES_PER_PLANE, shifts, planes)
        for spectrum, image, weight in zip(spectra, images, weights, strict=True):
            spectrum += np.complex64(weight) * image
    field = np.s_[:, margin : margin + shape[0], margin : margin + shape[1]]
    return np.stack([fft.ifft2(spectrum, workers=1).real[field] for spectrum in spectra])


def _gratings(
    positions_um: np.ndarray, brightness: np.ndarray, pattern: Pattern
) -> Iterator[tuple[np.ndarray, float, np.ndarray]]:
    """Yield the light of points under each part of a pattern, its axial frequency and weights."""
    yield np.asarray(brightness, np.complex64), 0.0, np.ones(pattern.exposures)
    for h, f in enumerate(pattern.frequencies_per_um):
        wave = np.exp(2j * np.pi * (positions_um[:, 1:] @ f))
        yield brightness * wave, float(pattern.axial_per_um[h]), pattern.weights[:, h]


def render_confocal(
    positions_um: np.ndarray,
    brightness: np.ndarray,
    optics: Optics,
    pixel_um: float,
    depths_um: np.ndarray,
    shape: tuple[int, int],
) -> np.ndarray:
    """Return the images of points in an ideal confocal microscope; see `confocal_psf`.

    Parameters
    ----------
    positions_um, brightness : ndarray
        As for `render_exposures`, y and x from the centre of pixel (0, 0) of the output.
    optics : Optics
        The confocal microscope.
    pixel_um : float
        Pixel of the output in um.
    depths_um : ndarray
        (Z,) evenly spaced depths of the planes.
    shape : (int, int)
        Rows and columns.

    Returns
    -------
    ndarray
        (Z, Y, X) float32.
    """
    margin, padded = _padded(shape, pixel_um)
    stride = CONFOCAL_SLICES_PER_PLANE
    slice_um = _spacing(depths_um[None]) / stride
    grid = _Grid(positions_um, padded, margin * pixel_um, pixel_um, 1, slice_um)
    shift = np.array([depths_um[0] - grid.first_um]) / slice_um
    z = _distances(len(depths_um), grid.slices, stride, shift) * slice_um
    psf = confocal_psf(optics, padded, pixel_um, z)
    transfer = fft.fft2(psf, workers=1).real.astype(np.float32)
    spectra = grid.spectra(np.asarray(brightness, np.complex64))
    (image,) = _focused(spectra, transfer, stride, shift, len(depths_um))
    out = fft.ifft2(image, workers=1).real
    out = out[:, margin : margin + shape[0], margin : margin + shape[1]]
    return np.asarray(out, np.float32)


def _padded(shape: tuple[int, int], pixel_um: float) -> tuple[int, tuple[int, int]]:
    """Return the margin in px, and a shape with it whose Fourier transform is fast."""
    margin = int(np.ceil(MARGIN_UM / pixel_um))
    rows, columns = (int(fft.next_fast_len(n + 2 * margin)) for n in shape)
    return margin, (rows, columns)


class _Grid:
    """Grid onto which points are spread, and their places on it."""

    def __init__(
        self,
        positions_um: np.ndarray,
        shape: tuple[int, int],
        margin_um: float,
        pixel_um: float,
        oversampling: int,
        slice_um: float,
    ) -> None:
        step = pixel_um / oversampling
        z = positions_um[:, 0] / slice_um
        first = int(np.floor(z.min())) if len(z) else 0
        self.first_um = first * slice_um
        self.slices = int(np.floor(z.max())) + 2 - first if len(z) else 1
        self.shape, self.oversampling = shape, oversampling
        at = (positions_um[:, 1:] + margin_um) / step
        size = np.array(shape) * oversampling
        inside = ((at >= 0) & (at <= size - 1)).all(1)
        self._kept = inside
        self._at = np.column_stack([z - first, at])[inside]

    def spectra(self, light: np.ndarray) -> np.ndarray:
        """Return the spectra (S, Y, X) of slices at the camera's frequencies, complex64."""
        rows, columns = self.shape
        size = rows * self.oversampling, columns * self.oversampling
        out = np.zeros((self.slices, rows, columns), np.complex64)
        blur = [
            _spline_transfer(n)[_camera_frequencies(n, m)]
            for n, m in zip(size, self.shape, strict=True)
        ]
        order = np.argsort(self._at[:, 0], kind="stable")
        at, light = self._at[order], light[self._kept][order]
        edges = np.searchsorted(at[:, 0], np.arange(self.slices + 1))
        pick = np.ix_(*(_camera_frequencies(n, m) for n, m in zip(size, self.shape, strict=True)))
        gain = np.outer(*blur).astype(np.float32)
        for s in range(self.slices):
            # Points between two slices count for both, linearly.
            near = slice(edges[max(s - 1, 0)], edges[s + 1])
            share = 1 - np.abs(at[near, 0] - s)
            if not len(share):
                continue
            plane = np.zeros(size, np.complex64)
            _spread(at[near, 1:], light[near] * share, plane)
            out[s] = fft.fft2(plane, workers=1)[pick] / gain
        return out


def _distances(planes: int, slices: int, stride: int, shifts: np.ndarray) -> np.ndarray:
    """Return distances in slices, in the order of `scipy.fft.fftfreq`, that planes can have.

    They reach as far to both sides as planes lie from slices, also where all points lie beyond the
    first or the last plane.

    Parameters
    ----------
    planes, slices : int
        Number of planes and of slices.
    stride : int
        Slices from plane to plane.
    shifts : ndarray
        Depth in slices of the first plane from the first slice, one for each output.
    """
    farthest = max(shifts.max() + (planes - 1) * stride, slices - 1 - shifts.min())
    count = max(2 * int(np.ceil(farthest / stride)) + 1, planes + -(-slices // stride) + 1) * stride
    return np.asarray(fft.fftfreq(count, 1 / count))


def _camera_frequencies(fine: int, coarse: int) -> np.ndarray:
    """Return the places of a coarse grid's frequencies among those of a fine one."""
    return np.asarray(fft.fftfreq(coarse, 1 / coarse).round().astype(int) % fine)


def _spline_transfer(n: int) -> np.ndarray:
    """Return the transfer function of cubic B-splines that are sampled at the points of a grid."""
    return np.asarray(np.sinc(fft.fftfreq(n)) ** 4)


@compiled(nogil=True)
def _spread(at: np.ndarray, light: np.ndarray, plane: np.ndarray) -> None:
    """Add points to a plane (Y, X), spread by cubic B-splines; the plane is periodic."""
    rows, columns = plane.shape
    wy, wx = np.empty(4), np.empty(4)
    for n in range(len(light)):
        y, x = int(np.floor(at[n, 0])), int(np.floor(at[n, 1]))
        for w, t in ((wy, at[n, 0] - y), (wx, at[n, 1] - x)):
            w[0] = (1 - t) ** 3 / 6
            w[1] = (4 - 6 * t**2 + 3 * t**3) / 6
            w[2] = (1 + 3 * t + 3 * t**2 - 3 * t**3) / 6
            w[3] = t**3 / 6
        for i in range(4):
            for j in range(4):
                plane[(y - 1 + i) % rows, (x - 1 + j) % columns] += light[n] * wy[i] * wx[j]


def _focused(
    spectra: np.ndarray, transfer: np.ndarray, stride: int, shifts: np.ndarray, planes: int
) -> list[np.ndarray]:
    """Return spectra (Z, Y, X) of planes in focus at some shifts.

    Parameters
    ----------
    spectra : ndarray
        (S, Y, X) spectra of slices.
    transfer : ndarray
        (N, Y, X) transfer functions at distances of slices in the order of `fftfreq`.
    stride : int
        Slices from plane to plane.
    shifts : ndarray
        Depth in slices of the first plane from the first slice, one for each output.
    planes : int
        Number of planes.
    """
    length = len(transfer)
    out = [np.empty((planes, *spectra.shape[1:]), np.complex64) for _ in shifts]
    k = fft.fftfreq(length)
    sharpen = (1 / np.sinc(k) ** 2).astype(np.float32)[:, None]  # the blur of two slices per point
    phases = [np.exp(2j * np.pi * k * shift)[:, None].astype(np.complex64) for shift in shifts]
    for row in range(spectra.shape[1]):
        product = fft.fft(spectra[:, row], length, axis=0) * fft.fft(transfer[:, row], axis=0)
        product *= sharpen
        for j, phase in enumerate(phases):
            moved = product * phase
            # Every stride-th slice: frequencies fold.
            folded = moved.reshape(stride, length // stride, -1).sum(0) / stride
            out[j][:, row] = fft.ifft(folded, axis=0)[:planes]
    return out


def _spacing(depths_um: np.ndarray) -> float:
    """Return the distance of planes in um, given depths (P, Z); 0.3 for a single one."""
    if depths_um.shape[1] < 2:
        return 0.3
    return float(depths_um[0, 1] - depths_um[0, 0])

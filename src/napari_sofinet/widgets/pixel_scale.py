"""The size of camera pixels in the layers of a movie and of all that lies on it."""

from __future__ import annotations

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_sofinet.widgets.layers import layer_pixel_um
from napari_sofinet.widgets.result_links import is_movie, movie_under

MICROMETRE = "micrometer"


def set_pixel_size(viewer: Viewer, movie: Image, pixel_um: float) -> None:
    """Give a movie the size of its camera pixels, and keep all that lies on it in place.

    Results of the movie and drawn layers are scaled with it, other movies and their results are
    not. The view stays on the same part of the sample.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Viewer that has the movie.
    movie : Image
        Layer of the movie.
    pixel_um : float
        Size of a camera pixel along x in µm.
    """
    known = layer_pixel_um(movie)
    if known is not None and np.isclose(known, pixel_um, rtol=1e-9):
        return
    factor = pixel_um / float(abs(movie.scale[-1]))
    before = movie.units[-1]
    for layer in viewer.layers:
        if layer == movie or (_lies_on(layer, movie) and layer.units[-1] == before):
            _rescale(layer, factor)
    scene = getattr(viewer, "scene", viewer)  # napari 0.9 moved the camera
    camera = scene.camera
    camera.center = (*camera.center[:-2], *(factor * c for c in camera.center[-2:]))
    camera.zoom /= factor


def _lies_on(layer: Layer, movie: Image) -> bool:
    under = movie_under(layer)
    if under is not None:
        return bool(under == movie.unique_id)
    return not is_movie(layer)


def _rescale(layer: Layer, factor: float) -> None:
    yx = np.ones(layer.ndim)
    yx[-2:] = factor
    matrix = np.array(layer.affine.affine_matrix)
    matrix[:-1, -1] *= yx
    layer.scale = np.asarray(layer.scale) * yx
    layer.translate = np.asarray(layer.translate) * yx
    layer.affine = matrix
    layer.units = (*layer.units[:-2], MICROMETRE, MICROMETRE)

"""Super-resolution optical fluctuation imaging: cumulants, flattening, deconvolution."""

from napari_sofinet.sofi.cumulants import cross_cumulants
from napari_sofinet.sofi.flattening import estimate_psf_fwhm, flatten
from napari_sofinet.sofi.linearization import linearize

__all__ = ["cross_cumulants", "estimate_psf_fwhm", "flatten", "linearize"]

"""Quality of reconstructions: resolution, agreement with a reference or the truth, localization."""

from napari_sofinet.metrics.agreement import (
    FilamentLength,
    MaskScores,
    false_filament_length,
    mask_scores,
    pearson,
)
from napari_sofinet.metrics.decorrelation import decorrelation_map, decorrelation_resolution
from napari_sofinet.metrics.frc import frc_map, frc_resolution
from napari_sofinet.metrics.line_pairs import Separation, separation, smallest_resolved, two_peaks
from napari_sofinet.metrics.localization import crlb, localization_scores
from napari_sofinet.metrics.profiles import fit_peaks, fwhm_by_autocorrelation, line_profile
from napari_sofinet.metrics.rate import real_time_rate
from napari_sofinet.metrics.similarity import fitted, likeness
from napari_sofinet.metrics.squirrel import squirrel
from napari_sofinet.metrics.volumes import axial_resolutions, plane_resolutions, volume_agreement

__all__ = [
    "FilamentLength",
    "MaskScores",
    "Separation",
    "axial_resolutions",
    "crlb",
    "decorrelation_map",
    "decorrelation_resolution",
    "false_filament_length",
    "fit_peaks",
    "fitted",
    "frc_map",
    "frc_resolution",
    "fwhm_by_autocorrelation",
    "likeness",
    "line_profile",
    "localization_scores",
    "mask_scores",
    "pearson",
    "plane_resolutions",
    "real_time_rate",
    "separation",
    "smallest_resolved",
    "squirrel",
    "two_peaks",
    "volume_agreement",
]

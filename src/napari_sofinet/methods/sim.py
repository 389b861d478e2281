"""Classical reconstruction of raw stacks of structured illumination."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.progress import Report
from napari_sofinet.data.reconstruction import Reconstruction
from napari_sofinet.data.sim_stack import SimStack
from napari_sofinet.methods.contract import Method
from napari_sofinet.methods.sim_settings import SimSettings, StackSettings
from napari_sofinet.structured_illumination.geometry import StackGeometry
from napari_sofinet.structured_illumination.noise import noise_over_signal, noise_variance
from napari_sofinet.structured_illumination.optics import Optics
from napari_sofinet.structured_illumination.pattern_fit import PatternFit, fit_pattern
from napari_sofinet.structured_illumination.reconstruction import reconstruct_stack
from napari_sofinet.structured_illumination.settings import USUAL_PLANE_UM
from napari_sofinet.structured_illumination.wiener import FINE

DARKEST_PERCENT = 0.1
"""Percentile of the counts that is taken as the camera's offset."""
PERIOD_TOLERANCE = 0.06
"""Deviation of the period from that of the settings up to which nothing is said."""
FITTED_PLANES = 8
"""Planes with the most light, in which the pattern is searched."""


@dataclass(frozen=True)
class PreparedStack:
    """Exposures of a stack with all that its reconstruction needs.

    Parameters
    ----------
    exposures : ndarray
        (P, Z, Y, X) float32 counts above the offset.
    optics : Optics
        The microscope.
    geometry : StackGeometry
        Sampling.
    fit : PatternFit
        The pattern.
    variance : float
        Variance of the noise per pixel and exposure.
    nominal_period_nm : float
        Period of the finest stripes that the settings let expect.
    """

    exposures: np.ndarray
    optics: Optics
    geometry: StackGeometry
    fit: PatternFit
    variance: float
    nominal_period_nm: float

    def period_note(self) -> str:
        """Return what the period of the pattern is, and whether it fits the microscope."""
        found = self.details["pattern_period_nm"]
        text = f"The pattern has a period of {found:.0f} nm at {self.fit.angle_deg:.0f}°"
        off = found / self.nominal_period_nm - 1
        if abs(off) < PERIOD_TOLERANCE:
            return f"{text}."
        return (
            f"{text}; {self.nominal_period_nm:.0f} nm was expected from the settings "
            f"({100 * off:+.0f} %). Unless the pattern is so on purpose, check pixel size, "
            "numerical aperture and wavelength."
        )

    @property
    def details(self) -> dict[str, float]:
        """Values that were measured, for the recipe."""
        sizes = np.linalg.norm(self.fit.pattern.frequencies_per_um, axis=1)
        return {
            "pattern_period_nm": float(1000 / sizes.max()),
            "pattern_angle_deg": self.fit.angle_deg,
            "pattern_coherence": float(self.fit.coherence.min()),
            "planes": self.exposures.shape[1],
        }


def prepare(stack: SimStack, settings: StackSettings, report: Report) -> PreparedStack:
    """Read a stack and find its pattern.

    Parameters
    ----------
    stack : SimStack
        The stack with its selection.
    settings : StackSettings
        Order of the images, pattern and microscope.
    report : Report
        Receives the progress.

    Returns
    -------
    PreparedStack
        Exposures and pattern.

    Raises
    ------
    InputError
        The pixel size is not known, the images do not fit the settings, or the pattern is not
        found.
    """
    if stack.pixel_size_um is None:
        raise InputError(
            f"The pixel size of {stack.name} is not known; enter the size of a camera pixel in the "
            "sample (--pixel-size)."
        )
    s, optics = settings, settings.optics()
    plane_um = s.plane_um or stack.plane_um
    report(0.0, "reading")
    order = None if s.order == "file" else s.order
    exposures = np.asarray(stack.exposures(s.turned, s.phases, order), np.float32)
    if not np.isfinite(exposures).all():
        raise InputError(f"{stack.name} has values that are no numbers (NaN); save it again.")
    exposures -= np.percentile(exposures[:, :: max(exposures.shape[1] // 8, 1)], DARKEST_PERCENT)
    report(0.3, "pattern")
    if exposures.shape[1] > 1 and plane_um is None:
        raise InputError(
            f"The distance of planes of {stack.name} is not known; enter it (--plane-um)."
        )
    geometry = s.geometry(stack.pixel_size_um, plane_um or USUAL_PLANE_UM)
    nominal = s.nominal_pattern()
    fit = fit_pattern(_brightest(exposures), nominal, optics, geometry)
    if not fit.found:
        raise InputError(
            f"The pattern ({fit.pattern.name}) was not found in {stack.name}. Check the pattern, "
            "the order of images, pixel size, numerical aperture and wavelength; stacks of other "
            "microscopes, very dim ones and those of only a few points cannot be reconstructed."
        )
    finest = np.linalg.norm(nominal.frequencies_per_um, axis=1).max()
    return PreparedStack(
        exposures,
        optics,
        geometry,
        fit,
        noise_variance(exposures, optics, geometry),
        float(1000 / finest),
    )


def _brightest(exposures: np.ndarray) -> np.ndarray:
    """Return neighbouring planes of (P, Z, Y, X) with the most detail."""
    if exposures.shape[1] <= FITTED_PLANES:
        return exposures
    detail = exposures.var(axis=(0, 2, 3))
    first = int(np.convolve(detail, np.ones(FITTED_PLANES), "valid").argmax())
    return exposures[:, first : first + FITTED_PLANES]


def sim(stack: SimStack, settings: SimSettings, report: Report) -> Reconstruction:
    """Reconstruct a stack with a three-dimensional Wiener filter.

    Parameters
    ----------
    stack : SimStack
        Raw stack.
    settings : SimSettings
        Order of the images, pattern and microscope.
    report : Report
        Receives the progress.

    Returns
    -------
    Reconstruction
        ``image``: (Z, 2 Y, 2 X) float32 in counts; (2 Y, 2 X) of a single plane.

    Raises
    ------
    InputError
        See `prepare`.
    """
    ready = prepare(stack, settings, report)
    noise = settings.noise
    if noise is None:
        noise = noise_over_signal(
            ready.exposures, ready.variance, ready.fit.pattern, ready.optics, ready.geometry
        )
    picture = reconstruct_stack(
        ready.exposures,
        ready.fit.pattern,
        ready.optics,
        ready.geometry,
        noise,
        lambda done: report(0.4 + 0.6 * done, "reconstruction"),
    )
    report(1.0, "done")
    return volume(stack, {"image": picture}, ready.geometry.plane_um, ready)


def volume(
    stack: SimStack,
    maps: dict[str, np.ndarray],
    plane_um: float,
    ready: PreparedStack,
    first_plane_um: float = 0.0,
) -> Reconstruction:
    """Return maps (Z, 2 Y, 2 X) of a stack as a reconstruction.

    Parameters
    ----------
    stack : SimStack
        The stack.
    maps : dict of str to ndarray
        Maps by name.
    plane_um : float
        Distance of planes of the maps in um.
    ready : PreparedStack
        What was measured.
    first_plane_um : float, optional
        Depth of the first plane of the maps.
    """
    single = len(next(iter(maps.values()))) == 1
    return Reconstruction(
        {name: one[0] for name, one in maps.items()} if single else maps,
        pixel_px=(1 / FINE, 1 / FINE),
        origin_px=stack.origin_px,
        camera_pixel_um=stack.pixel_size_um,
        axes="YX" if single else "ZYX",
        plane_um=None if single else plane_um,
        first_plane_um=first_plane_um,
        notes=(ready.period_note(),),
        details=ready.details,
    )


def range_notes(ready: PreparedStack, ranges: dict[str, tuple[float, float]]) -> list[str]:
    """Return sentences about a stack whose blur, in samples, is not that of the training."""
    optics, geometry = ready.optics, ready.geometry
    seen = {
        "lateral_px": ("along y and x", 1 / optics.cutoff_per_um / geometry.pixel_um, "px"),
        "axial_planes": ("along z", 1 / optics.axial_cutoff_per_um / geometry.plane_um, "planes"),
    }
    notes = []
    for name, (where, value, unit) in seen.items():
        low, high = ranges.get(name, (0.0, np.inf))
        if not low <= value <= high:
            notes.append(
                f"The microscope's finest period {where} is {value:.2g} {unit}; the network was "
                f"trained for {low:.2g} to {high:.2g} and may draw wrong detail. Trust the "
                "classical picture."
            )
    return notes


def describe(settings: SimSettings, details: dict[str, float]) -> str:
    """Return sentences for the methods section of a paper."""
    m = settings.microscope
    period = details.get("pattern_period_nm")
    found = "" if period is None else f" ({period:.0f} nm)"
    return (
        f"Raw SIM images ({settings.nominal_pattern().name}; NA {m.numerical_aperture:g}, "
        f"{m.wavelength_nm:g} nm) were reconstructed with a Wiener filter in three dimensions "
        f"(Gustafsson et al., Biophys. J. 94, 4957 (2008)). Period{found}, angles, phases and "
        "contrast of the pattern were found from the images."
    )


METHOD = Method(
    "sim",
    "Structured illumination (SIM)",
    SimSettings,
    sim,
    describe,
    takes=(SimStack,),
    tag="SIM",
    needs_blinking=False,
)

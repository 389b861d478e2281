"""Settings of the methods for structured illumination."""

from __future__ import annotations

from typing import Literal

from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.structured_illumination.optics import Optics
from napari_sofinet.structured_illumination.pattern import Pattern, hexagonal, stripes

WHOLE_DEPTH_UM = 1000.0
"""Thickness of a light sheet that illuminates the whole depth."""


class MicroscopeSettings(Settings):
    """The microscope, from which the transfer functions are computed."""

    title = "Microscope"

    numerical_aperture: float = parameter(
        1.1, "Numerical aperture of the objective.", basic=True, gt=0.1, le=1.7
    )
    refractive_index: float = parameter(
        1.33, "Refractive index of the immersion medium: 1.33 water, 1.518 oil.", ge=1, le=1.8
    )
    wavelength_nm: float = parameter(
        525.0,
        "Wavelength of the fluorescence.",
        label="Emission wavelength",
        unit="nm",
        basic=True,
        ge=300,
        le=1200,
    )
    sheet_um: float | None = parameter(
        None,
        "Thickness (full width at half maximum) of the light sheet. If empty, 3 µm for the "
        "hexagonal pattern, and illumination of the whole depth for stripes.",
        label="Light sheet",
        unit="µm",
        empty="by the pattern",
        gt=0.2,
        le=WHOLE_DEPTH_UM,
    )


class StackSettings(Settings):
    """Order and spacing of the images of a stack, and the pattern of its illumination."""

    pattern: Literal["hexagonal", "two-beam", "three-beam"] = parameter(
        "hexagonal",
        "Pattern of the illumination: hexagonal with 7 exposures per plane, or stripes of two "
        "beams (3 phases per direction) or three beams (5 phases).",
        choices={
            "hexagonal": "hexagonal, 7 exposures",
            "two-beam": "stripes of two beams, 3 phases",
            "three-beam": "stripes of three beams, 5 phases",
        },
        basic=True,
    )
    directions: int = parameter(
        3,
        "Number of directions of the stripes.",
        ge=1,
        le=9,
        not_if={"pattern": ("hexagonal",)},
    )
    order: Literal[
        "file",
        "phases, directions, planes",
        "phases, planes, directions",
        "planes, phases, directions",
    ] = parameter(
        "file",
        "Order of the images, the fastest first. 'file' takes it from the axes of the file.",
        label="Order of images",
        choices={
            "file": "as the axes of the file say",
            "phases, directions, planes": "all exposures of a plane, then the next plane",
            "phases, planes, directions": "all planes of a direction, then the next direction",
            "planes, phases, directions": "all planes of an exposure, then the next exposure",
        },
        basic=True,
    )
    plane_um: float = parameter(
        0.35,
        "Distance of planes.",
        label="Plane distance",
        unit="µm",
        basic=True,
        gt=0.01,
        le=10,
    )
    motion: Literal["automatic", "steps", "even"] = parameter(
        "automatic",
        "Motion of the stage: in steps from plane to plane, or evenly also between exposures. "
        "'automatic' is even for the hexagonal pattern, in steps for stripes.",
        label="Motion of the stage",
    )
    fineness: float = parameter(
        0.95,
        "Expected frequency of the finest stripes, as a fraction of the highest that the objective "
        "passes. Frequencies up to 12 % away are found.",
        label="Fineness of the pattern",
        ge=0.3,
        le=1.1,
    )
    microscope: MicroscopeSettings = MicroscopeSettings()

    @property
    def continuous(self) -> bool:
        """Whether the stage moves evenly."""
        if self.motion == "automatic":
            return self.pattern == "hexagonal"
        return self.motion == "even"

    @property
    def phases(self) -> int:
        """Exposures per direction."""
        return {"hexagonal": 7, "two-beam": 3, "three-beam": 5}[self.pattern]

    @property
    def turned(self) -> int:
        """Directions of the pattern."""
        return 1 if self.pattern == "hexagonal" else self.directions

    def optics(self) -> Optics:
        """Return the microscope.

        Raises
        ------
        InputError
            The numerical aperture is not below the refractive index.
        """
        m = self.microscope
        sheet = m.sheet_um or (3.0 if self.pattern == "hexagonal" else WHOLE_DEPTH_UM)
        return Optics(m.numerical_aperture, m.refractive_index, m.wavelength_nm / 1000, sheet)

    def nominal_pattern(self) -> Pattern:
        """Return the pattern at an angle of 0."""
        optics = self.optics()
        finest = self.fineness * optics.cutoff_per_um
        if self.pattern == "hexagonal":
            return hexagonal(optics.cutoff_per_um, self.fineness)
        coarse = finest / 2
        # Beams at the angle of the coarse grating travel this much slower along the axis.
        light = optics.refractive_index / optics.wavelength_um
        axial = light - (light**2 - coarse**2) ** 0.5 if coarse < light else 0.0
        return stripes(
            finest,
            self.directions,
            self.phases,
            axial_per_um=axial if self.pattern == "three-beam" else 0.0,
        )


class SimSettings(StackSettings):
    """Classical reconstruction of a raw SIM stack."""

    noise: float | None = parameter(
        None,
        "Power of the noise over that of the sample: larger values give smoother pictures. If "
        "empty, it is found from frequencies that the objective does not pass.",
        label="Noise over signal",
        gt=0,
        le=100,
    )

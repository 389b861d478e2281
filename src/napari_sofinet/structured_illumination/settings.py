"""Settings that describe a SIM microscope: pattern, planes and optics."""

from __future__ import annotations

from typing import Literal

import numpy as np

from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.structured_illumination.geometry import StackGeometry
from napari_sofinet.structured_illumination.optics import Optics
from napari_sofinet.structured_illumination.pattern import Pattern, hexagonal, stripes

USUAL_PLANE_UM = 0.35
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


class IlluminationSettings(Settings):
    """Pattern of the illumination, spacing of planes, and the microscope."""

    title = "Illumination"

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
    plane_um: float | None = parameter(
        None,
        "Distance of planes. If empty, that in the file; 0.35 µm for simulated stacks.",
        label="Plane distance",
        unit="µm",
        empty="that in the file",
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

    def nominal_pattern(
        self,
        angle_deg: float = 0.0,
        offset_um: tuple[float, float] = (0.0, 0.0),
        axial_polarisation: bool = False,
    ) -> Pattern:
        """Return the expected pattern.

        Parameters
        ----------
        angle_deg : float, optional
            Angle of the first grating.
        offset_um : (float, float), optional
            Shift of the pattern along y and x in um.
        axial_polarisation : bool, optional
            Whether a hexagonal pattern has bright spots, see `hexagonal`.
        """
        optics = self.optics()
        finest = self.fineness * optics.cutoff_per_um
        if self.pattern == "hexagonal":
            return hexagonal(
                optics.cutoff_per_um, self.fineness, axial_polarisation, angle_deg, offset_um
            )
        # Beams at an angle to the axis travel more slowly along it, so that they interfere with
        # the middle one differently at each depth.
        light, coarse = optics.refractive_index / optics.wavelength_um, finest / 2
        axial = light - (light**2 - min(coarse, light) ** 2) ** 0.5
        angles = np.deg2rad(angle_deg) + np.pi * np.arange(self.directions) / self.directions
        along = np.stack([np.cos(angles), np.sin(angles)], 1) @ np.asarray(offset_um)
        step = finest if self.pattern == "two-beam" else coarse
        return stripes(
            finest,
            self.directions,
            self.phases,
            axial_per_um=axial if self.pattern == "three-beam" else 0.0,
            angle_deg=angle_deg,
            offsets=-step * along,
        )

    def geometry(self, pixel_um: float, plane_um: float = USUAL_PLANE_UM) -> StackGeometry:
        """Return the sampling of a stack with a pixel size, and distance of planes, in um.

        The distance in the settings counts, if it is given there.
        """
        return StackGeometry(pixel_um, self.plane_um or plane_um, self.continuous)

"""Settings that describe a simulated movie completely, its seed included."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.simulation.camera_models import MODELS
from napari_sofinet.simulation.sample_settings import BlinkingSettings, StructureSettings

MOST_EMITTERS = 2_000_000
MOST_EVENTS = 1_000_000_000
WIDEST_AIRY_PX = 30  # a finer table than this takes gigabytes


class OpticsSettings(Settings):
    """Microscope without the camera."""

    psf: Literal["gaussian", "airy", "image"] = parameter(
        "gaussian", "Shape of the PSF; 'image' takes a measured PSF from a file.", label="PSF shape"
    )
    na: float = parameter(
        1.4,
        "Numerical aperture.",
        label="Numerical aperture",
        gt=0,
        le=2,
        only_if={"psf_fwhm_um": (None,)},
    )
    wavelength_um: float = parameter(
        0.6, "Wavelength of the light.", unit="µm", gt=0.1, le=2, only_if={"psf_fwhm_um": (None,)}
    )
    psf_fwhm_um: float | None = parameter(
        0.22,
        "Width (FWHM) of the PSF; if empty 0.51 wavelength / NA.",
        label="PSF width",
        unit="µm",
        gt=0,
        le=10,
    )
    psf_file: str = parameter(
        "",
        "TIFF of a centred PSF with odd numbers of rows and columns; its sum does not matter.",
        label="PSF file",
        file=True,
        only_if={"psf": ("image",)},
    )
    psf_file_pixel_um: float = parameter(
        0.02,
        "Pixel size of the PSF file in the sample.",
        label="PSF file pixel",
        unit="µm",
        gt=0,
        le=1,
        only_if={"psf": ("image",)},
    )
    magnification: float = parameter(65.0, "Magnification on the camera.", gt=0, le=1000)

    @property
    def fwhm_um(self) -> float:
        """Width (FWHM) of the PSF in µm, given or from NA and wavelength."""
        if self.psf_fwhm_um is not None:
            return self.psf_fwhm_um
        return 0.51 * self.wavelength_um / self.na


class BackgroundSettings(Settings):
    """Light that does not blink."""

    photons: float = parameter(
        1.2,
        "Background per pixel and frame.",
        label="Background",
        unit="photons",
        basic=True,
        ge=0,
        le=1e6,
    )
    structured: float = parameter(
        0.0,
        "Fraction of the background that varies smoothly over the field.",
        label="Share of uneven light",
        ge=0,
        le=1,
    )
    out_of_focus: float = parameter(
        0.0,
        "Fraction of the background that is out-of-focus light of the structure.",
        label="Share out of focus",
        ge=0,
        le=1,
    )
    scale_um: float = parameter(
        2.0,
        "Size of background patches and out-of-focus blur.",
        label="Patches and blur",
        unit="µm",
        gt=0,
        le=100,
    )
    half_life_s: float | None = parameter(
        None,
        "Half-life of the background; if empty it does not bleach.",
        label="Background half-life",
        unit="s",
        gt=0,
    )
    still_photons: float = parameter(
        0.0,
        "Light of in-focus structure that does not blink, mean per pixel and frame.",
        label="Steady structure",
        unit="photons",
        ge=0,
        le=1e6,
    )

    @model_validator(mode="after")
    def _fractions_fit(self) -> BackgroundSettings:
        if self.structured + self.out_of_focus > 1:
            raise ValueError(
                "The fractions background.structured and background.out_of_focus are more than 1 "
                "together; lower one of them."
            )
        return self


class CameraSettings(Settings):
    """Camera; values that are left empty are those of its model."""

    model: Literal["scmos", "orca-flash4", "orca-fusion-bt", "prime-95b", "ixon-897", "ideal"] = (
        parameter(
            "scmos",
            "Kind of camera; its values are typical of data sheets, rounded.",
            label="Camera",
        )
    )
    pixel_um: float | None = parameter(
        None, "Size of its pixels.", label="Camera pixel", unit="µm", ge=0.01, le=100
    )
    quantum_efficiency: float | None = parameter(
        None, "Fraction of photons that become electrons.", gt=0, le=1
    )
    offset: float | None = parameter(None, "Counts in the dark.", unit="counts", ge=0, le=60_000)
    gain: float | None = parameter(
        None, "Counts per electron (after EM gain).", unit="counts/electron", gt=0, le=1000
    )
    read_noise_e: float | None = parameter(
        None,
        "Read noise (root mean square), median over pixels.",
        label="Read noise",
        unit="electrons",
        ge=0,
        le=1000,
    )
    em_gain: float | None = parameter(
        None, "Electron multiplication; 1 is none.", label="EM gain", ge=1, le=5000
    )
    pixel_spread: float | None = parameter(
        None,
        "Standard deviation of the gain from pixel to pixel over its mean.",
        label="Spread of pixel gain",
        ge=0,
        le=0.5,
    )
    bits: int | None = parameter(None, "Bits of a count.", label="Bits per count", ge=8, le=16)
    dark_frames: str = parameter(
        "",
        "TIFF of frames in the dark, from which maps of offset and read noise are measured.",
        label="Movie of dark frames",
        file=True,
    )


class MotionSettings(Settings):
    """Motion of the sample."""

    drift_y_um_per_s: float = parameter(
        0.0, "Drift along rows.", label="Drift along rows", unit="µm/s", ge=-100, le=100
    )
    drift_x_um_per_s: float = parameter(
        0.0, "Drift along columns.", label="Drift along columns", unit="µm/s", ge=-100, le=100
    )
    rotation_deg_per_s: float = parameter(
        0.0,
        "Rotation about the centre of the field.",
        label="Rotation",
        unit="°/s",
        ge=-1000,
        le=1000,
    )
    wobble_um: float = parameter(
        0.0, "Amplitude of a swaying deformation.", label="Wobble amplitude", unit="µm", ge=0, le=10
    )
    wobble_period_s: float = parameter(
        10.0,
        "Period of the deformation.",
        label="Wobble period",
        unit="s",
        gt=0,
        le=1e6,
        not_if={"wobble_um": (0,)},
    )
    wobble_wave_um: float = parameter(
        4.0,
        "Wavelength of the deformation.",
        label="Wobble wavelength",
        unit="µm",
        gt=0,
        le=1000,
        not_if={"wobble_um": (0,)},
    )
    transport_um_per_s: float = parameter(
        0.0,
        "Speed of each object in a direction of its own.",
        label="Speed of objects",
        unit="µm/s",
        ge=0,
        le=100,
    )

    @property
    def any(self) -> bool:
        """Whether anything moves."""
        return bool(
            self.drift_y_um_per_s
            or self.drift_x_um_per_s
            or self.rotation_deg_per_s
            or self.wobble_um
            or self.transport_um_per_s
        )


class SimulationSettings(Settings):
    """Complete description of a movie.

    The defaults are the easiest case of the preset "komen2024".

    Examples
    --------
    >>> SimulationSettings(rows=64, columns=128).field_um
    (6.4, 12.8)
    """

    rows: int = parameter(128, "Rows of the movie.", unit="px", basic=True, ge=8, le=4096)
    columns: int = parameter(128, "Columns of the movie.", unit="px", basic=True, ge=8, le=4096)
    frames: int = parameter(100, "Number of frames.", basic=True, ge=1, le=1_000_000)
    frame_interval_s: float = parameter(
        0.01, "Time from frame to frame.", unit="s", basic=True, gt=0, le=1e4
    )
    seed: int = parameter(
        1,
        "Random seed: the same seed gives the same movie.",
        label="Random seed",
        basic=True,
        ge=0,
        le=2**32 - 1,
    )
    structure: StructureSettings = StructureSettings()
    blinking: BlinkingSettings = BlinkingSettings()
    optics: OpticsSettings = OpticsSettings()
    background: BackgroundSettings = BackgroundSettings()
    camera: CameraSettings = CameraSettings()
    motion: MotionSettings = MotionSettings()

    @property
    def pixel_size_um(self) -> float:
        """Size of a camera pixel in the sample in µm."""
        pixel = self.camera.pixel_um or MODELS[self.camera.model].pixel_um
        return pixel / self.optics.magnification

    @property
    def psf_fwhm_px(self) -> float:
        """Width (FWHM) of the PSF in camera pixels."""
        return self.optics.fwhm_um / self.pixel_size_um

    @property
    def field_um(self) -> tuple[float, float]:
        """Height and width of the field of view in µm."""
        return self.rows * self.pixel_size_um, self.columns * self.pixel_size_um

    @model_validator(mode="after")
    def _psf_is_plausible(self) -> SimulationSettings:
        if not 0.4 <= self.psf_fwhm_px <= 100:
            raise ValueError(
                f"The PSF would be {self.psf_fwhm_px:.3g} camera px wide; choose "
                "optics.psf_fwhm_um, optics.magnification and camera.pixel_um so that it is 0.4 "
                "to 100."
            )
        if self.optics.psf == "airy" and self.psf_fwhm_px > WIDEST_AIRY_PX:
            raise ValueError(
                f"An Airy pattern can be at most {WIDEST_AIRY_PX} camera px wide, not "
                f"{self.psf_fwhm_px:.3g}; choose the PSF 'gaussian' or larger camera pixels."
            )
        return self

    @model_validator(mode="after")
    def _fits_into_memory(self) -> SimulationSettings:
        height, width = (side + 2 * self.margin_um for side in self.field_um)
        emitters = self.structure.most_emitters(height, width)
        if emitters > MOST_EMITTERS:
            raise ValueError(
                f"These settings ask for {emitters:.2g} emitters, more than {MOST_EMITTERS:,}; "
                "lower structure.count, the density of emitters or the field."
            )
        b = self.blinking
        events = max(emitters, 1.0) * self.frames
        if b.model != "steady" and not (b.steady_share and self.motion.any):
            cycle_s, frame_s = b.on_time_s + b.off_time_s, self.frame_interval_s
            events *= max(frame_s / cycle_s, min((b.on_time_s + frame_s) / cycle_s, 1))
        if events > MOST_EVENTS:
            raise ValueError(
                f"These settings ask for {events:.2g} shining emitters in all frames together, "
                f"more than {MOST_EVENTS:,}; lower frames or the number of emitters, or let them "
                "blink more slowly."
            )
        return self

    @property
    def centre_um(self) -> tuple[float, float]:
        """Middle of the field, y and x in µm from the centre of the first pixel."""
        p = self.pixel_size_um
        return (self.rows - 1) * p / 2, (self.columns - 1) * p / 2

    @property
    def margin_um(self) -> float:
        """Distance in µm up to which structures go on beyond the field of view.

        The tail of the PSF brings light from there, so that the edges look like the rest.
        """
        return 1.5 * self.optics.fwhm_um

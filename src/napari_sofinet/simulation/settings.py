"""Settings that describe a simulated movie completely, its seed included."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from napari_sofinet.base.settings import Settings, parameter
from napari_sofinet.simulation.camera_models import MODELS

MOST_EMITTERS = 2_000_000
MOST_EVENTS = 1_000_000_000
WIDEST_AIRY_PX = 30  # a finer table than this takes gigabytes

StructureKind = Literal[
    "microtubules",
    "actin",
    "mitochondria",
    "vesicles",
    "rings",
    "random",
    "points",
    "argolight",
    "siemens-star",
    "table",
    "image",
    "empty",
]


class StructureSettings(Settings):
    """Structure of the sample and its labelling."""

    kind: StructureKind = parameter(
        "microtubules",
        "Structure of the sample; 'table' and 'image' take positions or a density from a file.",
        basic=True,
    )
    count: int = parameter(
        8,
        "Number of filaments, mitochondria, vesicles, rings or points that start in the field.",
        basic=True,
        ge=0,
        le=100_000,
    )
    emitters_per_um: float = parameter(
        50.0,
        "Density of emitters along a filament, ring or line.",
        unit="1/um",
        ge=0,
        le=10_000,
    )
    spacing: Literal["random", "even"] = parameter(
        "random", "Spacing of the emitters along filaments and rings: random or even."
    )
    emitters_per_um2: float = parameter(
        400.0,
        "Density of emitters on membranes and other areas.",
        unit="1/um^2",
        ge=0,
        le=100_000,
    )
    persistence_um: float | None = parameter(
        None,
        "Persistence length of filaments; if empty 20 um for microtubules, 30 for actin, 6 for "
        "mitochondria.",
        unit="um",
        gt=0,
        le=10_000,
    )
    length_um: float | None = parameter(
        None,
        "Length of filaments; if empty 25 um for microtubules, 12 for actin, 3 for mitochondria.",
        unit="um",
        gt=0,
        le=1000,
    )
    size_um: float | None = parameter(
        None,
        "Diameter of tubes, vesicles or rings (if empty 0.4, 0.12 and 0.3 um), or of the disc on "
        "which points lie (if empty the whole field).",
        unit="um",
        gt=0,
        le=100,
    )
    linker_um: float = parameter(
        0.0,
        "Length of the label's linkers, by which dyes are displaced in random directions.",
        unit="um",
        ge=0,
        le=1,
    )
    missing: float = parameter(0.0, "Fraction of labels that are missing, in patches.", ge=0, lt=1)
    patch_um: float = parameter(0.2, "Size of the missing patches.", unit="um", gt=0, le=10)
    file: str = parameter(
        "",
        "Positions (CSV with x and y in nm or um, or a truth .npz) or an image (TIFF).",
        file=True,
    )

    def most_emitters(self, height_um: float, width_um: float) -> float:
        """Return an upper estimate of the number of emitters in a field of a size in µm.

        Examples
        --------
        >>> StructureSettings(kind="microtubules", count=2).most_emitters(10, 10)
        2500.0
        """
        diameter = self.size_um or 0.4
        # Tubes have round ends; spheres have up to 1.8 diameters.
        tube_um = (self.length_um or 3) + 3.3 * diameter
        number = {
            "microtubules": self.count * (self.length_um or 25) * self.emitters_per_um,
            "actin": self.count * (self.length_um or 12) * self.emitters_per_um,
            "mitochondria": self.count * 3.15 * diameter * tube_um * self.emitters_per_um2,
            "vesicles": self.count * 3.15 * diameter**2 * self.emitters_per_um2,
            "rings": self.count * 3.15 * diameter * self.emitters_per_um,
            "points": self.count,
            "empty": 0,
            "table": 0,
            "argolight": 20 * height_um * self.emitters_per_um,
        }
        return number.get(self.kind, height_um * width_um * self.emitters_per_um2)


class BlinkingSettings(Settings):
    """Blinking and brightness of emitters."""

    model: Literal["two-state", "three-state", "dna-paint", "steady"] = parameter(
        "two-state",
        "On and off; the same with a second, longer dark state; binding of fresh dyes; or always "
        "on.",
        basic=True,
    )
    on_time_s: float = parameter(
        0.01, "Mean on-time (DNA-PAINT: bound time).", unit="s", basic=True, gt=0, le=1e4
    )
    off_time_s: float = parameter(
        0.6, "Mean off-time (DNA-PAINT: unbound time).", unit="s", basic=True, gt=0, le=1e6
    )
    long_off_time_s: float = parameter(
        5.0, "Mean time in the second dark state of 'three-state'.", unit="s", gt=0, le=1e6
    )
    long_share: float = parameter(
        0.1, "Fraction of switches off that lead to the second dark state.", ge=0, le=1
    )
    bleach_time_s: float | None = parameter(
        None,
        "Mean on-time until bleaching; if empty, or for DNA-PAINT, emitters do not bleach.",
        unit="s",
        gt=0,
        le=1e6,
    )
    photons: float = parameter(
        100.0,
        "Photons of an emitter that is on for a whole frame.",
        unit="photons",
        basic=True,
        ge=0,
        le=1e6,
    )
    spread: float = parameter(
        0.0,
        "Relative standard deviation of the photons between emitters (DNA-PAINT: bindings).",
        ge=0,
        le=3,
    )
    steady_share: float = parameter(
        0.0,
        "Fraction of its photons that an emitter emits additionally in every frame, whether on, "
        "off or bleached, like labels whose dark state is not fully dark.",
        ge=0,
        le=10,
    )


class OpticsSettings(Settings):
    """Microscope without the camera."""

    psf: Literal["gaussian", "airy", "image"] = parameter(
        "gaussian", "Shape of the PSF; 'image' takes a measured PSF from a file."
    )
    na: float = parameter(1.4, "Numerical aperture.", gt=0, le=2)
    wavelength_um: float = parameter(0.6, "Wavelength of the light.", unit="um", gt=0.1, le=2)
    psf_fwhm_um: float | None = parameter(
        0.22,
        "Width (FWHM) of the PSF; if empty 0.51 wavelength / NA.",
        unit="um",
        gt=0,
        le=10,
    )
    psf_file: str = parameter(
        "",
        "TIFF of a centred PSF with odd numbers of rows and columns; its sum does not matter.",
        file=True,
    )
    psf_file_pixel_um: float = parameter(
        0.02, "Pixel size of the PSF file in the sample.", unit="um", gt=0, le=1
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
        1.2, "Background per pixel and frame.", unit="photons", basic=True, ge=0, le=1e6
    )
    structured: float = parameter(
        0.0, "Fraction of the background that varies smoothly over the field.", ge=0, le=1
    )
    out_of_focus: float = parameter(
        0.0, "Fraction of the background that is out-of-focus light of the structure.", ge=0, le=1
    )
    scale_um: float = parameter(
        2.0, "Size of background patches and out-of-focus blur.", unit="um", gt=0, le=100
    )
    half_life_s: float | None = parameter(
        None, "Half-life of the background; if empty it does not bleach.", unit="s", gt=0
    )
    still_photons: float = parameter(
        0.0,
        "Light of in-focus structure that does not blink, mean per pixel and frame.",
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
        parameter("scmos", "Kind of camera; its values are typical of data sheets, rounded.")
    )
    pixel_um: float | None = parameter(None, "Size of its pixels.", unit="um", ge=0.01, le=100)
    quantum_efficiency: float | None = parameter(
        None, "Fraction of photons that become electrons.", gt=0, le=1
    )
    offset: float | None = parameter(None, "Counts in the dark.", unit="counts", ge=0, le=60_000)
    gain: float | None = parameter(
        None, "Counts per electron (after EM gain).", unit="counts/e", gt=0, le=1000
    )
    read_noise_e: float | None = parameter(
        None, "Read noise, median over pixels.", unit="e rms", ge=0, le=1000
    )
    em_gain: float | None = parameter(None, "Electron multiplication; 1 is none.", ge=1, le=5000)
    pixel_spread: float | None = parameter(
        None, "Standard deviation of the gain from pixel to pixel over its mean.", ge=0, le=0.5
    )
    bits: int | None = parameter(None, "Bits of a count.", ge=8, le=16)
    dark_frames: str = parameter(
        "",
        "TIFF of frames in the dark, from which maps of offset and read noise are measured.",
        file=True,
    )


class MotionSettings(Settings):
    """Motion of the sample."""

    drift_y_um_per_s: float = parameter(0.0, "Drift along rows.", unit="um/s", ge=-100, le=100)
    drift_x_um_per_s: float = parameter(0.0, "Drift along columns.", unit="um/s", ge=-100, le=100)
    rotation_deg_per_s: float = parameter(
        0.0, "Rotation about the centre of the field.", unit="deg/s", ge=-1000, le=1000
    )
    wobble_um: float = parameter(0.0, "Amplitude of a swaying deformation.", unit="um", ge=0, le=10)
    wobble_period_s: float = parameter(10.0, "Period of the deformation.", unit="s", gt=0, le=1e6)
    wobble_wave_um: float = parameter(
        4.0, "Wavelength of the deformation.", unit="um", gt=0, le=1000
    )
    transport_um_per_s: float = parameter(
        0.0, "Speed of each object in a direction of its own.", unit="um/s", ge=0, le=100
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
        1, "Random seed: the same seed gives the same movie.", basic=True, ge=0, le=2**32 - 1
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

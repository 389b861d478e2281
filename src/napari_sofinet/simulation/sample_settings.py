"""Settings of a simulated sample: its structure and how its emitters blink."""

from __future__ import annotations

from typing import Literal

from napari_sofinet.base.settings import Settings, parameter

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
        label="Structure",
        basic=True,
    )
    count: int = parameter(
        8,
        "Number of filaments, mitochondria, vesicles, rings or points that start in the field.",
        label="Number of objects",
        basic=True,
        ge=0,
        le=100_000,
        only_if={"kind": ("microtubules", "actin", "mitochondria", "vesicles", "rings", "points")},
    )
    emitters_per_um: float = parameter(
        50.0,
        "Density of emitters along a filament, ring or line.",
        label="Emitters on lines",
        unit="1/µm",
        ge=0,
        le=10_000,
        only_if={"kind": ("microtubules", "actin", "rings", "argolight")},
    )
    spacing: Literal["random", "even"] = parameter(
        "random",
        "Spacing of the emitters along filaments and rings: random or even.",
        label="Spacing of emitters",
        only_if={"kind": ("microtubules", "actin", "rings")},
    )
    emitters_per_um2: float = parameter(
        400.0,
        "Density of emitters on membranes and other areas.",
        label="Emitters on areas",
        unit="1/µm²",
        ge=0,
        le=100_000,
        only_if={"kind": ("mitochondria", "vesicles", "random", "siemens-star", "image")},
    )
    persistence_um: float | None = parameter(
        None,
        "Persistence length of filaments; if empty 20 µm for microtubules, 30 for actin, 6 for "
        "mitochondria.",
        label="Persistence length",
        unit="µm",
        gt=0,
        le=10_000,
        only_if={"kind": ("microtubules", "actin", "mitochondria")},
    )
    length_um: float | None = parameter(
        None,
        "Length of filaments; if empty 25 µm for microtubules, 12 for actin, 3 for mitochondria.",
        label="Filament length",
        unit="µm",
        gt=0,
        le=1000,
        only_if={"kind": ("microtubules", "actin", "mitochondria")},
    )
    size_um: float | None = parameter(
        None,
        "Diameter of tubes, vesicles or rings (if empty 0.4, 0.12 and 0.3 µm) or of the disc on "
        "which points lie (if empty the whole field); width of the lines of 'argolight' (if empty "
        "0.1 µm).",
        label="Object diameter",
        unit="µm",
        gt=0,
        le=100,
        only_if={"kind": ("mitochondria", "vesicles", "rings", "points", "argolight")},
    )
    spacing_nm: float | None = parameter(
        None,
        "Distance of the lines of a single pair in the middle of the field; if empty there are ten "
        "pairs, 390 to 120 nm apart (fewer in a field narrower than 10 µm).",
        label="Spacing of lines",
        unit="nm",
        gt=0,
        le=100_000,
        only_if={"kind": ("argolight",)},
    )
    linker_um: float = parameter(
        0.0,
        "Length of the label's linkers, by which dyes are displaced in random directions.",
        label="Linker length",
        unit="µm",
        ge=0,
        le=1,
    )
    missing: float = parameter(
        0.0,
        "Fraction of labels that are missing, in patches.",
        label="Fraction of missing labels",
        ge=0,
        lt=1,
    )
    patch_um: float = parameter(
        0.2,
        "Size of the missing patches.",
        label="Missing patch size",
        unit="µm",
        gt=0,
        le=10,
        not_if={"missing": (0,)},
    )
    file: str = parameter(
        "",
        "Positions (CSV with x and y in nm or µm, or a truth .npz) or an image (TIFF).",
        label="Structure file",
        file=True,
        only_if={"kind": ("table", "image")},
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
        label="Blinking",
        basic=True,
    )
    on_time_s: float = parameter(
        0.01,
        "Mean on-time (DNA-PAINT: bound time).",
        label="Mean on-time",
        unit="s",
        basic=True,
        gt=0,
        le=1e4,
        not_if={"model": ("steady",)},
    )
    off_time_s: float = parameter(
        0.6,
        "Mean off-time (DNA-PAINT: unbound time).",
        label="Mean off-time",
        unit="s",
        basic=True,
        gt=0,
        le=1e6,
        not_if={"model": ("steady",)},
    )
    long_off_time_s: float = parameter(
        5.0,
        "Mean time in the second dark state of 'three-state'.",
        label="Mean long off-time",
        unit="s",
        gt=0,
        le=1e6,
        only_if={"model": ("three-state",)},
    )
    long_share: float = parameter(
        0.1,
        "Fraction of switches off that lead to the second dark state.",
        label="Share of long off-times",
        ge=0,
        le=1,
        only_if={"model": ("three-state",)},
    )
    bleach_time_s: float | None = parameter(
        None,
        "Mean on-time until bleaching; if empty, or for DNA-PAINT, emitters do not bleach.",
        label="Time until bleaching",
        unit="s",
        gt=0,
        le=1e6,
        not_if={"model": ("dna-paint",)},
    )
    photons: float = parameter(
        100.0,
        "Photons of an emitter that is on for a whole frame.",
        label="Emitter brightness",
        unit="photons",
        basic=True,
        ge=0,
        le=1e6,
    )
    spread: float = parameter(
        0.0,
        "Relative standard deviation of the photons between emitters (DNA-PAINT: bindings).",
        label="Spread of brightness",
        ge=0,
        le=3,
    )
    steady_share: float = parameter(
        0.0,
        "Fraction of its photons that an emitter emits additionally in every frame, whether on, "
        "off or bleached, like labels whose dark state is not fully dark.",
        label="Share of steady light",
        ge=0,
        le=10,
    )

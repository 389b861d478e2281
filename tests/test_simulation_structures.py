"""Where emitters sit, against analytic values."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import tifffile
from simulated import (
    WIDE,
    centroid,
    each_object,
    is_one_sentence,
    mean_is,
    placed,
    poisson_is,
    rng,
)

from napari_sofinet.base.errors import InputError
from napari_sofinet.base.settings import build
from napari_sofinet.simulation import (
    SimulationSettings,
    filaments,
    membranes,
    resolution_targets,
    simulate,
    structures,
)
from napari_sofinet.simulation.labels import Labels, label_curves, label_imperfectly
from napari_sofinet.simulation.sample_settings import StructureSettings


def test_filaments_are_worm_like_chains():
    made = filaments.microtubules(WIDE, 3000, rng(4), persistence_um=4.0, length_um=10.0)
    whole = np.stack([p for p in made if len(p) == 500])
    assert len(whole) > 2700
    steps = np.diff(whole, axis=1)
    np.testing.assert_allclose(np.hypot(*np.moveaxis(steps, 2, 0)), 0.02, rtol=1e-9)
    # The mean cosine of tangents a distance s apart is exp(-s / P).
    for s in (1.0, 4.0, 8.0):
        far = round(s / 0.02)
        cosine = np.sum(steps[:, 0] * steps[:, far], axis=1) / 0.02**2
        mean_is(cosine, np.exp(-s / 4), to=0.12)
    # Kratky and Porod's end-to-end distance in two dimensions, of exactly this many steps.
    length = 499 * 0.02
    squared = np.sum((whole[:, -1] - whole[:, 0]) ** 2, axis=1)
    mean_is(squared, 2 * 4 * length * (1 - 4 / length * (1 - np.exp(-length / 4))))


def test_filaments_end_at_the_edge_and_have_no_gaps():
    # A stiff chain leaves at once; a floppy one is made in many pieces.
    made = filaments.microtubules((3.0, 2.0), 200, rng(1), persistence_um=0.1, length_um=40.0)
    assert max(map(len, made)) > 3 * (1.5 * 3 / 0.02)
    for points in made:
        assert (points >= 0).all()
        assert (points <= (3.0, 2.0)).all()
        np.testing.assert_allclose(np.hypot(*np.diff(points, axis=0).T), 0.02, rtol=1e-9)


def test_the_edges_of_a_field_are_as_full_as_its_middle():
    edge, middle = 0.0, 0.0
    for seed in range(60):
        labels = label_curves(filaments.microtubules((8.0, 8.0), 20, rng(seed)), 20.0, rng(seed))
        y, x = labels.positions_um.T
        edge += np.sum((y < 1) & (x > 1) & (x < 7))
        middle += np.sum((y > 3.5) & (y < 4.5) & (x > 1) & (x < 7))
    assert edge / middle == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(
    "kind", ["microtubules", "actin", "mitochondria", "vesicles", "rings", "points"]
)
def test_a_count_of_zero_leaves_the_field_empty(kind):
    values = {"structure.kind": kind, "structure.count": 0}
    assert len(structures.place(build(SimulationSettings, values), rng())) == 0


def test_as_many_filaments_start_in_the_field_as_were_asked_for():
    # Too short to leave or to come in.
    made = filaments.microtubules((50.0, 50.0), 400, rng(3), length_um=0.1)
    starts = [p[0] for p in made]
    assert 395 <= len(starts) <= 440


@pytest.mark.parametrize(("seed", "directions"), [(2, 1), (13, 2)])
def test_actin_bundles_run_in_one_or_two_directions(seed, directions):
    made = filaments.actin(WIDE, 3000, rng(seed), persistence_um=1e6)
    ends = np.stack([p[-1] - p[0] for p in made if len(p) > 100])
    heading = np.exp(1j * np.arctan2(ends[:, 0], ends[:, 1]))
    first = heading[0]
    for _ in range(9):  # to the middle of the headings around it
        near = np.abs(np.angle(heading / first)) < 0.8
        first = heading[near].mean()
    assert near.mean() == pytest.approx(1 / directions, abs=0.06)
    for group in (near, ~near)[:directions]:
        # 10 degrees between bundles, of which there are some 300 in each direction.
        away = np.angle(heading[group] / heading[group].mean())
        assert away.std() == pytest.approx(np.hypot(0.17, 0.035), rel=0.12)
    # Filaments of one bundle follow each other: 2 degrees each, and few others are so close.
    step = np.angle(heading[1:] / heading[:-1])
    same = step[np.abs(step) < 0.15]
    assert same.std() == pytest.approx(np.sqrt(2) * 0.035, rel=0.12)
    assert (
        len(same) / len(step) > 1 - 1 / 5.5
    )  # of 5.5 filaments on average one is a bundle's first


def test_labels_are_poisson_along_the_curve_and_lie_on_it():
    corner = np.array([[0.0, 0.0], [0.0, 3.0], [4.0, 3.0]])
    labels = label_curves([corner] * 2000, 5.0, rng(5))
    number = np.bincount(labels.object, minlength=2000)
    mean_is(number, 35)
    assert number.var() / number.mean() == pytest.approx(1, abs=4.5 * np.sqrt(2 / 2000))
    y, x = labels.positions_um.T
    first = y == 0
    np.testing.assert_allclose(x[~first], 3.0)
    poisson_is(first.sum(), 2000 * 15)
    mean_is(x[first], 1.5)
    mean_is(y[~first], 2.0)


def test_mitochondria_are_labelled_tubes_with_round_ends_and_spheres():
    radius, density = 0.2, 2000.0
    made = membranes.mitochondria(WIDE, 300, density, rng(6), persistence_um=1e5)
    tubes, spheres = [], []
    for at in each_object(made):
        at = at - at.mean(axis=0)
        along = at @ np.linalg.svd(at, full_matrices=False)[2].T
        (spheres if np.ptp(along[:, 0]) < 0.8 else tubes).append(along)
    assert len(spheres) == pytest.approx(30, abs=4.5 * np.sqrt(300 * 0.1 * 0.9))
    radii, lengths, within = [], [], []
    for tube in tubes:
        axis = tube[:, 0] - (tube[:, 0].min() + tube[:, 0].max()) / 2
        rough = np.ptp(tube[:, 1]) / 2
        u = tube[np.abs(axis) < np.ptp(axis) / 2 - 1.5 * rough, 1]
        # A tube's surface seen from above: u = R cos(phi), whose mean square is R² / 2.
        radii.append(np.sqrt(2 * np.mean(u**2)))
        assert np.abs(u).max() < 1.1 * radii[-1]  # the axis is estimated
        within.append(np.mean(np.abs(u) < radii[-1] / np.sqrt(2)))
        lengths.append(np.ptp(axis) - 2 * radii[-1])
        surface = 2 * np.pi * radii[-1] * lengths[-1] + 4 * np.pi * radii[-1] ** 2
        assert len(tube) == pytest.approx(density * surface, rel=0.1)
    assert np.mean(radii) == pytest.approx(radius, rel=0.05)
    assert np.std(radii) / np.mean(radii) == pytest.approx(0.2, abs=0.04)
    assert np.mean(within) == pytest.approx(0.5, abs=0.01)
    assert np.mean(lengths) == pytest.approx(0.65 * 3.0, rel=0.1)  # 0.3 to 1 of what is asked for
    sizes = np.array([np.sqrt(1.5 * np.mean(np.sum(s**2, axis=1))) for s in spheres])
    assert sizes.min() > 0.78 * radius
    assert sizes.max() < 1.82 * radius
    expected = 4 * np.pi * density * np.sum(sizes**2)
    assert sum(map(len, spheres)) == pytest.approx(expected, rel=0.02)


def test_vesicles_are_spheres_and_half_of_them_huddle():
    made = membranes.vesicles(WIDE, 600, 2e4, rng(7), diameter_um=0.12)
    sizes, centres = [], []
    for at in each_object(made):
        centres.append(at.mean(axis=0))
        out = np.hypot(*(at - centres[-1]).T)
        # A sphere's surface seen from above: the mean of the squared distance is 2/3 R².
        sizes.append(np.sqrt(1.5 * np.mean(out**2)))
        assert out.max() == pytest.approx(sizes[-1], rel=0.15)
        poisson_is(len(at), 4 * np.pi * sizes[-1] ** 2 * 2e4)
    mean_is(sizes, 0.06)
    assert min(sizes) > 0.66 * 0.06
    assert max(sizes) < 1.34 * 0.06
    # Three to a crowd: of those not asked to huddle, one in six is the one that others come to.
    apart = np.linalg.norm(np.array(centres)[:, None] - np.array(centres), axis=2)
    crowded = np.sum(apart < 2.5, axis=1) > 1
    assert crowded.mean() == pytest.approx(0.57, abs=0.09)


def test_rings_have_their_radius_and_number():
    made = structures.rings(WIDE, 400, 300.0, rng(8), diameter_um=0.3)
    radii = []
    for at in each_object(made):
        about = at - at.mean(axis=0)
        # The circle through all of them: y² + x² is linear in y, x and 1.
        design = np.column_stack([2 * about, np.ones(len(about))])
        (y, x, rest), *_ = np.linalg.lstsq(design, np.sum(about**2, axis=1))
        radii.append(np.sqrt(rest + y**2 + x**2))
        np.testing.assert_allclose(np.hypot(*(about - (y, x)).T), radii[-1], rtol=1e-6)
    assert min(radii) > 0.8 * 0.15
    assert max(radii) < 1.2 * 0.15
    mean_is(radii, 0.15)
    poisson_is(len(made), np.pi * 2 * np.sum(radii) * 300)


def test_even_emitters_are_equally_far_apart():
    line = [np.stack([np.zeros(501), 0.02 * np.arange(501)], axis=1)]
    starts = []
    for seed in range(400):
        x = label_curves(line, 33.0, rng(seed), even=True).positions_um[:, 1]
        assert len(x) in (329, 330)
        np.testing.assert_allclose(np.diff(x), 1 / 33, rtol=1e-9)
        starts.append(x[0])
    mean_is(starts, 0.5 / 33)
    assert not len(label_curves(line, 0.0, rng(), even=True))
    made = structures.rings((9.0, 9.0), 30, 60.0, rng(2), diameter_um=0.5, even=True)
    for at in each_object(made):
        about = at - at.mean(axis=0)
        chord = np.hypot(*(about - np.roll(about, 1, axis=0)).T)
        np.testing.assert_allclose(chord, chord[0], rtol=1e-9)
        diameter = chord[0] / np.sin(np.pi / len(at))
        assert 0.4 <= diameter <= 0.6
        assert len(at) == pytest.approx(np.pi * diameter * 60, abs=1)
    # So they do where the settings say so.
    for kind in ("microtubules", "actin", "rings"):
        values = {"structure.kind": kind, "structure.count": 4, "structure.size_um": 2.0}
        values |= {"structure.spacing": "even", "structure.persistence_um": 9999.0}
        for at in each_object(structures.place(build(SimulationSettings, values), rng(3))):
            gaps = np.hypot(*np.diff(at, axis=0).T)
            np.testing.assert_allclose(gaps, np.median(gaps), rtol=0.02)


def test_random_emitters_have_their_density_also_around_the_field():
    s = build(
        SimulationSettings,
        {"rows": 50, "columns": 80, "structure.kind": "random", "structure.emitters_per_um2": 800},
    )
    at = structures.place(s, rng(9)).positions_um
    around = 1.5 * 0.22
    np.testing.assert_allclose(at.min(axis=0), -around, atol=0.02)
    np.testing.assert_allclose(at.max(axis=0), (5 + around, 8 + around), atol=0.02)
    poisson_is(len(at), 800 * (5 + 2 * around) * (8 + 2 * around))
    inside = np.all((at > 0) & (at < (5, 8)), axis=1)
    counts = np.histogram2d(*at[inside].T, bins=(5, 8), range=((0, 5), (0, 8)))[0]
    # Chi-squared of 40 squares.
    assert np.sum((counts - 800) ** 2 / 800) == pytest.approx(40, abs=4.5 * np.sqrt(80))


def test_points_are_as_many_as_asked_for_on_field_or_disc():
    assert len(structures.points((2.0, 3.0), 17, rng())) == 17
    mean_is(structures.points((2.0, 3.0), 5000, rng()).positions_um / (2, 3), 0.5)
    at = structures.points((2.0, 3.0), 5000, rng(), disc_um=1.2).positions_um - (1, 1.5)
    squared = np.sum(at**2, axis=1) / 0.6**2
    assert squared.max() < 1
    mean_is(squared, 0.5)  # uniform on a disc: uniform in the square of the radius
    assert abs(at.mean()) < 0.02


def test_argolight_lines_lie_in_pairs_390_to_120_nm_apart():
    made = resolution_targets.argolight((6.4, 16.0), 600.0, rng(1))
    y, x = made.positions_um.T
    assert len(np.unique(made.object)) == 20
    lines = [x[made.object == k] for k in range(20)]
    middles = np.array([line.mean() for line in lines])
    error = 0.1 / np.sqrt(12 * 3000)
    np.testing.assert_allclose(
        middles[1::2] - middles[::2], np.arange(390, 110, -30) / 1000, atol=7 * error
    )
    np.testing.assert_allclose(
        (middles[1::2] + middles[::2]) / 2, 0.8 + 1.6 * np.arange(10), atol=4 * error
    )
    widths = [np.ptp(line) for line in lines]
    np.testing.assert_allclose(widths, 0.1, atol=0.001)
    assert (y.min(), y.max()) == pytest.approx((0.64, 5.76), abs=0.02)
    poisson_is(len(made), 20 * 0.8 * 6.4 * 600)


def test_argolight_is_one_pair_on_request_and_the_closest_ones_in_narrow_fields():
    made = resolution_targets.argolight((3.0, 4.0), 300.0, rng(1), spacing_um=0.5, line_um=0.05)
    x = made.positions_um[:, 1]
    assert np.abs(np.abs(x - 2.0) - 0.25).max() <= 0.025
    spacings = [pair.spacing_um for pair in resolution_targets.argolight_pairs(5.0)]
    assert spacings == pytest.approx([0.24, 0.21, 0.18, 0.15, 0.12])
    with pytest.raises(InputError, match="do not fit into a field 4 µm wide"):
        resolution_targets.argolight_pairs(4.0, 4.5)


def test_half_of_a_siemens_star_is_bright():
    made = resolution_targets.siemens_star((8.0, 10.0), 3000.0, rng(2))
    y, x = (made.positions_um - (4, 5)).T
    radius = 0.45 * 8
    poisson_is(len(made), 3000 * np.pi * radius**2 / 2)
    squared = (y**2 + x**2) / radius**2
    assert squared.max() < 1
    mean_is(squared, 0.5)
    turn = np.arctan2(y, x) / (2 * np.pi) * 36 % 1
    assert turn.max() < 0.5
    mean_is(turn, 0.25)
    expected = len(made) / 36
    chi = np.sum((np.bincount(made.object, minlength=36) - expected) ** 2) / expected
    assert chi == pytest.approx(35, abs=4.5 * np.sqrt(70))


@pytest.mark.parametrize("kind", ["um", "nm", "gz", "mark", "latin-1", "truth", "moving truth"])
def test_tables_say_where_emitters_are(tmp_path, kind):
    at = np.array([[0.0, 0.0], [0.53, 1.28], [1.11, 0.4]])
    path = tmp_path / {"gz": "a.csv.gz", "truth": "a.npz", "moving truth": "a.npz"}.get(kind, "a")
    text = "y_um,x_um\n" + "".join(f"{y},{x}\n" for y, x in at)
    if kind == "um":
        path.write_text(text)
    elif kind == "gz":
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    elif kind == "mark":
        path.write_text(text, encoding="utf-8-sig")
    elif kind == "latin-1":
        path.write_bytes(text.replace("\n", ",µ\n").encode("latin-1"))
    elif kind == "nm":
        # Localization programs have zero at the corner of pixel (0, 0), half a pixel before ours.
        lines = "".join(f"{k},{1000 * x + 50},{1000 * y + 50}\n" for k, (y, x) in enumerate(at))
        path.write_text('"frame","x [nm]","y [nm]"\n' + lines)
    else:
        drift = 0.0 if kind == "truth" else 3.0
        first = simulate(placed(tmp_path, at, motion__drift_x_um_per_s=drift))
        first.truth.save(path)
        at = at + np.array([0, drift * 0.005])  # the middle of the first frame
    found = simulate(placed(tmp_path, at, structure__file=str(path)))
    np.testing.assert_allclose(found.truth.positions_um, at, atol=1e-9)
    one = simulate(placed(tmp_path, at[1:2]))
    np.testing.assert_allclose(centroid(one.light(0, 1)[0]), at[1] / 0.1, atol=0.01)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"y,x\n1,2\n"),
        ("a.csv", b""),
        ("a.csv", b"y_um,x_um\n1\n"),
        ("a.csv", b"y_um,x_um\n1,two\n"),
        ("a.csv", b"y_um,x_um\n1,nan\n"),
        ("a.csv", b"y_um,x_um\n1,inf\n"),
        ("a.csv.gz", gzip.compress(b"y_um,x_um\n" + b"1,2\n" * 1000, mtime=0)[:20]),
        ("a.npz", b""),
        ("a.npz", b"PK\x03\x04 and no more"),
        ("a.npz", b"text"),
    ],
)
def test_tables_that_cannot_be_read_are_refused_in_a_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as refused:
        simulate(placed(tmp_path, [[0, 0]], structure__file=str(tmp_path / name)))
    is_one_sentence(str(refused.value))


def test_an_image_is_a_density(tmp_path):
    picture = np.array([[1, 2, 0], [5, 0, 2]], np.uint8)
    tifffile.imwrite(tmp_path / "density.tif", picture)
    values = {
        "rows": 40,
        "columns": 60,
        "structure.kind": "image",
        "structure.file": str(tmp_path / "density.tif"),
        "structure.emitters_per_um2": 1000,
    }
    at = structures.place(build(SimulationSettings, values), rng()).positions_um
    poisson_is(len(at), 1000 * 4 * 6)
    found = np.histogram2d(*at.T, bins=(2, 3), range=((0, 4), (0, 6)))[0]
    expected = len(at) * (picture / 10)
    assert np.all(np.abs(found - expected) <= 4.5 * np.sqrt(expected))
    mean_is(at[at[:, 0] > 2, 0], 3.0)  # even inside a pixel
    for strange in (-1.0 * picture, 0 * picture, picture[None, None], np.full((2, 3), np.nan)):
        tifffile.imwrite(
            tmp_path / "density.tif", strange.astype(np.float32), photometric="minisblack"
        )
        with pytest.raises(InputError, match="no image of densities"):
            structures.place(build(SimulationSettings, values), rng())


def test_linkers_point_anywhere_in_space():
    values = {"structure.kind": "points", "structure.count": 20_000}
    ends = build(SimulationSettings, values | {"structure.linker_um": 0.05})
    begun = structures.place(build(SimulationSettings, values), rng()).positions_um
    away = structures.place(ends, rng()).positions_um - begun
    squared = np.sum(away**2, axis=1)
    assert squared.max() <= 0.05**2 * (1 + 1e-9)
    mean_is(squared, 2 / 3 * 0.05**2)  # two of three dimensions are seen
    assert np.abs(away.mean(axis=0)).max() < 4.5 * 0.05 / np.sqrt(3 * 20_000)


def test_missing_labels_are_a_fraction_and_come_in_patches():
    first = rng(3).uniform(0, 20, (8000, 2))
    s = StructureSettings(missing=0.3)
    labels = Labels(first, np.arange(len(first)))
    assert len(label_imperfectly(labels, s, rng())) == 5600
    # Half of a Gaussian field is over its median; two points with a correlation c in the field
    # have one of 2/pi asin(c) in being over it.
    s = StructureSettings(missing=0.5, patch_um=0.4)
    for away in (0.2, 0.4, 0.8, 2.0):
        found = []
        for seed in range(8):
            angle = rng(seed).uniform(0, 2 * np.pi, len(first))
            second = first + away * np.stack([np.sin(angle), np.cos(angle)], axis=1)
            both = np.concatenate([first, second])
            labels = Labels(both, np.arange(len(both)))
            kept = np.zeros(len(both))
            kept[label_imperfectly(labels, s, rng(seed)).object] = 1
            found.append(np.corrcoef(kept[: len(first)], kept[len(first) :])[0, 1])
        correlation = np.exp(-((away / 0.4) ** 2) / 2)
        assert np.mean(found) == pytest.approx(2 / np.pi * np.arcsin(correlation), abs=0.05)

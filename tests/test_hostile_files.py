"""Files that lie, of any kind: one sentence, soon, and without much memory."""

from __future__ import annotations

import gzip
import json
import os
import struct
import time
import zipfile
import zlib
from io import BytesIO

import h5py
import numpy as np
import pytest
import tifffile

from napari_sofinet.cli.main import main
from napari_sofinet.data.recipe import Recipe
from napari_sofinet.networks import weights

MOVIE = np.random.default_rng(0).integers(100, 1000, (20, 16, 16), dtype=np.uint16)
LOCS = np.zeros(50, [("frame", "u4"), ("x", "f4"), ("y", "f4"), ("lpx", "f4"), ("lpy", "f4")])
LOCS["x"] = LOCS["y"] = LOCS["frame"] = np.arange(50) % 16
SOON_S = 20
fifo_only = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")


@pytest.fixture
def refused(tmp_path, capsys, monkeypatch):
    """Run a command that must fail soon in one sentence and leave nothing."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        before = sorted(os.listdir(tmp_path))
        capsys.readouterr()
        begun = time.monotonic()
        assert main([str(word) for word in words]) == 2
        assert time.monotonic() - begun < SOON_S
        shown = capsys.readouterr()
        assert len(shown.err.splitlines()) == 1, shown.err
        assert sorted(os.listdir(tmp_path)) == before
        return shown.err

    return run


def accepted(*words):
    assert main([str(word) for word in words]) == 0


def tiff(pages, data=b"", chain=None):
    """A TIFF file from pages {tag: (type, count, value or bytes)}."""
    out = bytearray(b"II*\0\0\0\0\0") + data
    places, previous = [], 4
    for tags in pages:
        out += b"\0" * (len(out) % 2)
        places.append(len(out))
        out[previous : previous + 4] = struct.pack("<I", len(out))
        out += struct.pack("<H", len(tags))
        later = []
        for tag in sorted(tags):
            kind, count, value = tags[tag]
            if isinstance(value, bytes):
                later.append((len(out) + 8, value))
                value = 0
            out += struct.pack("<HHII", tag, kind, count, value)
        previous = len(out)
        out += b"\0\0\0\0"
        for place, value in later:
            out[place : place + 4] = struct.pack("<I", len(out))
            out += value
    if chain is not None:
        out[previous : previous + 4] = struct.pack("<I", places[chain])
    return bytes(out)


def page(width=16, height=16, packed=None, compression=1, **more):
    size = 2 * width * height if packed is None else packed
    tags = {256: width, 257: height, 259: compression, 273: 8, 278: height, 279: size}
    short = {258: 16, 262: 1, 277: 1}
    text = more.get("description")
    return (
        {tag: (4, 1, value) for tag, value in tags.items()}
        | {tag: (3, 1, value) for tag, value in short.items()}
        | ({} if text is None else {270: (2, len(text) + 1, text.encode() + b"\0")})
    )


RAW = MOVIE[0].tobytes()
COMMANDS = (
    ["info"],
    ["reconstruct", "average", "-o", "out.ome.tif"],
    ["measure", "resolution"],
    ["run"],
)


def ome(inside, size_t=5, attributes=""):
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/'
        'OME/2016-06" UUID="urn:uuid:1"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        f'DimensionOrder="XYZCT" Type="uint16" SizeX="16" SizeY="16" SizeZ="1" SizeC="1" '
        f'SizeT="{size_t}" {attributes}><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{inside}'
        "</Pixels></Image></OME>"
    )


def other_files(name):
    return "".join(
        f'<TiffData IFD="0" FirstT="{t}" FirstZ="0" FirstC="0" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:{t + 2}</UUID></TiffData>'
        for t in range(5)
    )


def described(text):
    return tiff([page(description=text), *[page()] * 4], RAW)


MILLIARD = 10**9
LIES = {
    "chain to its first image": lambda: tiff([page()] * 5, RAW, chain=0),
    "chain to itself": lambda: tiff([page()] * 5, RAW, chain=4),
    "long chain to its middle": lambda: tiff([page()] * 300, RAW, chain=150),
    "OME of a milliard images": lambda: described(ome("<TiffData/>", MILLIARD)),
    "OME of 1e30 images": lambda: described(ome("<TiffData/>", 10**30)),
    "OME of very many digits": lambda: described(ome("<TiffData/>", "9" * 5000)),
    "OME of wide images": lambda: described(
        ome("<TiffData/>").replace('SizeX="16"', f'SizeX="{MILLIARD}"')
    ),
    "OME PlaneCount": lambda: described(ome(f'<TiffData IFD="0" PlaneCount="{MILLIARD}"/>')),
    "OME NumPlanes": lambda: described(ome(f'<TiffData IFD="0" NumPlanes="{MILLIARD}"/>')),
    "OME outside": lambda: described(ome(other_files("../outside.tif"))),
    "OME absolute": lambda: described(ome(other_files("/etc/passwd"))),
    "OME device": lambda: described(ome(other_files("/dev/zero"))),
    "bomb": lambda: tiff([page(30000, 30000, 30000, 8)] * 3, zlib.compress(bytes(2 * 10**7))),
    "smaller bomb": lambda: tiff([page(8000, 8000, 10**5, 8)] * 3, zlib.compress(bytes(10**8))),
    "huge and uncompressed": lambda: tiff([page(60000, 60000, 2**31)] * 3, RAW),
}


@pytest.mark.parametrize("kind", LIES)
def test_a_tiff_that_lies(tmp_path, refused, kind):
    (tmp_path / "lie.tif").write_bytes(LIES[kind]())
    tifffile.imwrite(tmp_path.parent / "outside.tif", MOVIE[::-1])
    for words in COMMANDS[:3]:
        said = (
            refused(words[0], *words[1:2], "lie.tif", *words[2:])
            if words[1:]
            else refused(words[0], "lie.tif")
        )
        assert "bug" not in said


@fifo_only
def test_pipes_are_never_waited_for(tmp_path, refused):
    os.mkfifo(tmp_path / "pipe.tif")
    (tmp_path / "ome.tif").write_bytes(described(ome(other_files("pipe.tif"))))
    for words in COMMANDS[:3]:
        for name in ("pipe.tif", "ome.tif"):
            refused(*words[:2], name, *words[2:])
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(4):
        tifffile.imwrite(folder / f"{number}.tif", MOVIE[number])
    os.mkfifo(folder / "4.tif")
    for words in COMMANDS[:2]:
        assert "4.tif" in refused(*words[:2], folder, *words[2:])
    tifffile.imwrite(tmp_path / "m.tif", MOVIE)
    for name in ("p.csv", "p.hdf5", "p.npz", "p.safetensors", "p.json"):
        os.mkfifo(tmp_path / name)
    refused("table", "p.csv", "--pixel-size", "0.1", "-o", "o.csv")
    refused("table", "p.hdf5", "-o", "o.csv")
    refused("measure", "compare", "m.tif", "--reference", "p.npz")
    refused("run", "p.json")
    small = ["simulate", "microtubules", "-o", "o.tif", "--frames", "3"]
    refused(*small, "--structure.kind", "table", "--structure.file", "p.npz")
    refused(*small, "--structure.kind", "table", "--structure.file", "p.csv")
    refused(*small, "--optics.psf", "image", "--optics.psf-file", "pipe.tif")
    refused(*small, "--camera.dark-frames", "pipe.tif")
    refused("reconstruct", "average", "m.tif", "-o", "o.tif", "--camera.dark-frames", "pipe.tif")
    pytest.importorskip("torch")
    refused("reconstruct", "sofinet", "m.tif", "-o", "o.tif", "--weights", "p.safetensors")


# Tables


def hdf5(path, make):
    with h5py.File(path, "w") as file:
        make(file)


def with_locs(more):
    def make(file):
        file.create_dataset("locs", data=LOCS)
        more(file)

    return make


BAD_HDF5 = {
    "promises rows": lambda f: f.create_dataset("locs", (MILLIARD,), LOCS.dtype, chunks=(1000,)),
    "other file": lambda f: f.__setitem__("locs", h5py.ExternalLink("other.hdf5", "locs")),
    "link to a link": lambda f: (
        f.__setitem__("b", h5py.ExternalLink("other.hdf5", "locs")),
        f.__setitem__("locs", h5py.SoftLink("/b")),
    ),
    "stored outside": lambda f: f.create_dataset(
        "locs", (5,), LOCS.dtype, external=[("secret", 0, h5py.h5f.UNLIMITED)]
    ),
    "group": lambda f: f.create_group("locs"),
    "empty": lambda f: f.create_dataset("locs", data=h5py.Empty(LOCS.dtype)),
    "nothing": lambda f: None,
}
GOOD_HDF5 = {
    "metadata group": lambda f: f.create_group("metadata"),
    "deep metadata": lambda f: f.create_dataset("metadata", data="[" * 100_000),
    "huge metadata": lambda f: f.create_dataset("metadata", (MILLIARD,), "f8", chunks=True),
    "metadata elsewhere": lambda f: f.__setitem__("metadata", h5py.ExternalLink("no.hdf5", "x")),
    "odd numbers": lambda f: f.create_dataset(
        "metadata", data='[{"Pixelsize": NaN, "Width": 1e400, "Height": true, "Frames": -5}]'
    ),
}


@pytest.mark.parametrize("kind", BAD_HDF5)
def test_an_hdf5_table_that_lies(tmp_path, refused, kind):
    hdf5(tmp_path / "other.hdf5", with_locs(lambda file: None))
    (tmp_path / "secret").write_bytes(b"x" * 1000)
    hdf5(tmp_path / "t.hdf5", BAD_HDF5[kind])
    refused("table", "t.hdf5", "--pixel-size", "0.1", "-o", "o.csv")


@pytest.mark.parametrize("kind", GOOD_HDF5)
def test_odd_metadata_of_a_table_does_not_matter(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    hdf5(tmp_path / "t.hdf5", with_locs(GOOD_HDF5[kind]))
    accepted("table", "t.hdf5", "--pixel-size", "0.1", "-o", "o.csv")


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ("1e9,1,1\n1,2,3\n", ["--window", "1:1"]),
        ("1000000,1,1\n1,2,3\n", ["--window", "1:1"]),
        ("1,2,3\n2,9e8,9e8\n", []),
        ("1,2,3\n2,1e8,1e8\n", []),
        ("1,2,3\n", ["--pixel-nm", "1e300"]),
        ("1,2,3\n", ["--fineness", "1e-30"]),
        ("1,2,3\n", ["--fineness", "1e9"]),
        ("1000000000,2,3\n" + "".join(f"{k},{k},{k}\n" for k in range(1, 900)), ["--drift", "1"]),
    ],
)
def test_a_table_of_which_no_picture_can_be_made(tmp_path, refused, rows, options):
    (tmp_path / "t.csv").write_text("frame,x [nm],y [nm]\n" + rows)
    refused("table", "t.csv", "--pixel-size", "0.1", "-o", "o.ome.tif", *options)


def test_one_sample_is_a_picture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("frame,x [nm],y [nm]\n1,20,30\n2,40,50\n")
    accepted("table", "t.csv", "--pixel-size", "0.1", "-o", "o.ome.tif", "--fineness", "1")


# Truth files


@pytest.fixture
def compared(tmp_path, refused, capsys):
    """Compare a picture with a truth file made of changed arrays."""
    words = ["--rows", "24", "--columns", "24", "--frames", "6", "--truth", "truth.npz"]
    accepted("simulate", "microtubules", "-o", "m.tif", *words)
    with np.load(tmp_path / "truth.npz") as stored:
        arrays = dict(stored)

    def run(**changes):
        changed = {k: v for k, v in (arrays | changes).items() if v is not None}
        np.savez_compressed(tmp_path / "t.npz", **changed)
        return refused("measure", "compare", "m.tif", "--reference", "t.npz")

    run.arrays = arrays
    return run


def test_truth_files_of_other_arrays(compared):
    n = len(compared.arrays["photons"])
    at = compared.arrays["positions_um"]
    for positions in (
        np.zeros(5), np.float64(3), np.array(["a", "b"]), np.full_like(at, np.nan),
        np.full_like(at, np.inf), np.zeros((1, 2, 3, 2)), at[:, :1], np.zeros((0, n, 2)), at * 1j,
        at[:3], np.array([{"a": 1}], dtype=object), np.asfortranarray(at), at.astype("M8[s]"),
    ):  # fmt: skip
        compared(positions_um=positions)
    photons = compared.arrays["photons"]
    for changed in (photons[:3], photons * np.nan, photons * 1j, -photons, photons[:, None], None):
        compared(photons=changed)
    for settings in ("{}x", "{}", "[" * 100_000, "5", '{"optics": 3, "camera": 4}'):
        compared(settings=np.array(settings))
    compared(settings=None)
    compared(settings=np.array(5))


def test_damaged_truth_files(tmp_path, compared, refused):
    whole = (tmp_path / "truth.npz").read_bytes()
    for content in (b"", b"PK\3\4" + b"x" * 999, whole[:10], whole[: len(whole) // 2], whole[:-10]):
        (tmp_path / "t.npz").write_bytes(content)
        refused("measure", "compare", "m.tif", "--reference", "t.npz")
    np.save(tmp_path / "t.npy", np.zeros(3))
    (tmp_path / "t.npy").rename(tmp_path / "t.npz")
    refused("measure", "compare", "m.tif", "--reference", "t.npz")


@pytest.mark.parametrize("shape", [(375_000_000, 2), (20_000_000, 2), (6, 10_000_000, 2)])
def test_a_truth_that_unpacks_to_gigabytes(tmp_path, compared, refused, shape):
    header = BytesIO()
    about = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, about)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("photons", "settings"):
            one = BytesIO()
            np.save(one, compared.arrays[name])
            archive.writestr(f"{name}.npy", one.getvalue())
        with archive.open("positions_um.npy", "w", force_zip64=True) as out:
            out.write(header.getvalue())
            out.write(bytes(10**6))
    refused("measure", "compare", "m.tif", "--reference", "bomb.npz")
    refused(
        *("simulate", "microtubules", "-o", "s.tif", "--frames", "3", "--structure.kind", "table"),
        *("--structure.file", "bomb.npz"),
    )


def test_the_truth_of_another_movie_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["--rows", "24", "--columns", "24", "--frames", "30"]
    for seed in (1, 2):
        accepted(
            *("simulate", "microtubules", "-o", f"{seed}.tif", "--truth", f"{seed}.npz"),
            *("--seed", seed, *words),
        )
    accepted("reconstruct", "average", "1.tif", "-o", "a.ome.tif")
    for seed in (1, 2):
        capsys.readouterr()
        accepted("measure", "compare", "a.ome.tif", "--reference", f"{seed}.npz", "--json")
        assert ("a different movie" in "".join(capsys.readouterr())) == (seed == 2)


# Weights


def changed_weights(path, edit, body=None):
    raw = weights.find("sofinet-universal", "sofinet").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    edit(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + (body or raw[8 + length :]))


def with_card(edit):
    def make(header):
        card = json.loads(header["__metadata__"]["card"])
        edit(card)
        header["__metadata__"]["card"] = json.dumps(card)

    return make


def first(header):
    return next(value for key, value in header.items() if key != "__metadata__")


WEIGHTS = {
    "wrong shape": lambda h: first(h).update(shape=[1]),
    "huge shape": lambda h: first(h).update(shape=[2**40, 2**40]),
    "negative shape": lambda h: first(h).update(shape=[-1]),
    "no list": lambda h: first(h).update(shape="ab"),
    "wrong type": lambda h: first(h).update(dtype="I8"),
    "unknown type": lambda h: first(h).update(dtype="x"),
    "no type": lambda h: first(h).pop("dtype"),
    "offsets": lambda h: first(h).update(data_offsets=[-4, 0]),
    "text offsets": lambda h: first(h).update(data_offsets="ab"),
    "tensor missing": lambda h: h.pop(next(k for k in h if k != "__metadata__")),
    "tensor renamed": lambda h: h.update(x=h.pop(next(k for k in h if k != "__metadata__"))),
    "number for a tensor": lambda h: h.update({next(k for k in h if k != "__metadata__"): 5}),
    "no metadata": lambda h: h.pop("__metadata__"),
    "metadata list": lambda h: h.update(__metadata__=[]),
    "card number": lambda h: h.update(__metadata__={"card": 5}),
    "channels": with_card(lambda c: c["parameters"].update(channels=4000)),
    "many channels": with_card(lambda c: c["parameters"].update(channels=10**20)),
    "blocks": with_card(lambda c: c["parameters"].update(blocks=10**9)),
    "unknown size": with_card(lambda c: c["parameters"].update(device=3)),
    "ranges of NaN": with_card(lambda c: c.update(ranges={"psf_fwhm_px": [np.nan, np.nan]})),
    "uncertainty of NaN": with_card(
        lambda c: c["uncertainty"].update(half_width=[np.nan] * len(c["uncertainty"]["half_width"]))
    ),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_lie(tmp_path, refused, kind):
    pytest.importorskip("torch")
    tifffile.imwrite(tmp_path / "m.tif", MOVIE)
    changed_weights(tmp_path / "w.safetensors", WEIGHTS[kind])
    refused("reconstruct", "sofinet", "m.tif", "-o", "o.tif", "--weights", "w.safetensors")


def test_gigabytes_of_weights_are_not_read(tmp_path, refused):
    pytest.importorskip("torch")
    tifffile.imwrite(tmp_path / "m.tif", MOVIE)
    size = 6 * 10**9
    big = {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}
    path = tmp_path / "w.safetensors"

    def only_one(header):
        card = header.pop("__metadata__")
        header.clear()
        header.update(__metadata__=card, a=big)

    changed_weights(path, only_one, body=b"\0")
    with path.open("r+b") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        file.truncate(8 + length + size)
    refused("reconstruct", "sofinet", "m.tif", "-o", "o.tif", "--weights", "w.safetensors")


# Recipes


@pytest.fixture
def repeated(tmp_path, refused, capsys):
    """Repeat a recipe that was changed."""
    tifffile.imwrite(tmp_path / "m.tif", MOVIE)
    accepted("reconstruct", "average", "m.tif", "-o", "o.ome.tif", "--frames", "0:10")
    recipe = json.loads(Recipe.load(tmp_path / "o.ome.tif").to_json())

    def run(edit=None, text=None):
        changed = json.loads(json.dumps(recipe))
        if edit is not None:
            edit(changed)
        (tmp_path / "r.json").write_text(json.dumps(changed) if text is None else text)
        return refused("run", "r.json", "-o", "again.ome.tif")

    return run


def test_recipes_that_lie(tmp_path, repeated):
    def settings(**values):
        return lambda r: r["reconstruct"]["settings"].update(values)

    for text in ("1" * 10000, '{"open": ' + "1" * 5000 + "}", "[" * 200_000, "", "NaN", '"x"'):
        repeated(text=text)
    repeated(lambda r: r["reconstruct"].update(fingerprints={"nosuch": "aa"}))
    repeated(lambda r: r["open"].update(pixel_size_um=1e-300))
    repeated(lambda r: r["open"].update(frame_interval_s=1e300))
    for name in ("weights", "", ".", "order.x", "__class__"):
        repeated(settings(**{name: 5}))
    repeated(settings(**{"camera.dark_frames": "/etc/passwd"}))
    repeated(settings(**{"camera.dark_frames": "/dev/zero"}))
    (tmp_path / "outside.tif").write_bytes((tmp_path / "m.tif").read_bytes() + b"\0")
    assert "outside.tif" in repeated(lambda r: r["open"].update(path="../outside.tif"))
    repeated(lambda r: r["open"].update(path="outside.tif"))
    said = repeated(lambda r: r["open"].update(path="outside.tif", fingerprint=None))
    assert f"{tmp_path / 'outside.tif'}" in said


def test_recipes_of_tables_that_lie(tmp_path, refused):
    (tmp_path / "t.csv").write_text("frame,x [nm],y [nm]\n1,20,30\n2,90,250\n")
    accepted("table", "t.csv", "--pixel-size", "0.1", "-o", "o.ome.tif")
    recipe = json.loads(Recipe.load(tmp_path / "o.ome.tif").to_json())
    for name, values in {
        "where": (5, [5], {"a": 1}, "x", True),
        "drift": ("x", 5.5, [5], -1),
        "render": ("x", 5, None),
        "pixel_nm": ("x", [5], -1, 1e300),
        "fineness": ("x", [5], 0, 1e-30),
        "window": ("x", [5], [5, 0], [1, 2, 3], -1, 10**30),
        "zzz": (1,),
    }.items():
        for value in values:
            recipe["reconstruct"]["settings"] = {name: value}
            (tmp_path / "r.json").write_text(json.dumps(recipe))
            refused("run", "r.json", "-o", "again.ome.tif")


def test_the_file_that_was_read_for_a_recipe_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite(tmp_path / "m.tif", MOVIE)
    accepted("reconstruct", "average", "m.tif", "-o", "o.ome.tif")
    capsys.readouterr()
    accepted("run", "o.ome.tif")
    assert f"{tmp_path / 'm.tif'}, which the recipe names, was read" in capsys.readouterr().err


def test_a_packed_table_that_unpacks_to_gigabytes(tmp_path, refused):
    header = b"frame,x_nm,y_nm\n"
    for row in (b"1,2,3\n", b"1", b"\n"):
        with gzip.open(tmp_path / "t.csv.gz", "wb", 1) as file:
            file.write(header)
            for _ in range(90):
                file.write(row * (10**6 // len(row)))
        refused("table", "t.csv.gz", "--pixel-size", "0.1", "-o", "o.csv")


def test_a_whole_number_of_very_many_digits_is_no_position(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = f"1,2,3,x\n{'9' * 400},2,3,4\n2,{'9' * 30},3,4\n3,5,6,7\n"
    (tmp_path / "t.csv").write_text("frame,x_nm,y_nm,note\n" + rows)
    accepted("table", "t.csv", "--pixel-size", "0.1", "-o", "o.csv")
    assert "2 rows without usable numbers" in capsys.readouterr().err

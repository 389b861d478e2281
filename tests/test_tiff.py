"""Every kind of TIFF movie is understood, lazily; a damaged one is never taken for a short one."""

from __future__ import annotations

import struct
import uuid

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_sofinet.base.errors import InputError
from napari_sofinet.data.open_movie import open_movie
from napari_sofinet.io import tiff_stack

MOVIE = np.random.default_rng(0).integers(100, 1000, (20, 16, 18), dtype=np.uint16)
STACK = np.random.default_rng(1).integers(100, 1000, (6, 3, 2, 16, 18), dtype=np.uint16)
IMAGEJ = "ImageJ=1.53c\nimages=20\nframes=20\nunit=%s\nfinterval=0.05\nloop=false\n\0"


def pixels(movie) -> np.ndarray:
    return movie.frames.compute(scheduler="synchronous")


def page_by_page(path, movie=MOVIE, metadata=None, file=None, **options):
    with tifffile.TiffWriter(path, **(file or {})) as writer:
        for frame in movie:
            writer.write(frame, contiguous=False, metadata=metadata, **options)


def imagej_of_one_page(path, unit=b"micron", movie=MOVIE) -> bytes:
    """What ImageJ writes above 4 GB: one page, then all frames, their number in the description."""
    text = IMAGEJ.encode().replace(b"%s", unit)
    text += b"\0" * (len(text) % 2)
    start = 8 + 2 + 11 * 12 + 4
    ratio = start + len(text)
    height, width = movie.shape[1:]
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (270, 2, len(text), start),
        (273, 4, 1, ratio + 8),
        (278, 3, 1, height),
        (279, 4, 1, height * width * 2),
        (282, 5, 1, ratio),
        (283, 5, 1, ratio),
    ]
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    head += b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    data = head + text + struct.pack("<II", 10, 1) + movie.astype("<u2").tobytes()
    path.write_bytes(data)
    return data


def ome_of_two_files(folder, **options):
    """Frames 0 to 9 in a.ome.tif, 10 to 19 in b.ome.tif; each file describes both."""
    ids = [f"urn:uuid:{uuid.UUID(int=i + 1)}" for i in range(2)]
    names = ["a.ome.tif", "b.ome.tif"]
    data = "".join(
        f'<TiffData IFD="{i}" FirstT="{10 * k + i}" FirstC="0" FirstZ="0" PlaneCount="1">'
        f'<UUID FileName="{names[k]}">{ids[k]}</UUID></TiffData>'
        for k in range(2)
        for i in range(10)
    )
    for k, name in enumerate(names):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{ids[k]}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
            'Type="uint16" SizeX="18" SizeY="16" SizeC="1" SizeZ="1" SizeT="20" '
            'PhysicalSizeX="0.1" PhysicalSizeY="0.1"><Channel ID="Channel:0:0" '
            f'SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
        )
        with tifffile.TiffWriter(folder / name) as writer:
            for i, frame in enumerate(MOVIE[10 * k : 10 * k + 10]):
                text = xml if i == 0 else None
                writer.write(frame, contiguous=False, metadata=None, description=text, **options)
    return [folder / name for name in names]


ONE_FILE = {
    "plain": {},
    "without metadata": {"metadata": None},
    "big-endian": {"byteorder": ">"},
    "BigTIFF": {"bigtiff": True},
    "big-endian BigTIFF": {"bigtiff": True, "byteorder": ">"},
    "strips": {"rowsperstrip": 3},
    "tiles": {"tile": (16, 16)},
    "ImageJ": {"imagej": True, "metadata": {"axes": "TYX"}},
    "OME": {"ome": True, "metadata": {"axes": "TYX"}},
    "zlib": {"compression": "zlib"},
    "zlib big-endian": {"compression": "zlib", "byteorder": ">"},
    "zlib tiles": {"compression": "zlib", "tile": (16, 16)},
    "zlib OME": {"compression": "zlib", "ome": True, "metadata": {"axes": "TYX"}},
    "lzw": {"compression": "lzw"},
    "lzw predictor": {"compression": "lzw", "predictor": True},
    "packbits": {"compression": "packbits", "bigtiff": True},
    "zstd": {"compression": "zstd"},
}
PAGES = {
    "pages": {},
    "pages BigTIFF": {"file": {"bigtiff": True}},
    "pages lzw": {"compression": "lzw"},
    "pages in tiles": {"tile": (16, 16)},
    "pages, each a series": {"metadata": {}},
    "pages, each a series, zlib": {"metadata": {}, "compression": "zlib"},
}


def write(path, kind, movie=MOVIE):
    if kind in PAGES:
        page_by_page(path, movie, **PAGES[kind])
    else:
        tifffile.imwrite(path, movie, photometric="minisblack", **ONE_FILE[kind])


@pytest.mark.parametrize("kind", [*ONE_FILE, *PAGES])
def test_a_movie_is_read_as_it_was_written(tmp_path, kind):
    path = tmp_path / "movie.tif"
    write(path, kind)
    movie = open_movie(path)
    assert movie.shape == MOVIE.shape
    assert movie.dtype == MOVIE.dtype
    assert movie.notes == ()
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    part = movie.select((3, 17), ((2, 9), (5, 18)))
    np.testing.assert_array_equal(pixels(part), MOVIE[3:17, 2:9, 5:18])


@pytest.mark.parametrize("kind", ["plain", "zlib", "pages", "pages, each a series", "OME"])
def test_frames_are_read_in_blocks_wherever_they_start(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("napari_sofinet.io.blocks.BLOCK_BYTES", 3 * MOVIE[0].nbytes)
    path = tmp_path / "movie.tif"
    write(path, kind)
    frames = open_movie(path).frames
    assert frames.chunks[0] == (3, 3, 3, 3, 3, 3, 2)
    for _ in range(3):  # in dask's threads, which must not disturb each other
        np.testing.assert_array_equal(frames[4:19].compute(num_workers=4), MOVIE[4:19])


@pytest.mark.parametrize("kind", [*ONE_FILE, *PAGES])
def test_opening_reads_no_frame(tmp_path, kind, monkeypatch):
    path = tmp_path / "movie.tif"
    write(path, kind)

    def refuse(*args, **options):
        raise AssertionError("frames were read")

    for owner, name in (
        (tifffile.TiffFile, "asarray"),
        (tifffile.TiffPage, "asarray"),
        (tifffile.FileHandle, "read_array"),
        (tifffile.FileHandle, "read_segments"),
        (tiff_stack, "read_frames"),
    ):
        monkeypatch.setattr(owner, name, refuse)
    movie = open_movie(path)
    assert movie.select((1, 5)).frames.shape == (4, 16, 18)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "i4", "f2", "f4", "f8"])
def test_pixel_types_are_kept(tmp_path, dtype):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, (MOVIE % 100).astype(dtype), photometric="minisblack")
    movie = open_movie(path)
    assert movie.dtype == dtype
    np.testing.assert_array_equal(pixels(movie), (MOVIE % 100).astype(dtype))


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True},
        {"ome": True},
        {"ome": True, "compression": "zlib"},
        {},
        {"compression": "lzw"},
    ],
    ids=str,
)
def test_a_channel_and_a_plane_are_chosen(tmp_path, options):
    path = tmp_path / "hyperstack.tif"
    tifffile.imwrite(path, STACK, metadata={"axes": "TZCYX"}, **options)
    first = open_movie(path)
    np.testing.assert_array_equal(pixels(first), STACK[:, 0, 0])
    assert len(first.notes) == 2
    assert any("channel 0" in note for note in first.notes)
    assert any("z 0" in note for note in first.notes)
    for channel, z in ((0, 2), (1, 0), (1, 2)):
        movie = open_movie(path, channel=channel, z=z)
        assert movie.notes == ()
        np.testing.assert_array_equal(pixels(movie), STACK[:, z, channel])
    with pytest.raises(InputError, match="channel from 0 to 1"):
        open_movie(path, channel=2)
    with pytest.raises(InputError, match="z from 0 to 2"):
        open_movie(path, z=-1)


def test_a_choice_among_one_is_refused(tmp_path):
    path = tmp_path / "movie.tif"
    write(path, "plain")
    assert open_movie(path, channel=0).shape == MOVIE.shape
    with pytest.raises(InputError, match="several channels"):
        open_movie(path, channel=1)


def test_a_z_axis_is_time_with_a_note_unless_it_is_depth(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, MOVIE, imagej=True, metadata={"axes": "ZYX"})
    movie = open_movie(path)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    assert "interpreted as time" in movie.notes[0]
    for options in ({"stack_axis": "depth"}, {"z": 3}):
        with pytest.raises(InputError, match="20 planes of one time point"):
            open_movie(path, **options)


def test_channels_without_time_are_no_movie(tmp_path):
    path = tmp_path / "channels.tif"
    tifffile.imwrite(path, MOVIE[:3], metadata={"axes": "CYX"}, photometric="minisblack")
    with pytest.raises(InputError, match="3 channels of one time point"):
        open_movie(path)


def test_a_great_many_channels_are_time(tmp_path):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, MOVIE, imagej=True)
    with tifffile.TiffFile(path) as tif:
        assert tif.series[0].axes == "CYX"
    movie = open_movie(path)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    assert "interpreted as time" in movie.notes[0]
    assert open_movie(path, channel=0) == movie
    with pytest.raises(InputError, match="20 channels of one time point"):
        open_movie(path, channel=3)


def test_axes_without_a_meaning_are_not_guessed(tmp_path):
    path = tmp_path / "two.tif"
    tifffile.imwrite(path, MOVIE.reshape(5, 4, 16, 18), photometric="minisblack")
    with pytest.raises(InputError, match="arrangement"):
        open_movie(path)
    tifffile.imwrite(
        path, MOVIE.reshape(5, 4, 16, 18), metadata={"axes": "TRYX"}, photometric="minisblack"
    )
    with pytest.raises(InputError, match="axis R of 4"):
        open_movie(path)


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_preview_image_is_not_the_movie(tmp_path, place):
    path = tmp_path / "movie.tif"
    with tifffile.TiffWriter(path) as writer:
        if place == "first":
            writer.write(MOVIE[0, :8, :8], metadata=None)
        for frame in MOVIE:
            writer.write(frame, contiguous=False, metadata=None)
        if place == "last":
            writer.write(MOVIE[0, :8, :8], metadata=None)
    np.testing.assert_array_equal(pixels(open_movie(path)), MOVIE)


def test_the_first_of_several_ome_images_is_taken_with_a_note(tmp_path):
    path = tmp_path / "positions.ome.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(MOVIE, metadata={"axes": "TYX"})
        writer.write(MOVIE + 1, metadata={"axes": "TYX"})
    movie = open_movie(path)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    assert "2 images" in movie.notes[0]


def test_imagej_with_one_page_for_all_frames(tmp_path):
    path = tmp_path / "large.tif"
    data = imagej_of_one_page(path)
    with tifffile.TiffFile(path) as tif:
        assert len(tif.pages) == 1
    movie = open_movie(path)
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    assert movie.pixel_size_um == pytest.approx(0.1)
    assert movie.frame_interval_s == pytest.approx(0.05)
    for lost in (1, 600, MOVIE.nbytes - MOVIE[0].nbytes, MOVIE.nbytes - 3):
        path.write_bytes(data[:-lost])
        with pytest.raises(InputError, match="truncated"):
            open_movie(path)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}], ids=str)
def test_ome_of_several_files(tmp_path, options):
    files = ome_of_two_files(tmp_path, **options)
    for path in files:
        movie = open_movie(path)
        np.testing.assert_array_equal(pixels(movie), MOVIE)
        assert movie.pixel_size_um == pytest.approx(0.1)
        assert movie.notes == ()
    whole = files[1].read_bytes()
    files[1].write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(InputError, match=r"missing|truncated"):
        open_movie(files[0])
    files[1].unlink()
    with pytest.raises(InputError, match=r"requires the file b\.ome\.tif"):
        open_movie(files[0])


def test_a_folder_is_sorted_by_number(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for i, frame in enumerate(MOVIE):
        tifffile.imwrite(folder / f"cell²_{i + 1}.tif", frame)
    (folder / "._cell²_1.tif").write_bytes(b"left by macOS")
    (folder / "notes.txt").write_text("30 ms")
    movie = open_movie(folder)
    assert movie.name == "frames"
    np.testing.assert_array_equal(pixels(movie), MOVIE)
    np.testing.assert_array_equal(pixels(movie.select((9, 12))), MOVIE[9:12])
    with pytest.raises(InputError, match="several channels"):
        open_movie(folder, channel=1)


@pytest.mark.parametrize(
    "odd", [MOVIE[0, :8], MOVIE[:2], MOVIE[0].astype("f4"), None], ids=["size", "2", "type", "text"]
)
@pytest.mark.parametrize("name", ["frame0.tif", "frame5.tif"])
def test_the_odd_one_in_a_folder_is_named(tmp_path, odd, name):
    for i in range(1, 10):
        tifffile.imwrite(tmp_path / f"frame{i}.tif", MOVIE[i])
    if odd is None:
        (tmp_path / name).write_text("no picture")
    else:
        tifffile.imwrite(tmp_path / name, odd)
    with pytest.raises(InputError, match=r"frame\d\.tif"):
        pixels(open_movie(tmp_path))


def test_a_folder_of_one_movie_is_that_movie(tmp_path):
    tifffile.imwrite(tmp_path / "movie.tif", STACK, imagej=True, metadata={"axes": "TZCYX"})
    np.testing.assert_array_equal(pixels(open_movie(tmp_path, channel=1, z=2)), STACK[:, 2, 1])


def ome_scale(size, unit, **more):
    return {
        "ome": True,
        "metadata": {
            "axes": "TYX",
            "PhysicalSizeX": size,
            "PhysicalSizeXUnit": unit,
            "PhysicalSizeY": size,
            "PhysicalSizeYUnit": unit,
            **more,
        },
    }


@pytest.mark.parametrize(
    ("options", "pixel", "interval"),
    [
        (ome_scale(107, "nm"), 0.107, None),
        (ome_scale(0.107, "µm"), 0.107, None),
        (ome_scale(0.1, "µm", TimeIncrement=30, TimeIncrementUnit="ms"), 0.1, 0.03),
        (ome_scale(0.1, "µm", TimeIncrement=0.03), 0.1, 0.03),
        ({"imagej": True, "metadata": {"unit": "um"}, "resolution": (10, 10)}, 0.1, None),
        ({"imagej": True, "metadata": {"unit": "micron"}, "resolution": (8, 8)}, 0.125, None),
        ({"imagej": True, "metadata": {"unit": "nm"}, "resolution": (0.01, 0.01)}, 0.1, None),
        ({"imagej": True, "metadata": {"unit": "\\u00B5m"}, "resolution": (10, 10)}, 0.1, None),
        ({"imagej": True, "metadata": {"unit": "pixel"}, "resolution": (10, 10)}, None, None),
        ({"imagej": True, "metadata": {"finterval": 0.03}}, None, 0.03),
        ({"imagej": True, "metadata": {"finterval": 30, "tunit": "ms"}}, None, 0.03),
        ({"imagej": True, "metadata": {"finterval": -1}}, None, None),
        ({"resolution": (1e5, 1e5), "resolutionunit": "CENTIMETER"}, 0.1, None),
        ({"resolution": (254000, 254000), "resolutionunit": "INCH"}, 0.1, None),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None, None),
        ({"resolution": (1, 1), "resolutionunit": "INCH"}, None, None),
        ({"resolution": (1, 1), "resolutionunit": "CENTIMETER"}, None, None),
        ({"resolution": (1e5, 1e5), "resolutionunit": "NONE"}, None, None),
        ({}, None, None),
    ],
    ids=str,
)
def test_scale(tmp_path, options, pixel, interval):
    path = tmp_path / "movie.tif"
    if "imagej" in options:
        options = options | {"metadata": {"axes": "TYX"} | options["metadata"]}
    tifffile.imwrite(path, MOVIE, **options)
    movie = open_movie(path)
    assert movie.pixel_size_um == (None if pixel is None else pytest.approx(pixel, rel=1e-6))
    assert movie.frame_interval_s == (None if interval is None else pytest.approx(interval))
    mine = open_movie(path, pixel_size_um=0.2, frame_interval_s=1.5)
    assert (mine.pixel_size_um, mine.frame_interval_s) == (0.2, 1.5)


@pytest.mark.parametrize("unit", [b"micron", b"Microns", b"\\u00B5m", b"\xb5m", "µm".encode()])
def test_how_imagej_may_spell_micrometres(tmp_path, unit):
    imagej_of_one_page(tmp_path / "movie.tif", unit)
    assert open_movie(tmp_path / "movie.tif").pixel_size_um == pytest.approx(0.1)


def test_oblong_pixels_are_noted(tmp_path):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, MOVIE, resolution=(1e5, 0.5e5), resolutionunit="CENTIMETER")
    movie = open_movie(path)
    assert movie.pixel_size_um == pytest.approx(0.1)
    assert "0.1 x 0.2 um" in movie.notes[0]


def read_or_refuse(path) -> np.ndarray | None:
    """All pixels; None where the file is refused; any other error is a failure."""
    try:
        return pixels(open_movie(path))
    except InputError:
        return None


@pytest.mark.parametrize("kind", [*ONE_FILE, *PAGES])
def test_a_truncated_file_is_refused_or_whole(tmp_path, kind):
    movie = MOVIE[:6]
    whole, cut = tmp_path / "whole.tif", tmp_path / "cut.tif"
    write(whole, kind, movie)
    data = whole.read_bytes()
    lengths = {*np.linspace(1, len(data) - 1, 50).astype(int), *range(len(data) - 4, len(data))}
    refused = 0
    for length in sorted(lengths):
        cut.write_bytes(data[:length])
        found = read_or_refuse(cut)
        refused += found is None
        if found is not None:  # only what comes after the pixels was lost
            np.testing.assert_array_equal(found, movie)
    assert refused > 0.6 * len(lengths)


@pytest.mark.parametrize("kind", ["pages", "pages lzw", "pages, each a series", "without metadata"])
def test_losing_only_the_last_pages_is_noticed(tmp_path, kind):
    path = tmp_path / "movie.tif"
    write(path, kind)
    with tifffile.TiffFile(path) as tif:
        last = tif.pages[-1].offset
    path.write_bytes(path.read_bytes()[:last])
    with pytest.raises(InputError, match="truncated"):
        open_movie(path)


def test_a_file_that_shrinks_later_is_noticed(tmp_path):
    path = tmp_path / "movie.tif"
    for kind in ("plain", "zlib"):
        write(path, kind)
        movie = open_movie(path)
        path.write_bytes(path.read_bytes()[:3000])
        with pytest.raises(InputError, match="was changed"):
            pixels(movie)
    path.unlink()
    with pytest.raises(InputError, match=r"movie\.tif"):
        pixels(movie)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kind=st.sampled_from(["plain", "zlib", "pages lzw", "ImageJ", "OME"]),
    where=st.integers(0, 400),
    junk=st.binary(min_size=1, max_size=3),
)
def test_a_damaged_header_is_never_a_crash(tmp_path, kind, where, junk):
    path = tmp_path / f"{kind}.tif"
    if not path.exists():
        write(path, kind, MOVIE[:3])
    data = bytearray(path.read_bytes())
    data[where : where + len(junk)] = junk
    broken = tmp_path / "broken.tif"
    broken.write_bytes(data)
    read_or_refuse(broken)

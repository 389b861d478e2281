"""TIFF files as other programs write them, byte by byte."""

from __future__ import annotations

import json
import struct
import uuid
from pathlib import Path

import numpy as np

PROMISES = {"Frames": 20, "Slices": 1, "Channels": 1, "Positions": 1}


def write_micromanager(
    path: Path,
    frames: np.ndarray,
    places: list[tuple[int, int, int, int]],
    xml: str | None = None,
    *,
    index: bool = True,
    dangling: bool = False,
    **promises: int,
) -> None:
    """Write an image file stack of Micro-Manager 2.

    Parameters
    ----------
    path : Path
        The file.
    frames : ndarray of shape (N, Y, X), uint16
        Its images.
    places : list of (channel, plane, time, position)
        Of each image.
    xml : str, optional
        OME-XML in the first image's description.
    index : bool, optional
        False for a recording that broke off before the index was written.
    dangling : bool, optional
        Whether the last image names a following one, where there are only zeros.
    **promises : int
        Counts in the summary.
    """
    count, height, width = frames.shape
    summary = json.dumps({"MicroManagerVersion": "2.0.1", **PROMISES, **promises}).encode()
    data = bytearray(b"II*\0" + bytes(4))
    data += struct.pack("<8I", 54773648, 0, 483765892, 0, 99384722, 0, 2355492, len(summary))
    data += summary + bytes(len(summary) % 2)
    pointer, offsets = 4, []
    for k, (channel, plane, time, position) in enumerate(places):
        start = len(data)
        facts = json.dumps(
            {
                "PixelSizeUm": 0.1,
                "ElapsedTime-ms": 30.0 * time,
                "FrameIndex": time,
                "ChannelIndex": channel,
                "SliceIndex": plane,
                "PositionIndex": position,
            }
        ).encode()
        text = (xml if xml is not None and k == 0 else " ").encode() + b"\0"
        pixels = start + 2 + 14 * 12 + 4
        ratio = pixels + 2 * height * width
        tags = [
            (256, 4, 1, width),
            (257, 4, 1, height),
            (258, 3, 1, 16),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (270, 2, len(text), ratio + 8 + len(facts)),
            (273, 4, 1, pixels),
            (277, 3, 1, 1),
            (278, 3, 1, height),
            (279, 4, 1, 2 * height * width),
            (282, 5, 1, ratio),
            (283, 5, 1, ratio),
            (296, 3, 1, 3),
            (51123, 2, len(facts), ratio + 8),
        ]
        data[pointer : pointer + 4] = struct.pack("<I", start)
        data += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags)
        pointer = len(data)
        data += bytes(4) + frames[k].astype("<u2").tobytes() + struct.pack("<2I", 100000, 1)
        data += facts + text
        data += bytes(len(data) % 2)
        offsets.append(start)
    if dangling:
        data[pointer : pointer + 4] = struct.pack("<I", len(data))
        data += bytes(5000)
    if index:
        data[12:16] = struct.pack("<I", len(data))
        data += struct.pack("<2I", 3453623, count)
        for place, offset in zip(places, offsets, strict=True):
            data += struct.pack("<5I", *place, offset)
    path.write_bytes(data)


def ome_xml(
    names: list[str],
    planes: list[list[tuple[int, int, int, int, int]]],
    size: tuple[int, int],
    times: int,
    channels: int = 1,
) -> str:
    """OME-XML of a set of files.

    Parameters
    ----------
    names : list of str
        Names of the files.
    planes : list of list of (file, page, channel, plane, time)
        Images of each position.
    size : (int, int)
        Rows and columns.
    times, channels : int, optional
        What is promised.
    """
    ids = [f"urn:uuid:{uuid.UUID(int=k + 1)}" for k in range(len(names))]
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{ids[0]}">'
    )
    for p, found in enumerate(planes):
        text += (
            f'<Image ID="Image:{p}"><Pixels ID="Pixels:{p}" DimensionOrder="XYCZT" Type="uint16" '
            f'SizeX="{size[1]}" SizeY="{size[0]}" SizeC="{channels}" SizeZ="1" SizeT="{times}" '
            'PhysicalSizeX="0.1" PhysicalSizeY="0.1">'
        )
        text += "".join(
            f'<Channel ID="Channel:{p}:{c}" SamplesPerPixel="1"/>' for c in range(channels)
        )
        for file, page, channel, plane, time in found:
            text += (
                f'<TiffData IFD="{page}" FirstC="{channel}" FirstZ="{plane}" FirstT="{time}" '
                f'PlaneCount="1"><UUID FileName="{names[file]}">{ids[file]}</UUID></TiffData>'
            )
        text += "</Pixels></Image>"
    return text + "</OME>"


def write_stk(path: Path, frames: np.ndarray, step_ms: int = 30, first_ms: int = 1000) -> None:
    """Write a MetaMorph stack: one page for all images, facts in tags of its own."""
    count, height, width = frames.shape
    data = bytearray(b"II*\0" + bytes(4)) + frames.astype("<u2").tobytes()

    def put(content: bytes) -> int:
        place = len(data)
        data.extend(content + bytes(len(content) % 2))
        return place

    calibration = put(struct.pack("<2I", 107, 1000))
    unit = put(struct.pack("<I", 3) + b"um\0")
    uic1 = put(struct.pack("<6I", 4, calibration, 5, calibration, 6, unit))
    uic2 = put(
        b"".join(
            struct.pack("<6I", 0, 1, 2460000, (first_ms + k * step_ms) % 86_400_000, 2460000, 1000)
            for k in range(count)
        )
    )
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, 2 * height * width),
        (33628, 4, 3, uic1),
        (33629, 5, count, uic2),
    ]
    data[4:8] = struct.pack("<I", len(data))
    data += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags)
    data += bytes(4)
    path.write_bytes(data)


def metaseries_text(unit: str = "um", seconds: float = 0.0) -> str:
    """MetaMorph's description of an image that was taken some seconds after noon."""
    facts = (
        ("spatial-calibration-state", "bool", "on"),
        ("spatial-calibration-x", "float", "0.107"),
        ("spatial-calibration-y", "float", "0.107"),
        ("spatial-calibration-units", "string", unit),
        ("acquisition-time-local", "time", f"20240101 12:00:{seconds:06.3f}"),
    )
    lines = "".join(f'<prop id="{k}" type="{t}" value="{v}"/>\r\n' for k, t, v in facts)
    return (
        '<MetaData>\r\n<prop id="ApplicationName" type="string" value="MetaMorph"/>\r\n'
        f"<PlaneInfo>\r\n{lines}</PlaneInfo>\r\n</MetaData>\r\n"
    )

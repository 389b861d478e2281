"""Ways to damage bytes, numbers and JSON."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 10**9, 10**20, 10**30, -(10**9),
    0.5, -0.5, 1e-30, 1e-300, 1e30, 1e300, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
TEXTS = (
    "", " ", "x", "nan", "inf", "1e400", "-5", "0", "none", "\0", "a\0b", "../x", "/etc/passwd",
    "/dev/zero", "/", "~", "é" * 300, "x" * 5000, "9" * 5000, "[" * 2000, '"', "'; import os", "{}",
    "http://127.0.0.1:9/x", "%s%n", "\n", "\ud800".encode("utf-8", "replace").decode(),
)  # fmt: skip
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [1], [[1, 2], [3, 4]], {"a": 1}, [None] * 50)
TOKENS = (
    b"nan", b"inf", b"-inf", b"1e9", b"1e300", b"-1", b"0", b"", b" ", b'"', b"''", b"\0", b"x",
    b",", b";", b"\t", b"\n", b"\r\n", b"#", b"1e-300", b"9" * 400, b"\xff\xfe", b"\xef\xbb\xbf",
    b"1,5", b"=1+1",
)  # fmt: skip


def value(rnd: Random) -> Any:
    return copy.deepcopy(rnd.choice(rnd.choice((NUMBERS, TEXTS, OTHERS))))


def damaged_bytes(rnd: Random, content: bytes, first: int | None = None) -> tuple[bytes, str]:
    """Flip, cut, blank, repeat or insert bytes, where given only among the first ones."""
    out = bytearray(content)
    most = min(len(out), first or len(out))
    how = rnd.choice(["flip", "flip", "flip", "cut", "cut", "zeros", "repeat", "insert", "ones"])
    at = rnd.randrange(most)
    if how == "flip":
        count = rnd.choice([1, 1, 3, 10, 100])
        for _ in range(count):
            out[rnd.randrange(most)] ^= 1 << rnd.randrange(8)
        return bytes(out), f"{count} bits flipped"
    if how == "cut":
        end = rnd.choice(
            [0, 1, 7, 8, at, at, len(out) - 1, len(out) - 1 - rnd.randrange(min(len(out), 400))]
        )
        return bytes(out[: max(end, 0)]), f"cut at {end}"
    length = rnd.choice([1, 4, 16, 300, 4000])
    part = bytes(out[at : at + length])
    if how == "zeros":
        out[at : at + length] = bytes(len(part))
    elif how == "ones":
        out[at : at + length] = b"\xff" * len(part)
    elif how == "repeat":
        out[at:at] = part
    else:
        out[at:at] = rnd.randbytes(length)
    return bytes(out), f"{how} {length} at {at}"


def damaged_text(rnd: Random, content: bytes) -> tuple[bytes, str]:
    """Replace words of a table by others, repeat or shuffle lines."""
    lines = content.split(b"\n")
    how = rnd.choice(["token", "token", "token", "header", "lines", "bytes", "long"])
    if how == "bytes":
        return damaged_bytes(rnd, content)
    if how == "lines":
        k = rnd.randrange(len(lines))
        lines[k:k] = [lines[rnd.randrange(len(lines))] for _ in range(rnd.choice([1, 5, 2000]))]
        return b"\n".join(lines), f"lines repeated at {k}"
    if how == "long":
        k = rnd.randrange(len(lines))
        lines[k] += rnd.choice(TOKENS) * rnd.choice([1, 100, 100_000])
        return b"\n".join(lines), f"line {k} longer"
    note = []
    for _ in range(rnd.choice([1, 1, 2, 5])):
        k = 0 if how == "header" else rnd.randrange(len(lines))
        words = lines[k].split(b",")
        at, token = rnd.randrange(len(words)), rnd.choice(TOKENS)
        words[at] = token
        lines[k] = b",".join(words)
        note.append(f"{token[:20]!r} in line {k}, column {at}")
    return b"\n".join(lines), "; ".join(note)


def damaged_json(rnd: Random, whole: Any) -> tuple[Any, str]:
    """Replace, remove or add values anywhere in an object."""
    whole = copy.deepcopy(whole)
    notes = []
    for _ in range(rnd.choice([1, 1, 1, 2, 4])):
        places = list(_places(whole))
        if not places:
            break
        node, key = rnd.choice(places)
        how = rnd.choice(["replace", "replace", "replace", "remove", "add", "swap"])
        if how == "remove":
            del node[key]
        elif how == "add" and isinstance(node, dict):
            key = rnd.choice([*TEXTS[:8], "__class__", "path", "order", "weights", "x.y.z", key])
            node[key] = value(rnd)
        elif how == "swap":
            other, name = rnd.choice(places)
            node[key] = copy.deepcopy(other[name])
        else:
            node[key] = value(rnd)
        notes.append(f"{how} {key!r}"[:60])
    return whole, "; ".join(notes)


def _places(node: Any) -> Any:
    keys = (
        list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    )
    for key in keys:
        yield node, key
        yield from _places(node[key])

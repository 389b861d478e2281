"""Sums over time of pixels and of pairs of pixels of a camera's counts, compiled by numba.

They take half of the time of a second-order SOFI picture. Deviations from the mean are whole
numbers of 16 bits. Two frames lie side by side, so that one instruction of most processors
multiplies the pixels of both and adds the products; sums of 32 bits stay exact.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from napari_sofinet.base.compiled import compiled

FRAMES = 16  # converted at once; two side by side in each of LINES lines
LINES = FRAMES // 2
LANES = 16  # pixels that go through the innermost loop together
PARTNERS = 6  # pairs with the same first pixel summed together; more do not fit the registers
SLOTS = PARTNERS + 1  # the last is for the pixel itself
TILE_ROWS = 12
TILE_WIDTH = 1024
"""Pixels of a tile with its margin: deviations and sums fit a core's second-level cache (1 MB)."""
RUN = 512
"""Pixels whose sums stay in the first-level cache during the loop over all lines."""
REACH = 3  # rows and columns: pixels of a pair lie at most this far from the corner
EXACT_BELOW = 2**13
"""Sixteen products of deviations below this add up to less than 2**31."""


@intrinsic  # type: ignore[untyped-decorator]
def _add_run(
    typing: Any, lines: Any, count: Any, start: Any, stop: Any, partners: Any, sums: Any
) -> Any:
    """Add the products of pixels start .. stop-1 with their partners, over lines, to ``sums``.

    It is written with LLVM's vectors, since numba's loops do not become the instruction that
    multiplies and adds pairs (vpmaddwd, vpdpwssd; on other processors LLVM finds the nearest).

    lines (LINES, length) int32, each two 16-bit deviations, ``count`` of them used; partners
    (PARTNERS,) distances in pixels; sums (SLOTS, n) int32.
    """
    signature = types.void(lines, count, start, stop, partners, sums)

    def generate(context: Any, build: Any, signature: Any, args: Any) -> Any:
        i16, i32, i64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
        pairs, products = ir.VectorType(i16, 2 * LANES), ir.VectorType(i32, 2 * LANES)
        lanes = ir.VectorType(i32, LANES)
        nothing = ir.Constant(products, ir.Undefined)
        firsts = ir.Constant(lanes, list(range(0, 2 * LANES, 2)))
        seconds = ir.Constant(lanes, list(range(1, 2 * LANES, 2)))
        ones = ir.Constant(products, [1] * 2 * LANES)

        def array(k: int) -> tuple[Any, Any]:
            made = context.make_array(signature.args[k])(context, build, args[k])
            return made.data, build.udiv(build.extract_value(made.strides, 0), i64(4))

        def deviations(place: Any) -> Any:
            at = build.bitcast(build.gep(source, [place]), pairs.as_pointer())
            return build.sext(build.load(at, align=2), products)

        def multiply_add(a: Any, b: Any) -> Any:
            product = build.mul(a, b)
            return build.add(
                build.shuffle_vector(product, nothing, firsts),
                build.shuffle_vector(product, nothing, seconds),
            )

        (source, line_length), (partner_data, _), (sum_data, slot_length) = map(array, (0, 4, 5))
        away = [build.load(build.gep(partner_data, [i64(k)])) for k in range(PARTNERS)]
        before = build.block
        each_run, each_line, after_lines, after = (
            build.append_basic_block(name) for name in ("run", "line", "after_lines", "after")
        )
        build.branch(each_run)

        build.position_at_end(each_run)
        x = build.phi(i64)
        places = [
            build.bitcast(
                build.gep(sum_data, [build.add(x, build.mul(slot_length, i64(k)))]),
                lanes.as_pointer(),
            )
            for k in range(SLOTS)
        ]
        so_far = [build.load(place, align=4) for place in places]
        build.branch(each_line)

        build.position_at_end(each_line)
        line, place = build.phi(i64), build.phi(i64)
        totals = [build.phi(lanes) for _ in range(SLOTS)]
        own = deviations(place)
        others = [deviations(build.add(place, d)) for d in away] + [ones]
        more = [
            build.add(total, multiply_add(own, other))
            for total, other in zip(totals, others, strict=True)
        ]
        next_line, next_place = build.add(line, i64(1)), build.add(place, line_length)
        build.cbranch(build.icmp_signed("<", next_line, args[1]), each_line, after_lines)

        build.position_at_end(after_lines)
        for where, total in zip(places, more, strict=True):
            build.store(total, where, align=4)
        next_x = build.add(x, i64(LANES))
        build.cbranch(build.icmp_signed("<", next_x, args[3]), each_run, after)

        x.add_incoming(args[2], before)
        x.add_incoming(next_x, after_lines)
        line.add_incoming(i64(0), each_run)
        line.add_incoming(next_line, each_line)
        place.add_incoming(x, each_run)
        place.add_incoming(next_place, each_line)
        for total, first, following in zip(totals, so_far, more, strict=True):
            total.add_incoming(first, each_run)
            total.add_incoming(following, each_line)
        build.position_at_end(after)
        return context.get_dummy_value()

    return signature, generate


@compiled(nogil=True, error_model="numpy")
def add_pairs(raw, about, first, last, pairs, sums):  # type: ignore[no-untyped-def]
    """Add pixels and pairs of a block's frames to ``sums`` for corners in rows first .. last-1.

    Parameters
    ----------
    raw, about : ndarray
        Frames (t, Y, X) of whole numbers of at most 16 bits, and the image (Y, X) of the same dtype
        that is subtracted from them.
    first, last : int
        Rows of the corners.
    pairs : ndarray
        (N, 2, 2) rows and columns of the two pixels of each product behind its corner, the one in
        the upper row first; the first product, a pixel with itself, stands for the pixel alone.
    sums : ndarray
        (N, Y, X) float64. Where a pair would cross the end of a row its sum is meaningless, and
        never used.
    """
    frames, _, width = raw.shape
    batches = -(-(len(pairs) - 1) // PARTNERS)
    tiles = -(-width // (TILE_WIDTH - REACH))
    columns = -(-width // tiles)
    pitch = columns + REACH
    high = TILE_ROWS * TILE_WIDTH // pitch
    size = -(-high * pitch // RUN) * RUN
    lines = np.zeros((LINES, size + (REACH + 1) * pitch), np.int32)
    partners = np.zeros((batches, PARTNERS), np.int64)
    for k in range(1, len(pairs)):
        step = pairs[k, 1] - pairs[k, 0]
        partners[(k - 1) // PARTNERS, (k - 1) % PARTNERS] = step[0] * pitch + step[1]
    found = np.zeros((batches, SLOTS, size), np.int32)
    for top in range(first, last, high):
        bottom = min(top + high, last)
        for left in range(0, width, columns):
            right = min(left + columns, width)
            room = np.int64(2**31)
            for t in range(0, frames, FRAMES):
                bits = _pack(raw, t, about, top, bottom, left, right, pitch, lines)
                if bits >= EXACT_BELOW:
                    _add_large(raw, t, about, top, bottom, left, right, pairs, sums)
                    continue
                limit = np.int64(1)
                while limit <= bits:
                    limit *= 2
                if room <= FRAMES * limit**2:
                    _flush(found, pairs, top, bottom, left, right, pitch, sums)
                    room = np.int64(2**31)
                room -= FRAMES * limit**2
                used = -(-(bottom - top) * pitch // RUN) * RUN
                count = -(-min(frames - t, FRAMES) // 2)
                for x in range(0, used, RUN):
                    for b in range(batches):
                        _add_run(lines, count, x, x + RUN, partners[b], found[b])
            _flush(found, pairs, top, bottom, left, right, pitch, sums)


@numba.njit(nogil=True, error_model="numpy")
def _pack(raw, t, about, top, bottom, left, right, pitch, lines):  # type: ignore[no-untyped-def]
    """Write frames t .. t+FRAMES-1, as far as there are, minus about to ``lines``.

    Returns the bits that any deviation has in use: each is below a power of two if and only if
    these bits are. One ``or`` per pixel, where a maximum would keep the loop out of vector
    registers.
    """
    frames, rows, width = raw.shape
    bottom, right = min(bottom + REACH, rows), min(right + REACH, width)
    bits = np.uint16(0)
    for k in range(LINES):
        one, two = t + 2 * k, t + 2 * k + 1
        if one >= frames:
            break
        for row in range(top, bottom):
            base = about[row, left:right]
            f = raw[one, row, left:right]
            # Past the last frame the mean stands in: its deviation is zero.
            g = raw[two, row, left:right] if two < frames else base
            start = (row - top) * pitch
            bits |= _pack_row(f, g, base, lines[k, start : start + right - left])
    return bits


@numba.njit(nogil=True, error_model="numpy")
def _pack_row(f, g, base, out):  # type: ignore[no-untyped-def]
    bits = np.uint16(0)
    for x in range(len(out)):
        m = base[x]
        # Differences wrap around at 16 bits, their sizes do not.
        sizes = np.uint16(max(f[x], m) - min(f[x], m)) | np.uint16(max(g[x], m) - min(g[x], m))
        bits = np.uint16(bits | np.uint16(sizes))
        d, e = np.uint16(f[x] - m), np.uint16(g[x] - m)
        out[x] = np.uint32(d) | np.uint32(np.uint32(e) << np.uint32(16))
    return bits


@numba.njit(nogil=True, error_model="numpy")
def _flush(found, pairs, top, bottom, left, right, pitch, sums):  # type: ignore[no-untyped-def]
    """Move what was found in a tile to ``sums``."""
    for k in range(len(pairs)):
        slot = found[0, PARTNERS] if k == 0 else found[(k - 1) // PARTNERS, (k - 1) % PARTNERS]
        for row in range(top, bottom):
            out = sums[k, row, left:right]
            start = (row - top) * pitch + pairs[k, 0, 1]
            have = slot[start : start + right - left]
            for x in range(len(have)):
                out[x] += have[x]
    found[:] = 0


@numba.njit(nogil=True, error_model="numpy")
def _add_large(raw, t, about, top, bottom, left, right, pairs, sums):  # type: ignore[no-untyped-def]
    """Do the same in float64 where deviations are large, which is rare."""
    frames, rows, width = raw.shape
    for k in range(len(pairs)):
        (r, c), (s, d) = pairs[k]
        for row in range(top, min(bottom, rows - s)):
            out = sums[k, row, left : min(right, width - max(c, d))]
            end = left + len(out)
            base, other = about[row + r, left + c : end + c], about[row + s, left + d : end + d]
            for u in range(t, min(t + FRAMES, frames)):
                f, g = raw[u, row + r, left + c : end + c], raw[u, row + s, left + d : end + d]
                for x in range(len(out)):
                    second = 1.0 if k == 0 else np.float64(np.int32(g[x]) - other[x])
                    out[x] += np.float64(np.int32(f[x]) - base[x]) * second

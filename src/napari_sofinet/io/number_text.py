"""Conversion of numbers to text for tables, compiled by numba: ten times faster than Python.

Importing this module loads numba (half a second): import it where it is used.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from napari_sofinet.base.compiled import compiled

DIGITS = 10
"""Significant digits: a hundredth of a picometre in a millimetre, and single precision whole."""
WIDEST = 20
"""Bytes of the longest number and its separator."""


@compiled(nogil=True)
def rows(columns, out):  # type: ignore[no-untyped-def]
    """Write rows of numbers, float64 (k, n) for k columns, into bytes; return how many bytes.

    Fields are separated by commas and rows by line feeds; NaN is written as an empty field.
    """
    at = 0
    for n in range(columns.shape[1]):
        for k in range(columns.shape[0]):
            at = _number(columns[k, n], out, at)
            out[at] = 44 if k < columns.shape[0] - 1 else 10
            at += 1
    return at


@numba.njit(nogil=True)
def _number(value, out, at):  # type: ignore[no-untyped-def]
    """Write one number, without zeros at its end."""
    if not math.isfinite(value):
        return at
    if value < 0:
        out[at] = 45
        at += 1
        value = -value
    if value == 0:
        out[at] = 48
        return at + 1
    power = math.floor(math.log10(value))
    exponent = 0
    if power < -5 or power > 15:
        exponent = power
        # In two steps, as 10**308 is the largest power that there is.
        value = value / 10.0 ** (power // 2) / 10.0 ** (power - power // 2)
        power = 0
    places = max(DIGITS - 1 - power, 0)
    digits = np.int64(round(value * 10.0**places))
    while places > 0 and digits % 10 == 0:
        digits //= 10
        places -= 1
    at = _integer(digits, places, out, at)
    if exponent != 0:
        out[at] = 101
        at += 1
        if exponent < 0:
            out[at] = 45
            at += 1
        at = _integer(np.int64(abs(exponent)), 0, out, at)
    return at


@numba.njit(nogil=True)
def _integer(digits, places, out, at):  # type: ignore[no-untyped-def]
    """Write digits, the last ``places`` of them after the point."""
    length = 1
    rest = digits // 10
    while rest > 0 or length <= places:
        rest //= 10
        length += 1
    end = at + length + (1 if places > 0 else 0)
    k = end
    for n in range(length):
        if n == places and places > 0:
            k -= 1
            out[k] = 46
        k -= 1
        out[k] = 48 + digits % 10
        digits //= 10
    return end

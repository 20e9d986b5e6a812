"""The two 8-bit floats by their definitions: each of the 256 codes as a number, and the code nearest to a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

NAN = 0x7F  # of either format, and what either makes of any NaN


@dataclass(frozen=True)
class Format:
    """Sign, exponent and fraction from the highest bit down, as in IEEE 754 but for the special codes."""

    fraction_bits: int
    bias: int
    num_finite: int  # codes of one sign, which ascend with what they stand for
    has_infinity: bool

    def magnitude(self, code: int) -> float:
        """What a code would stand for were none special."""
        exponent, fraction = divmod(code, 2**self.fraction_bits)
        steps = fraction if exponent == 0 else 2**self.fraction_bits + fraction
        return float(steps) * 2.0 ** (max(exponent, 1) - self.bias - self.fraction_bits)

    def decoded(self, codes: Array) -> Array:
        values = [self.magnitude(code) for code in range(self.num_finite)]
        values += [np.inf] * self.has_infinity
        values += [np.nan] * (128 - len(values))
        return np.array([*values, *(-value for value in values)], np.float32)[codes]

    def encoded(self, values: Array) -> Array:
        """The nearest, and of two as near the even code; beyond the range infinity, or the largest where there is none.

        NaN keeps its sign.
        """
        with np.errstate(invalid="ignore"):  # a signalling NaN
            magnitudes = np.abs(np.asarray(values, np.float32).astype(np.float64))
        steps = np.array([self.magnitude(code) for code in range(self.num_finite + 1)])
        midpoints = (steps[:-1] + steps[1:]) / 2
        lower, upper = (np.searchsorted(midpoints, magnitudes, side) for side in ("left", "right"))
        nearest = np.where(lower % 2 == 0, lower, upper)
        limited = np.minimum(nearest, self.num_finite - (not self.has_infinity))
        codes = np.where(np.isnan(values), NAN, limited)
        return (codes + 128 * np.signbit(values)).astype(np.uint8)


FORMATS = {
    "float8_e4m3fn": Format(fraction_bits=3, bias=7, num_finite=0x7F, has_infinity=False),
    "float8_e5m2": Format(fraction_bits=2, bias=15, num_finite=0x7C, has_infinity=True),
}

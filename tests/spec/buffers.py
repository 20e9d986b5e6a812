"""Arrays as the tests pass them: with guards around them, and of dtypes that numpy does not have."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from reduce.reference import AS_BITS, Array, storage

_GUARD = 3  # elements on each side; odd, so that arrays do not begin where vectors would like them to
_GUARD_BYTE = 0xA5

_DTYPE_CODE_OFFSET = 20  # in DLManagedTensor: after the address, the device and the number of dimensions
_DLPACK_CODES = {"bfloat16": 4, "float8_e4m3fn": 10, "float8_e5m2": 12}
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


class BitsArray:
    """An array of words that says over DLPack that they are numbers of a dtype that numpy does not have."""

    def __init__(self, bits: Array, dtype: str) -> None:
        self.bits = bits
        self._code = _DLPACK_CODES[dtype]

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.bits.__dlpack_device__()

    def __dlpack__(self) -> Any:
        capsule = self.bits.__dlpack__()
        tensor = _capsule_pointer(capsule, b"dltensor")
        ctypes.c_uint8.from_address(tensor + _DTYPE_CODE_OFFSET).value = self._code
        return capsule


def argument(array: Array, dtype: str) -> Any:
    """What to pass to a collective for an array in the storage of `dtype`."""
    if dtype in AS_BITS:
        return BitsArray(array, dtype)
    return array.view(np.bool_) if dtype == "bool" else array


class Guarded:
    """An array between two guards, in memory that `empty` makes."""

    def __init__(self, dtype: str, count: int, empty: Callable[..., Array] = np.empty) -> None:
        self.dtype = dtype
        self._whole = empty(count + 2 * _GUARD, storage(dtype))
        self._whole.view(np.uint8)[:] = _GUARD_BYTE
        self.array = self._whole[_GUARD : _GUARD + count]

    @classmethod
    def copy_of(cls, array: Array, dtype: str) -> Guarded:
        copy = cls(dtype, array.size)
        copy.array[:] = array
        return copy

    @property
    def argument(self) -> Any:
        return argument(self.array, self.dtype)

    def check(self, expected: Array, what: str = "the result") -> None:
        """Raises AssertionError if the array is not, bit for bit, what is expected, or a guard was written to."""
        if self.array.tobytes() != np.ascontiguousarray(expected).tobytes():
            np.testing.assert_array_equal(self.array, expected, err_msg=what)
            raise AssertionError(f"{what} has other bits")  # such as those of a zero of the other sign
        guards = np.concatenate([self._whole[:_GUARD], self._whole[_GUARD + self.array.size :]])
        assert (guards.view(np.uint8) == _GUARD_BYTE).all(), f"memory around {what} was written to"

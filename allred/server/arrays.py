"""Parameters and gradients as users give them, a mapping from names to arrays, and what is checked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from allred.errors import InvalidArgumentError

# A numpy array, a CPU tensor of torch, or whatever else speaks DLPack.
ArrayLike: TypeAlias = Any
Array: TypeAlias = npt.NDArray[Any]

_DTYPES = ("float64", "float32", "float16")


@dataclass(frozen=True)
class Parameter:
    """What is known of a parameter on every rank."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """Its number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def bytes(self) -> int:
        """What its elements take."""
        return self.count * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        return f"{self.name!r} of dtype {self.dtype} and shape {self.shape}"


def parameters_of(arrays: Mapping[str, ArrayLike]) -> list[Parameter]:
    """Name, dtype and shape of each array, by name.

    Raises:
        InvalidArgumentError: there is none, or an array is of a dtype that no optimizer takes.
    """
    _check_mapping("parameters", arrays)
    if not arrays:
        raise InvalidArgumentError("parameters={}: expected at least one")
    parameters = []
    for name in sorted(arrays):
        array = _as_numpy("parameters", name, arrays[name])
        if str(array.dtype) not in _DTYPES:
            raise InvalidArgumentError(
                f"parameters[{name!r}] is of dtype {array.dtype}; expected {', '.join(_DTYPES)} in native byte order"
            )
        parameters.append(Parameter(name, str(array.dtype), array.shape))
    return parameters


def flatten(argument: str, arrays: Mapping[str, ArrayLike], parameters: list[Parameter]) -> dict[str, Array]:
    """The arrays as one dimension each, to be read: views where they are C-contiguous, else copies.

    Raises:
        InvalidArgumentError: the names, a dtype or a shape are not those of the parameters.
    """
    found = _matching(argument, arrays, parameters)
    return {name: np.ascontiguousarray(array).reshape(-1) for name, array in found.items()}


def flatten_writable(argument: str, arrays: Mapping[str, ArrayLike], parameters: list[Parameter]) -> dict[str, Array]:
    """The arrays as one dimension each, to be written to: always views.

    Raises:
        InvalidArgumentError: as :func:`flatten`, and where an array is read-only or not C-contiguous.
    """
    found = _matching(argument, arrays, parameters)
    for name, array in found.items():
        if not array.flags.c_contiguous:
            raise InvalidArgumentError(f"{argument}[{name!r}] is not C-contiguous; expected one that can be written to")
        if not array.flags.writeable:
            raise InvalidArgumentError(f"{argument}[{name!r}] is read-only; expected one that can be written to")
    return {name: array.reshape(-1) for name, array in found.items()}


def _matching(argument: str, arrays: Mapping[str, ArrayLike], parameters: list[Parameter]) -> dict[str, Array]:
    _check_mapping(argument, arrays)
    known = {parameter.name for parameter in parameters}
    if unknown := sorted(set(arrays) - known):
        raise InvalidArgumentError(f"{argument} has {unknown[0]!r}, which is no parameter; expected {_named(known)}")
    if missing := sorted(known - set(arrays)):
        raise InvalidArgumentError(f"{argument} lacks {missing[0]!r}; expected an array for each of {_named(known)}")
    found = {}
    for parameter in parameters:
        array = _as_numpy(argument, parameter.name, arrays[parameter.name])
        if str(array.dtype) != parameter.dtype or array.shape != parameter.shape:
            raise InvalidArgumentError(
                f"{argument}[{parameter.name!r}] is of dtype {array.dtype} and shape {array.shape}; "
                f"expected dtype {parameter.dtype} and shape {parameter.shape}, the parameter's"
            )
        found[parameter.name] = array
    return found


def _check_mapping(argument: str, arrays: Mapping[str, ArrayLike]) -> None:
    if not isinstance(arrays, Mapping):
        raise InvalidArgumentError(
            f"{argument} is of type {type(arrays).__name__}; expected a mapping of names to arrays"
        )
    for name in arrays:
        if not isinstance(name, str):
            raise InvalidArgumentError(f"{argument} has the key {name!r}; expected names, of type str")


def _as_numpy(argument: str, name: str, array: ArrayLike) -> Array:
    if isinstance(array, np.ndarray):
        return array
    if isinstance(array, np.generic):  # what sums of arrays without dimensions are
        scalar = np.asarray(array)
        scalar.flags.writeable = False  # it is a copy
        return scalar
    # A tensor that requires gradients refuses DLPack; its data does not.
    data = array.detach() if hasattr(array, "detach") else array
    if not hasattr(data, "__dlpack__"):
        raise InvalidArgumentError(
            f"{argument}[{name!r}] is of type {type(array).__name__}; expected a numpy array or a CPU tensor"
        )
    try:
        # torch's own conversion is writable with every numpy, from_dlpack only from 2.1 on.
        viewed = data.numpy() if hasattr(data, "numpy") else np.from_dlpack(data)
    except (TypeError, RuntimeError, BufferError) as error:
        raise InvalidArgumentError(f"{argument}[{name!r}] cannot be read as a numpy array: {error}") from error
    return np.asarray(viewed)


def _named(names: set[str]) -> str:
    shown = sorted(names)
    return ", ".join(map(repr, shown[:8])) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")

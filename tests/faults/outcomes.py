"""What came of a call that was expected to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

import allred

SOON = 5.0  # seconds; tells an end from a hang, and measures nothing

E = TypeVar("E", bound=BaseException)


def error_of(kind: type[E], call: Callable[..., object], *args: Any, **options: Any) -> E:
    """The error that the call raised, which must be of this very class."""
    try:
        result = call(*args, **options)
    except BaseException as error:
        if type(error) is kind:
            return error
        raise AssertionError(f"expected {kind.__name__}, got {type(error).__name__}: {error}") from error
    raise AssertionError(f"expected {kind.__name__}, got the result {result!r}")


def is_usable(comm: allred.Communicator) -> bool:
    """Whether the ranks are in step: a result that depends on all of them is right."""
    array = np.array([comm.rank, 1], np.int64)
    comm.all_reduce(array)
    return array.tolist() == [comm.size * (comm.size - 1) // 2, comm.size]

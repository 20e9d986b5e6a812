"""What one server holds: the values of its shard, the optimizer's state, and the number of updates."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from allred.errors import Error
from allred.server.arrays import Array
from allred.server.division import ShardLayout
from allred.server.optimizers import Optimizer

State = dict[str, dict[str, Array]]  # by dtype of the section, then by name


@dataclass
class Contents:
    """What a shard starts with, and what a checkpoint keeps of it."""

    values: Array
    state: State = field(default_factory=dict)
    step: int = 0


@dataclass
class _Version:
    values: Array
    readers: int = 0


class ShardFailedError(Error):
    """An update of the shard failed half-way: its values are neither the old nor the new ones."""


class Shard:
    """Thread-safe. Readers do not hold up updates: an update that meets one goes on in a copy of the values.

    Args:
        layout: which pieces it holds.
        contents: the shard's from now on.
        optimizer: what an update does.
    """

    def __init__(self, layout: ShardLayout, contents: Contents, optimizer: Optimizer) -> None:
        self.layout = layout
        self._lock = threading.Lock()
        self._optimizer = optimizer
        self._current = _Version(contents.values)
        self._spare: _Version | None = None
        self._state = contents.state
        self._step = contents.step
        self._failure: str | None = None

    @property
    def step(self) -> int:
        """The number of updates so far, those before a restored checkpoint included."""
        return self._step

    @property
    def failure(self) -> str | None:
        """Why the shard is of no use any more, if so."""
        return self._failure

    def update(self, gradient: Array) -> None:
        """Has the optimizer apply the gradient's bytes, which it may overwrite.

        Raises:
            ShardFailedError: the optimizer raised, now or before.
        """
        with self._lock:
            self.throw_if_failed()
            values = self._writable()
            try:
                for section in self.layout.sections:
                    state = self._state.setdefault(section.dtype, {})
                    self._optimizer(section.view(values), section.view(gradient), state, self._step + 1)
            except Exception as error:
                self._failure = f"its optimizer raised {type(error).__name__}: {error}"
                raise ShardFailedError(self._failure) from error
            self._step += 1

    @contextmanager
    def reading(self) -> Iterator[tuple[Array, int]]:
        """The bytes of the values, which stay as they are inside the context, and the step of which they are."""
        with self._lock:
            self.throw_if_failed()
            version, step = self._current, self._step
            version.readers += 1
        try:
            yield version.values, step
        finally:
            with self._lock:
                version.readers -= 1
                if version is not self._current and version.readers == 0:
                    self._spare = version

    def snapshot(self) -> Contents:
        """A copy of all, as it is between two updates.

        Raises:
            ShardFailedError: an update failed before.
            ValueError: the optimizer's state holds what no checkpoint can.
        """
        with self._lock:
            self.throw_if_failed()
            return Contents(self._current.values.copy(), self._copied_state(), self._step)

    def throw_if_failed(self) -> None:
        """Raises ShardFailedError where an update failed before."""
        if self._failure is not None:
            raise ShardFailedError(self._failure)

    def _writable(self) -> Array:
        """The current values, which nobody reads. With the lock held."""
        if self._current.readers:
            fresh = self._spare or _Version(np.empty_like(self._current.values))
            self._spare = None
            np.copyto(fresh.values, self._current.values)
            self._current = fresh
        return self._current.values

    def _copied_state(self) -> State:
        copied: State = {}
        for section in self.layout.sections:
            count = section.view(self._current.values).size
            for name, array in self._state.get(section.dtype, {}).items():
                if not isinstance(array, np.ndarray) or array.shape != (count,) or array.dtype.hasobject:
                    raise ValueError(
                        f"the optimizer's state {name!r} is {_described(array)}; "
                        f"expected an array of shape ({count},), the parameters', to be saved"
                    )
                copied.setdefault(section.dtype, {})[name] = array.copy()
        return copied


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype} and shape {value.shape}"
    return f"of type {type(value).__name__}"

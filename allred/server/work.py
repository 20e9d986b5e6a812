"""Calls that go on beside the program's own work, in the order in which they were made."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from allred.errors import TimeoutError

T = TypeVar("T")


class ServerWork:
    """A push or pull under way. Thread-safe."""

    def __init__(self, operation: str, future: Future[Any]) -> None:
        self._operation = operation
        self._future = future

    def done(self) -> bool:
        """Whether it has ended, well or with an error."""
        return self._future.done()

    def error(self) -> BaseException | None:
        """The error with which it ended; None where there is none, and while it is under way."""
        return self._future.exception() if self._future.done() else None

    def wait(self, timeout: float | None = None) -> None:
        """Blocks until it has ended, and raises the error with which it did.

        Args:
            timeout: seconds to wait; by default as long as the call itself may take.

        Raises:
            TimeoutError: it is still under way after `timeout` seconds, and stays so.
        """
        try:
            self._future.result(timeout)
        except builtins.TimeoutError:
            if self._future.done():
                raise
            raise TimeoutError(
                f"waited {timeout:g} s for {self._operation}, which is still under way", operation=self._operation
            ) from None


class CallQueue:
    """Runs calls one at a time, in their order: a synchronous one in its own thread if nothing is under way."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._executor: ThreadPoolExecutor | None = None
        self._last: Future[Any] | None = None

    def run(self, call: Callable[[], T]) -> T:
        """Makes the call after those before it."""
        with self._lock:
            if self._last is None or self._last.done():
                return call()
        return self._submit(call).result()

    def start(self, operation: str, call: Callable[[], Any]) -> ServerWork:
        """Has the call made after those before it, and returns."""
        return ServerWork(operation, self._submit(call))

    def close(self) -> None:
        """Blocks until all calls are over."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown()

    def _submit(self, call: Callable[[], T]) -> Future[T]:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(1, thread_name_prefix="allred-server-call")
            future = self._executor.submit(call)
            self._last = future
            return future

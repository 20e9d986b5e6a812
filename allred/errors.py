"""What allred raises: one class for each kind of failure, with the rank at fault as fields and not only as text."""

from __future__ import annotations

import builtins


class Error(RuntimeError):
    """Base of all errors of allred.

    Attributes:
        rank: the rank at fault, or None where no single one is.
        host: its host name.
        pid: its process id.
        operation: the call during which it was noticed, such as ``"all_reduce(op=sum, dtype=float32, ...)"``.
        sequence: the number of that call, counted from 1 on each communicator.
    """

    def __init__(
        self,
        message: str,
        *,
        rank: int | None = None,
        host: str | None = None,
        pid: int | None = None,
        operation: str | None = None,
        sequence: int | None = None,
    ) -> None:
        super().__init__(message)
        self.rank = rank
        self.host = host
        self.pid = pid
        self.operation = operation
        self.sequence = sequence


class InvalidArgumentError(Error, ValueError):
    """An argument is wrong; nothing was done, and the communicator is as usable as before."""


class UnsupportedError(Error, NotImplementedError):
    """What was asked for is valid, but not offered."""


class MismatchError(Error):
    """The ranks called different things; no data was moved. Raised on every rank, and all may go on."""


class TimeoutError(Error, builtins.TimeoutError):
    """A deadline passed. The message says who was waited for, and what that rank did last."""


class PeerLostError(Error):
    """A peer's process died, or closed its communicator, while it was waited for."""


class AbortedError(Error):
    """The communicator was aborted or closed, on this rank or another."""


class SystemCallError(Error):
    """The operating system refused something, such as memory."""

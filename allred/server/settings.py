"""The arguments of a parameter server, checked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from operator import index
from typing import Any

from allred.communicator import Communicator
from allred.errors import InvalidArgumentError
from allred.server.modes import check_mode
from allred.server.optimizers import Optimizer


@dataclass(frozen=True)
class Settings:
    """All but the parameters; see :class:`ParameterServer` for what each of them means."""

    servers: list[int]
    workers: list[int]
    optimizer: Optimizer
    mode: str
    staleness: int
    timeout: float

    def description(self) -> dict[str, Any]:
        """What must be the same on all ranks."""
        return {
            "servers": self.servers,
            "workers": self.workers,
            "mode": self.mode,
            "staleness": self.staleness,
            "timeout": self.timeout,
        }


def check_settings(
    comm: Communicator,
    *,
    servers: Iterable[int],
    workers: Iterable[int] | None,
    optimizer: Optimizer,
    mode: str,
    staleness: int,
    timeout: float | None,
) -> Settings:
    """The settings, with defaults filled in.

    Raises:
        InvalidArgumentError: one of them is not what it has to be.
    """
    if not isinstance(comm, Communicator):
        raise InvalidArgumentError(f"comm is of type {type(comm).__name__}; expected an allred.Communicator")
    served_by = _ranks("servers", servers, comm.size)
    if workers is None:
        pushed_by = [rank for rank in range(comm.size) if rank not in served_by] or list(range(comm.size))
    else:
        pushed_by = _ranks("workers", workers, comm.size)
    if not callable(optimizer):
        raise InvalidArgumentError(f"optimizer={optimizer!r}: expected SGD, Adam, AdamW or another callable")
    check_mode(mode, staleness)
    seconds = comm.config.timeout if timeout is None else timeout
    if not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise InvalidArgumentError(f"timeout={timeout!r}: expected a number of seconds above 0")
    return Settings(served_by, pushed_by, optimizer, mode, staleness, float(seconds))


def _ranks(argument: str, given: Iterable[int], size: int) -> list[int]:
    try:
        ranks = [index(rank) for rank in given]
    except TypeError:
        raise InvalidArgumentError(f"{argument}={given!r}: expected ranks") from None
    if not ranks or len(set(ranks)) != len(ranks):
        raise InvalidArgumentError(f"{argument}={ranks}: expected at least one rank, and none twice")
    if wrong := [rank for rank in ranks if not 0 <= rank < size]:
        raise InvalidArgumentError(f"{argument}={ranks}: {wrong[0]} is not a rank: expected 0..{size - 1}")
    return sorted(ranks)

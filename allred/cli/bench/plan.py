"""What a benchmark run is to do. Plain data, the same on all ranks."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from allred import _core

COLLECTIVES = ("all_reduce", "broadcast", "reduce", "all_gather", "reduce_scatter", "barrier")
OPS = ("sum", "product", "min", "max", "avg", "band", "bor", "bxor")
PEERS = ("gloo", "openmpi")
REDUCING = ("all_reduce", "reduce", "reduce_scatter")


def algorithms_of(collective: str) -> tuple[str, ...]:
    """The names of what can carry out a collective, and ``"auto"``, which is whatever the selector picks."""
    pipelined = "two_shot" if collective == "all_reduce" else "staged"
    schedules = [algorithm for known, algorithm in _core.schedule_algorithms() if known == collective]
    return ("auto", "one_shot", pipelined, *schedules)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run of one collective over a list of sizes.

    Attributes:
        collective: one of COLLECTIVES.
        ranks: number of ranks.
        sizes: bytes of each message, in the order measured; see :class:`~allred.cli.bench.workload.Workload`.
        dtype: name of the elements' type.
        op: one of OPS; without meaning for collectives that do not reduce.
        peers: those of PEERS to run beside allred.
        algorithms: allred's algorithms to run, each as a library of its own; ``"auto"`` leaves it the choice.
        blocks: how often each library has its turn at each size.
        seconds_per_size: seconds each library is timed at each size, over all its blocks.
        iterations: calls a block; None for as many as `seconds_per_size` allows.
        timeout: seconds without progress after which the run is given up.
    """

    collective: str
    ranks: int
    sizes: tuple[int, ...]
    dtype: str = "float32"
    op: str = "sum"
    peers: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ("auto",)
    blocks: int = 9
    seconds_per_size: float = 0.2
    iterations: int | None = None
    timeout: float = 120.0

    @property
    def reduces(self) -> bool:
        """Whether `op` has a meaning."""
        return self.collective in REDUCING

    def to_json(self) -> str:
        """For :meth:`from_json` in another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that :meth:`to_json` wrote."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()
        }
        return cls(**fields)

"""What a benchmark run is to do. Plain data, the same on all ranks."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from allred import _core
from allred.cli.bench.elements import ElementType

OPS = ("sum", "product", "min", "max", "avg", "band", "bor", "bxor")
MEMORIES = ("private", "symmetric")
PLACEMENTS = ("out_of_place", "in_place")

# Each collective, and how its buffers can lie.
_PLACEMENTS_OF = {
    "all_reduce": PLACEMENTS,
    "broadcast": ("in_place",),
    "reduce": PLACEMENTS,
    "all_gather": PLACEMENTS,
    "reduce_scatter": PLACEMENTS,
    "gather": PLACEMENTS,
    "scatter": PLACEMENTS,
    "all_to_all": PLACEMENTS,
    "send_recv": ("out_of_place",),
    "barrier": ("in_place",),
}
COLLECTIVES = tuple(_PLACEMENTS_OF)
REDUCING = ("all_reduce", "reduce", "reduce_scatter")
ROOTED = ("broadcast", "reduce", "gather", "scatter")
# Those with a part of the larger buffer for each rank.
_DIVIDED = ("all_gather", "reduce_scatter", "gather", "scatter", "all_to_all")


def placements_of(collective: str) -> tuple[str, ...]:
    """Those of PLACEMENTS that the collective has."""
    return _PLACEMENTS_OF[collective]


def algorithms_of(collective: str) -> tuple[str, ...]:
    """The names of what can carry out a collective, and ``"auto"``, which is whatever the selector picks."""
    if collective == "send_recv":
        return ("auto",)
    pipelined = "two_shot" if collective == "all_reduce" else "staged"
    schedules = [algorithm for known, algorithm in _core.schedule_algorithms() if known == collective]
    return ("auto", "one_shot", pipelined, *schedules)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run of one collective over a list of sizes.

    Attributes:
        collective: one of COLLECTIVES.
        ranks: number of ranks.
        sizes: bytes of each message, in the order measured. As in nccl-tests, a size is that of the larger buffer
            where input and output differ.
        dtype: name of the elements' type.
        op: one of OPS; without meaning for collectives that do not reduce.
        root: a rank; without meaning for collectives that have none.
        peers: the libraries to run beside allred.
        algorithms: allred's algorithms to run, each as a library of its own; ``"auto"`` leaves it the choice.
        memories: those of MEMORIES in which allred's buffers lie.
        placements: those of PLACEMENTS to measure.
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
    root: int = 0
    peers: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ("auto",)
    memories: tuple[str, ...] = ("private",)
    placements: tuple[str, ...] = PLACEMENTS
    blocks: int = 9
    seconds_per_size: float = 0.2
    iterations: int | None = None
    timeout: float = 120.0

    @property
    def reduces(self) -> bool:
        """Whether `op` has a meaning."""
        return self.collective in REDUCING

    @property
    def has_root(self) -> bool:
        """Whether `root` has a meaning."""
        return self.collective in ROOTED

    @property
    def parts(self) -> int:
        """Into how many ranks' parts the larger buffer is divided."""
        return self.ranks if self.collective in _DIVIDED else 1

    @property
    def element(self) -> ElementType:
        """Type of the elements."""
        return ElementType(self.dtype)

    def count(self, size: int) -> int:
        """Elements of a rank's part of a message of about `size` bytes: at least one, but for a barrier."""
        if self.collective == "barrier":
            return 0
        return max(1, size // (self.element.storage.itemsize * self.parts))

    def bytes(self, size: int) -> int:
        """What is measured and reported where `size` bytes are asked for: whole elements, as many for each rank."""
        return self.count(size) * self.parts * self.element.storage.itemsize

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

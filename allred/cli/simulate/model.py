"""A call, and the costs of the machine it is to run on."""

from __future__ import annotations

from dataclasses import dataclass

from allred import _core
from allred.cli.bench.elements import ElementType

COLLECTIVES = (
    *("all_reduce", "broadcast", "reduce", "all_gather", "reduce_scatter"),
    *("gather", "scatter", "all_to_all", "barrier"),
)
# Of these the larger buffer holds a block for each rank.
_DIVIDED = ("all_gather", "reduce_scatter", "gather", "scatter", "all_to_all")
SEGMENT_BYTES = 256 << 10  # between hosts
INTRA_SEGMENT_BYTES = 32 << 10  # what a link in shared memory holds in one message


@dataclass(frozen=True, kw_only=True)
class CallSize:
    """How large a collective's message is.

    Attributes:
        collective: one of COLLECTIVES.
        bytes: of the larger of a rank's two buffers, as ``allred bench`` counts.
        ranks: how many.
        dtype: of the elements.
    """

    collective: str
    bytes: int
    ranks: int
    dtype: str = "float32"

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return ElementType(self.dtype).storage.itemsize

    @property
    def count(self) -> int:
        """Elements of the message or of a rank's block; at least 1, but for a barrier."""
        if self.collective == "barrier":
            return 0
        parts = self.ranks if self.collective in _DIVIDED else 1
        return max(1, self.bytes // (self.itemsize * parts))


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The numbers of the model, in seconds and bytes a second. docs/simulate.md says what they mean.

    Attributes:
        latency, bandwidth: of a host's network link.
        intra_latency, intra_bandwidth: of the memory through which the ranks of a host reach each other.
        reduce_bandwidth: at which one rank adds what it gets to what it has.
        overhead: of a rank's core for each segment it sends, and for each it receives.
    """

    latency: float = 10e-6
    bandwidth: float = 12.5e9
    intra_latency: float = 0.5e-6
    intra_bandwidth: float = 10e9
    reduce_bandwidth: float = 10e9
    overhead: float = 0.5e-6

    def cluster(self, hosts: int, ranks_per_host: int, segment_bytes: int) -> _core.Cluster:
        """For the simulator."""
        return _core.Cluster(
            hosts,
            ranks_per_host,
            overhead=self.overhead,
            inter_latency=self.latency,
            inter_byte=1 / self.bandwidth,
            intra_latency=self.intra_latency,
            intra_byte=1 / self.intra_bandwidth,
            reduce_byte=1 / self.reduce_bandwidth,
            segment_bytes=segment_bytes,
        )

"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Sizes and times of the measurements.

    Attributes:
        sizes: of AllReduce on two ranks, as ``allred bench --sizes`` takes them.
        large_sizes: of AllReduce on two ranks beside the machine's floors alone.
        crowded_sizes: of AllReduce where ranks share cores.
        other_sizes: of the other collectives.
        ranks: with how many the other collectives are measured.
        blocks: turns of each library.
        seconds: for how long each library is timed at each size.
        turns: how often two programs that cannot live in one process take turns.
        groups: how many are made in the measurement of that.
    """

    sizes: str
    large_sizes: str
    crowded_sizes: str
    other_sizes: str
    ranks: tuple[int, ...]
    blocks: int
    seconds: float
    turns: int
    groups: int


QUICK = Effort(
    sizes="4,1K,64K,1M,16M",
    large_sizes="64K,16M",
    crowded_sizes="4,64K",
    other_sizes="4,64K",
    ranks=(2,),
    blocks=3,
    seconds=0.03,
    turns=2,
    groups=20,
)
# Powers of four, and sizes that no algorithm divides evenly. The table takes about a quarter of an hour on two cores.
USUAL = Effort(
    sizes="4:64M:4,12,1004,100004,3000004,256M",
    large_sizes="64K:256M:4,100004",
    crowded_sizes="4:16M:16,100004",
    other_sizes="4,1K,64K,1M,16M",
    ranks=(2, 4),
    blocks=7,
    seconds=0.15,
    turns=5,
    groups=100,
)
FULL = Effort(
    sizes="4:256M,12,1004,100004,3000004",
    large_sizes="64K:256M,100004,3000004",
    crowded_sizes="4:256M,100004",
    other_sizes="4:256M",
    ranks=(2, 4),
    blocks=9,
    seconds=0.2,
    turns=9,
    groups=100,
)

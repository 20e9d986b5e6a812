"""Where a rank runs: which of its host's ranks it is, and which host that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Placement(NamedTuple):
    """A rank's place.

    Attributes:
        local_rank: its place among the ranks of its host.
        local_size: how many ranks its host has.
        cross_rank: its place among the ranks with this local rank, one a host.
        cross_size: how many those are.
        is_homogeneous: whether all hosts have as many ranks.
    """

    local_rank: int
    local_size: int
    cross_rank: int
    cross_size: int
    is_homogeneous: bool


def placement_of(rank: int, hosts: Sequence[str]) -> Placement:
    """The place of a rank, where `hosts` names the host of each."""
    local_ranks = [hosts[:peer].count(host) for peer, host in enumerate(hosts)]
    alike = [peer for peer, local_rank in enumerate(local_ranks) if local_rank == local_ranks[rank]]
    return Placement(
        local_rank=local_ranks[rank],
        local_size=hosts.count(hosts[rank]),
        cross_rank=alike.index(rank),
        cross_size=len(alike),
        is_homogeneous=len({hosts.count(host) for host in hosts}) == 1,
    )

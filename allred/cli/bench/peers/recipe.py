"""How a peer with a Python environment of its own is installed and started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Plain data, one a peer.

    Attributes:
        name: one of PEERS.
        title: as people call it.
        distribution: the package whose version is the peer's.
        installs: the arguments of each ``pip install`` that makes up the environment, in order.
        mpiexec: what follows ``mpiexec``, before the number of ranks.
        variables: of the environment of mpiexec and of the ranks.
        crowded_variables: those besides, where there are more ranks than cores.
    """

    name: str
    title: str
    distribution: str
    installs: Sequence[str]
    mpiexec: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    crowded_variables: Mapping[str, str] = field(default_factory=dict)

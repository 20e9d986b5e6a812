"""What the ranks do together before the servers serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np

from allred.communicator import Communicator
from allred.server.arrays import Array, Parameter
from allred.server.division import ShardLayout
from allred.server.links import TAG
from allred.server.settings import Settings
from allred.server.shard import Contents

T = TypeVar("T")


def refusing(comm: Communicator, check: Callable[[], T]) -> T:
    """What `check` returns; where it raises, the other ranks, which go on to agree, get to hear why."""
    try:
        return check()
    except Exception as error:
        if isinstance(comm, Communicator):
            comm._refuse(str(error))
        raise


def description_of(settings: Settings, parameters: list[Parameter]) -> dict[str, Any]:
    """What must be the same on all ranks, by argument."""
    return {"parameters": [asdict(each) for each in parameters], **settings.description()}


def hand_out(
    comm: Communicator, settings: Settings, layouts: list[ShardLayout], flat: Mapping[str, Array]
) -> Contents | None:
    """The shard of this rank, if it is a server, with the values of the first server."""
    first = settings.servers[0]
    if comm.rank == first:
        for server, layout in zip(settings.servers[1:], layouts[1:], strict=True):
            comm.send(layout.pack(flat), server, TAG)
        return Contents(layouts[0].pack(flat).copy())
    if comm.rank not in settings.servers:
        return None
    values = np.empty(layouts[settings.servers.index(comm.rank)].bytes, np.uint8)
    comm.recv(values, first, TAG)
    return Contents(values)

"""Collectives that move large blocks. Argument: what reading a peer's memory comes to."""

from __future__ import annotations

import numpy as np
import system_calls
from start import argument, communicator, say, say_error

import allred

COUNTS = [10_007, 100_003, 3_000_017]
TURNS = 4

reading = argument(1, "permitted")
comm = communicator()
if reading == "refused" or (reading == "refused to one" and comm.rank == 1):
    system_calls.refuse(system_calls.PROCESS_VM_READV)


def check(count: int, turn: int) -> None:
    values = np.arange(comm.size)[:, None] + turn
    own, everyone = np.full(count, comm.rank + turn), np.empty((comm.size, count), int)
    comm.all_gather_into(everyone, own)
    assert (everyone == values).all()
    comm.all_to_all_into(everyone, np.repeat(own[None], comm.size, axis=0))
    assert (everyone == values).all()
    root = turn % comm.size
    comm.gather_into(everyone if comm.rank == root else None, own + 1, root=root)
    assert comm.rank != root or (everyone == values + 1).all()
    comm.scatter_into(own, np.repeat(values, count, axis=1) if comm.rank == root else None, root=root)
    assert (own == comm.rank + turn).all()
    comm.broadcast(own, root=root)
    assert (own == root + turn).all()


try:
    for count in COUNTS:
        for turn in range(TURNS):
            if reading == "fatal" and turn == 1 and comm.rank == 1:
                system_calls.kill_at(system_calls.PROCESS_VM_READV)
            if reading == "refused later" and turn == 1 and comm.rank == 1:
                system_calls.refuse(system_calls.PROCESS_VM_READV)
            check(count, turn)
    say(done=True)
except allred.Error as error:
    say_error(error)

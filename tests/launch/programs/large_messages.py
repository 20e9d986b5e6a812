"""Ranks send each other large messages, small ones between them.

Arguments: what reading a peer's memory comes to, and what writing to it does.
"""

from __future__ import annotations

import numpy as np
import system_calls
from start import argument, communicator, say, say_error

import allred

COUNTS = [8_187, 100_003, 300_017, 3_000_017]  # the last two are offered
GUARD = 3

reading, writing = argument(1, "permitted"), argument(2, "permitted")
comm = communicator()
if reading == "fatal" and comm.rank == 1:
    system_calls.kill_at(system_calls.PROCESS_VM_READV)
if reading == "refused" or (reading == "refused to one" and comm.rank == 1):
    system_calls.refuse(system_calls.PROCESS_VM_READV)
if writing == "refused" or (writing == "refused to one" and comm.rank == 1):
    system_calls.refuse(system_calls.PROCESS_VM_WRITEV)


def numbers(rank: int, count: int) -> np.ndarray:
    return np.random.default_rng([rank, count]).integers(0, 2**32, count, np.uint32)


def exchange(count: int) -> None:
    peers = [rank for rank in range(comm.size) if rank != comm.rank]
    whole = {peer: np.full(count + 2 * GUARD, 7, np.uint32) for peer in peers}
    works = [comm.recv(array[GUARD:-GUARD], peer, 1, async_op=True) for peer, array in whole.items()]
    works += [comm.send(numbers(comm.rank, count), peer, 1, async_op=True) for peer in peers]
    for peer in peers:
        comm.send(np.full(5, comm.rank), peer, 2)
    for _ in peers:
        small = np.zeros(5, int)
        assert (comm.recv(small, tag=2) == small).all()
    for work in works:
        work.wait()
    for peer, array in whole.items():
        assert (array[GUARD:-GUARD] == numbers(peer, count)).all()
        assert (array[:GUARD] == 7).all()
        assert (array[-GUARD:] == 7).all()


say(started=True)
try:
    for count in COUNTS:
        exchange(count)
        comm.barrier()
    say(done=True)
except allred.Error as error:
    say_error(error)

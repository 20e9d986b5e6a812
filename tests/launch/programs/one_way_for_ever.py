"""Rank 1 has a large array for rank 0, over and over until that fails, and both say how.

Arguments: the call ("send" or "broadcast"), what writing to rank 0's memory comes to, and the timeout in seconds.
"""

from __future__ import annotations

import numpy as np
import system_calls
from start import argument, communicator, say, say_error

import allred

call, writing = argument(1, "send"), argument(2, "permitted")
comm = communicator(float(argument(3, "30")))
if writing == "fatal" and comm.rank == 1:
    system_calls.kill_at(system_calls.PROCESS_VM_WRITEV)
if writing == "refused" and comm.rank == 1:
    system_calls.refuse(system_calls.PROCESS_VM_WRITEV)
array = np.zeros(3_000_000)
comm.barrier()
say(started=True)
turn = 0
try:
    while writing != "refused" or turn < 20:
        turn += 1
        array[:] = turn if comm.rank == 1 else 0
        if call == "broadcast":
            comm.broadcast(array, root=1)
        else:
            comm.send(array, 0) if comm.rank == 1 else comm.recv(array, 1)
        assert (array == turn).all()
    say(done=True)
except allred.Error as error:
    say_error(error)

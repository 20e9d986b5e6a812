"""Two ranks send each other a large message until that fails, and say how. Argument: whether memory can be read."""

from __future__ import annotations

import numpy as np
import system_calls
from start import argument, communicator, say, say_error

import allred

if argument(1, "permitted") == "refused":
    system_calls.refuse(system_calls.PROCESS_VM_READV)
comm = communicator()
other = 1 - comm.rank
array, received = np.zeros(3_000_000), np.zeros(3_000_000)
comm.barrier()
say(started=True)
try:
    while True:
        work = comm.recv(received, other, async_op=True)
        comm.send(array, other)
        work.wait()
except allred.Error as error:
    say_error(error)

"""All ranks but 0 wait for it in a call of the kind given, and say how the wait ended; rank 0 does nothing."""

from __future__ import annotations

import time

import numpy as np
from start import argument, communicator, say, say_error

import allred

kind = argument(1, "synchronous")
comm = communicator()
comm.barrier()
say(started=True)
array = np.zeros(100, np.float32)
try:
    if comm.rank == 0:
        time.sleep(60)
    elif kind == "synchronous":
        comm.all_reduce(array)
    elif kind == "large":
        comm.all_reduce(np.zeros(1_000_000, np.float32))
    elif kind == "ring":
        comm.all_reduce(array, algorithm="ring")
    elif kind == "work":
        comm.all_reduce(array, async_op=True).wait()
    else:
        comm.all_reduce(array, async_op=True).wait(timeout=60)
except KeyboardInterrupt as error:
    say_error(error)
except allred.Error as error:
    say_error(error)
    try:
        comm.barrier()
    except allred.Error as later:
        say_error(later)

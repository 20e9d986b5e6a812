"""Rank 1 waits for rank 0 in a call of the kind given, and says how the wait ended; rank 0 waits for a signal."""

from __future__ import annotations

import signal

import numpy as np
from start import argument, communicator, say, say_error

import allred

kind = argument(1, "recv")
comm = communicator()
array = np.zeros(100_000)


def answer(*_: object) -> None:
    """Sends and receives within the wait that the signal came into."""
    comm.send(np.ones(3), 0, tag=7)
    received = np.zeros(3)
    comm.recv(received, 0, tag=8)
    say(received=received.tolist())


signal.signal(signal.SIGUSR1, answer)
comm.barrier()
say(started=True)
try:
    if comm.rank == 0:
        received = np.zeros(3)
        comm.recv(received, 1, tag=7)
        comm.send(received + 1, 1, tag=8)
        comm.recv(received, 1, tag=9)
    elif kind == "recv":
        comm.recv(array, 0)
    elif kind == "recv from any":
        comm.recv(array)
    elif kind == "send":
        comm.send(array, 0)
    else:
        comm.recv(array, 0, async_op=True).wait()
except (allred.Error, KeyboardInterrupt) as error:
    say_error(error)

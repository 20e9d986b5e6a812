"""Rank 1 sends small messages and ends, one way or another; rank 0 receives them when it has."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from start import argument, communicator, say, say_error

import allred

comm = communicator()
if comm.rank == 1:
    for tag in range(4):
        comm.send(np.full(1000, tag), 0, tag)
    if argument(1, "open") == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
else:
    time.sleep(0.5)
    array = np.zeros(1000, int)
    for tag in (3, 0, 1, 2):
        comm.recv(array, 1, tag)
        assert (array == tag).all()
    say(received=True)
    try:
        comm.recv(array, 1)
    except allred.Error as error:
        say_error(error)

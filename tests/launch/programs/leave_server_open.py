"""Two ranks begin with a parameter server, and end without a word to it."""

from __future__ import annotations

import numpy as np
from start import communicator

import allred
from allred.server import SGD

comm = communicator()
server = allred.ParameterServer(comm, {"array": np.zeros(10)}, servers=[0], optimizer=SGD(1.0))
if comm.rank == 1:
    server.push({"array": np.ones(10)})
    server.pull()
comm.barrier()  # else the server might end before the pull is answered

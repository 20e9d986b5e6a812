"""Trains with a parameter server, a process a rank, and says what came of it.

Arguments: mode, the number of servers, steps a worker makes (for ever if negative), the server's timeout, a
checkpoint's folder, which is restored if it is there and written when a worker has made its steps, and a rank that
makes steps for ever.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from start import argument, communicator, say, say_error

import allred
from allred.server import SGD

ELEMENTS = 30_000  # more than one frame of a link holds


def worker(server: allred.ParameterServer, steps: int, folder: str) -> None:
    ones = {"array": np.ones(ELEMENTS)}
    step = 0
    while step != steps:
        server.push(ones)
        values = server.pull()["array"]
        step += 1
        if step == 1:
            say(started=True)
        if steps < 0:
            time.sleep(0.001)
    if folder:
        server.save(folder)
    status = server.status()
    say(values=sorted(set(values.tolist())), lost=status.lost, steps=status.steps, done=True)


def main() -> None:
    mode, num_servers, steps = argument(1, "asynchronous"), int(argument(2, "1")), int(argument(3, "-1"))
    timeout, folder = float(argument(4, "20")), argument(5, "")
    endless = int(argument(6, "-1"))
    comm = communicator()
    options = {"servers": range(num_servers), "optimizer": SGD(1.0), "mode": mode, "timeout": timeout, "staleness": 1}
    if folder and Path(folder, "checkpoint.json").exists():
        server = allred.ParameterServer.restore(folder, comm, **options)
    else:
        server = allred.ParameterServer(comm, {"array": np.zeros(ELEMENTS)}, **options)
    try:
        with server:
            if server.is_worker:
                worker(server, -1 if comm.rank == endless else steps, folder)
            else:
                say(started=True)
                server.wait()
                status = server.status()
                say(values=sorted(set(server.pull()["array"].tolist())), lost=status.lost, left=status.left)
    except allred.Error as error:
        say_error(error)
        sys.exit(3)


main()

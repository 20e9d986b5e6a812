"""Ends without closing its communicator: in the way given, at rank 0; the others end when they notice."""

from __future__ import annotations

import sys

import numpy as np
from start import argument, communicator

import allred

way = argument(1, "open")
comm = communicator()
array = np.ones(1000, np.float32)
comm.all_reduce(array)
if way == "open":
    sys.exit(0)
if way == "pending":
    works = [comm.all_reduce(array, async_op=True) for _ in range(1 if comm.rank == 0 else 3)]
    works[0].wait()
    sys.exit(0)
if way == "dropped":
    works = [comm.all_reduce(array, async_op=True) for _ in range(1 + comm.rank)]
    del comm
    sys.exit(0)
if way == "raising":
    try:
        if comm.rank == 0:
            raise SystemExit(0)
        comm.barrier()
    except allred.PeerLostError:
        pass

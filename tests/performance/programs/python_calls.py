"""The calls whose instructions are counted as a Python program sees them: ``python_calls.py RANK FOLDER``.

Rank 0 runs under count_steps. Its peer spins, and is there before it; see bench/cpp/hot_path.cpp.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.testing._internal.distributed.fake_pg  # registers the backend "fake"

import allred
from allred.bootstrap import StoreBootstrap

WARM_UP_CALLS = 10  # the first may set something up, and the interpreter specialises its code
RANKS = 2
TIMEOUT = 60.0


def count(name: str, call: Callable[[], object], counts: bool) -> None:
    mark = partial(signal.raise_signal, signal.SIGUSR1) if counts else lambda: None
    for _ in range(WARM_UP_CALLS):
        call()
    mark()
    call()
    mark()
    if counts:
        print(name, flush=True)


def exchange(communicator: allred.Communicator, array: np.ndarray) -> None:
    if communicator.rank == 0:
        communicator.send(array, 1)
        communicator.recv(array, 1)
    else:
        communicator.recv(array, 0)
        communicator.send(array, 0)


def main(rank: int, folder: Path) -> None:
    store = dist.FileStore(str(folder / "store"), RANKS)
    dist.init_process_group("allred", store=store, rank=rank, world_size=RANKS)
    # Neither is the default group, which torch's Python would have to look up.
    allreds, fake = dist.new_group(backend="allred"), dist.new_group(backend="fake")
    array, tensor = np.ones(1, np.float32), torch.ones(1)
    bootstrap = StoreBootstrap(dist.PrefixStore("numpy", store), rank, RANKS, TIMEOUT)
    with allred.Communicator(bootstrap, allred.Config(wait="spin" if rank else "auto")) as communicator:
        gc.disable()
        count("nothing", lambda: None, rank == 0)
        count("numpy all_reduce", partial(communicator.all_reduce, array), rank == 0)
        count("numpy send and recv", partial(exchange, communicator, array), rank == 0)
        count("fake all_reduce", partial(dist.all_reduce, tensor, group=fake), rank == 0)
        count("torch all_reduce", partial(dist.all_reduce, tensor, group=allreds), rank == 0)
        communicator.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))

"""How much shared memory two communicators hold: one is busy with everything, one carries small messages only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch.distributed as dist

from allred import Communicator, Config
from allred.bootstrap import StoreBootstrap
from targets.programs.job import TIMEOUT, Job


def held() -> int:
    """Bytes of all memory that is shared by file descriptor."""
    files = [each for each in Path("/proc/self/fd").iterdir() if each.is_symlink() and "memfd:" in str(each.readlink())]
    return sum({(found := file.stat()).st_ino: found.st_blocks * 512 for file in files}.values())


def communicate(communicator: Communicator, count: int) -> None:
    """Everything a communicator does, with messages of so many elements."""
    peer = communicator.rank ^ 1
    array = np.ones(count, np.float32)
    for _ in range(3):
        communicator.all_reduce(array, op="avg")
        communicator.all_reduce(array, op="max", async_op=True).wait()
        communicator.broadcast(array)
        communicator.all_gather(array)
        communicator.all_to_all(np.ones((communicator.size, count), np.float32))
        send = communicator.send(array, to=peer, async_op=True)
        communicator.recv(np.empty_like(array), source=peer)
        send.wait()
        communicator.barrier()


def bytes_a_rank(job: Job, name: str, counts: Sequence[int]) -> float:
    before = held()
    job.communicator.barrier()
    bootstrap = StoreBootstrap(dist.PrefixStore(name, job.store), job.rank, job.ranks, TIMEOUT)
    with Communicator(bootstrap, Config(timeout=TIMEOUT)) as communicator:
        for count in counts:
            communicate(communicator, count)
        communicator.barrier()
        taken = held() - before
        communicator.barrier()
    return taken / job.ranks


def main() -> None:
    job = Job.join()
    small = bytes_a_rank(job, "small", [256])
    in_all_mailboxes = [16 << 10] * 10  # they come in turn
    job.end({"small": small, "busy": bytes_a_rank(job, "busy", [*in_all_mailboxes, 4 << 20])})


if __name__ == "__main__":
    main()

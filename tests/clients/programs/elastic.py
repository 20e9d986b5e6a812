"""Trains under torchrun, taking up what an earlier life of the job has left. In the first life one rank dies.

Arguments: the backend, and a folder for the checkpoint. At the end rank 0 writes what it trained there.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from clients.training import STEPS, batch, loss, model, optimizer
from torch.nn.parallel import DistributedDataParallel

DYING_RANK, DYING_STEP = 1, 2


def main(backend: str, folder: Path) -> None:
    dist.init_process_group(backend)
    rank, life = dist.get_rank(), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    checkpoint = folder / "checkpoint.pt"
    parallel = DistributedDataParallel(model())
    stepper = optimizer(parallel)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        parallel.load_state_dict(state["model"])
        stepper.load_state_dict(state["optimizer"])
        first = state["step"]
    for step in range(first, STEPS):
        if (life, rank, step) == (0, DYING_RANK, DYING_STEP):
            os.kill(os.getpid(), signal.SIGKILL)
        stepper.zero_grad()
        loss(parallel, *batch(rank, step)).backward()
        stepper.step()
        if rank == 0:
            state = {"model": parallel.state_dict(), "optimizer": stepper.state_dict(), "step": step + 1}
            torch.save(state, folder / "new.pt")
            (folder / "new.pt").rename(checkpoint)
        dist.barrier()
    if rank == 0:
        torch.save({"model": parallel.module.state_dict(), "life": life, "first": first}, folder / "trained.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

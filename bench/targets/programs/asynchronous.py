"""Asynchronous dist.all_reduce: how soon the launch returns, and how much of the call computation hides.

For the second, rank 0 launches, computes and waits, while rank 1 just calls, so that its core is free while it waits.
Times are those of rank 0:
``launch``: of the launch, beside the same on the backend that does nothing;
``call``, ``computation``, ``both``: of a synchronous call, of the computation, and of launch, computation and wait,
for each of some sizes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from targets.programs.job import Job

LAUNCHES = 200  # a block


def launch_us(job: Job, tensor: torch.Tensor, group: Any) -> float:
    """Of a launch; its work is waited for outside of what is timed."""
    job.communicator.barrier()
    taken = 0.0
    for _ in range(LAUNCHES):
        begin = time.perf_counter()
        work = dist.all_reduce(tensor, group=group, async_op=True)
        taken += time.perf_counter() - begin
        work.wait()
    return job.slowest(taken / LAUNCHES) * 1e6


def launches(job: Job, tensor: torch.Tensor, groups: dict[str, Any]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in groups}
    for _ in range(job.settings["blocks"]):
        for name, group in groups.items():
            times[name].append(launch_us(job, tensor, group))
    return times


def computation_of(seconds: float) -> Callable[[], object]:
    """About so long, on one core, without the interpreter's lock."""
    array = np.zeros(1024, np.float32)
    begin = time.perf_counter()
    for _ in range(100):
        np.sin(array, out=array)
    passes = max(1, round(100 * seconds / (time.perf_counter() - begin)))
    whole = np.zeros(1024 * passes, np.float32)
    return partial(np.sin, whole, out=whole)


def overlap(job: Job, tensor: torch.Tensor) -> dict[str, Any]:
    call = partial(dist.all_reduce, tensor)
    compute = computation_of(2 * job.time(call, 20))

    def both() -> None:
        if job.rank != 0:
            return call()
        work = dist.all_reduce(tensor, async_op=True)
        compute()
        return work.wait()

    return job.in_turns({"call": call, "computation": compute if job.rank == 0 else (lambda: None), "both": both})


def main() -> None:
    job = Job.join()
    job.init_process_group("allred")
    groups = job.torch_groups()
    tensor = torch.zeros(job.settings["size"] // 4)
    before = job.barrier_us()
    overlaps = {str(size): overlap(job, torch.zeros(size // 4)) for size in job.settings["overlap_sizes"]}
    result = {"launch_us": launches(job, tensor, groups), "overlaps": overlaps}
    job.end({"size": job.settings["size"], "barrier_us": {"before": before, "after": job.barrier_us()}, **result})


if __name__ == "__main__":
    main()

"""dist.new_group on allred and on Gloo, in turns; milliseconds a group, those of the slowest rank."""

from __future__ import annotations

import time

import torch.distributed as dist

from targets.programs.job import Job

BACKENDS = ("allred", "gloo")
A_BLOCK = 5  # groups


def main() -> None:
    job = Job.join()
    job.init_process_group("gloo")
    times: dict[str, list[float]] = {backend: [] for backend in BACKENDS}
    for backend in BACKENDS:
        dist.new_group(backend=backend)  # the first may set something up
    for _ in range(job.settings["groups"] // A_BLOCK):
        for backend in BACKENDS:
            job.communicator.barrier()
            begin = time.perf_counter()
            for _ in range(A_BLOCK):
                dist.new_group(backend=backend)
            times[backend].append(job.slowest((time.perf_counter() - begin) / A_BLOCK) * 1e3)
    job.end({"groups": job.settings["groups"], "blocks_ms": times})


if __name__ == "__main__":
    main()

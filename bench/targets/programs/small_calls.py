"""dist.all_reduce of small tensors on allred, and on the backend that does nothing: torch's own cost of a call."""

from __future__ import annotations

from functools import partial

import torch
import torch.distributed as dist

from targets.programs.job import Job


def main() -> None:
    job = Job.join()
    job.init_process_group("allred")
    groups = job.torch_groups()
    results = []
    for size in job.settings["sizes"]:
        tensor = torch.zeros(size // 4)
        calls = {name: partial(dist.all_reduce, tensor, group=group) for name, group in groups.items()}
        results.append({"size": size, **job.in_turns(calls)})
    job.end({"results": results})


if __name__ == "__main__":
    main()

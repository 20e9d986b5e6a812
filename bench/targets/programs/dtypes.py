"""AllReduce of one number of elements in several dtypes, taking turns."""

from __future__ import annotations

from functools import partial

import torch

from targets.programs.job import Job

DTYPES = ("float32", "bfloat16", "float16", "int8")


def main() -> None:
    job = Job.join()
    results = []
    for size in job.settings["sizes"]:
        count = size // 4
        tensors = {name: torch.zeros(count, dtype=getattr(torch, name)) for name in DTYPES}
        calls = {name: partial(job.communicator.all_reduce, tensor) for name, tensor in tensors.items()}
        results.append({"size": size, **job.in_turns(calls)})
    job.end({"results": results})


if __name__ == "__main__":
    main()

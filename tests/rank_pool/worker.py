"""One rank of the pool in pool.py: carries out functions of test modules that its parent names, one at a time."""

from __future__ import annotations

import faulthandler
import importlib.util
import signal
import sys
import traceback
from datetime import timedelta
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

import torch
import torch.distributed as dist

TESTS = Path(__file__).parent.parent
GROUP_TIMEOUT = timedelta(seconds=20)


@cache
def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"test_module_{abs(hash(path))}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def carry_out(job: dict) -> object:
    dist.init_process_group(
        job["backend"],
        init_method=f"file://{job['store']}",
        rank=job["rank"],
        world_size=job["size"],
        timeout=GROUP_TIMEOUT,
    )
    try:
        return getattr(load(job["path"]), job["name"])(job["rank"], job["size"], *job["args"])
    finally:
        dist.destroy_process_group()


def main() -> None:
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    torch.set_num_threads(1)
    sys.path.append(str(TESTS))  # for what test modules share; at the end, since one of its folders is called torch
    connection = Connection(int(sys.argv[1]))
    connection.send("ready")
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            answer = ("result", carry_out(job))
        except BaseException:
            answer = ("failure", traceback.format_exc())
        connection.send(answer)


if __name__ == "__main__":
    main()

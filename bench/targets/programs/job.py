"""One rank of a measurement: how the ranks meet, and how blocks of calls are timed in turns."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch.distributed as dist

from allred import Communicator, Config
from allred.bootstrap import StoreBootstrap

TIMEOUT = 120.0
MAX_CALLS = 100_000
BARRIER_SECONDS = 2e-3

Call = Callable[[], object]


@dataclass
class Job:
    """This rank of it. The methods are collective, and block."""

    rank: int
    ranks: int
    store: dist.Store
    settings: dict[str, Any]
    communicator: Communicator

    @classmethod
    def join(cls) -> Job:
        """As the command line says."""
        rank, ranks, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
        store = _tcp_store(rank, ranks, Path(folder) / "port")
        bootstrap = StoreBootstrap(dist.PrefixStore("measurement", store), rank, ranks, TIMEOUT)
        gc.disable()
        return cls(rank, ranks, store, json.loads(sys.argv[4]), Communicator(bootstrap, Config(timeout=TIMEOUT)))

    def init_process_group(self, backend: str) -> None:
        """The default group."""
        dist.init_process_group(backend, store=self.store, rank=self.rank, world_size=self.ranks)

    def torch_groups(self) -> dict[str, Any]:
        """One on allred, and one on the backend that does nothing: torch's own cost of a call.

        Neither is the default group, which torch's Python would have to look up.
        """
        import torch.testing._internal.distributed.fake_pg  # noqa: F401  # registers the backend "fake"

        return {"allred torch": dist.new_group(backend="allred"), "fake": dist.new_group(backend="fake")}

    def slowest(self, seconds: float) -> float:
        """The largest over ranks."""
        return float(self.communicator.all_gather(np.array([seconds])).max())

    def time(self, call: Call, calls: int) -> float:
        """Seconds a call, of so many that begin together on all ranks."""
        self.communicator.barrier()
        begin = time.perf_counter()
        for _ in repeat(None, calls):
            call()
        return self.slowest((time.perf_counter() - begin) / calls)

    def calls_in(self, seconds: float, call: Call) -> int:
        """How many calls take about so long."""
        calls, taken = 1, self.time(call, 1)
        while taken * calls < seconds / 4 and calls < MAX_CALLS:
            calls *= 4
            taken = self.time(call, calls)
        return max(1, min(MAX_CALLS, round(seconds / taken)))

    def barrier_us(self) -> float:
        """Time of a barrier."""
        calls = self.calls_in(BARRIER_SECONDS, self.communicator.barrier)
        return float(np.median([self.time(self.communicator.barrier, calls) for _ in range(5)])) * 1e6

    def in_turns(self, calls: Mapping[str, Call]) -> dict[str, Any]:
        """Microseconds a call of each block, all taking turns, with the barrier's time before and after."""
        blocks, seconds = self.settings["blocks"], self.settings["seconds"]
        counts = {name: self.calls_in(seconds / blocks, call) for name, call in calls.items()}
        before = self.barrier_us()
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(blocks):
            for name, call in calls.items():
                times[name].append(self.time(call, counts[name]) * 1e6)
        return {"blocks_us": times, "barrier_us": {"before": before, "after": self.barrier_us()}}

    def end(self, result: Mapping[str, Any]) -> None:
        """Rank 0 prints what was found."""
        self.communicator.barrier()
        if dist.is_initialized():
            dist.destroy_process_group()
        self.communicator.close()
        if self.rank == 0:
            print(json.dumps(result))


def _tcp_store(rank: int, ranks: int, port_file: Path) -> dist.TCPStore:
    """As torchrun's, on a free port that rank 0 writes down."""
    if rank == 0:
        store = dist.TCPStore("127.0.0.1", 0, ranks, is_master=True, wait_for_workers=False)
        written = port_file.with_suffix(".new")
        written.write_text(str(store.port))
        written.rename(port_file)
        return store
    deadline = time.monotonic() + TIMEOUT
    while not port_file.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("rank 0 does not come")
        time.sleep(0.01)
    return dist.TCPStore("127.0.0.1", int(port_file.read_text()), ranks, is_master=False)

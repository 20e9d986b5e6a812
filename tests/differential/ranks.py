"""The rank processes: each keeps its groups from one program to the next."""

from __future__ import annotations

import multiprocessing
import time
import warnings
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist
from differential.execute import Executor, Failure, Options
from differential.generator import FAMILY, program

START_SECONDS = 90.0  # to import torch and meet


def serve(connection: Connection, rank: int, size: int, port: int, options: Options, at: Any) -> None:
    """A rank process: runs the seeds that it is sent. `at` shows its parent the seed and the step it is at."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", FutureWarning)  # all_reduce_coalesced is deprecated
    store = dist.TCPStore("localhost", port, is_master=False)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size)

    def enter(seed: int, step: int) -> None:
        at[2 * rank : 2 * rank + 2] = seed, step

    executor = Executor(rank, size, options, enter)
    connection.send([])
    while (seeds := connection.recv()) is not None:
        connection.send(executor.run(seeds))
    dist.destroy_process_group()


class Ranks:
    """`size` processes, as a context. After a failure their groups are good for nothing, and so are they."""

    def __init__(self, size: int, options: Options) -> None:
        self.size = size
        self._options = options
        self._context = multiprocessing.get_context("spawn")
        self._at = self._context.Array("q", [-1] * 2 * size, lock=False)
        self._store = dist.TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
        self._connections: list[Connection] = []
        self._processes = [self._start(rank) for rank in range(size)]

    def _start(self, rank: int) -> Any:
        ours, theirs = self._context.Pipe()
        args = (theirs, rank, self.size, self._store.port, self._options, self._at)
        process = self._context.Process(target=serve, args=args, name=f"rank {rank}", daemon=True)
        process.start()
        theirs.close()
        self._connections.append(ours)
        return process

    def __enter__(self) -> Ranks:
        unable = [each for said in self._collect(START_SECONDS) for each in said]
        if unable:
            self._end()
            raise RuntimeError(f"ranks did not start: {unable}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for process in self._processes:
            process.kill()
            process.join()
        for connection in self._connections:
            connection.close()

    def run(self, seeds: range) -> list[Failure]:
        """What the ranks have to say of the first failing seed; empty if there is none."""
        for connection in self._connections:
            connection.send(seeds)
        failures = [each for said in self._collect(3 * self._options.timeout) for each in said]
        first = min((each.seed for each in failures), default=None)
        return sorted((each for each in failures if each.seed == first), key=lambda each: (each.step, each.rank))

    def _collect(self, patience: float) -> Iterator[list[Failure]]:
        """Ends when each rank has answered or died, or when those that have not made no headway for so many seconds."""
        waiting = {connection: rank for rank, connection in enumerate(self._connections)}
        seen, since = list(self._at), time.monotonic()
        while waiting:
            ready = wait(list(waiting), timeout=0.5)
            for connection in [each for each in waiting if each in ready]:
                rank = waiting.pop(connection)
                try:
                    yield connection.recv()
                except (EOFError, ConnectionResetError):
                    self._processes[rank].join()
                    yield [self._failure(rank, f"died with status {self._processes[rank].exitcode}")]
            if (now := list(self._at)) != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > patience:
                yield [self._failure(rank, "hangs") for rank in waiting.values()]
                return

    def _failure(self, rank: int, what: str) -> Failure:
        seed, step = self._at[2 * rank : 2 * rank + 2]
        return Failure(seed, step, rank, what)


def failing_seeds(seeds: range, size: int, options: Options) -> Iterator[list[Failure]]:
    """Runs the programs of all seeds; after one that fails, goes on with new processes."""
    while seeds:
        with Ranks(size, options) as ranks:
            for each in in_families(seeds):
                failures = ranks.run(each)
                if failures:
                    yield failures
                    seeds = range(max(failures[0].seed, each.start) + 1, seeds.stop)
                    break
            else:
                return


def in_families(seeds: range) -> Iterator[range]:
    start = seeds.start
    while start < seeds.stop:
        stop = min(seeds.stop, (start // FAMILY + 1) * FAMILY)
        yield range(start, stop)
        start = stop


def report(failures: list[Failure], size: int, options: Options) -> str:
    """The seed, what each rank has to say, the program, and how to run it again."""
    first = failures[0]
    command = f"python tests/differential/run.py --seeds {first.seed} --ranks {size} --backend {options.backend}"
    if tuple(options.kinds) != tuple(Options.kinds):
        command += f" --calls {','.join(options.kinds)}"
    said = "\n".join(f"rank {each.rank}, step {each.step}: {each.what}" for each in failures)
    text = program(first.seed, size, options.kinds).text(first.step) if first.seed >= 0 else "no program was begun"
    return f"SEED {first.seed} FAILS\n{said}\n{text}\nagain: {command}"

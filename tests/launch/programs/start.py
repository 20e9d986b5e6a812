"""How the rank programs beside this file find each other: by files in a folder."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import allred
from allred import _core

# A job in the background of a shell inherits that Ctrl-C is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)


class FolderBootstrap(_core.Bootstrap):
    """Each rank leaves its blob as a file, and waits for those of the others."""

    def __init__(self, folder: Path, rank: int, size: int, timeout: float) -> None:
        super().__init__()
        self._folder = folder
        self._rank = rank
        self._size = size
        self._timeout = timeout
        self._exchanges = 0

    def rank(self) -> int:
        return self._rank

    def size(self) -> int:
        return self._size

    def all_gather(self, blob: bytes) -> list[bytes]:
        self._exchanges += 1
        files = [self._folder / f"{self._exchanges}.{rank}" for rank in range(self._size)]
        unfinished = self._folder / f"{self._rank}.unfinished"
        unfinished.write_bytes(blob)
        unfinished.rename(files[self._rank])
        deadline = time.monotonic() + self._timeout
        while not all(file.exists() for file in files):
            if time.monotonic() > deadline:
                raise TimeoutError(f"rank {self._rank} waited in vain at {self._folder}")
            time.sleep(0.002)
        return [file.read_bytes() for file in files]


def communicator(timeout: float = 30.0) -> allred.Communicator:
    """That of all ranks that launch.processes.Ranks started together with this one."""
    folder, rank, size = Path(os.environ["RANKS_FOLDER"]), int(os.environ["RANKS_RANK"]), int(os.environ["RANKS_SIZE"])
    return allred.Communicator(FolderBootstrap(folder, rank, size, timeout), allred.Config(timeout=timeout))


def say(**facts: object) -> None:
    """One line for the test to read."""
    print(json.dumps({"pid": os.getpid(), **facts}), flush=True)


def say_error(error: BaseException) -> None:
    fields = {name: getattr(error, name, None) for name in ("rank", "host", "operation", "sequence")}
    say(error=type(error).__name__, text=str(error), culprit_pid=getattr(error, "pid", None), **fields)


def argument(idx: int, default: str) -> str:
    return sys.argv[idx] if len(sys.argv) > idx else default

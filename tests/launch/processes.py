"""Ranks as processes of their own, started without a launcher."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

PROGRAMS = Path(__file__).parent / "programs"
SOON = 20  # seconds; tells an end from a hang on a machine that is busy


class Ranks:
    """Runs a program of launch/programs on so many ranks; what is left of them at the end of the block is killed."""

    def __init__(
        self,
        folder: Path,
        size: int,
        program: str,
        *args: str,
        prefix: tuple[str, ...] = (),
        environment: dict[int, dict[str, str]] | None = None,
    ) -> None:
        self.processes = []
        for rank in range(size):
            place = {"RANKS_FOLDER": str(folder), "RANKS_RANK": str(rank), "RANKS_SIZE": str(size)}
            process = subprocess.Popen(
                [*prefix, sys.executable, str(PROGRAMS / program), *args],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | place | (environment or {}).get(rank, {}),
            )
            self.processes.append(process)

    def __enter__(self) -> Ranks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def pid(self, rank: int) -> int:
        return self.processes[rank].pid

    def await_started(self) -> None:
        """Waits until each rank has said its first line."""
        for rank in range(len(self.processes)):
            assert self.next_line(rank).get("started"), f"rank {rank} did not start"

    def next_line(self, rank: int) -> dict[str, Any]:
        process = self.processes[rank]
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"rank {rank} said nothing more: {process.communicate()[1]}"
        return dict(json.loads(line))

    def signal(self, rank: int, number: signal.Signals) -> None:
        self.processes[rank].send_signal(number)

    def end(self, rank: int, timeout: float = SOON) -> tuple[int, list[dict[str, Any]], str]:
        """Waits for the rank's end: its status, what it said since, and its error output."""
        output, errors = self.processes[rank].communicate(timeout=timeout)
        return self.processes[rank].returncode, [json.loads(line) for line in output.splitlines()], errors

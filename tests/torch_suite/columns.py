"""Runs one column of the suite in a process of its own and hands on each outcome as it becomes known."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from outcome import Column, Outcome

WORKER = Path(__file__).parent / "worker.py"
LINES_OF_LOG = 40


def run_column(column: Column, tests: str, seconds: int, own_ddp: bool) -> Iterator[Outcome]:
    """Yields the outcomes in the order of the tests' names.

    Raises:
        RuntimeError: the process that runs the tests failed itself; with the end of what it printed.
    """
    with (
        tempfile.TemporaryDirectory(prefix="torch-suite-", ignore_cleanup_errors=True) as scratch,
        tempfile.TemporaryFile("w+") as log,
    ):
        command = [sys.executable, str(WORKER), "--backend", column.backend, "--size", str(column.size)]
        command += ["--tests", tests, "--seconds", str(seconds), "--scratch", scratch]
        command += ["--own-ddp"] if own_ddp else []
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    yield Outcome(**json.loads(line))
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            log.seek(0)
            raise RuntimeError(f"{column} ended early:\n" + "".join(log.readlines()[-LINES_OF_LOG:]))

"""Runs the programs of programs/ as ranks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from targets.measurement import NotMeasurable, Raw

BENCH = Path(__file__).parents[1]
SECONDS = 600


def run_program(name: str, ranks: int = 2, **settings: object) -> Raw:
    """What rank 0 of ``programs/NAME.py`` prints. Blocks.

    Raises:
        NotMeasurable: a rank failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        processes = [_start(name, rank, ranks, folder, settings) for rank in range(ranks)]
        try:
            output, _ = processes[0].communicate(timeout=SECONDS)
            failed = [process.wait(SECONDS) for process in processes]
        except subprocess.TimeoutExpired:
            raise NotMeasurable(f"{name} took more than {SECONDS} s") from None
        finally:
            for process in processes:
                process.kill()
                process.wait()
    if any(failed):
        raise NotMeasurable(f"{name} failed")
    raw: Raw = json.loads(output)
    return raw


def _start(name: str, rank: int, ranks: int, folder: str, settings: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", f"targets.programs.{name}", str(rank), str(ranks), folder, json.dumps(settings)]
    # One thread a rank computes: what more would do is not what is measured.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(BENCH), *sys.path[1:]]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, stdout=subprocess.PIPE if rank == 0 else None, text=True, env=environment)

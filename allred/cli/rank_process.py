"""What a program that :func:`allred.cli.launch.run_ranks` starts does around its own work."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from allred import launcher
from allred.cli import events


def run(folder: str, body: Callable[[int, events.Emit], None]) -> None:
    """Calls `body` with this process's rank and its way to tell events; ends the process if it fails."""
    rank = launcher.detect().rank
    try:
        events.announce(Path(folder), rank)
        body(rank, events.writer(Path(folder)) if rank == 0 else events.ignore)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # at an orderly exit MPI would wait for ranks that wait for this one

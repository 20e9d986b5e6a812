"""Ranks that a command starts: none outlives it, and what they say is not lost."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from cli.processes import is_running

from allred.cli import launch
from allred.cli.errors import CommandFailed

needs_mpi = pytest.mark.skipif(
    find_spec("mpi4py") is None or launch.find_mpirun() is None, reason="Open MPI or mpi4py is not installed"
)

RANK_PROGRAM = """
import os, sys, time
from pathlib import Path
from allred import launcher
from allred.cli import events
rank = launcher.detect().rank
events.announce(Path(sys.argv[1]), rank)
Path({pids!r}, str(rank)).write_text(str(os.getpid()))
def sleep_for_ever(): time.sleep(1000)
if rank == 1 and {dies}: sys.exit("rank 1 gives up")
sleep_for_ever()
"""


@pytest.mark.parametrize(
    "mpi",
    [
        pytest.param(False, marks=pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")),
        pytest.param(True, marks=needs_mpi),
    ],
)
@pytest.mark.parametrize(("dies", "silence", "shown"), [(True, 60, "rank 1 gives up"), (False, 3, "sleep_for_ever")])
def test_ranks_that_die_or_hang_are_ended_and_shown(
    tmp_path: Path, mpi: bool, dies: bool, silence: float, shown: str
) -> None:
    program = RANK_PROGRAM.format(pids=str(tmp_path), dies=dies)
    begin = time.monotonic()
    with pytest.raises(CommandFailed, match=shown):
        launch.run_ranks(["-c", program], 2, mpi=mpi, silence=silence, on_event=lambda event: None)
    assert time.monotonic() - begin < 30
    assert [file.name for file in tmp_path.iterdir() if is_running(file.read_text())] == []

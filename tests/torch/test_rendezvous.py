"""Ranks started by a launcher find each other, whatever the backend."""

from __future__ import annotations

from pathlib import Path

import pytest
from launch.launchers import mpirun, torchrun

PROGRAM = """
import os, sys
os.environ["TORCH_DISTRIBUTED_DEBUG"] = "{debug}"
import torch, torch.distributed as dist
dist.init_process_group("{backend}", init_method="{method}")
tensor = torch.full((3,), dist.get_rank() + 1.0)
dist.all_reduce(tensor)
sys.stdout.write(f"sum {{tensor[0].item()}} of {{dist.get_world_size()}}\\n")  # at once, not in pieces
dist.destroy_process_group()
"""


@pytest.mark.parametrize(
    ("launch", "backend", "method", "debug"),
    [
        (mpirun, "allred", "mpi://", "OFF"),
        (mpirun, "gloo", "allred://", "OFF"),
        (torchrun, "allred", "allred://", "OFF"),
        (torchrun, "allred", "env://", "DETAIL"),  # torch checks each call with a group of its own
    ],
)
def test_launched_ranks(tmp_path: Path, launch: object, backend: str, method: str, debug: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROGRAM.format(backend=backend, method=method, debug=debug))
    assert callable(launch)
    ended = launch([script], ranks=2, timeout=90)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count("sum 3.0 of 2") == 2, ended.stdout

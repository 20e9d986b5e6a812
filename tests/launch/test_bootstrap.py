"""allred.init() under each launcher that there is, and where shared memory of the usual kind is scarce."""

from __future__ import annotations

import json
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from launch.launchers import alone, mpirun
from launch.processes import PROGRAMS, Ranks

TIMEOUT = 60
NO_SHM = "mount -t tmpfs -o size=0,nr_inodes=1,ro tmpfs /dev/shm"
TINY_SHM = "mount -t tmpfs -o size=64k tmpfs /dev/shm"


def lines_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def check(lines: list[dict[str, Any]], size: int, launcher: str) -> None:
    assert sorted(line["rank"] for line in lines) == list(range(size))
    for line in lines:
        assert (line["size"], line["right"], line["launcher"]) == (size, True, launcher)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_mpirun(size: int) -> None:
    pytest.importorskip("mpi4py")
    ended = mpirun([PROGRAMS / "sum.py"], size, TIMEOUT)
    assert ended.returncode == 0, ended.stdout
    check(lines_of(ended.stdout), size, "openmpi")


def test_alone() -> None:
    ended = alone([PROGRAMS / "sum.py"], TIMEOUT)
    assert ended.returncode == 0, ended.stdout
    check(lines_of(ended.stdout), 1, "alone")


def test_the_environment_of_torchrun(tmp_path: Path) -> None:
    if find_spec("torch") is None:
        pytest.skip("torch carries the store")
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "none"}
    environment = {rank: {**shared, "RANK": str(rank)} for rank in range(2)}
    with Ranks(tmp_path, 2, "sum.py", environment=environment) as ranks:
        lines = []
        for rank in range(2):
            status, said, errors = ranks.end(rank, TIMEOUT)
            assert status == 0, errors
            lines += said
    check(lines, 2, "torchrun")


def may_mount() -> bool:
    command = ["unshare", "--mount", "sh", "-c", TINY_SHM]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("mount", [TINY_SHM, NO_SHM], ids=["tiny", "none"])
def test_dev_shm_is_not_needed(tmp_path: Path, mount: str) -> None:
    if not may_mount():
        pytest.skip("needs the right to mount: unshare --mount was refused")
    in_namespace = ("unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh")
    with Ranks(tmp_path, 2, "large.py", prefix=in_namespace) as ranks:
        for rank in range(2):
            status, lines, errors = ranks.end(rank)
            assert (status, errors) == (0, "")
            assert lines[-1]["right"]


def test_an_unknown_setting_is_an_error() -> None:
    ended = alone(["-c", "import os; os.environ['ALLRED_TIMEOUTS'] = '5'; import allred; allred.init()"], TIMEOUT)
    assert ended.returncode != 0
    assert "InvalidArgumentError" in ended.stdout
    assert "ALLRED_TIMEOUTS" in ended.stdout
    assert "ALLRED_TIMEOUT," in ended.stdout, "the one that was meant is listed"

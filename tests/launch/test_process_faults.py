"""Ranks that are killed, stopped, interrupted, forked or that simply end: what the others learn, and what is left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from launch.processes import SOON, Ranks

SHARED_MEMORY = Path("/dev/shm")
KINDS = ["synchronous", "large", "ring", "work", "work with a timeout"]
CALLS = [("auto", "100"), ("two_shot", "300000"), ("ring", "100000"), ("double_tree", "100")]


def shared_files() -> set[Path]:
    """Files of shared memory that are allred's, or nobody's that is known."""
    return set(SHARED_MEMORY.iterdir()) if SHARED_MEMORY.is_dir() else set()


def error_said(ranks: Ranks, rank: int) -> dict[str, Any]:
    """The rank's error, once it has ended as a program that knows what to do about it."""
    status, lines, errors = ranks.end(rank)
    assert (status, errors) == (0, "")
    return lines[0]


@pytest.mark.parametrize(("algorithm", "count"), CALLS)
def test_survivors_of_a_killed_rank_say_who_died(tmp_path: Path, algorithm: str, count: str) -> None:
    before = shared_files()
    with Ranks(tmp_path, 3, "call_for_ever.py", algorithm, count) as ranks:
        ranks.await_started()
        time.sleep(0.1)  # into the middle of the calls
        ranks.signal(1, signal.SIGKILL)
        killed = ranks.pid(1)
        errors = [error_said(ranks, rank) for rank in (0, 2)]
        for error in errors:
            assert error["error"] == "PeerLostError"
            assert error["rank"] == 1
            assert error["culprit_pid"] == killed
            assert f"rank 1 (host {os.uname().nodename}, pid {killed}) died" in error["text"]
            assert error["operation"].startswith("all_reduce(op=sum, dtype=float32")
            assert error["sequence"] > 1
    assert shared_files() <= before


def test_a_rank_that_dies_at_start_up_is_named(tmp_path: Path) -> None:
    with Ranks(tmp_path, 3, "die_at_start.py") as ranks:
        leader = error_said(ranks, 0)
        assert leader["error"] == "TimeoutError"
        assert "ranks 1" in leader["text"]
        assert error_said(ranks, 2)["error"] in ("PeerLostError", "TimeoutError")


def sockets() -> set[str]:
    """The names of all that ranks on this machine meet at; other tests' processes may have some."""
    return {name for name in Path("/proc/net/unix").read_text().split() if name.startswith("@allred")}


def test_nothing_is_left_when_all_ranks_are_killed(tmp_path: Path) -> None:
    before, sockets_before = shared_files(), sockets()
    with Ranks(tmp_path, 3, "call_for_ever.py", "two_shot", "300000") as ranks:
        ranks.await_started()
        assert sockets() > sockets_before
        for rank in range(3):
            ranks.signal(rank, signal.SIGKILL)
        for process in ranks.processes:
            assert process.wait(SOON) == -signal.SIGKILL
    assert shared_files() <= before
    assert sockets() <= sockets_before


def test_a_stopped_rank_is_named(tmp_path: Path) -> None:
    with Ranks(tmp_path, 3, "call_for_ever.py", "auto", "100", "0.5") as ranks:
        ranks.await_started()
        ranks.signal(2, signal.SIGSTOP)
        for rank in (0, 1):
            error = error_said(ranks, rank)
            assert error["error"] == "TimeoutError"
            assert error["rank"] == 2
            assert error["culprit_pid"] == ranks.pid(2)
            assert "500 ms" in error["text"]
        ranks.signal(2, signal.SIGCONT)
        assert error_said(ranks, 2)["error"] == "TimeoutError"


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_ends_a_wait(tmp_path: Path, kind: str) -> None:
    with Ranks(tmp_path, 3, "wait_for_rank_0.py", kind) as ranks:
        ranks.await_started()
        time.sleep(0.2)
        ranks.signal(1, signal.SIGINT)
        status, lines, errors = ranks.end(1)
        assert (status, errors) == (0, "")
        assert lines[0]["error"] == "KeyboardInterrupt"


def test_ctrl_c_at_one_rank_is_an_error_at_the_others(tmp_path: Path) -> None:
    with Ranks(tmp_path, 3, "wait_for_rank_0.py", "synchronous") as ranks:
        ranks.await_started()
        time.sleep(0.2)
        ranks.signal(1, signal.SIGINT)
        status, lines, errors = ranks.end(2)
        assert (status, errors) == (0, "")
        for error in lines:
            assert error["error"] == "AbortedError"
            assert error["rank"] == 1
            assert f"rank 1 (host {os.uname().nodename}, pid {ranks.pid(1)})" in error["text"]
            assert "KeyboardInterrupt" in error["text"]


@pytest.mark.parametrize("size", [1, 2])
def test_forked_children_disturb_nothing(tmp_path: Path, size: int) -> None:
    with Ranks(tmp_path, size, "fork.py") as ranks:
        for rank in range(size):
            status, lines, errors = ranks.end(rank)
            assert (status, errors) == (0, "")
            assert lines[-1]["done"]


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("way", ["open", "pending", "dropped", "raising"])
def test_the_interpreter_ends_quietly_with_a_communicator_open(tmp_path: Path, way: str, size: int) -> None:
    with Ranks(tmp_path, size, "exit_open.py", way) as ranks:
        for rank in range(size):
            assert ranks.end(rank) == (0, [], "")

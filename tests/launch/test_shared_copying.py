"""Copies that the rank which has the data makes a part of: with and without leave, and ranks that end in the middle."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from launch.processes import Ranks

CALLS = ["send", "broadcast"]


@pytest.mark.parametrize("call", CALLS)
def test_where_it_is_permitted_the_owner_writes_a_part_to_its_peers_memory(tmp_path: Path, call: str) -> None:
    """Seen by what comes of an owner that the system kills for it, and of its peer."""
    with Ranks(tmp_path, 2, "one_way_for_ever.py", call, "fatal") as ranks:
        assert ranks.end(1)[0] == -signal.SIGSYS
        status, lines, errors = ranks.end(0)
        assert (status, errors) == (0, "")
        assert (lines[-1]["error"], lines[-1]["rank"]) == ("PeerLostError", 1)


@pytest.mark.parametrize("call", CALLS)
def test_where_it_is_refused_the_peer_reads_all(tmp_path: Path, call: str) -> None:
    with Ranks(tmp_path, 2, "one_way_for_ever.py", call, "refused") as ranks:
        for rank in range(2):
            status, lines, errors = ranks.end(rank)
            assert (status, errors) == (0, "")
            assert lines[-1].get("done"), lines[-1]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("culprit", [0, 1])
def test_a_rank_that_is_killed_is_named(tmp_path: Path, call: str, culprit: int) -> None:
    with Ranks(tmp_path, 2, "one_way_for_ever.py", call) as ranks:
        ranks.await_started()
        time.sleep(0.2)  # into the middle of the copies
        ranks.signal(culprit, signal.SIGKILL)
        status, lines, errors = ranks.end(1 - culprit)
        assert (status, errors) == (0, "")
        assert (lines[-1]["error"], lines[-1]["rank"]) == ("PeerLostError", culprit)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("culprit", [0, 1])
@pytest.mark.parametrize("turn", range(3))
def test_a_rank_that_is_stopped_is_named(tmp_path: Path, call: str, culprit: int, turn: int) -> None:
    """Its peer hears of it in time, though its buffer may be in the middle of being written to."""
    with Ranks(tmp_path, 2, "one_way_for_ever.py", call, "permitted", "0.5") as ranks:
        ranks.await_started()
        time.sleep(0.2 + 0.01 * turn)
        ranks.signal(culprit, signal.SIGSTOP)
        status, lines, errors = ranks.end(1 - culprit)
        assert (status, errors) == (0, "")
        assert (lines[-1]["error"], lines[-1]["rank"]) == ("TimeoutError", culprit)
        ranks.signal(culprit, signal.SIGCONT)
        status, lines, errors = ranks.end(culprit)
        assert (status, errors) == (0, "")
        assert lines[-1]["error"] in ("TimeoutError", "PeerLostError")

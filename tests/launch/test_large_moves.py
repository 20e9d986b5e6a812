"""Collectives between processes that move large blocks, with and without leave to read a peer's memory."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from launch.processes import Ranks


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("reading", ["permitted", "refused", "refused to one"])
def test_large_moves(tmp_path: Path, reading: str, size: int) -> None:
    with Ranks(tmp_path, size, "large_moves.py", reading) as ranks:
        for rank in range(size):
            status, lines, errors = ranks.end(rank)
            assert (status, errors) == (0, "")
            assert lines[-1].get("done"), lines[-1]


def test_where_it_is_permitted_ranks_read_their_peers_memory(tmp_path: Path) -> None:
    """Seen by what comes of a rank that the system kills for it, and of its peer."""
    with Ranks(tmp_path, 2, "large_moves.py", "fatal") as ranks:
        assert ranks.end(1)[0] == -signal.SIGSYS
        status, lines, errors = ranks.end(0)
        assert (status, errors) == (0, "")
        assert (lines[-1]["error"], lines[-1]["rank"]) == ("PeerLostError", 1)


def test_a_rank_that_may_no_longer_read_is_an_error_on_all(tmp_path: Path) -> None:
    with Ranks(tmp_path, 2, "large_moves.py", "refused later") as ranks:
        for rank in range(2):
            status, lines, errors = ranks.end(rank)
            assert (status, errors) == (0, "")
            assert lines[-1]["error"] == "SystemCallError"
            assert "does not let this rank read the memory of rank 0" in lines[-1]["text"]

"""Messages between processes: large ones with and without leave to read memory, and ranks that are killed."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from launch.processes import Ranks


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(
    ("reading", "writing"),
    [
        ("permitted", "permitted"),
        ("permitted", "refused"),
        ("permitted", "refused to one"),
        ("refused", "permitted"),
        ("refused to one", "permitted"),
    ],
)
def test_large_messages(tmp_path: Path, reading: str, writing: str, size: int) -> None:
    with Ranks(tmp_path, size, "large_messages.py", reading, writing) as ranks:
        for rank in range(size):
            status, lines, errors = ranks.end(rank)
            assert (status, errors) == (0, "")
            assert lines[-1].get("done"), lines[-1]


def test_where_it_is_permitted_the_receiver_reads_the_senders_memory(tmp_path: Path) -> None:
    """Seen by what comes of a receiver that the system kills for it, and of the sender."""
    with Ranks(tmp_path, 2, "large_messages.py", "fatal") as ranks:
        assert ranks.end(1)[0] == -signal.SIGSYS
        status, lines, errors = ranks.end(0)
        assert (status, errors) == (0, "")
        assert (lines[-1]["error"], lines[-1]["rank"]) == ("PeerLostError", 1)


@pytest.mark.parametrize("reading", ["permitted", "refused"])
def test_a_rank_that_is_killed_among_large_messages_is_named(tmp_path: Path, reading: str) -> None:
    with Ranks(tmp_path, 2, "messages_for_ever.py", reading) as ranks:
        ranks.await_started()
        time.sleep(0.2)  # into the middle of the messages
        ranks.signal(1, signal.SIGKILL)
        status, lines, errors = ranks.end(0)
        assert (status, errors) == (0, "")
        assert (lines[0]["error"], lines[0]["rank"]) == ("PeerLostError", 1)
        assert f"pid {ranks.pid(1)}) died" in lines[0]["text"]
        assert lines[0]["operation"].startswith(("send(to=1", "recv(source=1"))


@pytest.mark.parametrize("way", ["open", "killed"])
def test_what_a_rank_sent_outlives_its_process(tmp_path: Path, way: str) -> None:
    with Ranks(tmp_path, 2, "send_and_end.py", way) as ranks:
        assert ranks.end(1)[0] == (-signal.SIGKILL if way == "killed" else 0)
        status, lines, errors = ranks.end(0)
        assert (status, errors) == (0, "")
        assert lines[0]["received"]
        assert (lines[1]["error"], lines[1]["rank"]) == ("PeerLostError", 1)


@pytest.mark.parametrize("kind", ["recv", "recv from any", "send", "work"])
def test_ctrl_c_ends_a_wait(tmp_path: Path, kind: str) -> None:
    with Ranks(tmp_path, 2, "wait_for_message.py", kind) as ranks:
        ranks.await_started()
        time.sleep(0.2)
        ranks.signal(1, signal.SIGINT)
        status, lines, errors = ranks.end(1)
        assert (status, errors) == (0, "")
        assert lines[0]["error"] == "KeyboardInterrupt"
        status, lines, errors = ranks.end(0)
        assert (status, errors) == (0, "")
        assert lines[0]["error"] == ("PeerLostError" if kind == "work" else "AbortedError"), "a work goes on"
        assert lines[0]["rank"] == 1


def test_a_signal_handler_may_send_and_receive(tmp_path: Path) -> None:
    """Even one that came into a wait for a message."""
    with Ranks(tmp_path, 2, "wait_for_message.py", "recv") as ranks:
        ranks.await_started()
        time.sleep(0.2)
        ranks.signal(1, signal.SIGUSR1)
        assert ranks.next_line(1)["received"] == [2, 2, 2]

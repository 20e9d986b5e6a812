"""Workers and servers that end, fall silent or fail: who goes on, and what the others hear."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from faults.outcomes import SOON, error_of
from server.models import assert_same, gradients, mean, model, momentum, train

import allred
from allred.server import SGD


def open_server(comm: allred.Communicator, **options: Any) -> allred.ParameterServer:
    return allred.ParameterServer(comm, model(), **({"optimizer": SGD(0.125, 0.5), "timeout": 30} | options))


def when_lost(server: allred.ParameterServer, worker: int) -> allred.server.Status:
    """The status once the servers know that the worker is lost."""
    deadline = time.monotonic() + SOON
    while worker not in (status := server.status()).lost:
        assert time.monotonic() < deadline, status
        time.sleep(0.005)
    return status


@pytest.mark.parametrize("mode", ["asynchronous", "synchronous", "bounded"])
def test_the_others_go_on_without_a_worker_that_raises(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """It pushes twice and raises; the other pushes five times, and waits for it no longer."""

    def run(comm: allred.Communicator) -> Any:
        values = status = None
        try:
            with open_server(comm, servers=[0, 1], mode=mode, staleness=1) as server:
                for step in range({2: 5, 3: 2}.get(comm.rank, 0)):
                    server.push(gradients(comm.rank, step))
                    values = server.pull()
                if comm.rank == 3:
                    raise ValueError("no more data")
                if comm.rank == 2:
                    status = when_lost(server, 3)
        except ValueError:
            return None
        return values, status

    _, _, (values, status), _ = allred.run_threads(run, 4, timeout=30)
    assert (status.live, status.left) == ([2], [])
    assert status.lost == {3: "rank 3 raised ValueError: no more data"}
    assert "worker rank 3 was lost: rank 3 raised ValueError: no more data; the others go on" in caplog.text
    if mode == "synchronous":
        means = [mean(gradients(rank, step) for rank in (2, 3)) for step in range(2)]
        assert_same(values, train(momentum(0.125, 0.5), [*means, *(gradients(2, step) for step in (2, 3, 4))]))
        assert status.steps == {0: 5, 1: 5}
    else:
        assert status.steps == {0: 7, 1: 7}


@pytest.mark.parametrize("mode", ["synchronous", "bounded"])
def test_a_silent_worker_is_dropped_and_told(mode: str) -> None:
    others_are_done = threading.Event()

    def run(comm: allred.Communicator) -> Any:
        server = open_server(comm, mode=mode, staleness=0, timeout=1)
        if comm.rank == 1:
            for step in range(3):
                server.push(gradients(1, step))
                server.pull()
            status = server.status()
            others_are_done.set()
            server.close()
            return status
        if comm.rank == 2:
            assert others_are_done.wait(SOON)
            error = error_of(allred.AbortedError, server.pull)
            assert error_of(allred.AbortedError, server.push, gradients(2, 0)).rank == 2
            server.close()
            return error
        server.close()
        return None

    _, status, error = allred.run_threads(run, 3, timeout=30)
    assert status.lost == {2: "silent for more than 1 s"}
    assert status.steps == {0: 3}
    assert error.rank == 2
    assert "server rank 0 has dropped rank 2, which was silent for more than 1 s" in str(error)


def test_a_slow_worker_is_waited_for_longer_than_the_timeout() -> None:
    """While it makes calls: the servers tell those that wait for it that they are still there."""

    def run(comm: allred.Communicator) -> Any:
        with open_server(comm, servers=[0, 1], mode="synchronous", timeout=1.5) as server:
            if comm.rank == 3:
                for _ in range(6):
                    time.sleep(0.3)
                    server.status()
            if server.is_worker:
                server.push(gradients(comm.rank, 0))
                return server.pull()
        return None

    values = allred.run_threads(run, 4, timeout=30)[2]
    assert_same(values, train(momentum(0.125, 0.5), [mean(gradients(rank, 0) for rank in (2, 3))]))


@pytest.mark.parametrize("size", [3, 4])
def test_a_server_that_raises_is_named_on_all_workers(size: int) -> None:
    """Also on one that waits for what another server has to send."""
    pushed, ended = threading.Event(), threading.Event()

    def run(comm: allred.Communicator) -> Any:
        try:
            with open_server(comm, servers=list(range(size - 2)), mode="synchronous") as server:
                if comm.rank == size - 3:
                    assert pushed.wait(SOON)
                    time.sleep(0.1)  # in which the worker begins to wait
                    raise ValueError("out of memory")
                if comm.rank == size - 2:
                    server.push(gradients(comm.rank, 0))
                    pushed.set()
                    error = error_of(allred.AbortedError, server.pull)
                    assert error_of(allred.AbortedError, server.status).rank == error.rank
                    return error
                if comm.rank == size - 1:
                    assert ended.wait(SOON)
                    return error_of(allred.AbortedError, server.push, gradients(comm.rank, 0))
        except ValueError:
            ended.set()
        return None

    for error in allred.run_threads(run, size, timeout=30)[-2:]:
        assert error.rank == size - 3
        assert f"server rank {size - 3} (host " in str(error)
        assert f"has ended: rank {size - 3} raised ValueError: out of memory" in str(error)


def test_a_server_that_is_gone_is_lost() -> None:
    """It closes its links without a word, as a process that ends does."""
    closed = threading.Event()

    def run(comm: allred.Communicator) -> Any:
        server = open_server(comm)
        if comm.rank == 0:
            server._links.close()
            closed.set()
            return None
        assert closed.wait(SOON)
        error = error_of(allred.PeerLostError, server.pull)
        server.close()
        return error

    error = allred.run_threads(run, 2, timeout=30)[1]
    assert (error.rank, error.operation) == (0, "pull")
    assert str(error).startswith("server rank 0 (host ")


def test_an_optimizer_that_raises_is_an_error_on_all() -> None:
    def failing(parameter: Any, gradient: Any, state: dict[str, Any], step: int) -> None:
        if step == 2:
            raise FloatingPointError("overflow at step 2")
        parameter -= gradient

    def run(comm: allred.Communicator) -> Any:
        with open_server(comm, optimizer=failing, mode="synchronous") as server:
            if not server.is_worker:
                return None
            server.push(gradients(comm.rank, 0))
            server.pull()
            server.push(gradients(comm.rank, 1))
            return error_of(allred.Error, server.pull)

    for error in allred.run_threads(run, 3, timeout=30)[1:]:
        assert error.rank == 0
        assert "server rank 0 has failed: its optimizer raised FloatingPointError: overflow at step 2" in str(error)


def test_an_error_of_an_asynchronous_call_is_its_works() -> None:
    aborted = threading.Event()

    def run(comm: allred.Communicator) -> None:
        server = open_server(comm)
        if comm.rank == 0:
            server.abort("enough")
            aborted.set()
            return
        assert aborted.wait(SOON)
        work = server.pull(model(), async_op=True)
        error = error_of(allred.AbortedError, work.wait)
        assert work.error() is error
        assert "has ended: enough" in str(error)
        server.close()

    allred.run_threads(run, 2, timeout=30)


def test_waiting_for_a_work_may_end_before_the_work() -> None:
    may_push = threading.Event()

    def run(comm: allred.Communicator) -> None:
        with open_server(comm, mode="synchronous") as server:
            if comm.rank == 1:
                server.push(gradients(1, 0))
                work = server.pull(model(), async_op=True)
                assert "0.05 s for pull" in str(error_of(allred.TimeoutError, work.wait, timeout=0.05))
                assert not work.done()
                assert work.error() is None
                may_push.set()
                work.wait()
            if comm.rank == 2:
                assert may_push.wait(SOON)
                server.push(gradients(2, 0))

    allred.run_threads(run, 3, timeout=30)


def test_a_gradient_that_came_whole_counts_though_its_worker_is_lost() -> None:
    """A large one: its push ends when the server has it, that of a small one when it is on its way."""
    lost = threading.Event()
    count = 200_000  # so many that the server has to ask for them
    zeros = {"array": np.zeros(count)}

    def run(comm: allred.Communicator) -> Any:
        server = allred.ParameterServer(comm, zeros, optimizer=SGD(1.0), mode="synchronous", timeout=30)
        if comm.rank == 2:
            server.push({"array": np.full(count, 4.0)})
            server.abort("gone")
            lost.set()
            return None
        if comm.rank == 1:
            assert lost.wait(SOON)
            server.push({"array": np.full(count, 2.0)})
            values = server.pull()["array"]
            assert when_lost(server, 2).live == [1]
            server.close()
            return np.unique(values).tolist()
        server.close()
        return None

    assert allred.run_threads(run, 3, timeout=30)[1] == [-3.0]


def test_no_thread_is_left() -> None:
    def run(comm: allred.Communicator) -> None:
        with open_server(comm, servers=[0, 1]) as server:
            if server.is_worker:
                server.push(gradients(0, 0), async_op=True)

    allred.run_threads(run, 3, timeout=30)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("allred-server")] == []

"""What workers get in each mode, compared bit for bit with one machine that does the same in sequence."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from server.models import Arrays, assert_same, gradients, mean, model, momentum, train

import allred
from allred.server import SGD

STEPS = 6
PLACEMENTS = [(1, [0], [0]), (2, [0], [1]), (3, [0], [1, 2]), (4, [0, 1], [2, 3]), (4, [0, 1, 2], [0, 1, 2, 3])]


def open_server(comm: allred.Communicator, **options: Any) -> allred.ParameterServer:
    # Another rank's values than the first server's must not matter.
    arguments = {"optimizer": SGD(0.125, 0.5), "timeout": 30} | options
    return allred.ParameterServer(comm, model(comm.rank), **arguments)


@pytest.mark.parametrize(("size", "servers", "workers"), PLACEMENTS)
def test_synchronous_steps_are_those_of_the_mean(size: int, servers: list[int], workers: list[int]) -> None:
    def run(comm: allred.Communicator) -> list[Any]:
        pulled: list[Any] = []
        with open_server(comm, servers=servers, workers=workers, mode="synchronous") as server:
            assert (server.is_server, server.is_worker) == (comm.rank in servers, comm.rank in workers)
            for step in range(STEPS if server.is_worker else 0):
                server.push(gradients(comm.rank, step))
                pulled.append(server.pull())
        return pulled

    results = allred.run_threads(run, size, timeout=30)
    means = [mean(gradients(rank, step) for rank in workers) for step in range(STEPS)]
    for step in range(STEPS):
        expected = train(momentum(0.125, 0.5), means[: step + 1])
        for worker in workers:
            assert_same(results[worker][step], expected)


@pytest.mark.parametrize(("size", "servers", "workers"), PLACEMENTS)
def test_asynchronous_pushes_are_applied_one_by_one(size: int, servers: list[int], workers: list[int]) -> None:
    """The workers take turns, so there is one sequence to compare with."""
    turns = [(worker, step) for step in range(STEPS) for worker in workers]
    turn = threading.Condition()
    over: list[tuple[int, int]] = []

    def run(comm: allred.Communicator) -> Any:
        with open_server(comm, servers=servers, workers=workers) as server:
            for own in [each for each in turns if each[0] == comm.rank]:
                with turn:
                    assert turn.wait_for(lambda own=own: turns[len(over)] == own, 20)
                    server.push(gradients(*own))
                    assert_same(server.pull(), train(momentum(0.125, 0.5), (gradients(*each) for each in [*over, own])))
                    over.append(own)
                    turn.notify_all()
        return None

    allred.run_threads(run, size, timeout=30)
    assert over == turns


def test_asynchronous_pushes_are_all_applied_whatever_their_order() -> None:
    """Without momentum and with exact numbers the order does not matter; a push lost or counted twice would."""
    exact = {name: np.zeros_like(array) for name, array in model().items()}

    def run(comm: allred.Communicator) -> Any:
        with allred.ParameterServer(comm, exact, servers=[0, 1], optimizer=SGD(1.0), timeout=30) as server:
            for step in range(20 if server.is_worker else 0):
                server.push({name: np.sign(array) for name, array in gradients(comm.rank, step).items()})
            server.wait()
            return server.pull() if comm.rank == 0 else None

    total = {
        name: -sum(np.sign(gradients(rank, step)[name]) for rank in (2, 3, 4) for step in range(20)) + array
        for name, array in exact.items()
    }
    assert_same(allred.run_threads(run, 5, timeout=30)[0], total)


def test_a_pull_is_of_one_moment_while_others_push() -> None:
    """Every element gets the same gradients, so a pull that met an update would show two values."""
    zeros = {"array": np.zeros(300_000, np.float32)}

    def run(comm: allred.Communicator) -> None:
        with allred.ParameterServer(comm, zeros, optimizer=SGD(1.0), timeout=30) as server:
            ones = {"array": np.ones(300_000, np.float32)}
            for _ in range(15 if server.is_worker else 0):
                server.push(ones)
                values = np.unique(server.pull()["array"])
                assert values.size == 1
                assert values[0] <= -1

    allred.run_threads(run, 4, timeout=30)


@pytest.mark.parametrize("staleness", [0, 2])
def test_bounded_workers_wait_for_the_slowest(staleness: int) -> None:
    """The fast one gets exactly so far; the slow one never waits."""
    steps = 8
    may_go = threading.Semaphore(0)
    pulled: list[int] = []

    def run(comm: allred.Communicator) -> None:
        with open_server(comm, mode="bounded", staleness=staleness, timeout=20) as server:
            if comm.rank == 1:  # fast
                for step in range(steps):
                    server.push(gradients(1, step))
                    server.pull()
                    pulled.append(step)
            if comm.rank == 2:  # slow
                for step in range(steps):
                    deadline = time.monotonic() + 10
                    while len(pulled) < min(step + staleness, steps):
                        assert time.monotonic() < deadline
                        time.sleep(0.002)
                    time.sleep(0.03)  # in which it would run ahead, were it not held
                    assert len(pulled) == min(step + staleness, steps)
                    server.push(gradients(2, step))
                    server.pull()
            may_go.release()

    allred.run_threads(run, 3, timeout=30)
    assert pulled == list(range(steps))


def test_a_worker_that_left_bounds_nobody() -> None:
    def run(comm: allred.Communicator) -> Any:
        with open_server(comm, mode="bounded", staleness=1) as server:
            for step in range({1: 6, 2: 2}.get(comm.rank, 0)):
                server.push(gradients(comm.rank, step))
                server.pull()
            server.wait()
            return server.status() if comm.rank == 0 else None

    status = allred.run_threads(run, 3, timeout=30)[0]
    assert (status.steps, status.live, status.left, status.lost) == ({0: 8}, [], [1, 2], {})


def test_a_worker_that_left_is_not_counted_in_synchronous_steps() -> None:
    def run(comm: allred.Communicator) -> Any:
        values = None
        with open_server(comm, mode="synchronous") as server:
            for step in range({1: 4, 2: 2}.get(comm.rank, 0)):
                server.push(gradients(comm.rank, step))
                values = server.pull()
        return values

    results = allred.run_threads(run, 3, timeout=30)
    means = [mean([gradients(1, step), gradients(2, step)]) for step in range(2)]
    assert_same(results[2], train(momentum(0.125, 0.5), means))
    assert_same(results[1], train(momentum(0.125, 0.5), [*means, gradients(1, 2), gradients(1, 3)]))


def test_asynchronous_calls_keep_their_order_and_fill_what_they_are_given() -> None:
    def run(comm: allred.Communicator) -> Arrays | None:
        with open_server(comm, servers=[0, 1]) as server:
            if not server.is_worker:
                return None
            into = model(7)
            kept = [gradients(2, step) for step in range(STEPS)]
            works = [server.push(each, async_op=True) for each in kept]
            works.append(server.pull(into, async_op=True))
            for work in works:
                work.wait(timeout=20)
                assert work.done()
                assert work.error() is None
            again = server.pull(into)
            assert again is into
            return into

    expected = train(momentum(0.125, 0.5), (gradients(2, step) for step in range(STEPS)))
    assert_same(allred.run_threads(run, 3, timeout=30)[2], expected)


def test_two_servers_on_one_communicator_are_apart() -> None:
    def run(comm: allred.Communicator) -> Any:
        with open_server(comm, servers=[0]) as first, open_server(comm, servers=[1], workers=[0]) as second:
            if comm.rank == 1:
                first.push(gradients(1, 0))
                return first.pull()
            second.push(gradients(0, 5))
            return second.pull()

    results = allred.run_threads(run, 2, timeout=30)
    assert_same(results[1], train(momentum(0.125, 0.5), [gradients(1, 0)]))
    assert_same(results[0], train(momentum(0.125, 0.5), [gradients(0, 5)], model(1)))


def test_torch_tensors_are_pushed_and_filled() -> None:
    torch = pytest.importorskip("torch")

    def run(comm: allred.Communicator) -> Any:
        layer = torch.nn.Linear(5, 3)
        before = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
        with allred.ParameterServer(comm, dict(layer.named_parameters()), optimizer=SGD(0.5), timeout=30) as server:
            if server.is_worker:
                server.pull(into=dict(layer.named_parameters()))
                before = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
                layer(torch.ones(2, 5)).sum().backward()
                server.push({name: parameter.grad for name, parameter in layer.named_parameters()})
                server.pull(into=dict(layer.named_parameters()))
                for name, parameter in layer.named_parameters():
                    assert torch.equal(parameter.detach(), before[name] - 0.5 * parameter.grad)
            return {name: array.numpy() for name, array in before.items()}

    first, second = allred.run_threads(run, 2, timeout=30)
    assert_same(first, second)


@pytest.mark.parametrize("mode", ["synchronous", "bounded"])
def test_a_worker_that_waits_pushes_no_more_and_holds_up_nobody(mode: str) -> None:
    """Every rank is a server and a worker; each pulls what all have pushed, later than a worker may be silent."""
    both = threading.Barrier(2)

    def run(comm: allred.Communicator) -> Any:
        with open_server(comm, servers=[0, 1], mode=mode, staleness=0, timeout=1) as server:
            for step in range(2 + 2 * comm.rank):
                server.push(gradients(comm.rank, step))
                server.pull()
            server.wait()
            server.wait()
            with pytest.raises(allred.InvalidArgumentError, match=r"rank \d has called wait"):
                server.push(gradients(0, 0))
            time.sleep(1.2)
            results = server.pull(), server.status()
            both.wait(20)
            return results

    (values, status), (other_values, _) = allred.run_threads(run, 2, timeout=30)
    assert_same(values, other_values)
    assert (status.live, status.lost) == ([], {})
    assert status.steps == dict.fromkeys((0, 1), 4 if mode == "synchronous" else 6)

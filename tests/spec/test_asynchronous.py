"""Asynchronous calls: the same results, in the order of the calls, and a Work that says when."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from spec.collectives import EVERY, expected, start
from spec.values import exact_array, reduced

import allred


@pytest.mark.parametrize(("collective", "algorithm"), EVERY)
def test_many_in_flight(collective: str, algorithm: str) -> None:
    size = 3
    counts = [size, 300, 1200, 3 * size] * 5
    prepared = []
    for count in counts:
        inputs = [exact_array("float32", "sum", count, rank) for rank in range(size)]
        prepared.append((inputs, reduced(inputs, "float32", "sum")))

    def run(comm: allred.Communicator) -> None:
        options = {"algorithm": algorithm, "async_op": True}
        started = [start(collective, comm, inputs[comm.rank], "float32", **options) for inputs, _ in prepared]
        started[-1][1].wait()
        assert all(work.done() for _, work in started), "calls end in the order in which they were made"
        for (result, work), (inputs, reduction) in zip(started, prepared, strict=True):
            work.wait()
            assert work.error() is None
            np.testing.assert_array_equal(result, expected(collective, inputs, reduction, comm.rank))

    allred.run_threads(run, size, timeout=60)


def test_synchronous_calls_between_asynchronous_ones() -> None:
    """A synchronous call comes after all that were made before it, whether or not they were waited for."""

    def run(comm: allred.Communicator) -> None:
        array = np.zeros(1000, np.int64)
        works = []
        for asynchronous in itertools.islice(itertools.cycle([True, True, False]), 60):
            array_of_ones = np.ones(1, np.int64)
            works.append(comm.all_reduce(array, async_op=asynchronous))
            if not asynchronous:
                assert all(work is None or work.done() for work in works)
                array += 1
            comm.all_reduce(array_of_ones)
            assert array_of_ones == comm.size

        total = 0
        for asynchronous in itertools.islice(itertools.cycle([True, True, False]), 60):
            total = (total * comm.size + (not asynchronous)) % 2**64
        assert (array.view(np.uint64) == total).all()

    allred.run_threads(run, 3, timeout=60)


def test_barriers_can_be_asynchronous() -> None:
    passed = []

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            work = comm.barrier(async_op=True)
            with pytest.raises(allred.TimeoutError, match=r"barrier.*under way"):
                work.wait(timeout=0.02)
            assert not work.done()
            assert work.error() is None
            passed.append(comm.rank)
            others_may_go.set()
            work.wait(timeout=60)
            assert work.done()
        else:
            others_may_go.wait()
            comm.barrier()

    others_may_go = threading.Event()
    allred.run_threads(run, 3, timeout=60)
    assert passed == [0]


def test_a_wait_that_ran_out_of_time_can_be_repeated() -> None:
    """The call itself goes on, and the communicator is as usable as before."""

    def run(comm: allred.Communicator) -> None:
        array = np.ones(5, np.float32)
        if comm.rank == 1:
            may_go.wait()
        work = comm.all_reduce(array, async_op=True)
        if comm.rank == 0:
            for _ in range(3):
                with pytest.raises(TimeoutError):  # allred's is one of Python's
                    work.wait(timeout=0.01)
            may_go.set()
        work.wait()
        assert (array == 2).all()
        comm.barrier()

    may_go = threading.Event()
    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), 1e10])
def test_a_wait_needs_a_positive_timeout(timeout: float) -> None:
    def run(comm: allred.Communicator) -> None:
        work = comm.barrier(async_op=True)
        work.wait()
        with pytest.raises(allred.InvalidArgumentError, match="timeout"):
            work.wait(timeout=timeout)

    allred.run_threads(run, 2)


def test_the_error_of_a_work_is_the_one_that_wait_raises() -> None:
    def run(comm: allred.Communicator) -> None:
        array = np.ones(4)
        good = comm.all_reduce(array, async_op=True)
        wrong = comm.all_reduce(array, op="max" if comm.rank else "min", async_op=True)
        after = comm.all_reduce(array, async_op=True)
        with pytest.raises(allred.MismatchError) as raised:
            wrong.wait()
        error = wrong.error()
        assert isinstance(error, allred.MismatchError)
        assert str(error) == str(raised.value)
        assert (error.sequence, error.operation) == (raised.value.sequence, raised.value.operation)
        after.wait()
        assert good.error() is None
        assert (array == 4).all(), "the calls before and after were carried out"

    allred.run_threads(run, 2, timeout=60)


def test_a_call_that_cannot_be_made_is_an_error_of_its_work_alone() -> None:
    def run(comm: allred.Communicator) -> None:
        array = np.ones(4)
        with pytest.raises(allred.InvalidArgumentError, match="root=7"):
            comm.broadcast(array, root=7, async_op=True).wait()
        comm.all_reduce(array, async_op=True).wait()
        assert (array == 2).all()

    allred.run_threads(run, 2, timeout=60)


def test_works_can_be_waited_for_by_any_thread() -> None:
    def run(comm: allred.Communicator) -> None:
        arrays = [np.full(100, idx, np.int32) for idx in range(30)]
        works = [comm.all_reduce(array, async_op=True) for array in arrays]
        waiters = [threading.Thread(target=work.wait) for work in reversed(works)]
        for waiter in waiters:
            waiter.start()
        for waiter in waiters:
            waiter.join()
        for idx, array in enumerate(arrays):
            assert (array == idx * comm.size).all()

    allred.run_threads(run, 3, timeout=60)


def test_communicators_are_independent() -> None:
    """A call under way on one does not hold up another."""

    def run(comm: allred.Communicator) -> None:
        def use_another(other: allred.Communicator) -> int:
            array = np.ones(3, np.int32)
            other.all_reduce(array)
            return int(array[0])

        if comm.rank == 0:
            work = comm.barrier(async_op=True)
            assert allred.run_threads(use_another, 4) == [4] * 4
            assert not work.done()
            may_go.set()
            work.wait()
        else:
            may_go.wait()
            comm.barrier()

    may_go = threading.Event()
    allred.run_threads(run, 2, timeout=60)

"""Symmetric memory: reserved when allocated, given back with the last view, and used without staging memory."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from transport import process_state

import allred

PAGE = 4096
LARGE = 100_003


def held(comm: allred.Communicator) -> tuple[int, int]:
    stats = comm.memory_stats()
    return stats["symmetric_bytes"], stats["symmetric_allocations"]


@pytest.mark.parametrize("dtype", ["float32", np.float16, "bool", np.dtype("complex128"), int])
@pytest.mark.parametrize("shape", [(), 7, (3, 5), [2, 0], (4, 1, 2)])
def test_an_array_is_as_numpy_makes_it(shape: Any, dtype: Any) -> None:
    def run(comm: allred.Communicator) -> None:
        array, model = comm.empty(shape, dtype), np.empty(shape, dtype)
        assert (array.shape, array.dtype) == (model.shape, model.dtype)
        assert array.strides == model.strides or array.size == 0
        assert array.flags.writeable
        assert array.flags.c_contiguous
        array[...] = 1
        assert (array == 1).all()

    allred.run_threads(run, 1)


@pytest.mark.parametrize(
    ("shape", "dtype", "says"),
    [
        ((2, -1), "float32", r"shape=\(2, -1\)"),
        (3, object, "dtype='object' is not known.*float32"),
        (3, "S5", "dtype='bytes40' is not known"),
        (3, ">f4", "dtype='>f4' is not known"),
        (3, "bfloat16", "dtype='bfloat16' is not known to numpy; take dtype='uint16'"),
        (3, "float8_e5m2", "take dtype='uint8'"),
        (2**62, "float64", "4611686018427387904 elements is too large"),
    ],
)
def test_an_array_that_cannot_be_is_an_error(shape: Any, dtype: Any, says: str) -> None:
    def run(comm: allred.Communicator) -> None:
        with pytest.raises(allred.InvalidArgumentError, match=says):
            comm.empty(shape, dtype)
        assert held(comm) == (0, 0)

    allred.run_threads(run, 1)


def test_more_than_there_is_is_an_error_and_nothing_is_lost() -> None:
    def run(comm: allred.Communicator) -> None:
        with pytest.raises(allred.SystemCallError, match="no room for 1152921504606846976 bytes of symmetric memory"):
            comm.empty(1 << 60, np.int8)
        assert held(comm) == (0, 0)
        array = comm.empty(LARGE, np.int32)
        array[:] = 1
        comm.all_reduce(array)
        assert (array == 2).all()

    allred.run_threads(run, 2)


def test_memory_is_reserved_when_allocated_and_given_back_with_the_last_view() -> None:
    def run(comm: allred.Communicator) -> None:
        before = process_state.reserved_bytes()
        array = comm.empty(10 * PAGE, np.int8)
        assert held(comm) == (10 * PAGE, 1)
        assert process_state.reserved_bytes() == before + 10 * PAGE
        view = array[PAGE:].reshape(3, -1)[1]
        del array
        assert held(comm) == (10 * PAGE, 1)
        view[:] = 3
        del view
        assert held(comm) == (0, 0)
        assert process_state.reserved_bytes() == before
        assert comm.memory_stats()["symmetric_peak_bytes"] == 10 * PAGE

    gc.collect()  # memory of other tests would count
    allred.run_threads(run, 1)


def test_freed_memory_is_used_again_whatever_the_order() -> None:
    def run(comm: allred.Communicator) -> None:
        addresses = set()
        for turn in range(40):
            arrays = [comm.empty((1 + (turn + comm.rank + idx) % 3) * LARGE, np.int8) for idx in range(3)]
            addresses.update(array.ctypes.data for array in arrays)
            shared = max(arrays, key=len)[:LARGE]
            shared[:] = turn
            del arrays[turn % 3]
            comm.all_reduce(shared, "max")
            assert (shared == turn).all()
            del arrays, shared
        assert held(comm) == (0, 0)
        assert comm.memory_stats()["symmetric_peak_bytes"] <= 6 * LARGE + 3 * PAGE
        assert len(addresses) < 40

    allred.run_threads(run, 3)


def test_threads_of_a_rank_allocate_and_free_at_the_same_time() -> None:
    def run(comm: allred.Communicator) -> None:
        def churn(seed: int) -> None:
            kept: list[tuple[int, Any]] = []
            for turn in range(60):
                kept.append((turn % 100, comm.empty(1 + (seed * turn) % 5 * PAGE, np.int8)))
                kept[-1][1][:] = kept[-1][0]
                value, array = kept.pop(0) if len(kept) > 4 else kept[0]
                intact.append(bool((array == value).all()))

        intact: list[bool] = []
        threads = [threading.Thread(target=churn, args=(seed,)) for seed in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(intact) == 180
        assert all(intact)
        gc.collect()
        assert held(comm) == (0, 0)

    allred.run_threads(run, 2)


def test_an_array_outlives_its_communicator() -> None:
    def run(comm: allred.Communicator) -> Any:
        array = comm.empty(LARGE, np.float64)
        array[:] = comm.rank
        return array

    arrays = allred.run_threads(run, 3)
    gc.collect()
    for rank, array in enumerate(arrays):
        assert (array == rank).all()
        array += 1
    kept = arrays[:1]
    del arrays, array
    gc.collect()
    assert (kept[0] == 1).all()

    def elsewhere(comm: allred.Communicator) -> None:
        own = kept[0][comm.rank * 40_000 :][:40_000]  # to another communicator it is memory like any other
        comm.all_reduce(own)
        assert (own == 2).all()

    allred.run_threads(elsewhere, 2)
    kept.clear()
    gc.collect()
    assert process_state.mappings() == []
    assert process_state.memory_files() == []


def test_a_forked_child_frees_nothing_of_its_parent() -> None:
    def run(comm: allred.Communicator) -> None:
        array = comm.empty(LARGE, np.int8)
        array[:] = 5
        child = os.fork()
        if child == 0:
            del array
            gc.collect()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert (array == 5).all()
        assert held(comm)[1] == 1

    allred.run_threads(run, 1)


def test_a_forked_child_cannot_allocate() -> None:
    def run(comm: allred.Communicator) -> None:
        comm.empty(3, np.int8)
        child = os.fork()
        if child == 0:
            try:
                comm.empty(3, np.int8)
            except allred.UnsupportedError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0

    allred.run_threads(run, 1)


def all_to_root(comm: allred.Communicator, empty: Callable[..., Any]) -> None:
    comm.reduce(empty(LARGE, np.float32))
    comm.gather_into(np.empty((comm.size, LARGE), np.float32), empty(LARGE, np.float32))


def root_to_all(comm: allred.Communicator, empty: Callable[..., Any]) -> None:
    comm.broadcast(empty(LARGE, np.float32))
    comm.scatter_into(np.empty(LARGE, np.float32), empty((comm.size, LARGE), np.float32))


def all_to_all(comm: allred.Communicator, empty: Callable[..., Any]) -> None:
    comm.all_reduce(empty(LARGE, np.float32))
    comm.all_reduce_into(empty(LARGE, np.float32), empty(LARGE, np.float32))
    comm.all_gather_into(np.empty((comm.size, LARGE), np.float32), empty(LARGE, np.float32))
    comm.reduce_scatter_into(np.empty(LARGE, np.float32), empty((comm.size, LARGE), np.float32))
    comm.all_to_all_into(np.empty((comm.size, LARGE), np.float32), empty((comm.size, LARGE), np.float32))


CALLS = [
    (all_to_root, [True, True, True], True),
    (all_to_root, [False, True, True], True),
    (all_to_root, [True, True, False], False),
    (root_to_all, [True, False, False], True),
    (root_to_all, [False, True, True], False),
    (all_to_all, [True, True, True], True),
    (all_to_all, [True, True, False], False),
]


@pytest.mark.parametrize(("calls", "symmetric", "in_place"), CALLS)
def test_no_staging_memory_where_all_that_is_read_is_symmetric(
    calls: Callable[..., None], symmetric: list[bool], in_place: bool
) -> None:
    def run(comm: allred.Communicator) -> None:
        comm.barrier()
        if comm.rank == 0:
            sizes.append(process_state.reserved_bytes())
        comm.barrier()
        calls(comm, comm.empty if symmetric[comm.rank] else np.empty)
        gc.collect()
        comm.barrier()
        if comm.rank == 0:
            sizes.append(process_state.reserved_bytes())
        comm.barrier()

    gc.collect()  # memory of other tests would count
    sizes: list[int] = []
    allred.run_threads(run, 3)
    assert (sizes[0] == sizes[1]) == in_place

"""Shared memory: how much, when, and that nothing of it is left, in a file system or in the process."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
from transport import process_state

import allred
from allred import _core

SMALL = 256 << 10  # a rank
STAGING_BYTES = 3 << 20
PAGE = 4096

SCHEDULED = _core.schedule_algorithms()


def on_rank_0(comm: allred.Communicator, look: Callable[[], object]) -> None:
    """Lets rank 0 look while all are alive and none does anything."""
    comm.barrier()
    if comm.rank == 0:
        look()
    comm.barrier()


@pytest.fixture(autouse=True)
def _no_communicators_of_other_tests() -> None:
    gc.collect()
    assert process_state.memory_files() == []


def test_a_communicator_leaves_no_file_while_it_is_open() -> None:
    folders = [Path("/dev/shm"), Path(gettempdir())]
    before = [set(folder.iterdir()) for folder in folders if folder.exists()]

    def run(comm: allred.Communicator) -> None:
        comm.all_reduce(np.ones(1_000_000, np.float32))

        def look() -> None:
            added = [set(folder.iterdir()) - set(known) for folder, known in zip(folders, before, strict=False)]
            assert not any("allred" in path.name for paths in added for path in paths)
            assert not added[0]

        on_rank_0(comm, look)

    allred.run_threads(run, 2)


def test_ranks_of_one_process_share_one_mapping() -> None:
    def look() -> None:
        assert len(process_state.mappings()) == 1
        assert len(process_state.memory_files()) == 1

    allred.run_threads(lambda comm: on_rank_0(comm, look), 4)


@pytest.mark.parametrize("size", [1, 2, 8, 32])
def test_small_messages_need_little_memory(size: int) -> None:
    def run(comm: allred.Communicator) -> None:
        comm.all_reduce(np.ones(64, np.float32))
        comm.all_gather(np.ones(64, np.float32))
        on_rank_0(comm, lambda: reserved.append(process_state.reserved_bytes()))

    reserved: list[int] = []
    allred.run_threads(run, size)
    assert reserved[0] <= size * SMALL


def test_staging_memory_is_reserved_when_first_needed() -> None:
    def run(comm: allred.Communicator) -> None:
        on_rank_0(comm, lambda: sizes.append(process_state.reserved_bytes()))
        comm.all_reduce(np.ones(1_000_000, np.float32))
        on_rank_0(comm, lambda: sizes.append(process_state.reserved_bytes()))
        comm.all_reduce(np.ones(2_000_000, np.float32))
        on_rank_0(comm, lambda: sizes.append(process_state.reserved_bytes()))

    sizes: list[int] = []
    allred.run_threads(run, 2, staging_bytes=STAGING_BYTES)
    small, large, larger = sizes
    assert large - small == 2 * STAGING_BYTES, "each rank reserves its own"
    assert larger == large, "a larger message goes through the same memory"


def test_channels_are_reserved_when_first_needed() -> None:
    """A ring of four ranks sends on one channel a rank."""

    def run(comm: allred.Communicator) -> None:
        on_rank_0(comm, lambda: sizes.append(process_state.reserved_bytes()))
        comm.all_reduce(np.ones(1_000_000, np.float32), algorithm="ring")
        on_rank_0(comm, lambda: sizes.append(process_state.reserved_bytes()))

    sizes: list[int] = []
    allred.run_threads(run, 4)
    channels = 4 * _core.shared_memory_bytes(4, STAGING_BYTES)["channel"]
    assert 0.9 * channels < sizes[1] - sizes[0] <= channels, "of each all but the slots for small messages"


def test_small_messages_reserve_a_page_for_each_that_may_be_under_way() -> None:
    def run(comm: allred.Communicator) -> None:
        array = np.ones(10)
        comm.recv(array, comm.rank - 1) if comm.rank else None  # all have opened what they need to receive
        comm.send(array, comm.rank + 1) if comm.rank + 1 < comm.size else None
        on_rank_0(comm, lambda: sizes.append(process_state.reserved_bytes()))
        if comm.rank == 0:
            comm.send(array, 3)
        if comm.rank == 3:
            comm.recv(array)
        on_rank_0(comm, lambda: sizes.append(process_state.reserved_bytes()))
        for _ in range(2):
            for _ in range(50):
                comm.send(array, 1) if comm.rank == 0 else comm.recv(array, 0) if comm.rank == 1 else None
            on_rank_0(comm, lambda: sizes.append(process_state.reserved_bytes()))

    sizes: list[int] = []
    allred.run_threads(run, 4)
    assert sizes[1] - sizes[0] == PAGE, "the first message to a rank"
    assert sizes[2] - sizes[1] == 7 * PAGE, "one of the channel's eight slots was in use"
    assert sizes[3] == sizes[2]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_closed_communicator_leaves_nothing_in_the_process(size: int) -> None:
    def run(comm: allred.Communicator) -> None:
        comm.all_reduce(np.ones(100_000, np.float32))
        comm.all_reduce(np.ones(100_000, np.float32), async_op=True).wait()
        for collective, algorithm in SCHEDULED:
            if collective == "all_reduce":
                comm.all_reduce(np.ones(1000, np.float32), algorithm=algorithm)

    allred.run_threads(run, size)  # what is loaded on first use stays
    files, threads = process_state.open_files(), process_state.threads()
    for _ in range(10):
        allred.run_threads(run, size)
    gc.collect()
    assert process_state.open_files() == files
    assert process_state.mappings() == []
    assert process_state.threads(at_most=threads) <= threads


def test_many_communicators_at_a_time() -> None:
    def open_alone() -> allred.Communicator:
        rendezvous = _core.InProcessRendezvous(1, 10.0)
        return allred.Communicator(_core.InProcessBootstrap(rendezvous, 0), allred.Config(timeout=10))

    opened = [open_alone() for _ in range(50)]
    assert len(process_state.mappings()) == 50
    assert allred.run_threads(lambda comm: comm.all_gather(np.ones(3)).sum(), 2) == [6, 6]
    for comm in opened:
        comm.all_reduce(np.ones(3))
        comm.close()
    del opened, comm
    gc.collect()
    assert process_state.mappings() == []


def test_a_failed_start_leaves_nothing() -> None:
    def start_alone_of_two() -> None:
        rendezvous = _core.InProcessRendezvous(2, 0.05)
        with pytest.raises(allred.TimeoutError, match="1 of 2"):
            allred.Communicator(_core.InProcessBootstrap(rendezvous, 0), allred.Config(timeout=0.05))

    start_alone_of_two()
    before = process_state.open_files()
    for _ in range(5):
        start_alone_of_two()
    assert process_state.open_files() == before
    assert process_state.mappings() == []

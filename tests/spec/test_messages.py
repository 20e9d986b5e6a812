"""Sends and recvs: what arrives is what was sent, bit for bit, and nothing beside it is written to."""

from __future__ import annotations

import numpy as np
import pytest
from reduce.reference import DTYPES
from spec.buffers import Guarded, argument
from spec.cases import SANITIZED
from spec.values import exact_array, generator

import allred
from allred import _core

FRAME_BYTES = (32 << 10) - 96  # the largest message that travels in one frame
EAGER_BYTES = _core.complete_tuning({})["eager_bytes"]  # the largest that is sent without being asked for
NEAR_LIMITS = [limit + each for limit in (FRAME_BYTES, EAGER_BYTES) for each in range(-2, 3)]
COUNTS = [0, 1, 2, 7, 8, 9, 4095, *NEAR_LIMITS, 65_537, (3 << 20) + 1]
MANY = 40 if SANITIZED else 400


def numbered(idx: int, count: int = 5) -> np.ndarray:
    return np.arange(idx, idx + count, dtype=np.int64)


@pytest.mark.parametrize("count", COUNTS)
def test_bytes_of_any_number(count: int) -> None:
    sent = generator("bytes", count).integers(0, 256, count, np.uint8)

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            comm.send(sent, 1, tag=5)
            return
        received = Guarded("uint8", count)
        assert comm.recv(received.argument, 0, tag=5) == 0
        received.check(sent)

    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("count", [3, 100_003])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype: str, count: int) -> None:
    sent = exact_array(dtype, "sum", count, 0)

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            comm.send(argument(sent, dtype), 1)
            return
        received = Guarded(dtype, count)
        comm.recv(received.argument, 0)
        received.check(sent)

    allred.run_threads(run, 2, timeout=60)


def test_what_is_sent_may_be_read_only_and_reused_at_once() -> None:
    sizes = (1, 1000, EAGER_BYTES + 1)

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            for size in sizes:
                comm.send(bytes([7]) * size, 1)
                array = np.full(size, 8, np.uint8)
                comm.send(array, 1)
                array[:] = 9
            return
        for size in sizes:
            for value in (7, 8):
                received = np.zeros(size, np.uint8)
                comm.recv(received, 0)
                assert (received == value).all()

    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_messages_of_one_tag_keep_their_order(asynchronous: bool) -> None:
    """Small ones and large ones among each other."""
    counts = [1, 20_000, 3, 50_000, 150_000, 2, 2, 7_000] * (MANY // 40)

    def run(comm: allred.Communicator) -> None:
        arrays = [np.full(count, idx if comm.rank == 0 else -1, np.int64) for idx, count in enumerate(counts)]
        call = (
            (lambda array: comm.send(array, 1, async_op=asynchronous))
            if comm.rank == 0
            else (lambda array: comm.recv(array, 0, async_op=asynchronous))
        )
        works = [call(array) for array in arrays]
        for idx, (work, array) in enumerate(zip(works, arrays, strict=True)):
            if asynchronous:
                work.wait()
            assert (array == idx).all()

    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("count", [4, 30_000, 150_000])
def test_tags_may_be_received_in_any_order(count: int) -> None:
    tags = list(range(10))

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            works = [comm.send(numbered(tag, count), 1, tag, async_op=True) for tag in tags]
            for work in works:
                work.wait()
            return
        for tag in reversed(tags):
            array = np.zeros(count, np.int64)
            comm.recv(array, 0, tag)
            assert (array == numbered(tag, count)).all()

    allred.run_threads(run, 2, timeout=60)


def test_messages_in_several_frames_may_come_before_their_recvs() -> None:
    """Whole, and in part: the link has no room for the last while nobody takes what is before it."""
    counts = [60_000, 5_000, 65_000, 5, 60_000]

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            works = [comm.send(numbered(tag, count), 1, tag, async_op=True) for tag, count in enumerate(counts)]
            for work in works:
                work.wait()
            return
        comm.recv(small := numbered(-9), 0, tag=3)  # keeps those before it
        assert (small == numbered(3)).all()
        late = np.zeros(counts[4], np.int64)
        last = comm.recv(late, 0, tag=4, async_op=True)
        for tag in (2, 0, 1):
            array = np.zeros(counts[tag], np.int64)
            comm.recv(array, 0, tag)
            assert (array == numbered(tag, counts[tag])).all()
        last.wait()
        assert (late == numbered(4, counts[4])).all()

    allred.run_threads(run, 2, timeout=60)


def test_a_small_message_passes_a_large_one() -> None:
    """A large send whose recv is not there holds up nothing."""

    def run(comm: allred.Communicator) -> None:
        large = np.full(1_000_000, comm.rank, np.float64)
        if comm.rank == 0:
            work = comm.send(large, 1, tag=1, async_op=True)
            comm.send(numbered(3), 1, tag=2)
            assert not work.done()
            work.wait()
        else:
            small = numbered(0)
            comm.recv(small, 0, tag=2)
            assert (small == numbered(3)).all()
            comm.recv(large, 0, tag=1)
            assert (large == 0).all()

    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("count", [5, 20_000, 150_000])
def test_recv_from_any_rank_says_from_which(count: int) -> None:
    size, rounds = 5, 10

    def run(comm: allred.Communicator) -> None:
        if comm.rank != 0:
            for idx in range(rounds):
                comm.send(numbered(100 * comm.rank + idx, count), 0, tag=1)
            return
        received: dict[int, list[int]] = {rank: [] for rank in range(1, size)}
        for _ in range(rounds * (size - 1)):
            array = np.zeros(count, np.int64)
            received[comm.recv(array, tag=1)].append(int(array[0]))
            assert (np.diff(array) == 1).all()
        assert received == {rank: [100 * rank + idx for idx in range(rounds)] for rank in range(1, size)}

    allred.run_threads(run, size, timeout=60)


def test_recv_from_any_rank_takes_its_turn_among_the_others() -> None:
    """A message belongs to the first recv that takes it, whether that named its source or not."""

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            arrays = [numbered(0) for _ in range(4)]
            works = [
                comm.recv(array, source, async_op=True)
                for array, source in zip(arrays, (None, 1, None, 1), strict=True)
            ]
            assert all(work.source is None for work in works)
            comm.send(numbered(0), 1, tag=9)
            for idx, work in enumerate(works):
                work.wait()
                assert work.source == 1
                assert (arrays[idx] == numbered(idx)).all()
        else:
            comm.recv(numbered(0), 0, tag=9)
            for idx in range(4):
                comm.send(numbered(idx), 0)

    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("source", [0, None])
def test_a_message_that_was_kept_comes_before_a_later_one(source: int | None) -> None:
    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            for idx, tag in enumerate((1, 2, 1, 1)):
                comm.send(numbered(idx), 1, tag)
            return
        for idx, tag in ((1, 2), (0, 1), (2, 1), (3, 1)):
            array = numbered(-9)
            assert comm.recv(array, source, tag) == 0
            assert (array == numbered(idx)).all()

    allred.run_threads(run, 2, timeout=60)


def test_a_recv_takes_its_turn_behind_those_that_were_started() -> None:
    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            comm.recv(numbered(0), 1, tag=9)
            for idx in range(6):
                comm.send(numbered(idx), 1)
            return
        arrays = [numbered(-9) for _ in range(6)]
        works = [comm.recv(array, 0, async_op=True) for array in arrays[:3]]
        comm.send(numbered(0), 0, tag=9)
        for array in arrays[3:]:
            comm.recv(array, 0)
        for work in works:
            work.wait()
        assert all((array == numbered(idx)).all() for idx, array in enumerate(arrays))

    allred.run_threads(run, 2, timeout=60)


def test_a_send_has_no_source() -> None:
    def run(comm: allred.Communicator) -> None:
        if comm.rank == 0:
            work = comm.send(numbered(1), 1, async_op=True)
            work.wait()
            assert work.source is None
        else:
            assert comm.recv(numbered(0)) == 0

    allred.run_threads(run, 2, timeout=60)


@pytest.mark.parametrize("count", [3, 40_000])
@pytest.mark.parametrize("size", [2, 8])
def test_all_ranks_send_and_receive_at_once(size: int, count: int) -> None:
    """Round a ring, in each step of which a send waits for another."""

    def run(comm: allred.Communicator) -> None:
        held, taken = numbered(comm.rank, count), np.zeros(count, np.int64)
        for step in range(1, size + 1):
            work = comm.recv(taken, (comm.rank - 1) % size, tag=step, async_op=True)
            comm.send(held, (comm.rank + 1) % size, tag=step)
            work.wait()
            held, taken = taken, held
            assert (held == numbered((comm.rank - step) % size, count)).all()

    allred.run_threads(run, size, timeout=60)


def test_many_in_flight_between_all() -> None:
    size = 4

    def run(comm: allred.Communicator) -> None:
        peers = [rank for rank in range(size) if rank != comm.rank]
        arrays = {(peer, idx): np.zeros(1 + idx * 37, np.int64) for peer in peers for idx in range(MANY // 4)}
        recvs = [comm.recv(array, peer, idx, async_op=True) for (peer, idx), array in arrays.items()]
        sends = []
        for idx in reversed(range(MANY // 4)):
            sends += [comm.send(numbered(comm.rank, 1 + idx * 37), peer, idx, async_op=True) for peer in peers]
        for work in sends + recvs:
            work.wait()
        for (peer, idx), array in arrays.items():
            assert (array == numbered(peer, 1 + idx * 37)).all()

    allred.run_threads(run, size, timeout=60)


def test_arrays_of_dropped_works_are_kept_until_these_are_done() -> None:
    def run(comm: allred.Communicator) -> None:
        for idx in range(20):
            if comm.rank == 0:
                comm.send(np.full(30_000, idx), 1, async_op=True)
            else:
                array = np.zeros(30_000, int)
                comm.recv(array, 0)
                assert (array == idx).all()
        comm.barrier()

    allred.run_threads(run, 2, timeout=60)

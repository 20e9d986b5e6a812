"""What counts as an array: numpy, the buffer protocol and DLPack, of any shape."""

from __future__ import annotations

import array
import ctypes
import gc
import sys
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from reduce.reference import AS_BITS, DTYPES, to_storage
from spec.buffers import BitsArray

import allred

NUMPY_NUMBERS = [dtype for dtype in DTYPES if dtype not in (*AS_BITS, "bool")]


def sum_of_two(make: Any) -> Any:
    """What rank 0's object is after an AllReduce with its like on rank 1."""

    def run(comm: allred.Communicator) -> Any:
        held = make()
        assert comm.all_reduce(held) is None
        return held

    return allred.run_threads(run, 2)[0]


@pytest.mark.parametrize("dtype", NUMPY_NUMBERS)
def test_numpy_dtypes(dtype: str) -> None:
    assert (sum_of_two(lambda: np.arange(5, dtype=dtype)) == 2 * np.arange(5)).all()


@pytest.mark.parametrize("code", "bhilqBHILQfd")
def test_array_array(code: str) -> None:
    assert sum_of_two(lambda: array.array(code, [1, 2, 3])).tolist() == [2, 4, 6]


@pytest.mark.parametrize("name", ["byte", "short", "intc", "long", "longlong", "intp", "ubyte", "uintc", "ulonglong"])
def test_the_integers_of_c(name: str) -> None:
    """Two of them may be of one size, and have codes of their own all the same."""
    assert sum_of_two(lambda: np.arange(3, dtype=name)).tolist() == [0, 2, 4]


def test_bytearray_and_memoryview() -> None:
    assert sum_of_two(lambda: bytearray(b"\x01\x02\xff")) == b"\x02\x04\xfe"
    assert sum_of_two(lambda: memoryview(bytearray(8)).cast("i")).tolist() == [0, 0]
    assert sum_of_two(lambda: memoryview(np.ones((2, 3), np.int16))).tolist() == [[2] * 3] * 2


def test_ctypes_arrays() -> None:
    assert list(sum_of_two(lambda: (ctypes.c_float * 3)(1, 2, 3))) == [2, 4, 6]


def test_bool_stays_bool() -> None:
    assert sum_of_two(lambda: np.array([True, False])).tolist() == [True, False]


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 3, 4), (1, 1, 5)])
def test_shapes(shape: tuple[int, ...]) -> None:
    total = sum_of_two(lambda: np.ones(shape, np.float32))
    assert total.shape == shape
    assert (total == 2).all()


def test_an_array_that_is_contiguous_in_spite_of_its_strides() -> None:
    whole = np.ones((4, 6), np.float32)
    assert (sum_of_two(lambda: np.ones((4, 6), np.float32)[1:3]) == 2).all()
    assert (sum_of_two(lambda: whole.copy()[:1, ::1]) == 2).all()


def test_a_root_may_pass_what_cannot_be_written_to() -> None:
    def run(comm: allred.Communicator) -> None:
        received = bytearray(3)
        comm.broadcast(b"abc" if comm.rank == 1 else received, root=1)
        assert comm.rank == 1 or received == b"abc"
        total = np.ones(3, np.uint8)
        comm.reduce(total if comm.rank == 0 else b"\x01\x02\x03", root=0)
        assert comm.rank != 0 or total.tolist() == [2, 3, 4]

    allred.run_threads(run, 2)


def test_unaligned_arrays() -> None:
    def run(comm: allred.Communicator) -> None:
        for algorithm in ("one_shot", "two_shot", "ring"):
            unaligned = np.zeros(4001, np.uint8)[1:].view(np.float64)
            unaligned[:] = 1
            comm.all_reduce(unaligned, algorithm=algorithm)
            assert (unaligned == 2).all()

    allred.run_threads(run, 2)


class Producer:
    """A DLPack producer that is no buffer, as torch tensors are, and tells how often its capsules were deleted."""

    def __init__(self, held: np.ndarray[Any, Any]) -> None:
        self.held = held

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def __dlpack__(self) -> object:
        return self.held.__dlpack__()


@pytest.mark.parametrize("dtype", NUMPY_NUMBERS)
def test_dlpack_dtypes(dtype: str) -> None:
    assert (sum_of_two(lambda: Producer(np.arange(5, dtype=dtype))).held == 2 * np.arange(5)).all()


def test_dlpack_of_bool() -> None:
    assert sum_of_two(lambda: Producer(np.array([True, False]))).held.tolist() == [True, False]


@pytest.mark.parametrize("dtype", AS_BITS)
def test_dlpack_of_what_numpy_does_not_have(dtype: str) -> None:
    ones = to_storage(np.ones(5, np.float32), dtype)
    total = sum_of_two(lambda: BitsArray(ones.copy(), dtype))
    assert (total.bits == to_storage(np.full(5, 2, np.float32), dtype)).all()


def test_a_dlpack_tensor_that_is_not_contiguous_is_an_error() -> None:
    with pytest.raises(allred.InvalidArgumentError, match="contiguous"):
        sum_of_two(lambda: Producer(np.ones((4, 4))[:, 1:3]))


@pytest.mark.parametrize("attribute", ["__dlpack__", "__dlpack_device__"])
def test_what_a_producer_raises_is_raised(attribute: str) -> None:
    class Refusing(Producer):
        pass

    def refuse(self: Producer) -> None:
        raise BufferError("not exported")

    setattr(Refusing, attribute, refuse)
    with pytest.raises(BufferError, match="not exported"):
        sum_of_two(lambda: Refusing(np.ones(3)))


def test_a_call_lets_go_of_its_arrays() -> None:
    """Whether it succeeded or not, and whatever they were exported as: references are what they were before."""

    def run(comm: allred.Communicator) -> None:
        for held in (np.ones(3), Producer(np.ones(3)), bytearray(8)):
            exported = held.held if isinstance(held, Producer) else held
            before = sys.getrefcount(held), sys.getrefcount(exported)
            comm.all_reduce(held)
            comm.all_reduce(held, async_op=True).wait()
            for wrong in ({"op": "nothing"}, {"algorithm": "nothing"}, {"timeout": -1}):
                with pytest.raises(allred.InvalidArgumentError):
                    comm.all_reduce(held, **wrong)
            with pytest.raises(allred.InvalidArgumentError):
                comm.all_reduce(held, "bor" if held is not exported else "nothing", async_op=True).wait()
            gc.collect()
            assert (sys.getrefcount(held), sys.getrefcount(exported)) == before
        growing = bytearray(8)
        comm.all_reduce(growing)
        growing.append(1)  # an error while a buffer is exported

    allred.run_threads(run, 1)


def test_an_asynchronous_call_keeps_its_arrays() -> None:
    """Until it is done, and not longer, though its Work is still there."""
    may_go = threading.Event()

    def run(comm: allred.Communicator) -> None:
        if comm.rank == 1:
            may_go.wait()
            comm.all_reduce(np.ones(1000))
            return
        held = np.ones(1000)
        weak = weakref.ref(held)
        work = comm.all_reduce(held, async_op=True)
        del held
        gc.collect()
        kept = weak()
        assert kept is not None
        may_go.set()
        work.wait()
        assert (kept == 2).all()
        del kept
        for _ in range(1000):
            if weak() is None:
                break
            threading.Event().wait(0.001)
        assert weak() is None

    allred.run_threads(run, 2)

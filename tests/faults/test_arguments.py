"""Wrong arguments: an error before anything moves, and one for the other ranks too, which do not wait in vain."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faults.outcomes import error_of, is_usable
from reduce.reference import UNDEFINED, storage
from spec.collectives import REDUCING, start

import allred

Use = Callable[[allred.Communicator], Any]


def read_only() -> np.ndarray[Any, Any]:
    array = np.ones(4)
    array.flags.writeable = False
    return array


class OnAnotherDevice:
    """A tensor in the memory of a GPU, so far as one can tell without touching it."""

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    def __dlpack__(self) -> object:
        raise AssertionError("there is nothing to be done with it")


def with_overlapping_residual(comm: allred.Communicator) -> None:
    memory = np.ones(6, np.float32)
    comm.all_reduce(memory[:4], compression="int8", residual=memory[2:])


WRONG: dict[str, tuple[Use, str]] = {
    "op": (lambda comm: comm.all_reduce(np.ones(4), op="mean"), r"mean.*sum.*avg"),
    "algorithm": (lambda comm: comm.all_reduce(np.ones(4), algorithm="rings"), r"rings.*one_shot.*ring"),
    "algorithm of another collective": (
        lambda comm: comm.all_reduce(np.ones(4), algorithm="binomial_tree"),
        r"binomial_tree.*all_reduce.*ring",
    ),
    "compression": (
        lambda comm: comm.all_reduce(np.ones(4), compression="int4"),
        r"compression='int4'.*bfloat16.*int8",
    ),
    "compressed op": (
        lambda comm: comm.all_reduce(np.ones(4), "max", compression="int8"),
        r"compression=int8 takes op=sum or op=avg, got op=max",
    ),
    "compressed integers": (
        lambda comm: comm.all_reduce(np.ones(4, np.int32), compression="int8"),
        r"compression=int8 compresses float64, float32, float16 and bfloat16, got dtype int32",
    ),
    "16 bits compressed to 16": (
        lambda comm: comm.all_reduce(np.ones(4, np.float16), compression="bfloat16"),
        r"compression=bfloat16 compresses float64, float32, got dtype float16",
    ),
    "algorithm without compression": (
        lambda comm: comm.all_reduce(np.ones(4), compression="int8", algorithm="ring"),
        r"compression=int8 is carried out by two_shot, got algorithm=ring",
    ),
    "negative seed": (lambda comm: comm.all_reduce(np.ones(4), compression="int8", seed=-1), r"seed=-1.*2\*\*64"),
    "residual of another length": (
        lambda comm: comm.all_reduce(np.ones(4), compression="int8", residual=np.zeros(5, np.float32)),
        r"residual has 5 elements of dtype float32; expected 4 of float32",
    ),
    "residual of float64": (
        lambda comm: comm.all_reduce(np.ones(4), compression="int8", residual=np.zeros(4)),
        r"residual has 4 elements of dtype float64; expected 4 of float32",
    ),
    "residual of nothing": (
        lambda comm: comm.all_reduce(np.ones(4), residual=np.zeros(4, np.float32)),
        "residual keeps what compression loses; compression=none loses nothing",
    ),
    "residual in the array": (lambda comm: with_overlapping_residual(comm), "residual overlaps"),
    "top k of float64": (lambda comm: comm.all_reduce_top_k(np.ones(4), 1), "array.*float32.*float64"),
    "top k of too many": (lambda comm: comm.all_reduce_top_k(np.ones(4, np.float32), 5), "k=5: expected 0 to 4"),
    "top k by another op": (lambda comm: comm.all_reduce_top_k(np.ones(4, np.float32), 1, "max"), "op='max'"),
    "top k residual": (
        lambda comm: comm.all_reduce_top_k(np.ones(4, np.float32), 1, residual=np.zeros(3, np.float32)),
        "residual has 3 elements; expected 4",
    ),
    "two_shot broadcast": (lambda comm: comm.broadcast(np.ones(4), algorithm="two_shot"), r"two_shot.*broadcast"),
    "root too large": (lambda comm: comm.broadcast(np.ones(4), root=comm.size), r"root=3.*0\.\.2"),
    "root negative": (lambda comm: comm.reduce(np.ones(4), root=-1), r"root=-1"),
    "timeout of none": (lambda comm: comm.barrier(timeout=0), "timeout"),
    "timeout negative": (lambda comm: comm.barrier(timeout=-1.0), "timeout"),
    "timeout not a number": (lambda comm: comm.all_reduce(np.ones(4), timeout=float("nan")), "timeout"),
    "read-only array": (lambda comm: comm.all_reduce(read_only()), "read-only"),
    "read-only output": (lambda comm: comm.reduce_scatter_into(read_only(), np.ones(12)), "output.*read-only"),
    "bytes": (lambda comm: comm.all_reduce(b"abcd"), "read-only"),
    "strided": (lambda comm: comm.all_reduce(np.ones(8)[::2]), "contiguous"),
    "transposed": (lambda comm: comm.all_reduce(np.ones((2, 3)).T), "contiguous"),
    "big-endian": (lambda comm: comm.all_reduce(np.ones(4, ">f4")), r"not supported.*>f"),
    "objects": (lambda comm: comm.all_reduce(np.array([1, "a"], object)), r"not supported.*O"),
    "long double": (lambda comm: comm.all_reduce(np.ones(4, np.longdouble)), r"not supported.*g"),
    "text": (lambda comm: comm.all_reduce(np.array(["a", "b"])), "not supported"),
    "dates": (lambda comm: comm.all_reduce(np.zeros(2, "datetime64[s]")), "array"),
    "records": (lambda comm: comm.all_reduce(np.zeros(2, [("a", "f4"), ("b", "i4")])), "not supported"),
    "None": (lambda comm: comm.all_reduce(None), "NoneType"),
    "a list": (lambda comm: comm.all_reduce([1.0, 2.0]), "list"),
    "another device": (lambda comm: comm.all_reduce(OnAnotherDevice()), r"CPU memory.*2"),
    "dtypes that differ": (
        lambda comm: comm.all_gather_into(np.ones(12), np.ones(4, np.float32)),
        r"float64.*float32",
    ),
    "all_gather's sizes": (lambda comm: comm.all_gather_into(np.ones(11), np.ones(4)), r"11 elements.*4"),
    "reduce_scatter's sizes": (lambda comm: comm.reduce_scatter_into(np.ones(3), np.ones(12)), r"3 elements.*12"),
    "gather's sizes": (lambda comm: comm.gather_into(np.ones(11), np.ones(4), root=1), r"11 elements.*4"),
    "gather without an output": (lambda comm: comm.gather_into(None, np.ones(4), root=1), r"output.*NoneType"),
    "scatter's sizes": (lambda comm: comm.scatter_into(np.ones(4), np.ones(11), root=1), r"4 elements.*11"),
    "scatter without an input": (lambda comm: comm.scatter_into(np.ones(4), None, root=1), r"input.*NoneType"),
    "all_to_all's sizes": (lambda comm: comm.all_to_all_into(np.ones(6), np.ones(9)), r"6 elements.*9"),
    "what all_to_all cannot divide": (lambda comm: comm.all_to_all_into(np.ones(7), np.ones(7)), r"7.*3 ranks.*counts"),
    "counts that are too few": (
        lambda comm: comm.all_to_all_into(np.ones(3), np.ones(3), input_counts=[1, 2]),
        r"input_counts has 2 numbers with sum 3; expected 3",
    ),
    "counts that do not add up": (
        lambda comm: comm.all_to_all_into(np.ones(3), np.ones(3), output_counts=[1, 1, 0]),
        r"output_counts has 3 numbers with sum 2; expected 3.* 3",
    ),
    "counts that are too large": (
        lambda comm: comm.all_to_all_into(np.ones(3), np.ones(3), output_counts=[1, 2**62, 2**62]),
        r"output_counts\[1\] is 4611686018427387904; expected 0\.\.2",
    ),
    "negative counts": (
        lambda comm: comm.all_to_all_into(np.ones(3), np.ones(3), input_counts=[4, -2, 1]),
        r"input_counts\[0\] is 4; expected 0\.\.3",
    ),
    "counts for a list": (
        lambda comm: comm.all_to_all_into(np.ones(3), [np.ones(1)] * 3, input_counts=[1, 1, 1]),
        r"input_counts.*input is a list",
    ),
    "a list without arrays": (lambda comm: comm.all_gather_into([], np.ones(4)), r"output.*without arrays"),
    "a list of several dtypes": (
        lambda comm: comm.all_gather_into([np.ones(4), np.ones(4), np.ones(4, np.int8)], np.ones(4)),
        r"output\[2\] has dtype int8 and output\[0\] float64",
    ),
    "what does not divide": (lambda comm: comm.reduce_scatter_into(np.ones(4), np.ones(13)), r"4 elements.*13"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_argument_is_an_error_for_all(what: str) -> None:
    wrong, message = WRONG[what]

    def run(comm: allred.Communicator) -> None:
        assert is_usable(comm)
        if comm.rank == 1:
            error = error_of(allred.InvalidArgumentError, wrong, comm)
            assert isinstance(error, ValueError)
            assert re.search(message, str(error)), error
        else:
            told = error_of(allred.MismatchError, comm.barrier)
            assert re.search(rf"rank 1 .*refused: .*{message}", str(told)), told
            assert told.rank == 1
        assert is_usable(comm)

    allred.run_threads(run, 3, timeout=30)


def overlapping(collective: str, comm: allred.Communicator, shift: int) -> None:
    whole = np.zeros(4 * comm.size + 8)
    own = comm.rank * 4 + shift
    if collective == "all_gather":
        comm.all_gather_into(whole[: 4 * comm.size], whole[own : own + 4])
    else:
        comm.reduce_scatter_into(whole[own : own + 4], whole[: 4 * comm.size])


@pytest.mark.parametrize("shift", [-4, -1, 1, 3])
@pytest.mark.parametrize("collective", ["all_gather", "reduce_scatter"])
def test_output_and_input_must_not_overlap_but_in_place(collective: str, shift: int) -> None:
    def run(comm: allred.Communicator) -> None:
        if comm.rank == 1:
            error = error_of(allred.InvalidArgumentError, overlapping, collective, comm, shift)
            assert "overlap" in str(error)
        else:
            told = error_of(allred.MismatchError, overlapping, collective, comm, 0)
            assert "overlap" in str(told)
        overlapping(collective, comm, 0)

    allred.run_threads(run, 3, timeout=30)


@pytest.mark.parametrize("collective", REDUCING)
def test_an_op_that_is_not_defined_for_the_dtype(collective: str) -> None:
    def run(comm: allred.Communicator) -> None:
        for dtype, op in UNDEFINED:
            array = np.zeros(6, storage(dtype))
            error = error_of(allred.InvalidArgumentError, start, collective, comm, array, dtype, op=op)
            assert re.search(f"op={op} .*{dtype}", str(error)), error
        assert is_usable(comm)

    allred.run_threads(run, 2, timeout=30)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"staging_bytes": 64}, r"staging_bytes.*64"),
        ({"wait": "sometimes"}, r"wait.*sometimes.*spin"),
        ({"all_reduce_algorithm": "fast"}, r"fast.*ring"),
        ({"timeout": 0.0}, "timeout"),
        ({"timeout": -5.0}, "timeout"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(allred.InvalidArgumentError, match=message):
        allred.run_threads(lambda comm: None, 2, **settings)


@pytest.mark.parametrize("ranks", [0, -1])
def test_there_is_at_least_one_rank(ranks: int) -> None:
    with pytest.raises(allred.InvalidArgumentError, match=str(ranks)):
        allred.run_threads(lambda comm: None, ranks)


@pytest.mark.parametrize("wait", ["auto", "spin", "yield", "sleep"])
def test_each_way_of_waiting(wait: str) -> None:
    def run(comm: allred.Communicator) -> None:
        for algorithm in ("one_shot", "two_shot", "ring"):
            ones = np.ones(3000, np.float32)
            comm.all_reduce(ones, algorithm=algorithm)
            assert (ones == comm.size).all()

    allred.run_threads(run, 3, wait=wait, timeout=30)


def test_a_rank_may_refuse_again_and_again() -> None:
    """Nobody waits for its peers to say that it is not coming, and they hear of each refusal in its turn."""

    def run(comm: allred.Communicator) -> None:
        for turn in range(3):
            if comm.rank == 1:
                for _ in range(5):
                    error_of(allred.InvalidArgumentError, comm.all_reduce, np.ones(4), op=f"op{turn}")
            else:
                for _ in range(5):
                    assert f"op{turn}" in str(error_of(allred.MismatchError, comm.all_reduce, np.ones(4)))
            assert is_usable(comm)

    allred.run_threads(run, 3, timeout=30)


def test_a_refusal_takes_its_turn_behind_what_is_under_way() -> None:
    def run(comm: allred.Communicator) -> None:
        before, after = np.ones(100_000), np.ones(100_000)
        works = [comm.all_reduce(before, async_op=True)]
        if comm.rank == 1:
            error_of(allred.InvalidArgumentError, comm.all_reduce, np.ones(4), op="mean")
        else:
            error_of(allred.MismatchError, comm.all_reduce, np.ones(4))
        works.append(comm.all_reduce(after, async_op=True))
        for work in works:
            work.wait()
        assert (before == comm.size).all()
        assert (after == comm.size).all()

    allred.run_threads(run, 3, timeout=30)

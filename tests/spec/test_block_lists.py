"""Blocks that do not lie one after the other: the same results, by every algorithm, and nothing written beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reduce.reference import Array
from spec.buffers import Guarded
from spec.cases import run_calls
from spec.collectives import EVERY, REDUCING, expected
from spec.values import exact_array, reduced, scale_of

import allred

LISTED_OUTPUT = ("all_gather", "gather", "all_to_all")
LISTED_INPUT = ("reduce_scatter", "scatter", "all_to_all")
CASES = [each for each in EVERY if each[0] in (*LISTED_OUTPUT, *LISTED_INPUT)]
COUNTS = (0, 1, 3, 331, 1499)  # of a block
MAILBOX_BYTES = 64 << 10


def blocks_of(array: Array, dtype: str, size: int) -> list[Guarded]:
    """In an order of addresses that is not that of the ranks."""
    pieces = np.split(array, size)
    guarded = {rank: Guarded.copy_of(pieces[rank], dtype) for rank in reversed(range(size))}
    return [guarded[rank] for rank in range(size)]


def start(
    collective: str, comm: allred.Communicator, array: Array, count: int, dtype: str, in_place: bool, **options: Any
) -> list[Guarded]:
    """Makes the call with lists, and returns the blocks of the result; `array` is this rank's input."""
    listed_input, listed_output = collective in LISTED_INPUT, collective in LISTED_OUTPUT
    inputs = blocks_of(array, dtype, comm.size if listed_input else 1)
    outputs = [Guarded(dtype, count) for _ in range(comm.size if listed_output else 1)]
    if in_place and not listed_output:
        outputs[0] = inputs[comm.rank]
    elif in_place and not listed_input:
        outputs[comm.rank].array[:] = array
        inputs[0] = outputs[comm.rank]
    source, target = [each.argument for each in inputs], [each.argument for each in outputs]
    call = getattr(comm, f"{collective}_into")
    call(target if listed_output else target[0], source if listed_input else source[0], **options)
    for rank, block in enumerate(inputs):
        if block not in outputs:
            block.check(np.split(array, len(inputs))[rank], "the input")
    return outputs


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("in_place", [False, True], ids=["out_of_place", "in_place"])
@pytest.mark.parametrize(("collective", "algorithm"), CASES)
def test_block_lists(collective: str, algorithm: str, in_place: bool, size: int) -> None:
    def run(comm: allred.Communicator, case: tuple[int, str, str]) -> None:
        count, dtype, op = case
        total = count * (size if collective in LISTED_INPUT else 1)
        inputs = [exact_array(dtype, op, total, rank) for rank in range(size)]
        reduction = reduced(inputs, dtype, op)
        options: dict[str, Any] = {"algorithm": algorithm}
        if collective in REDUCING:
            options |= {"op": op, "scale": scale_of(comm.rank)}
        outputs = start(collective, comm, inputs[comm.rank], count, dtype, in_place, **options)
        wanted = expected(collective, inputs, reduction, comm.rank)
        if wanted.size:
            for block, part in zip(outputs, np.split(wanted, len(outputs)), strict=True):
                block.check(part)

    ops = ("sum", "avg", "premul_sum") if collective in REDUCING else ("sum",)
    cases = [(count, dtype, op) for count in COUNTS for dtype in ("float32", "bfloat16", "int8") for op in ops]
    cases = [each for each in cases if each[1] != "int8" or each[2] == "sum"]
    if algorithm == "one_shot":
        cases = [each for each in cases if each[0] * 4 * size <= MAILBOX_BYTES]
    run_calls(size, cases, run)


def test_one_array_may_be_several_blocks_of_the_input() -> None:
    def run(comm: allred.Communicator) -> None:
        ones, block = np.ones(1000), np.zeros(1000)
        for algorithm in ("one_shot", "staged", "ring"):
            comm.reduce_scatter_into(block, [ones] * comm.size, algorithm=algorithm)
            assert (block == comm.size).all()

    allred.run_threads(run, 3)

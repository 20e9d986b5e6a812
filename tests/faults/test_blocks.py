"""Lists of blocks that cannot be: refused by the rank that has them, and an error that says so on the others."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faults.outcomes import error_of, is_usable

import allred

SIZE = 3
Use = Callable[[allred.Communicator], Any]


def blocks(*counts: int) -> list[Any]:
    return [np.ones(count) for count in counts]


def around(array: Any) -> list[Any]:
    """Blocks of four elements, the last of which begins with the last element of the array."""
    return [*blocks(4, 4), np.ndarray(4, array.dtype, array.base, offset=(array.size - 1) * array.itemsize)]


def first_of_ten() -> Any:
    return np.ones(10)[:4]


# What all ranks call, what one calls instead, and its error.
REFUSED: dict[str, tuple[Use, Use, str]] = {
    "too few blocks": (
        lambda comm: comm.all_gather_into(blocks(4, 4, 4), np.ones(4)),
        lambda comm: comm.all_gather_into(blocks(4, 4), np.ones(4)),
        r"outputs has 2 blocks; expected one for each of 3 ranks",
    ),
    "a block of another size": (
        lambda comm: comm.reduce_scatter_into(np.ones(4), blocks(4, 4, 4)),
        lambda comm: comm.reduce_scatter_into(np.ones(4), blocks(4, 4, 5)),
        r"inputs\[2\] has count=5; expected 4",
    ),
    "gather's output over its input": (
        lambda comm: comm.gather_into(blocks(4, 4, 4), np.ones(4), root=1),
        lambda comm: comm.gather_into(around(array := first_of_ten()), array, root=1),
        r"input and output overlap.*this rank's block",
    ),
    "scatter's output over its input": (
        lambda comm: comm.scatter_into(np.ones(4), blocks(4, 4, 4), root=1),
        lambda comm: comm.scatter_into(array := first_of_ten(), around(array), root=1),
        r"input and output overlap.*this rank's block",
    ),
    "all_to_all in place": (
        lambda comm: comm.all_to_all_into(np.ones(6), np.ones(6)),
        lambda comm: comm.all_to_all_into(array := np.ones(6), array),
        r"input and output overlap; they must be apart$",
    ),
    "all_to_all of lists that overlap": (
        lambda comm: comm.all_to_all_into(blocks(4, 4, 4), blocks(4, 4, 4)),
        lambda comm: comm.all_to_all_into([*blocks(4, 4), array := first_of_ten()], around(array)),
        r"input and output overlap; they must be apart$",
    ),
    "what a rank keeps": (
        lambda comm: comm.all_to_all_into(np.ones(3), np.ones(3)),
        lambda comm: comm.all_to_all_into(blocks(1, 1, 1), blocks(1, 2, 1)),
        r"rank 1 sends itself 2 elements, and expects 1",
    ),
    "uneven pairwise": (
        lambda comm: comm.all_to_all_into(np.ones(3), np.ones(3), algorithm="pairwise"),
        lambda comm: comm.all_to_all_into(blocks(1, 1, 2), blocks(1, 1, 1), algorithm="pairwise"),
        r"algorithm=pairwise needs blocks of one count.*one_shot and staged",
    ),
    "uneven one_shot that does not fit": (
        lambda comm: comm.all_to_all_into(np.ones(3), np.ones(3), algorithm="one_shot"),
        lambda comm: comm.all_to_all_into(blocks(1, 1, 1), blocks(1, 1, 8192), algorithm="one_shot"),
        r"one_shot carries at most 65536 bytes a rank, got 65592",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_refused_call_is_an_error_on_every_rank(what: str) -> None:
    usual, wrong, message = REFUSED[what]

    def run(comm: allred.Communicator) -> None:
        assert is_usable(comm)
        if comm.rank == 1:
            assert re.search(message, str(error_of(allred.InvalidArgumentError, wrong, comm)))
        else:
            text = str(error_of(allred.MismatchError, usual, comm))
            assert re.search(f"rank 1 .* refused: .*{message}", text), text
        assert is_usable(comm)
        usual(comm)

    allred.run_threads(run, SIZE, timeout=30)


def test_lists_that_touch_do_not_overlap() -> None:
    """Blocks of input and output by turns in one array."""

    def run(comm: allred.Communicator) -> None:
        pieces = np.split(np.full(2 * SIZE, comm.rank), 2 * SIZE)
        comm.all_to_all_into(pieces[1::2], pieces[0::2])
        assert [int(piece[0]) for piece in pieces[1::2]] == [0, 1, 2]

    allred.run_threads(run, SIZE, timeout=30)

"""All ranks of a communicator use rank 0's numbers, and choose by them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from allred import _core
from allred.communicator import Communicator
from allred.config import Config

SECONDS = 30.0
MAILBOX_BYTES = 64 << 10

OwnNumbers = list[Mapping[str, int]]


def with_own_numbers(numbers: OwnNumbers) -> list[tuple[dict[str, int], list[str], float]]:
    """What each rank ends up with: its tuning, its choices for growing messages, and a sum over the ranks."""
    rendezvous = _core.InProcessRendezvous(len(numbers), SECONDS)

    def run(rank: int) -> tuple[dict[str, int], list[str], float]:
        config = Config(timeout=SECONDS, tuning=numbers[rank])
        with Communicator(_core.InProcessBootstrap(rendezvous, rank), config) as communicator:
            choices = [communicator.chosen_algorithm("all_reduce", 256 << power) for power in range(8)]
            array = np.full(50_000, rank + 1.0)
            communicator.all_reduce(array)
            communicator.barrier()
            assert (array == array[0]).all()
            return communicator.tuning, choices, array[0]

    with ThreadPoolExecutor(len(numbers), thread_name_prefix="rank ") as threads:
        return list(threads.map(run, range(len(numbers))))


def test_rank_0_decides() -> None:
    tables: OwnNumbers = [{"chunk_bytes": 65536, "chunk_bytes_shared": 65536}, {"chunk_bytes": 8192}, {}]
    found = with_own_numbers(tables)
    expected = _core.complete_tuning(tables[0])
    assert [tuning for tuning, _, _ in found] == [expected] * 3
    assert [total for _, _, total in found] == [6.0] * 3


def test_tables_that_would_choose_differently_do_not_make_ranks_disagree() -> None:
    never = {"one_shot_bytes": 0, "one_shot_bytes_shared": 0}
    always = {"one_shot_bytes": 1 << 30, "one_shot_bytes_shared": 1 << 30}
    for tables, small in (([never, always], "two_shot"), ([always, never], "one_shot")):
        found = with_own_numbers([dict(table) for table in tables])
        assert found[0][1] == found[1][1]
        assert found[0][1][0] == small


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("most", [1024, 8192])
def test_the_selector_takes_one_shot_up_to_the_size_that_the_tuner_found(most: int, ranks: int) -> None:
    from allred.cli.tune.crossover import Conclusion

    conclusion = Conclusion(one_shot_most=most, chunk=65536, large_chunk=None, noise=0.0)
    numbers = conclusion.numbers(ranks, cores=ranks) | conclusion.numbers(ranks, cores=1)
    for _, choices, _ in with_own_numbers([numbers] * ranks):
        sizes = [1024 << power for power in range(8)]  # float32
        assert choices == ["one_shot" if size <= most else "two_shot" for size in sizes]


def test_chunks_smaller_than_a_line_a_rank() -> None:
    """The least chunk still gives each of many ranks a place in a slot."""
    ranks = 4096 // 64 + 2
    staging = {"staging_bytes": 64 * 8 * ranks}
    rendezvous = _core.InProcessRendezvous(ranks, SECONDS)

    def run(rank: int) -> bool:
        config = Config(timeout=SECONDS, tuning={"chunk_bytes": 4096, "chunk_bytes_shared": 4096}, **staging)
        with Communicator(_core.InProcessBootstrap(rendezvous, rank), config) as communicator:
            array = np.full(40_000, rank, np.int32)
            communicator.all_reduce(array, algorithm="two_shot")
            communicator.barrier()
            return bool((array == ranks * (ranks - 1) // 2).all())

    with ThreadPoolExecutor(ranks, thread_name_prefix="rank ") as threads:
        assert all(threads.map(run, range(ranks)))

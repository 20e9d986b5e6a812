"""All-to-all with blocks that differ from pair to pair, given as counts or as lists of arrays."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from reduce.reference import Array
from spec.buffers import Guarded
from spec.cases import SANITIZED, SIZES, run_calls
from spec.values import generator

import allred
from allred import Config

Matrix = np.ndarray[Any, np.dtype[np.int64]]
LARGE = 3_000 if SANITIZED else 60_000


@dataclass(frozen=True)
class Splits:
    """Rank i sends `counts[i, j]` elements to rank j."""

    counts: Matrix
    dtype: str

    def __str__(self) -> str:
        return f"{self.dtype} counts={self.counts.tolist()}"

    def block(self, source: int, target: int) -> Array:
        """Numbers that tell the pair and the place."""
        place = np.arange(self.counts[source, target])
        return (place * 7 + source * 31 + target * 101).astype(self.dtype)

    def sent_by(self, rank: int) -> list[Array]:
        return [self.block(rank, target) for target in range(len(self.counts))]

    def taken_by(self, rank: int) -> list[Array]:
        return [self.block(source, rank) for source in range(len(self.counts))]


def random_splits(size: int, most: int) -> Iterator[Splits]:
    """Many pairs that exchange nothing, ranks that only send or only take, and a rank that has nearly everything."""
    rng = generator("splits", size, most)
    for dtype in ("int8", "int32", "complex128"):
        full = rng.integers(0, most, (size, size))
        sparse = full * rng.integers(0, 2, (size, size))
        one_row, one_column, diagonal = np.zeros_like(full), np.zeros_like(full), np.diag(np.diag(full))
        one_row[rng.integers(size)] = full[0]
        one_column[:, rng.integers(size)] = full[0]
        heavy = full // 100
        heavy[rng.integers(size), rng.integers(size)] = most
        for counts in (full, sparse, one_row, one_column, diagonal, heavy, np.full_like(full, most // size)):
            yield Splits(counts, dtype)


def exchange(comm: allred.Communicator, splits: Splits, **options: Any) -> None:
    source = Guarded.copy_of(np.concatenate(splits.sent_by(comm.rank)), splits.dtype)
    expected = np.concatenate(splits.taken_by(comm.rank))
    result = Guarded(splits.dtype, expected.size)
    counts = {"input_counts": splits.counts[comm.rank], "output_counts": splits.counts[:, comm.rank].tolist()}
    comm.all_to_all_into(result.argument, source.argument, **counts, **options)
    result.check(expected)
    source.check(np.concatenate(splits.sent_by(comm.rank)), "the input")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", ["auto", "one_shot", "staged"])
@pytest.mark.parametrize("most", [3, 300])
def test_random_splits(size: int, algorithm: str, most: int) -> None:
    def run(comm: allred.Communicator, splits: Splits) -> None:
        exchange(comm, splits, algorithm=algorithm)

    run_calls(size, random_splits(size, most), run)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_large_splits(size: int) -> None:
    """With the staging memory that users have, and among calls that use it in other ways."""

    def run(comm: allred.Communicator, splits: Splits) -> None:
        exchange(comm, splits)
        ones = np.ones(LARGE, np.int64)
        comm.all_reduce(ones, algorithm="two_shot")
        assert (ones == comm.size).all()

    run_calls(size, random_splits(size, LARGE), run, staging_bytes=Config().staging_bytes)


def test_only_some_ranks_data_fits_a_mailbox() -> None:
    """All ranks must come to the same choice of algorithm, whatever each has to send."""

    def run(comm: allred.Communicator, sender: int) -> None:
        counts = np.full((comm.size, comm.size), 5)
        counts[sender] = 20_000
        exchange(comm, Splits(counts, "int64"))

    run_calls(3, range(3), run)


@pytest.mark.parametrize("count", [0, 1, 40, 3000])
def test_both_ways_of_giving_even_blocks_meet(count: int) -> None:
    def run(comm: allred.Communicator, ways: tuple[str, ...]) -> None:
        splits = Splits(np.full((comm.size, comm.size), count), "int16")
        source, result = np.concatenate(splits.sent_by(comm.rank)), np.zeros(count * comm.size, np.int16)
        for algorithm in ("auto", "staged", "pairwise"):
            result[:] = -1
            if ways[comm.rank] == "lists":
                comm.all_to_all_into(np.split(result, comm.size), np.split(source, comm.size), algorithm=algorithm)
            else:
                given = {"input_counts": [count] * comm.size} if ways[comm.rank] == "counts" else {}
                comm.all_to_all_into(result, source, algorithm=algorithm, **given)
            np.testing.assert_array_equal(result, np.concatenate(splits.taken_by(comm.rank)))

    run_calls(3, itertools.product(("whole", "counts", "lists"), repeat=3), run)


@pytest.mark.parametrize("way", ["counts", "lists"])
def test_asynchronous(way: str) -> None:
    """What the call was given may go out of scope while it is under way."""

    def run(comm: allred.Communicator) -> None:
        started = []
        for splits in [*random_splits(comm.size, 50), *random_splits(comm.size, 9000)]:
            result = [np.empty_like(block) for block in splits.taken_by(comm.rank)]
            if way == "lists":
                work = comm.all_to_all_into(tuple(result), splits.sent_by(comm.rank), async_op=True)
            else:
                whole, source = np.concatenate(result), np.concatenate(splits.sent_by(comm.rank))
                counts = {"input_counts": splits.counts[comm.rank], "output_counts": splits.counts[:, comm.rank]}
                work = comm.all_to_all_into(whole, source, async_op=True, **counts)
                result = [whole]
            started.append((work, result, splits))
        for work, result, splits in started:
            work.wait()
            np.testing.assert_array_equal(np.concatenate(result), np.concatenate(splits.taken_by(comm.rank)))

    allred.run_threads(run, 3, timeout=60)

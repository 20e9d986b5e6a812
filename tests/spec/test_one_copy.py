"""Collectives straight out of their peers' private memory: the results are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from spec.buffers import Guarded
from spec.cases import run_calls
from spec.symmetric import FORMS
from spec.test_symmetric_memory import calls_of

import allred

ALWAYS: dict[str, Any] = {"tuning": {"one_copy_bytes": 1, "one_copy_bytes_shared": 1, "stream_bytes": 0}}
EITHER_WAY: dict[str, Any] = {"tuning": {"one_copy_bytes": 1}}
PULLED = [form for form in FORMS if not form.startswith("all_reduce")]


@pytest.mark.parametrize("size", [2, 3, 5])
def test_every_collective(size: int) -> None:
    """Each call twice: the first finds out whether the peers' memory can be read."""

    def check(comm: allred.Communicator, item: tuple[str, Any]) -> None:
        form, call = item
        FORMS[form](comm, call, lambda role, dtype, count: Guarded(dtype, count, np.empty), "auto")

    calls = [(form, call) for form in PULLED for call, _ in calls_of(size)]
    run_calls(size, calls + calls, check, staging_bytes=64 << 10, **ALWAYS)


@pytest.mark.parametrize("private", [0, 2])
def test_ranks_whose_input_is_symmetric_beside_others(private: int) -> None:
    def run(comm: allred.Communicator) -> None:
        make = np.empty if comm.rank == private else comm.empty
        source, gathered = make(50_001, np.float32), np.empty((comm.size, 50_001), np.float32)
        for turn in range(3):
            source[:] = comm.rank + turn
            comm.all_gather_into(gathered, source)
            source[:] = -1  # it is the caller's again
            assert (gathered == turn + np.arange(comm.size)[:, None]).all()

    allred.run_threads(run, 3, **ALWAYS)


def test_blocks_of_all_to_all_that_differ_in_size() -> None:
    counts = np.array([[40_001, 0, 23], [70_000, 1, 50_003], [0, 0, 0]])

    def run(comm: allred.Communicator) -> None:
        sent, expected = counts[comm.rank], counts[:, comm.rank]
        for turn in range(3):
            source = np.concatenate([np.full(sent[to], 10 * comm.rank + to + turn, np.int16) for to in range(3)])
            result = np.empty(expected.sum(), np.int16)
            comm.all_to_all_into(result, source, input_counts=sent.tolist(), output_counts=expected.tolist())
            wanted = np.concatenate([np.full(expected[rank], 10 * rank + comm.rank + turn) for rank in range(3)])
            np.testing.assert_array_equal(result, wanted)

    allred.run_threads(run, 3, **ALWAYS)


@pytest.mark.parametrize("op", ["sum", "avg"])
def test_either_way_ends_with_the_same_bits(op: str) -> None:
    """The first calls of a size try both ways in turn, once it is known that the peers' memory can be read."""
    count = 30_011

    def run(comm: allred.Communicator) -> None:
        source = np.random.default_rng(comm.rank).standard_normal(2 * count).astype(np.float32)
        scattered = np.empty(count, np.float32)
        results = set()
        for _ in range(40):
            reduced = source.copy()
            scattered[:] = np.nan
            comm.reduce(reduced, root=1, op=op)
            comm.reduce_scatter_into(scattered, source, op=op)
            results.add((reduced.tobytes() if comm.rank == 1 else b"", scattered.tobytes()))
        assert len(results) == 1
        assert np.isfinite(scattered).all()

    allred.run_threads(run, 2, **EITHER_WAY)

"""Results that outgrow the caches are written past them: they are the same, to the last byte and no further."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from spec.buffers import Guarded
from spec.cases import run_calls
from spec.symmetric import FORMS, Make
from spec.test_symmetric_memory import calls_of, large

import allred

STREAMED: dict[str, int] = {"one_copy_bytes": 1 << 40, "one_copy_bytes_shared": 1 << 40}
PULLED: dict[str, int] = {"one_copy_bytes": 1, "one_copy_bytes_shared": 1, "stream_bytes": 0}
COUNT = 300_007  # float32: several frames of a message, and more than is sent at once


def private(comm: allred.Communicator) -> Make:
    return lambda role, dtype, count: Guarded(dtype, count, np.empty)


def symmetric(comm: allred.Communicator) -> Make:
    return lambda role, dtype, count: Guarded(dtype, count, comm.empty)


@pytest.mark.parametrize("memory", [private, symmetric])
@pytest.mark.parametrize("way", [STREAMED, PULLED], ids=["streamed", "pulled"])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_every_collective(size: int, way: dict[str, int], memory: Any) -> None:
    def check(comm: allred.Communicator, item: tuple[str, Any]) -> None:
        form, (call, algorithm) = item
        FORMS[form](comm, call, memory(comm), large(form) if algorithm == "large" else algorithm)

    calls = [(form, call) for form in FORMS for call in calls_of(size)]
    run_calls(size, calls, check, staging_bytes=64 << 10, tuning={**way, "cached_bytes": 1})


@pytest.mark.parametrize("way", [{"eager_bytes": 1 << 30}, {"eager_bytes": 1}], ids=["eager", "offered"])
def test_messages(way: dict[str, int]) -> None:
    def run(comm: allred.Communicator) -> None:
        peer = 1 - comm.rank
        for turn in range(20):
            result = Guarded("float32", COUNT)
            sent = np.arange(COUNT, dtype=np.float32) + turn + comm.rank
            work = comm.send(sent, peer, async_op=True)
            comm.recv(result.argument, peer)
            work.wait()
            result.check(np.arange(COUNT, dtype=np.float32) + turn + peer)

    allred.run_threads(run, 2, tuning={**way, "cached_bytes": 1})

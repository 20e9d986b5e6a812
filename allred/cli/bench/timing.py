"""Times blocks of back-to-back calls on one rank."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat

from allred.cli.bench.libraries import Call, PingPong


def run(call: Call | PingPong, calls: int) -> float:
    """Makes so many calls, and returns the seconds they took; of messages there and back, half of that."""
    if isinstance(call, PingPong):
        first, second = call.first, call.second
        begin = time.perf_counter()
        for _ in repeat(None, calls):
            first()
            second()
        return (time.perf_counter() - begin) / 2
    begin = time.perf_counter()
    for _ in repeat(None, calls):
        call()
    return time.perf_counter() - begin


def run_together(call: Call | PingPong, calls: int, barrier: Call) -> float:
    """As :func:`run`, begun by all ranks at the same time as far as the barrier sees to it. Collective."""
    barrier()
    return run(call, calls)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keeps Python from looking for garbage, in the middle of what is timed, on one rank and not on the other."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()

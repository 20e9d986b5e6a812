"""What all tests share: no rank may outlive its test."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from rank_pool.pool import ranks

__all__ = ["ranks"]  # one pool for the tests of all folders

SECONDS_TO_END = 10


@pytest.fixture(autouse=True)
def _no_rank_is_left() -> Iterator[None]:
    """A rank that hangs is named: its thread is called "rank N", and pytest-timeout shows where it is."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("rank "):
            thread.join(SECONDS_TO_END)
            assert not thread.is_alive(), f"{thread.name} is still running"

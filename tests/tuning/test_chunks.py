"""How many bytes of staging memory are filled at a time."""

from __future__ import annotations

import pytest

from allred import _core

KIB, MIB = 1 << 10, 1 << 20
NUMBERS = {"chunk_bytes": 128 * KIB, "most_chunk_bytes": 512 * KIB, "chunk_bytes_shared": 256 * KIB}


@pytest.mark.parametrize(
    ("message", "chunk"),
    [(0, 128 * KIB), (512 * KIB, 128 * KIB), (MIB, 256 * KIB), (2 * MIB, 512 * KIB), (1 << 40, 512 * KIB)],
)
def test_a_quarter_of_a_message_within_limits(message: int, chunk: int) -> None:
    assert _core.chunk_bytes_for(message, True, NUMBERS) == chunk


@pytest.mark.parametrize("message", [0, 2 * MIB, 1 << 40])
def test_one_number_for_all_messages(message: int) -> None:
    """Where ranks share cores, and where the least is more than the most."""
    assert _core.chunk_bytes_for(message, False, NUMBERS) == 256 * KIB
    assert _core.chunk_bytes_for(message, True, {**NUMBERS, "most_chunk_bytes": 4096}) == 128 * KIB

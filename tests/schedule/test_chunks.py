"""Chunk arithmetic: chunks cover the range in order, without gap or overlap, and are as equal as can be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allred import _core

COUNTS = st.integers(0, 1000) | st.integers(0, 2**62)


@settings(deadline=None)
@given(count=COUNTS, num_chunks=st.integers(1, 200))
def test_chunks_cover_the_range_and_are_as_equal_as_can_be(count: int, num_chunks: int) -> None:
    chunks = [_core.chunk_of(count, num_chunks, idx) for idx in range(num_chunks)]
    position = 0
    for offset, chunk_count in chunks:
        assert offset == position
        position += chunk_count
    assert position == count
    counts = [chunk_count for _, chunk_count in chunks]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] - counts[-1] <= 1


@settings(deadline=None)
@given(count=st.integers(2**31, 2**62), num_chunks=st.integers(1, 2**31), data=st.data())
def test_values_past_2_to_the_31(count: int, num_chunks: int, data: st.DataObject) -> None:
    idx = data.draw(st.integers(0, num_chunks - 1))
    base, larger = divmod(count, num_chunks)
    assert _core.chunk_of(count, num_chunks, idx) == (idx * base + min(idx, larger), base + (idx < larger))


@pytest.mark.parametrize(("num_chunks", "idx"), [(0, 0), (3, 3), (3, 100)])
def test_a_chunk_that_does_not_exist_is_an_error(num_chunks: int, idx: int) -> None:
    with pytest.raises(ValueError, match="is not one of"):
        _core.chunk_of(10, num_chunks, idx)

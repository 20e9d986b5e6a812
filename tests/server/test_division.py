"""The division among servers: every element in one shard, shards of equal bytes, bytes that come back as they were."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allred.server.arrays import Parameter
from allred.server.division import divide

SHAPES = st.lists(st.integers(0, 40), max_size=3).map(tuple)
PARAMETERS = st.lists(
    st.tuples(st.sampled_from(["float64", "float32", "float16"]), SHAPES), min_size=1, max_size=12
).map(lambda each: [Parameter(f"p{idx}", dtype, shape) for idx, (dtype, shape) in enumerate(each)])


@given(PARAMETERS, st.integers(1, 9))
def test_each_element_is_in_one_shard(parameters: list[Parameter], num_shards: int) -> None:
    layouts = divide(parameters, num_shards)
    assert len(layouts) == num_shards
    held = {each.name: np.zeros(each.count, int) for each in parameters}
    for layout in layouts:
        for piece in layout.pieces:
            held[piece.name][piece.offset : piece.offset + piece.count] += 1
    assert all((counts == 1).all() for counts in held.values())


@given(PARAMETERS, st.integers(1, 9))
def test_shards_are_of_equal_bytes(parameters: list[Parameter], num_shards: int) -> None:
    sizes = [layout.bytes for layout in divide(parameters, num_shards)]
    assert sum(sizes) == sum(each.bytes for each in parameters)
    assert max(sizes) - min(sizes) <= 2 * 64


@given(PARAMETERS, st.integers(1, 9))
def test_what_is_packed_is_unpacked(parameters: list[Parameter], num_shards: int) -> None:
    numbers = np.random.default_rng(0)
    flat = {each.name: numbers.standard_normal(each.count).astype(each.dtype) for each in parameters}
    back = {each.name: np.full(each.count, np.nan, each.dtype) for each in parameters}
    for layout in divide(parameters, num_shards):
        packed = layout.pack(flat)
        assert packed.nbytes == layout.bytes
        assert sum(section.view(packed).nbytes for section in layout.sections) == layout.bytes
        landed = layout.landing(back)
        landed[:] = packed
        layout.unpack(landed, back)
    for name, array in flat.items():
        np.testing.assert_array_equal(back[name], array)

"""Gather, scatter, all-to-all, and all-gather of several tensors: what moves bytes and does no arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist

SIZES = [2, 3, 4]
SHAPES = [(), (0,), (1,), (7,), (3, 5), (2, 0, 3), (40_009,)]


def can_be_made(dtype: torch.dtype) -> bool:
    try:
        return not torch.empty(1, dtype=dtype).is_quantized
    except (RuntimeError, NotImplementedError):
        return False


EVERY_DTYPE = sorted(
    {each for each in vars(torch).values() if isinstance(each, torch.dtype) and can_be_made(each)}, key=str
)


def values(shape: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Bytes at random, the same wherever they are made."""
    empty = torch.empty(shape, dtype=dtype)
    limit = 2 if dtype == torch.bool else 256
    data = torch.randint(limit, (empty.nbytes,), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return data.view(dtype).reshape(shape)


def assert_same(actual: torch.Tensor, expected: torch.Tensor, about: object) -> None:
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), about
    sides = [each.contiguous().reshape(-1).view(torch.uint8) for each in (actual, expected)]
    assert torch.equal(*sides), about


def call(async_op: bool, function: Callable[..., Any], *args: Any, **options: Any) -> None:
    work = function(*args, **options, async_op=async_op)
    assert (work is not None) == async_op
    if work is not None:
        work.wait()
        assert work.is_success()


def strided(tensor: torch.Tensor) -> torch.Tensor:
    """Of the same values; its elements lie apart where that is possible."""
    apart = torch.empty((*tensor.shape, 2), dtype=tensor.dtype)[..., 1]
    return apart.copy_(tensor)


def gather(rank: int, size: int, async_op: bool) -> None:
    for turn, shape in enumerate(SHAPES):
        root = turn % size
        outputs = [torch.empty(shape) for _ in range(size)] if rank == root else None
        call(async_op, dist.gather, values(shape, rank), outputs, dst=root)
        for peer, output in enumerate(outputs or []):
            assert_same(output, values(shape, peer), (shape, root, peer))


def scatter(rank: int, size: int, async_op: bool) -> None:
    for turn, shape in enumerate(SHAPES):
        root = turn % size
        inputs = [values(shape, peer) for peer in range(size)] if rank == root else None
        output = torch.empty(shape)
        call(async_op, dist.scatter, output, inputs, src=root)
        assert_same(output, values(shape, rank), (shape, root))


def all_to_all(rank: int, size: int, async_op: bool) -> None:
    for shape in SHAPES:
        inputs = [values(shape, rank * size + peer) for peer in range(size)]
        outputs = [torch.empty(shape) for _ in range(size)]
        call(async_op, dist.all_to_all, outputs, inputs)
        for peer, output in enumerate(outputs):
            assert_same(output, values(shape, peer * size + rank), (shape, peer))


def all_to_all_of_unequal_sizes(rank: int, size: int, async_op: bool) -> None:
    def length(source: int, target: int) -> int:
        return (source * 3 + target * 1000) % 5003 if source != target else 0

    inputs = [values((length(rank, peer),), rank * size + peer) for peer in range(size)]
    outputs = [torch.empty(length(peer, rank)) for peer in range(size)]
    call(async_op, dist.all_to_all, outputs, inputs)
    for peer, output in enumerate(outputs):
        assert_same(output, values((length(peer, rank),), peer * size + rank), peer)


def all_to_all_of_chunks(rank: int, size: int, async_op: bool) -> None:
    """Lists whose tensors lie one after the other in one tensor, on either side or on both."""
    for length in (1, 3000):
        source, expected = values((size * length,), rank), torch.empty(size * length)
        dist.all_to_all_single(expected, source)
        for lay_out in (list, lambda chunks: [chunk.clone() for chunk in chunks]):
            for target in (list(torch.zeros(size * length).chunk(size)), [torch.zeros(length) for _ in range(size)]):
                call(async_op, dist.all_to_all, target, lay_out(source.chunk(size)))
                assert_same(torch.cat(target), expected, (length, lay_out))


def all_to_all_single(rank: int, size: int, async_op: bool) -> None:
    for block in [(1,), (2, 3), (0,), (3, 0), (5000, 2)]:
        shape = (size * block[0], *block[1:])
        output = torch.empty(shape)
        call(async_op, dist.all_to_all_single, output, values(shape, rank))
        blocks = [values(shape, peer).chunk(size)[rank] if block[0] else torch.empty(block) for peer in range(size)]
        assert_same(output, torch.cat(blocks), block)


def all_to_all_single_with_splits(rank: int, size: int, async_op: bool) -> None:
    for scale in (0, 1, 2000):
        splits = [[scale * ((source + 2 * target) % 3) for target in range(size)] for source in range(size)]
        sent, received = splits[rank], [each[rank] for each in splits]
        sources = [values((sum(each), 3), seed, torch.int64) for seed, each in enumerate(splits)]
        for lay_out in (torch.clone, strided):
            output = lay_out(torch.zeros(sum(received), 3, dtype=torch.int64))
            call(async_op, dist.all_to_all_single, output, lay_out(sources[rank]), received, sent)
            expected = [source.split(each)[rank] for source, each in zip(sources, splits, strict=True)]
            assert_same(output, torch.cat(expected), (scale, lay_out))


def all_gather_coalesced(rank: int, size: int, async_op: bool) -> None:
    shapes = [(3,), (2, 2), (), (0,)]
    outputs = [[torch.empty(shape) for shape in shapes] for _ in range(size)]
    inputs = [values(shape, rank) for shape in shapes]
    work = dist.group.WORLD.allgather_coalesced(outputs, inputs)
    work.wait()
    for peer, tensors in enumerate(outputs):
        for shape, tensor in zip(shapes, tensors, strict=True):
            assert_same(tensor, values(shape, peer), (peer, shape))


def layouts(rank: int, size: int, async_op: bool) -> None:
    shape, root = (4, 3), size - 1
    tensors = [strided(values(shape, peer)) for peer in range(size)]
    outputs = [torch.zeros(3, 4).t() for _ in range(size)]
    call(async_op, dist.gather, tensors[rank], outputs if rank == root else None, dst=root)
    call(async_op, dist.scatter, outputs[rank], tensors if rank == root else None, src=root)
    assert_same(outputs[rank], tensors[rank], "scatter")
    call(async_op, dist.all_to_all, outputs, [values(shape, rank * size + peer).t().contiguous().t() for peer in range(size)])
    for peer, output in enumerate(outputs):
        assert_same(output, values(shape, peer * size + rank), ("all_to_all", peer))


def outputs_that_are_one_tensor(rank: int, size: int, async_op: bool) -> None:
    """What the last rank sends is left, as it is with Gloo."""
    for outputs in ([torch.zeros(5)] * size, [torch.zeros(10)[::2]] * size):
        call(async_op, dist.all_gather, outputs, values((5,), rank))
        assert_same(outputs[0], values((5,), size - 1), "all_gather")
        call(async_op, dist.gather, values((5,), rank + 9), outputs if rank == 0 else None, dst=0)
        assert_same(outputs[0], values((5,), size + 8 if rank == 0 else size - 1), "gather")
        call(async_op, dist.all_to_all, outputs, [values((5,), rank)] * size)
        assert_same(outputs[0], values((5,), size - 1), "all_to_all")


BODIES = [
    gather,
    scatter,
    all_to_all,
    all_to_all_of_unequal_sizes,
    all_to_all_of_chunks,
    all_to_all_single,
    all_to_all_single_with_splits,
    all_gather_coalesced,
    layouts,
    outputs_that_are_one_tensor,
]


@pytest.mark.parametrize("async_op", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_exchange(ranks: Any, body: Callable[..., None], size: int, async_op: bool) -> None:
    ranks.run(size, body, async_op)


def every_dtype(rank: int, size: int) -> None:
    for dtype in EVERY_DTYPE:
        sent = [[values((6,), peer * size + block, dtype) for block in range(size)] for peer in range(size)]
        first = [each[0] for each in sent]
        outputs = [torch.empty(6, dtype=dtype) for _ in range(size)]
        dist.gather(first[rank], outputs if rank == 0 else None)
        for output, expected in zip(outputs if rank == 0 else [], first, strict=rank == 0):
            assert_same(output, expected, ("gather", dtype))
        dist.scatter(outputs[0], sent[1] if rank == 1 else None, src=1)
        assert_same(outputs[0], sent[1][rank], ("scatter", dtype))
        dist.all_to_all(outputs, sent[rank])
        for output, each in zip(outputs, sent, strict=True):
            assert_same(output, each[rank], ("all_to_all", dtype))
        if rank == 0:
            dist.send(first[0], 1)
        elif rank == 1:
            dist.recv(outputs[0], 0)
            assert_same(outputs[0], first[0], ("recv", dtype))


def test_every_dtype_of_torch(ranks: Any) -> None:
    wanted = {torch.bool, torch.complex32, torch.uint16, torch.uint32, torch.uint64, torch.float8_e8m0fnu}
    assert wanted <= set(EVERY_DTYPE)
    ranks.run(2, every_dtype)


def alone(rank: int, size: int) -> None:
    for body in BODIES:
        body(rank, size, False)


def test_a_group_of_one(ranks: Any) -> None:
    ranks.run(1, alone)

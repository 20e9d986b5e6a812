"""Each collective, in each of its forms, against a reference computed from all ranks' inputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist

SIZES = [2, 3]
SHAPES = [(), (0,), (1,), (7,), (3, 5), (4099,)]
LARGE = (300_001,)

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
INTEGERS = [
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.uint8,
    torch.uint16,
    torch.uint32,
    torch.uint64,
]
COMPLEX = [torch.complex64, torch.complex128]
ALL = [*FLOATS, *INTEGERS, torch.bool, *COMPLEX]
MOVED_AS_BYTES = [torch.float8_e4m3fn, torch.complex32]

REFERENCES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "SUM": lambda stacked: stacked.sum(0),
    "AVG": lambda stacked: stacked.sum(0) / len(stacked),
    "PRODUCT": lambda stacked: stacked.prod(0),
    "MIN": lambda stacked: stacked.amin(0),
    "MAX": lambda stacked: stacked.amax(0),
    "BAND": lambda stacked: fold(torch.bitwise_and, stacked),
    "BOR": lambda stacked: fold(torch.bitwise_or, stacked),
    "BXOR": lambda stacked: fold(torch.bitwise_xor, stacked),
}
CASES = [
    *[(dtype, op) for dtype in FLOATS for op in ("SUM", "AVG", "PRODUCT", "MIN", "MAX")],
    *[(dtype, op) for dtype in INTEGERS for op in ("SUM", "PRODUCT", "MIN", "MAX", "BAND", "BOR", "BXOR")],
    *[(torch.bool, op) for op in ("BAND", "BOR", "BXOR", "MIN", "MAX")],
    *[(dtype, op) for dtype in COMPLEX for op in ("SUM", "AVG")],
]


def fold(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], stacked: torch.Tensor) -> torch.Tensor:
    result = stacked[0]
    for each in stacked[1:]:
        result = function(result, each)
    return result


def tensor_of(rank: int, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Small values that depend on rank and index, so that sums and products are exact in every type."""
    values = (torch.arange(math.prod(shape)) * 3 + rank * 2) % 5 + 1
    if dtype == torch.bool:
        return (values % 2 == 0).reshape(shape)
    if dtype.is_complex:
        return torch.complex(values.double(), values.double() - 2).reshape(shape).to(dtype)
    return values.reshape(shape).to(dtype)


def wide(dtype: torch.dtype) -> torch.dtype:
    """The type in which the reference is computed."""
    if dtype == torch.bool:
        return torch.bool
    if dtype.is_complex:
        return torch.complex128
    return torch.float64 if dtype.is_floating_point else torch.int64


def expected_reduction(op: str, inputs: list[torch.Tensor]) -> torch.Tensor:
    dtype = inputs[0].dtype
    return REFERENCES[op](torch.stack([each.to(wide(dtype)) for each in inputs])).to(dtype)


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """For comparison: not all types can be compared by torch."""
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def assert_same(actual: torch.Tensor, expected: torch.Tensor, about: object) -> None:
    assert actual.dtype == expected.dtype, about
    assert actual.shape == expected.shape, about
    if actual.dtype.is_floating_point or actual.dtype.is_complex:
        torch.testing.assert_close(actual, expected, msg=lambda text: f"{about}: {text}")
    else:
        assert torch.equal(bits(actual), bits(expected)), about


def call(async_op: bool, function: Callable[..., Any], *args: Any, **options: Any) -> None:
    work = function(*args, **options, async_op=async_op)
    assert (work is not None) == async_op
    if work is not None:
        assert work.wait()
        assert work.is_completed()
        assert work.is_success()


def all_reduce(rank: int, size: int, async_op: bool) -> None:
    for dtype, op in CASES:
        for shape in SHAPES:
            inputs = [tensor_of(peer, shape, dtype) for peer in range(size)]
            tensor = inputs[rank].clone()
            call(async_op, dist.all_reduce, tensor, op=getattr(dist.ReduceOp, op))
            assert_same(tensor, expected_reduction(op, inputs), (dtype, op, shape))
    large = torch.full(LARGE, float(rank))
    call(async_op, dist.all_reduce, large)
    assert torch.all(large == sum(range(size)))


def premultiplied_sum(rank: int, size: int, async_op: bool) -> None:
    for factor in (0.5, torch.tensor(0.5)):
        for shape in SHAPES:
            tensor = tensor_of(rank, shape, torch.float32)
            op = dist._make_nccl_premul_sum(factor)
            call(async_op, dist.all_reduce, tensor, op=op)
            total = sum(tensor_of(peer, shape, torch.float32) * 0.5 for peer in range(size))
            assert_same(tensor, total, (factor, shape))


def reduce(rank: int, size: int, async_op: bool) -> None:
    for dtype, op in CASES:
        for shape in SHAPES:
            root = len(shape) % size
            inputs = [tensor_of(peer, shape, dtype) for peer in range(size)]
            tensor = inputs[rank].clone()
            call(async_op, dist.reduce, tensor, dst=root, op=getattr(dist.ReduceOp, op))
            expected = expected_reduction(op, inputs) if rank == root else inputs[rank]
            assert_same(tensor, expected, (dtype, op, shape, root))


def broadcast(rank: int, size: int, async_op: bool) -> None:
    for dtype in [*ALL, *MOVED_AS_BYTES]:
        for shape in SHAPES:
            for root in range(size):
                tensor = tensor_of(rank, shape, torch.uint8).to(dtype)
                call(async_op, dist.broadcast, tensor, src=root)
                assert_same(bits(tensor), bits(tensor_of(root, shape, torch.uint8).to(dtype)), (dtype, shape, root))


def all_gather_list(rank: int, size: int, async_op: bool) -> None:
    for dtype in [*ALL, *MOVED_AS_BYTES]:
        for shape in SHAPES:
            inputs = [tensor_of(peer, shape, torch.uint8).to(dtype) for peer in range(size)]
            outputs = [torch.empty(shape, dtype=dtype) for _ in range(size)]
            call(async_op, dist.all_gather, outputs, inputs[rank])
            for output, expected in zip(outputs, inputs, strict=True):
                assert_same(bits(output), bits(expected), (dtype, shape))


def all_gather_tensor(rank: int, size: int, async_op: bool) -> None:
    for dtype in ALL:
        for shape in SHAPES[1:]:
            inputs = [tensor_of(peer, shape, dtype) for peer in range(size)]
            output = torch.empty((size * shape[0], *shape[1:]), dtype=dtype)
            call(async_op, dist.all_gather_into_tensor, output, inputs[rank])
            assert_same(output, torch.cat(inputs), (dtype, shape))


def reduce_scatter_list(rank: int, size: int, async_op: bool) -> None:
    for dtype, op in CASES:
        if dtype.is_complex:
            continue  # torch itself passes no lists of them
        for shape in SHAPES:
            inputs = [[tensor_of(peer + block, shape, dtype) for block in range(size)] for peer in range(size)]
            output = torch.empty(shape, dtype=dtype)
            call(async_op, dist.reduce_scatter, output, inputs[rank], op=getattr(dist.ReduceOp, op))
            assert_same(output, expected_reduction(op, [each[rank] for each in inputs]), (dtype, op, shape))


def reduce_scatter_tensor(rank: int, size: int, async_op: bool) -> None:
    for dtype, op in CASES:
        if dtype.is_complex and op == "AVG":
            continue
        for shape in SHAPES[1:]:
            inputs = [tensor_of(peer, (size, *shape), dtype) for peer in range(size)]
            output = torch.empty(shape, dtype=dtype)
            call(
                async_op, dist.reduce_scatter_tensor, output, inputs[rank].flatten(0, 1), op=getattr(dist.ReduceOp, op)
            )
            assert_same(output, expected_reduction(op, [each[rank] for each in inputs]), (dtype, op, shape))


def barrier(rank: int, size: int, async_op: bool) -> None:
    for _ in range(20):
        call(async_op, dist.barrier)


def coalesced(rank: int, size: int, async_op: bool) -> None:
    tensors = [torch.full((3,), float(rank)), torch.full((2, 2), rank + 1, dtype=torch.int64)]
    options = dist.AllreduceCoalescedOptions()
    options.asyncOp = async_op
    work = dist.group.WORLD.allreduce_coalesced(tensors, options)
    if async_op:
        work.wait()
    else:
        assert work is None  # torch's word for: there is nothing to wait for
    assert torch.all(tensors[0] == sum(range(size)))
    assert torch.all(tensors[1] == sum(range(1, size + 1)))
    blocks = [torch.full((2,), float(rank)), torch.full((3,), -float(rank))]
    gathered = [torch.empty(2 * size), torch.empty(3 * size)]
    with dist._coalescing_manager(async_ops=async_op) as manager:
        for output, block in zip(gathered, blocks, strict=True):
            dist.all_gather_into_tensor(output, block)
    if async_op:
        manager.wait()
    assert gathered[0].tolist() == [float(peer) for peer in range(size) for _ in range(2)]
    assert gathered[1].tolist() == [-float(peer) for peer in range(size) for _ in range(3)]
    scattered = [torch.empty(2), torch.empty(3)]
    with dist._coalescing_manager(async_ops=async_op) as manager:
        for output, block in zip(scattered, gathered, strict=True):
            dist.reduce_scatter_tensor(output, block)
    if async_op:
        manager.wait()
    assert scattered[0].tolist() == [float(rank * size)] * 2
    assert scattered[1].tolist() == [-float(rank * size)] * 3


@pytest.mark.parametrize("async_op", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "body",
    [
        all_reduce,
        premultiplied_sum,
        reduce,
        broadcast,
        all_gather_list,
        all_gather_tensor,
        reduce_scatter_list,
        reduce_scatter_tensor,
        barrier,
        coalesced,
    ],
    ids=lambda body: body.__name__,
)
def test_collective(ranks: Any, body: Callable[..., None], size: int, async_op: bool) -> None:
    ranks.run(size, body, async_op)


def on_one_rank(rank: int, size: int) -> None:
    for body in (all_reduce, premultiplied_sum, reduce, broadcast, all_gather_list, all_gather_tensor):
        body(rank, size, False)
    for body in (reduce_scatter_list, reduce_scatter_tensor, barrier, coalesced):
        body(rank, size, True)


def test_a_group_of_one(ranks: Any) -> None:
    ranks.run(1, on_one_rank)


def objects(rank: int, size: int) -> None:
    gathered: list[Any] = [None] * size
    dist.all_gather_object(gathered, {"rank": rank, "text": "x" * rank * 1000})
    assert [each["rank"] for each in gathered] == list(range(size))
    assert [len(each["text"]) for each in gathered] == [1000 * peer for peer in range(size)]
    sent = [{"from": rank}, "text"] if rank == size - 1 else [None, None]
    dist.broadcast_object_list(sent, src=size - 1)
    assert sent == [{"from": size - 1}, "text"]


@pytest.mark.parametrize("size", SIZES)
def test_object_collectives(ranks: Any, size: int) -> None:
    ranks.run(size, objects)
